"""An HDF5 file that cannot make its library run for ever.

Texts of variable length lie in collections of a global heap. The library walks through the objects of a collection by
their sizes, and does not get on from a free one of size zero. So what it reads goes through here, and it is told of a
damaged file instead.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

_COLLECTION = b"GCOL\x01\0\0\0"
_OBJECT = 16
"""Bytes before each object of a collection: its number, two of references, and its size."""
_LARGEST = 1 << 24
_LONGEST_FIRST_READ = 1 << 16
"""A collection is read in two parts, and this is more than the first; what is longer is values."""


class GuardedFile(io.RawIOBase):
    """A file for :class:`h5py.File`, read-only.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.h5"
    >>> _ = path.write_bytes(b"GCOL\x01" + bytes(3) + (64).to_bytes(8, "little") + bytes(48))
    >>> GuardedFile(path).read(64)
    Traceback (most recent call last):
    ...
    OSError: a heap that never ends
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and look for heaps in what was read."""
        start = self._file.tell()
        count = self._file.readinto(buffer) or 0
        found = memoryview(buffer)[:count].tobytes() if count <= _LONGEST_FIRST_READ else b""
        at = found.find(_COLLECTION)
        while at >= 0:
            self._check(start + at)
            at = found.find(_COLLECTION, at + 1)
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

    def _check(self, start: int) -> None:
        """Check that the library comes to an end of a collection, whatever the file says of its own numbers."""
        self._file.seek(start)
        head = self._file.read(_OBJECT)
        size = int.from_bytes(head[8:16], "little")
        if size > _LARGEST:
            raise OSError("a heap of more than 16 MB")
        collection = head + self._file.read(max(0, size - len(head)))
        at = _OBJECT
        while at + _OBJECT <= len(collection):
            length = int.from_bytes(collection[at + 8 : at + 16], "little")
            if collection[at : at + 2] != b"\0\0":
                at += _OBJECT + -(-length // 8) * 8
            elif length:
                at += length
            else:
                raise OSError("a heap that never ends")
