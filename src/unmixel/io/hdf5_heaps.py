"""The fractal heaps of HDF5 files since version 1.8: the links of a group or attributes of an object that has many.

A tree has the number of each; the heap doubles the size of its blocks row by row, and a large object lies outside of
them. (The HDF5 File Format Specification, version 3.0: section III.G for fractal heaps, III.A.2 for the records of
their trees.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from unmixel.io.hdf5_trees import (
    NOWHERE,
    Read,
    Take,
    bytes_for,
    check_tree,
    is_power_of_2,
    kind_of_tree,
    places_in,
    records_of,
)

_HEADER = 146
_OF_FILTERS = 12
"""More bytes of a header if its blocks are packed; also of what leads to a packed block."""

_HEAP_ID = 8
"""Bytes of the number of an attribute."""
_MANAGED, _HUGE = 0, 1
_LARGEST = 1 << 24
"""Bytes of an object."""
_OF_HUGE = struct.Struct("<QQQ")
"""A record of a large object: place, size, number."""
_OF_NUMBERS = 1
"""The kind of tree that has them."""
_OF_ANY_HUGE = {_OF_NUMBERS, 2, 3, 4}
"""And those that have packed ones, or ones without numbers."""
_PLACE = 8
_MOST_BITS = 64
"""Of the size of a heap; a row more of blocks makes it larger by one."""
_BEFORE_PLACES = 13
"""Bytes of an indirect block before its own place in the heap."""


def check_heap(read: Read, take: Take, start: int) -> None:
    """Check that a heap has rows of blocks, that its tree is one of huge objects, and that all of it is its own.

    Raises
    ------
    ValueError
        If it has not, or is not.
    """
    head = read(start, _HEADER)
    n_filters = int.from_bytes(head[7:9], "little")
    if n_filters:
        head = read(start, _HEADER + _OF_FILTERS + n_filters)
    take(start, max(len(head), _HEADER))
    if not head.startswith(b"FRHP\x00"):
        raise ValueError("a header that leads to no heap")
    (objects,) = struct.unpack_from("<Q", head, 22)
    (free,) = struct.unpack_from("<Q", head, 38)
    width, first, largest, bits = struct.unpack_from("<HQQH", head, 110)
    root, n_rows = struct.unpack_from("<QH", head, 132)
    has_rows = is_power_of_2(width) and is_power_of_2(first) and is_power_of_2(largest) and first <= largest
    if not has_rows or max(n_rows, bits) > _MOST_BITS or largest * 2 < first * width:
        raise ValueError("a heap of no blocks")
    if objects != NOWHERE:
        check_tree(read, take, objects, _OF_ANY_HUGE)
    if free != NOWHERE:
        take(free, 1)
    lead = _BEFORE_PLACES + -(-bits // 8)
    step = _PLACE + (_OF_FILTERS if n_filters else 0)
    pending = [(root, n_rows, first)] if root != NOWHERE else []
    while pending:
        place, n_rows, size = pending.pop()
        if not n_rows:
            take(place, 1 if n_filters else size)
            continue
        sizes = [first << max(row - 1, 0) for row in range(n_rows)]
        n_direct = width * sum(size <= largest for size in sizes)
        n_indirect = width * n_rows - n_direct
        take(place, lead + n_direct * step + n_indirect * _PLACE + 4)
        content = read(place + lead, n_direct * step + n_indirect * _PLACE)
        direct = [int.from_bytes(content[at : at + _PLACE], "little") for at in range(0, n_direct * step, step)]
        places = (*direct, *places_in(content[n_direct * step :]))
        for number, below in enumerate(places):
            if below != NOWHERE:
                size = sizes[number // width]
                pending.append((below, _rows_of(size, first, width) if number >= n_direct else 0, size))


def _rows_of(size: int, first: int, width: int) -> int:
    """Return the number of rows of an indirect block that stands for so many bytes of the heap."""
    return (size // first // width).bit_length()


class FractalHeap:
    """A heap that :func:`check_heap` has checked.

    Parameters
    ----------
    read : callable
    place : int
        Of its header.

    Raises
    ------
    ValueError
        If its blocks are packed: those of attributes are not.
    """

    def __init__(self, read: Read, place: int) -> None:
        head = read(place, _HEADER)
        packed, most = struct.unpack_from("<HxI", head, 7)
        (self._huge,) = struct.unpack_from("<Q", head, 22)
        self._width, self._first, self._largest, bits = struct.unpack_from("<HQQH", head, 110)
        self._root, self._n_rows = struct.unpack_from("<QH", head, 132)
        if packed:
            raise ValueError("attributes in a heap that is packed")
        self._offset_size = -(-bits // 8)
        self._length_size = bytes_for(min(self._largest, most))
        self._read = read

    def objects_of(self, tree: int) -> Iterator[bytes]:
        """Yield the objects that the records of a tree of attributes have the numbers of."""
        huge: dict[int, tuple[int, int]] = {}
        for record in records_of(self._read, tree):
            number = record[:_HEAP_ID]
            kind = number[0] >> 4 & 3
            if kind == _MANAGED:
                offset = int.from_bytes(number[1 : 1 + self._offset_size], "little")
                length = int.from_bytes(number[1 + self._offset_size :][: self._length_size], "little")
                yield self._read(self._place_of(offset), length)  # of at most a block
            elif kind == _HUGE:
                huge = huge or self._huge_objects()
                place, size = huge.get(int.from_bytes(number[1:], "little"), (0, 0))
                if not 0 < size <= _LARGEST:
                    raise ValueError(f"an attribute of {size} bytes in its heap")
                yield self._read(place, size)

    def _huge_objects(self) -> dict[int, tuple[int, int]]:
        if kind_of_tree(self._read, self._huge) != _OF_NUMBERS:
            raise ValueError("a heap without a tree of its large objects")
        records = records_of(self._read, self._huge)
        return {number: (place, size) for place, size, number in map(_OF_HUGE.unpack, records)}

    def _place_of(self, offset: int) -> int:
        """Return where in the file lies what is so far in the heap."""
        place, start, n_rows = self._root, 0, self._n_rows
        while n_rows:
            for row in range(n_rows):
                size = self._first << max(row - 1, 0)
                if offset < start + size * self._width:
                    break
                start += size * self._width
            else:
                raise ValueError("an attribute beyond the end of its heap")
            column = (offset - start) // size
            start += column * size
            at = _BEFORE_PLACES + self._offset_size + _PLACE * (row * self._width + column)
            place = int.from_bytes(self._read(place + at, _PLACE), "little")
            n_rows = 0 if size <= self._largest else _rows_of(size, self._first, self._width)
        return place + offset - start
