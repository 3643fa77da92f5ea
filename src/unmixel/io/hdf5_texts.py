"""Datasets of texts in HDF5 files, none of which claims to be longer than a text can be.

A text of variable length is stored as its length and its place in a heap, and the library makes room for that length
before it looks for the text: 4 GB for a claim of 16 bytes. So what is stored is read here as it is. (The HDF5 File
Format Specification, version 3.0: sections IV.A.2.e, .f and .i for the messages on values to fill up with and on
layouts, .l for filters.)
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import h5py
from h5py.h5z import FILTER_DEFLATE

from unmixel.io.hdf5_chunks import filters_of
from unmixel.io.hdf5_headers import LAYOUT, check_references, messages, number_in
from unmixel.io.hdf5_trees import NOWHERE, Read
from unmixel.io.hdf5_types import REFERENCE, has_variable, is_text

MOST_TEXTS = 1000
"""In a dataset; what has more is not read by any reader."""
_OLD_FILL, _FILL = 4, 5
"""Kinds of messages."""
_COMPACT, _CONTIGUOUS = 0, 1
"""Kinds of layouts."""
_LARGEST_CHUNK = 1 << 18


def check_filling(read: Read, header: int, kind: h5py.h5t.TypeID) -> None:
    """Check the lengths of what a dataset of texts or lists is filled up with, which the library reads at once.

    Raises
    ------
    ValueError
        If it is longer than it can be.
    """
    if not has_variable(kind):
        return
    for number, message, _ in messages(read, header):
        filling = _fill(message) if number == _FILL else message[4:] if number == _OLD_FILL else b""
        if not filling:
            continue
        if not (is_text(kind) or isinstance(kind, h5py.h5t.TypeVlenID)):
            raise ValueError("values of several parts, filled up with texts or lists")
        check_references(filling, 1 if is_text(kind) else kind.get_super().get_size())


def check_texts(read: Read, header: int, stored: h5py.h5d.DatasetID) -> None:
    """Check the lengths of the texts of a dataset, if it is one of at most `MOST_TEXTS` of them.

    Raises
    ------
    ValueError
        If one is longer than it can be, or they are stored in a way in which no texts are.
    """
    n_texts = stored.get_space().get_simple_extent_npoints()
    if not is_text(stored.get_type()) or not 0 < n_texts <= MOST_TEXTS:
        return
    for kind, message, _ in messages(read, header):
        if kind == LAYOUT:
            check_references(_together(read, message, n_texts * REFERENCE.itemsize))
    if stored.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
        for chunk in _chunks(stored):
            check_references(chunk)


def _fill(message: bytes) -> bytes:
    """Return the value that a dataset is filled up with; nothing if that is left open."""
    version, flags = message[:2]
    at = 4 if version < 3 else 2
    is_given = version == 1 or (message[3] == 1 if version == 2 else flags >> 5 & 1)
    return message[at + 4 : at + 4 + number_in(message[at : at + 4])] if is_given else b""


def _together(read: Read, layout: bytes, n_bytes: int) -> bytes:
    """Return what is stored in one piece; nothing if it is stored in chunks, or not at all."""
    if layout[0] < 3:
        n_axes, kind = layout[1:3]
        at = 8 + 4 * n_axes + 4 if kind == _COMPACT else 8
    else:
        kind = layout[1]
        at = 4 if kind == _COMPACT else 2
    if kind == _COMPACT:
        return layout[at : at + n_bytes]
    place = number_in(layout[at : at + 8])
    return read(place, n_bytes) if kind == _CONTIGUOUS and place != NOWHERE else b""


def _chunks(stored: h5py.h5d.DatasetID) -> Iterator[bytes]:
    """Yield what was packed into each chunk."""
    n_bytes = math.prod(stored.get_create_plist().get_chunk()) * REFERENCE.itemsize
    if n_bytes > _LARGEST_CHUNK:
        raise ValueError(f"{MOST_TEXTS} texts or fewer in chunks of {n_bytes} bytes")
    starts: list[tuple[int, ...]] = []
    stored.chunk_iter(lambda chunk: starts.append(chunk.chunk_offset))
    filters = [number for number, _ in filters_of(stored)]
    for start in starts:
        left_out, content = stored.read_direct_chunk(start)
        for number in (number for at, number in enumerate(filters) if not left_out >> at & 1):
            if number != FILTER_DEFLATE:
                raise ValueError(f"texts that went through filter {number}: deflate is the only one for them")
            content = zlib.decompressobj().decompress(content, n_bytes + 1)
        if len(content) != n_bytes:
            raise ValueError(f"{len(content)} bytes in a chunk of texts, which has {n_bytes}")
        yield content
