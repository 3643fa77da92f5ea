"""What lies in a fractal heap of an HDF5 file since version 1.8: the attributes of an object that has many.

A tree has the number of each; the heap doubles the size of its blocks row by row, and a large object lies outside of
them. (The HDF5 File Format Specification, version 3.0: section III.G for fractal heaps, III.A.2 for the records of
their trees.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from unmixel.io.hdf5_trees import Read, bytes_for, kind_of_tree, records_of

_HEAP_ID = 8
"""Bytes of the number of an attribute."""
_MANAGED, _HUGE = 0, 1
_LARGEST = 1 << 24
"""Bytes of an object."""
_OF_HUGE = struct.Struct("<QQQ")
"""A record of a large object: place, size, number."""
_OF_NUMBERS = 1
"""The kind of tree that has them."""
_PLACE = 8
_BEFORE_PLACES = 13
"""Bytes of an indirect block before its own place in the heap."""


class FractalHeap:
    """A heap whose header has been checked by `hdf5_trees.check_heap`.

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
        head = read(place, 146)
        if not head.startswith(b"FRHP") or len(head) < 146:
            raise ValueError("a header that leads to no heap")
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
            n_rows = 0 if size <= self._largest else (size // self._first // self._width).bit_length()
        return place + offset - start
