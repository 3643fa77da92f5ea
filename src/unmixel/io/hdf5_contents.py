"""HDF5 files (NetCDF-4, MATLAB 7.3 and most products) that can be opened without harm.

A link, a dataset or a virtual dataset of HDF5 may lie in any other file of the disk: a scene from a stranger could show
what is there. A file of a kilobyte may claim a petabyte. And texts of variable length lie in collections of a global
heap, through which the library walks by the sizes of their objects: it does not get on from one without a size. No
product is distributed so.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import h5py

from unmixel.claims import check_claim
from unmixel.errors import SceneError, damage_told

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
COLLECTION = b"GCOL\x01\x00\x00\x00"
"""The first bytes of a collection of a global heap."""
_OBJECT = 16
"""Bytes before each object of a collection, and of the collection itself."""
_LARGEST = 1 << 24
_LONGEST_FIRST_READ = 1 << 16
"""A collection is read in two parts, and this is more than the first; what is longer is values."""


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5 by its first bytes, with or without the user block of MATLAB."""
    try:
        with path.open("rb") as file:
            first = file.read(520)
    except OSError:
        return False
    return first.startswith(_SIGNATURE) or first[512:] == _SIGNATURE


def check_hdf5(path: Path) -> None:
    """Check that an HDF5 file can be opened without harm.

    Raises
    ------
    SceneError
        If it cannot, or the file is damaged.
    """
    told = damage_told(path, "a complete HDF5 file (NetCDF-4, MATLAB 7.3)", "is it truncated?")
    with told, GuardedFile(path) as guarded, h5py.File(guarded, "r") as file:
        check_contents(path, file)


def check_contents(path: Path, file: h5py.File) -> None:
    """Check that nothing in an open HDF5 file leads to another file, and that no dataset claims too much.

    Raises
    ------
    SceneError
        If something does.
    """
    links: list[tuple[bytes, int]] = []
    file.id.links.visit(lambda name, link: links.append((name, link.type)), info=True)
    for name, kind in links:
        if kind != h5py.h5l.TYPE_SOFT:
            _check_link(path, file, name, kind)


def _check_link(path: Path, file: h5py.File, name: bytes, kind: int) -> None:
    shown = repr(name.decode(errors="replace"))
    outside = kind != h5py.h5l.TYPE_HARD
    if not outside:
        entry = h5py.h5o.open(file.id, name)
        if not isinstance(entry, h5py.h5d.DatasetID):
            return
        stored = entry.get_create_plist()
        outside = stored.get_external_count() > 0 or stored.get_layout() == h5py.h5d.VIRTUAL
        claimed = entry.get_space().get_simple_extent_npoints()
        if stored.get_layout() == h5py.h5d.CHUNKED:
            claimed = max(claimed, math.prod(stored.get_chunk()))
        check_claim(path, shown, claimed * entry.get_type().get_size())
    if outside:
        raise SceneError(
            f"{path}, whose {shown} lies in another file", "a file that holds all of its data", "copy it in"
        )


class GuardedFile(io.RawIOBase):
    """A file for :class:`h5py.File`, read-only, that says of heaps without an end that they are damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.h5"
    >>> _ = path.write_bytes(COLLECTION + (64).to_bytes(8, "little") + bytes(48))
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
        at = found.find(COLLECTION)
        while at >= 0:
            self._check(start + at)
            at = found.find(COLLECTION, at + 1)
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
        self._file.seek(start)
        head = self._file.read(_OBJECT)
        size = int.from_bytes(head[8:], "little")
        if size > _LARGEST:
            raise OSError("a heap of more than 16 MB")
        if not heap_ends(head + self._file.read(max(0, size - _OBJECT))):
            raise OSError("a heap that never ends")


def heap_ends(collection: bytes) -> bool:
    """Return whether the library comes to an end of a collection.

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
