"""HDF5 files (NetCDF-4, MATLAB 7.3 and most products) that can be opened without harm.

A link, a dataset or a virtual dataset of HDF5 may lie in any other file of the disk: a scene from a stranger could show
what is there. And a file of a kilobyte may claim a petabyte. No product is distributed so.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path

import h5py

from unmixel.claims import check_claim
from unmixel.errors import SceneError, damage_told

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\x00\x00\x00"
_SEARCHED = 64_000_000


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5 by its first bytes, with or without the user block of MATLAB."""
    try:
        with path.open("rb") as file:
            first = file.read(520)
    except OSError:
        return False
    return first.startswith(_SIGNATURE) or first[512:] == _SIGNATURE


def check_hdf5(path: Path) -> None:
    """Check that nothing in an HDF5 file leads to another file, and that no dataset claims too much.

    Raises
    ------
    SceneError
        If something does, or the file is damaged.
    """
    _check_heaps(path)
    with damage_told(path, "a complete HDF5 file (NetCDF-4, MATLAB 7.3)", "is it truncated?"), h5py.File(path) as file:
        links: list[tuple[bytes, int]] = []
        file.id.links.visit(lambda name, link: links.append((name, link.type)), info=True)
        for name, kind in links:
            _check_link(path, file, name, kind)


def _check_heaps(path: Path) -> None:
    """Check the global heaps of a file; files beyond `_SEARCHED` bytes are not searched for them."""
    if not 0 < path.stat().st_size <= _SEARCHED:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if not heaps_end(content):
            raise SceneError(f"{path} with a heap that does not end", "a complete HDF5 file", "is it damaged?")


def heaps_end(content: bytes | mmap.mmap) -> bool:
    """Return whether the global heaps in a file end: libhdf5 2.0 reads one for ever if a piece of it has no size.

    The pieces of a heap follow each other: number (2 bytes, 0 for what is free), 6 bytes, size (8 bytes), content.
    """
    start = content.find(_HEAP)
    while start >= 0:
        at, end = start + 16, start + int.from_bytes(content[start + 8 : start + 16], "little")
        while at + 16 <= min(end, len(content)):
            number, size = (int.from_bytes(content[at + a : at + b], "little") for a, b in ((0, 2), (8, 16)))
            step = size if number == 0 else 16 + -(-size // 8) * 8
            if not 0 < step <= end - at:
                return False
            at += step
        start = content.find(_HEAP, start + 1)
    return True


def _check_link(path: Path, file: h5py.File, name: bytes, kind: int) -> None:
    shown = repr(name.decode(errors="replace"))
    if kind == h5py.h5l.TYPE_SOFT:
        return
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
