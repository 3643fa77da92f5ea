"""HDF5 files (NetCDF-4, MATLAB 7.3 and most products) that can be opened without harm.

A link, a dataset or a virtual dataset of HDF5 may lie in any other file of the disk: a scene from a stranger could show
what is there. And a file of a kilobyte may claim a petabyte. No product is distributed so.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import BinaryIO

import h5py

from unmixel.claims import check_chunks, check_claim
from unmixel.errors import SceneError, damage_told
from unmixel.io.hdf5_chunks import CHECKSUM, filters_of
from unmixel.io.hdf5_guard import GuardedFile
from unmixel.io.hdf5_headers import first_headers, is_elsewhere
from unmixel.io.hdf5_structures import Index, Structures
from unmixel.io.hdf5_texts import check_filling, check_texts
from unmixel.io.hdf5_trees import NOWHERE, Read
from unmixel.io.hdf5_types import PLACE, REFERENCE, has_references, is_text, parts_of

_HELD = "a file that holds all of its data"
_DEEPEST = 100
"""Groups in each other: the library goes down them until its stack is full."""
_IN_A_MESSAGE, _SEQUENCE = 3, 0
"""Where the encoding of a type of variable length says of what kind it is, and the kind that is no text's."""
_OF_THE_SAME_SIZE = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_UNPACKING = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SZIP, h5py.h5z.FILTER_LZF)
"""Filters that make chunks larger: at most about 1000 times, but one after the other a million times."""


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, with or without a user block before it, as MATLAB has one."""
    return bool(h5py.is_hdf5(path))


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
    groups: list[tuple[h5py.h5g.GroupID, tuple[bytes, ...]]] = [(file["/"].id, ())]
    with path.open("rb") as raw:
        n_bytes = path.stat().st_size - file.userblock_size
        read = partial(_bytes_at, raw, file.userblock_size, n_bytes)
        structures = Structures(read, n_bytes)
        first = [place for place in first_headers(read) if place != NOWHERE]
        for header in first:
            structures.check(header)
        seen = {first[0]}
        while groups:
            group, above = groups.pop()
            _check_attributes(path, group)
            for name, kind, address in _links_in(group):
                if kind == h5py.h5l.TYPE_SOFT:
                    continue
                place = (*above, name)
                index = structures.check(address) if kind == h5py.h5l.TYPE_HARD else Index()
                if kind != h5py.h5l.TYPE_HARD or is_elsewhere(read, address):
                    raise SceneError(f"{path}, whose {_shown(place)} lies in another file", _HELD, "copy it in")
                entry = h5py.h5o.open(group, name)
                if isinstance(entry, h5py.h5d.DatasetID):
                    _check_dataset(path, read, _shown(place), entry, index)
                elif isinstance(entry, h5py.h5g.GroupID) and address not in seen:
                    if len(place) > _DEEPEST:
                        raise SceneError(
                            f"{path} with more than {_DEEPEST} groups in each other", "fewer", "is it damaged?"
                        )
                    seen.add(address)
                    groups.append((entry, place))
                elif isinstance(entry, h5py.h5t.TypeID):
                    _check_type(path, _shown(place), entry)
                    _check_attributes(path, entry)


def _bytes_at(raw: BinaryIO, base: int, n_bytes: int, place: int, size: int) -> bytes:
    if place >= n_bytes:
        return b""
    raw.seek(base + place)
    return raw.read(size)


def _shown(place: tuple[bytes, ...]) -> str:
    return repr(b"/".join(place).decode(errors="replace"))


def _links_in(group: h5py.h5g.GroupID) -> list[tuple[bytes, int, int]]:
    """Return name, kind and address of each link of a group; an error if a name may lead to another one."""
    links: list[tuple[bytes, int, int]] = []
    group.links.iterate(lambda name, link: links.append((name, link.type, link.u)), info=True)
    names = {name for name, _, _ in links}
    if len(names) < len(links):
        raise ValueError("a group with a name twice")
    if any(name in (b"", b".") or b"/" in name for name in names):
        raise ValueError("a name that is a path")
    return links


def _check_attributes(path: Path, place: h5py.h5g.GroupID | h5py.h5d.DatasetID | h5py.h5t.TypeID) -> None:
    names: list[bytes] = []
    h5py.h5a.iterate(place, names.append)
    for name in names:
        attribute = h5py.h5a.open(place, name)
        shown = repr(name.decode(errors="replace"))
        _check_type(path, shown, attribute.get_type())
        check_claim(path, shown, math.prod(attribute.shape or ()) * attribute.get_type().get_size())


def _check_type(path: Path, shown: str, whole: h5py.h5t.TypeID) -> None:
    """Check that what is of variable length in a type is texts or sequences: of anything else, the library dies."""
    for part in parts_of(whole):
        if isinstance(part, h5py.h5t.TypeVlenID) and part.encode()[_IN_A_MESSAGE] & 15 != _SEQUENCE:
            raise SceneError(f"{path}, whose {shown} is of no type of HDF5", "numbers or texts", "is it damaged?")


def _check_dataset(path: Path, read: Read, shown: str, entry: h5py.h5d.DatasetID, index: Index) -> None:
    _check_attributes(path, entry)
    _check_type(path, shown, entry.get_type())
    header = h5py.h5o.get_info(entry).addr
    check_filling(read, header, entry.get_type())
    stored = entry.get_create_plist()
    stored.fill_value_defined()  # an error if it is neither: the library would die of it
    claimed = entry.get_space().get_simple_extent_npoints()
    check_claim(path, shown, claimed * entry.get_type().get_size())
    filters = [number for number, _ in filters_of(entry)]
    if sum(one in _UNPACKING for one in filters) > 1:
        raise SceneError(f"{path}, whose {shown} is packed more than once", "compressed once, or not at all")
    if index.is_packed not in (None, bool(filters)):
        raise SceneError(f"{path} with a list of chunks that is not of {shown}", "its own", "is it damaged?")
    if stored.get_layout() == h5py.h5d.CHUNKED:
        chunk, kind = stored.get_chunk(), entry.get_type()
        of_a_chunk = math.prod(chunk) * (REFERENCE.itemsize if is_text(kind) else kind.get_size())
        check_claim(path, shown, of_a_chunk)
        check_chunks(path, shown, entry.shape, chunk)
        _check_room(path, shown, entry.get_space().get_simple_extent_dims(True), chunk, index.room)
        of_a_chunk += CHECKSUM * filters.count(h5py.h5z.FILTER_FLETCHER32)
        if is_text(kind) or kind.equal(PLACE) or not has_references(kind):
            _check_sizes(path, shown, entry, of_a_chunk, filters)
    check_texts(read, header, entry)


def _check_room(path: Path, shown: str, largest: tuple[int, ...], chunk: tuple[int, ...], room: int | None) -> None:
    """Check that a list of chunks is as long as the library takes it to be."""
    if room is None:
        return
    needed = math.prod(-(-size // step) for size, step in zip(largest, chunk, strict=True))
    if needed > room or h5py.h5s.UNLIMITED in largest:
        raise SceneError(f"{path} with room for {room} chunks of {shown}", f"for {needed}", "is it damaged?")


def _check_sizes(path: Path, shown: str, entry: h5py.h5d.DatasetID, whole: int, filters: list[int]) -> None:
    """Check the sizes of stored chunks, where the library doesn't.

    It would fill up one that is short from anywhere in memory, write one that is long beyond its room, and dies of one
    that is shorter than its checksum.
    """
    sizes: set[int] = set()
    if set(filters) <= _OF_THE_SAME_SIZE:
        entry.chunk_iter(lambda chunk: sizes.add(chunk.size))
        odd = sizes - {whole}
        expected = f"{whole} bytes in each"
    elif h5py.h5z.FILTER_FLETCHER32 in filters:
        entry.chunk_iter(lambda chunk: sizes.add(chunk.size))
        odd = {size for size in sizes if size <= CHECKSUM}
        expected = f"more than the {CHECKSUM} of its checksum"
    else:
        return
    if odd:
        raise SceneError(f"{path} with {min(odd)} bytes in a chunk of {shown}", expected, "is it damaged?")
