"""An HDF5 file in which the library cannot lose its way.

Names and texts lie in heaps whose pieces say where the next one is, and the library goes where they say: round and
round, until all memory is taken. So what it reads of them goes through here, and it is told of a damaged file instead.
(The HDF5 File Format Specification, version 3.0, sections II, III.D and III.E, says how they are stored; what an object
leads to is for `hdf5_structures`.)
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unmixel.io.hdf5_headers import LAYOUT, first_headers, messages
from unmixel.io.hdf5_trees import NOWHERE

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_COLLECTION = b"GCOL\x01"
"""The first bytes of a collection of a global heap, which has texts of variable length."""
LOCAL_HEAP = b"HEAP\x00"
"""The first bytes of the heap that has the names in a group."""
_LONGEST_MARK = 5
_OBJECT = 16
"""Bytes before each object of a collection, and of the collection itself."""
_LAST_FREE = 1
_UNREAD = {15, 24}
"""Kinds of messages: on tables of shared messages, and on an image of the library's memory."""
_LARGEST = 1 << 24
LARGEST_COLLECTION = 1 << 20
"""Bytes of a collection of a global heap: a text that is larger has one of its own, and any number may refer to it."""


class GuardedFile(io.RawIOBase):
    """A file for :class:`h5py.File`, read-only.

    Parameters
    ----------
    path : path
    most : int
        Bytes of a collection of a global heap: of a text.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.h5"
    >>> _ = path.write_bytes(_COLLECTION + bytes(3) + (64).to_bytes(8, "little") + bytes(48))
    >>> GuardedFile(path).read(64)
    Traceback (most recent call last):
    ...
    OSError: a heap that never ends
    """

    def __init__(self, path: Path, most: int = LARGEST_COLLECTION) -> None:
        super().__init__()
        self._most = most
        self._file = path.open("rb", buffering=0)
        self._n_bytes = path.stat().st_size
        self._base = self._checked_base()
        self._checks: dict[bytes, Callable[[int], None]] = {
            _COLLECTION: self._check_collection,
            LOCAL_HEAP: self._check_local_heap,
        }
        self._checked: set[int] = set()
        """The places at which something has passed its check."""
        self._check_first()
        self._file.seek(0)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and check what begins in it or just before it."""
        start = self._file.tell()
        count = self._file.readinto(buffer) or 0
        lead = min(start, _LONGEST_MARK - 1)
        found = self._at(start - lead, lead) + memoryview(buffer)[:count].tobytes()
        for mark, check in self._checks.items():
            at = found.find(mark)
            while at >= 0:
                if (place := start - lead + at) not in self._checked:
                    check(place)
                    self._checked.add(place)
                at = found.find(mark, at + 1)
        self._file.seek(start + count)
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _at(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return self._file.read(size) or b""

    def _of_hdf5(self, place: int, size: int) -> bytes:
        """Return what lies at a place that counts from where HDF5 begins."""
        return self._at(self._base + place, size) if place < self._n_bytes else b""

    def _checked_base(self) -> int:
        """Return where HDF5 begins in the file, after what MATLAB has before it; places count from there."""
        for base in (0, *(1 << power for power in range(9, self._n_bytes.bit_length()))):
            first = self._at(base, 15)
            if first.startswith(SIGNATURE):
                sizes = first[13:15] if first[8] < 2 else first[9:11]
                if sizes != b"\x08\x08":
                    raise OSError("an HDF5 file with places and lengths of other than 8 bytes")
                break
        else:
            base = 0
        return base

    def _check_first(self) -> None:
        """Check what the library opens before all else: the root, and what belongs to the superblock."""
        head = self._of_hdf5(0, 80)
        if not head.startswith(SIGNATURE) or len(head) < 80:
            return
        root, extension = first_headers(self._of_hdf5)
        if LAYOUT in self._kinds_in(root):
            raise OSError("an HDF5 file whose root is not a group")
        if self._kinds_in(extension) & _UNREAD:
            raise OSError("an HDF5 file with messages that objects share, or an image of memory")

    def _kinds_in(self, header: int) -> set[int]:
        """Return the kinds of messages of a header, if there is one."""
        return set() if header == NOWHERE else {message.kind for message in messages(self._of_hdf5, header)}

    def _check_collection(self, start: int) -> None:
        size = int.from_bytes(self._at(start + 8, 8), "little")
        if self._lies_within(start, size, self._most) and not _heap_ends(self._at(start, size)):
            raise OSError("a heap that never ends")

    def _check_local_heap(self, start: int) -> None:
        """Check that the free pieces of a local heap, each of which says where the next one is, have a last."""
        head = self._at(start + 8, 24)
        if len(head) < 24:
            return
        size, free, place = struct.unpack("<3Q", head)
        if not self._lies_within(self._base + place, size, _LARGEST):
            return
        content = self._at(self._base + place, size)
        seen = set()
        while free != _LAST_FREE and free + 16 <= len(content):
            if free in seen:
                raise OSError("a heap that never ends")
            seen.add(free)
            free = int.from_bytes(content[free : free + 8], "little")

    def _lies_within(self, start: int, size: int, most: int) -> bool:
        """Return whether a heap lies in the file: the library reads none that does not."""
        if start + size > self._n_bytes:
            return False
        if size > most:
            shown = f"{most >> 20} MB" if most >> 20 else f"{most >> 10} kB"
            raise OSError(f"a heap of more than {shown}")
        return True


def _heap_ends(collection: bytes) -> bool:
    """Return whether the library comes to an end of a collection of a global heap.

    Its objects follow each other: number (2 bytes, 0 for what is free), 6 bytes, size (8 bytes), content.
    """
    at, end = _OBJECT, int.from_bytes(collection[8:_OBJECT], "little")
    while at + _OBJECT <= min(end, len(collection)):
        number, size = (int.from_bytes(collection[at + a : at + b], "little") for a, b in ((0, 2), (8, 16)))
        step = size if number == 0 else _OBJECT + -(-size // 8) * 8
        if not 0 < step <= end - at:
            return False
        at += step
    return True
