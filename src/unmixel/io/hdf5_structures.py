"""What belongs to one object of an HDF5 file belongs to no other, and is of the kind that the object takes it for.

The library keeps what it has read under its place in the file, as what it was first read for. Two groups whose names
lie in the same heap, or two datasets with the same list of chunks, of which one is packed: it finds the one where it
expects the other, and reads and writes beyond its memory. No program writes files in which structures lie in each
other. (The HDF5 File Format Specification, version 3.0: sections III.D for the heaps of groups, IV.A.2.c, .i, .r and .v
for the messages on links, chunks and attributes.)
"""

from __future__ import annotations

import math
from bisect import bisect
from typing import NamedTuple

from unmixel.io.hdf5_arrays import check_extensible_array, check_fixed_array
from unmixel.io.hdf5_guard import LOCAL_HEAP
from unmixel.io.hdf5_headers import (
    ATTRIBUTE,
    ATTRIBUTES,
    CHUNKED,
    CONTINUED,
    LAYOUT,
    LINKS,
    SYMBOLS,
    TYPE,
    check_attribute,
    messages,
    number_in,
    type_in,
)
from unmixel.io.hdf5_heaps import FractalHeap, check_heap
from unmixel.io.hdf5_trees import CHUNKS, NOWHERE, PACKED_CHUNKS, Read, check_chunks, check_links, check_tree

_SINGLE, _FIXED_ARRAY, _EXTENSIBLE_ARRAY, _TREE = 1, 3, 4, 5
"""Kinds of indexes of chunks."""
_OWN_BYTES = {_FIXED_ARRAY: 1, _EXTENSIBLE_ARRAY: 5, _TREE: 6}
"""Between the kind of an index and its place."""
_PLACE, _MASK = 8, 4
"""Bytes of what a list has of a chunk: where it lies, and which filters it went without."""
_SINCE_CHUNKS_OF_ANY_SIZE = 5
"""The version of the message on chunks from which on their sizes take 8 bytes."""


class Index(NamedTuple):
    """What a list of chunks says of its dataset."""

    room: int | None = None
    """For how many chunks there is room; None for any number, and for all other objects."""
    is_packed: bool | None = None
    """Whether the chunks go through filters; None if it does not say."""


class Structures:
    """The structures of a file, as far as they have been come by.

    Parameters
    ----------
    read : callable
    n_bytes : int
        From where HDF5 begins to the end of the file.
    """

    def __init__(self, read: Read, n_bytes: int) -> None:
        self._read = read
        self._n_bytes = n_bytes
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._indexes: dict[int, Index] = {}

    def check(self, header: int) -> Index:
        """Check what the header of an object leads to, but for its values.

        Raises
        ------
        ValueError
            If something is also another object's, or is not what it should be.
        """
        if header not in self._indexes:
            self._indexes[header] = self._checked(header)
        return self._indexes[header]

    def _take(self, start: int, size: int) -> None:
        end = start + size
        if end > self._n_bytes:
            raise ValueError("a structure beyond the end of the file")
        after = bisect(self._starts, start)
        if (after and self._ends[after - 1] > start) or (after < len(self._starts) and self._starts[after] < end):
            raise ValueError("structures that lie in each other")
        self._starts.insert(after, start)
        self._ends.insert(after, end)

    def _checked(self, header: int) -> Index:
        layouts = []
        for kind, message, is_elsewhere in messages(self._read, header):
            if kind == TYPE:
                type_in(self._read, message, is_elsewhere=is_elsewhere)
            elif is_elsewhere:
                raise ValueError("messages that objects share")
            elif kind == CONTINUED:
                self._take(number_in(message[:8]), number_in(message[8:16]))
            elif kind == SYMBOLS:
                self._check_symbols(message)
            elif kind == LINKS:
                self._check_many(message, 8, (5, 6))
            elif kind == ATTRIBUTE:
                check_attribute(self._read, message)
            elif kind == ATTRIBUTES:
                heap, tree = self._check_many(message, 2, (8, 9))
                if heap != NOWHERE and tree != NOWHERE:
                    for attribute in FractalHeap(self._read, heap).objects_of(tree):
                        check_attribute(self._read, attribute)
            elif kind == LAYOUT:
                layouts.append(message)
        if len(layouts) > 1:
            raise ValueError(f"a header with {len(layouts)} layouts")
        return self._checked_index(layouts[0]) if layouts else Index()

    def _check_symbols(self, message: bytes) -> None:
        """Check the tree of a group's links, and the heap that has their names."""
        tree, heap = number_in(message[:8]), number_in(message[8:16])
        check_links(self._read, self._take, tree)
        self._take(heap, 32)
        head = self._read(heap, 32)
        size, place = number_in(head[8:16]), number_in(head[24:32])
        if not head.startswith(LOCAL_HEAP) or not size:
            raise ValueError("a group without a heap of names")
        self._take(place, size)

    def _check_many(self, message: bytes, n_counted: int, kinds: tuple[int, int]) -> tuple[int, int]:
        """Check the heap of links or attributes and their trees, by name and by order; return heap and first tree."""
        flags = message[1]
        at = 2 + n_counted * (flags & 1)
        if (heap := number_in(message[at : at + 8])) != NOWHERE:
            check_heap(self._read, self._take, heap)
        for number, kind in enumerate(kinds[: 1 + (flags >> 1 & 1)], 1):
            place = number_in(message[at + 8 * number : at + 8 * number + 8])
            if place != NOWHERE:
                check_tree(self._read, self._take, place, {kind})
        return heap, number_in(message[at + 8 : at + 16])

    def _checked_index(self, layout: bytes) -> Index:
        """Check the list of a dataset's chunks."""
        version = layout[0]
        if layout[2 if version < 3 else 1] != CHUNKED:
            return Index()
        if version < 4:
            n_dimensions, at = (layout[1], 8) if version < 3 else (layout[2], 3)
            if (place := number_in(layout[at : at + 8])) != NOWHERE:
                check_chunks(self._read, self._take, place, n_dimensions)
            return Index()
        n_dimensions, width = layout[3], layout[4]
        at = 5 + n_dimensions * width
        kind = layout[at]
        if kind == _SINGLE:
            return Index(1)
        if kind not in _OWN_BYTES:
            return Index()
        at += 1 + _OWN_BYTES[kind]
        if (place := number_in(layout[at : at + 8])) == NOWHERE:
            return Index()
        chunk = math.prod(number_in(layout[5 + width * axis :][:width]) for axis in range(n_dimensions))
        of_packed = _PLACE + _size_of_size(version, chunk) + _MASK
        room = None
        if kind == _TREE:
            found, size = check_tree(self._read, self._take, place, CHUNKS)
            is_packed = found == PACKED_CHUNKS
            size -= 8 * (n_dimensions - 1)
        else:
            if kind == _FIXED_ARRAY:
                found, size, room = check_fixed_array(self._read, self._take, place)
            else:
                found, size = check_extensible_array(self._read, self._take, place, self._n_bytes)
            is_packed = found == 1
        if size != (of_packed if is_packed else _PLACE):
            raise ValueError("a list of chunks of other dimensions")
        return Index(room, is_packed)


def _size_of_size(version: int, chunk: int) -> int:
    """Return how many bytes the size of a packed chunk of so many bytes takes in a list of them."""
    return 8 if version >= _SINCE_CHUNKS_OF_ANY_SIZE else min(8, 1 + (chunk.bit_length() + 7) // 8)
