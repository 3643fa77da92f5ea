"""The arrays in which HDF5 files since version 1.10 have the places of chunks.

A fixed array is one block; an extensible one grows by blocks, which double their size, and by blocks of their places.
(The HDF5 File Format Specification, version 3.0: sections VII.C for fixed arrays, VII.D for extensible ones.)
"""

from __future__ import annotations

import struct

from unmixel.claims import RATIO
from unmixel.io.hdf5_trees import NOWHERE, Read, Take, is_power_of_2, places_in

_FIXED, _EXTENSIBLE = b"FAHD\x00", b"EAHD\x00"
"""The first bytes of their headers."""
_PLACE = 8
_LEAD = 14
"""Bytes of a block before what differs: mark, version, kind of elements, place of the header."""
_CHECKSUM = 4


def check_fixed_array(read: Read, take: Take, start: int) -> tuple[int, int, int]:
    """Check that the block of a fixed array is its own.

    Returns
    -------
    tuple of int
        The kind of its elements (0 for chunks as they are, 1 for packed ones), bytes of each, and how many there are.

    Raises
    ------
    ValueError
        If it is not.
    """
    take(start, 28)
    head = read(start, 28)
    if not head.startswith(_FIXED):
        raise ValueError("a header that leads to no array")
    kind, size, page_bits, count, place = struct.unpack_from("<BBBQQ", head, 5)
    if place != NOWHERE:
        n_pages = _pages(count, page_bits)
        take(place, _LEAD + -(-n_pages // 8) + count * size + (1 + n_pages) * _CHECKSUM)
    return kind, size, count


def check_extensible_array(read: Read, take: Take, start: int, n_bytes: int) -> tuple[int, int]:
    """Check that the blocks of an extensible array are its own, and no more than a file of so many bytes can hold.

    Returns
    -------
    tuple of int
        The kind of its elements (0 for chunks as they are, 1 for packed ones), and bytes of each.

    Raises
    ------
    ValueError
        If they are not.
    """
    take(start, 72)
    head = read(start, 72)
    if not head.startswith(_EXTENSIBLE):
        raise ValueError("a header that leads to no array")
    kind, size, bits, n_first, smallest, n_pointers, page_bits = head[5:12]
    n_used, place = (int.from_bytes(head[at : at + 8], "little") for at in (44, 60))
    if n_used * _PLACE > RATIO * n_bytes:
        raise ValueError("an array of more chunks than the file can hold")
    n_rows = bits - smallest.bit_length() + 2
    n_direct = 2 * (n_pointers.bit_length() - 1)
    if not (is_power_of_2(smallest) and is_power_of_2(n_pointers) and bits <= 64 and 0 <= n_direct <= n_rows):
        raise ValueError("an array of no blocks")
    if place == NOWHERE:
        return kind, size
    lead = _LEAD + -(-bits // 8)

    def take_blocks(places: tuple[int, ...], row: int) -> None:
        """Take the blocks of a row that there are."""
        count = smallest << (row + 1) // 2
        for block in places:
            if block != NOWHERE:
                take(block, lead + count * size + (1 + _pages(count, page_bits)) * _CHECKSUM)

    first = _LEAD + n_first * size
    direct = 2 * (n_pointers - 1)
    take(place, first + _PLACE * (direct + n_rows - n_direct) + _CHECKSUM)
    blocks = places_in(read(place + first, _PLACE * (direct + n_rows - n_direct)))
    at = 0
    for row in range(n_direct):
        take_blocks(blocks[at : at + (1 << row // 2)], row)
        at += 1 << row // 2
    for row, above in enumerate(blocks[direct:], n_direct):
        if above == NOWHERE:
            continue
        n_blocks = 1 << row // 2
        first = lead + n_blocks * -(-_pages(smallest << (row + 1) // 2, page_bits) // 8)
        take(above, first + _PLACE * n_blocks + _CHECKSUM)
        take_blocks(places_in(read(above + first, _PLACE * n_blocks)), row)
    return kind, size


def _pages(count: int, page_bits: int) -> int:
    """Return into how many pages a block of so many elements is divided: none, if one would hold all."""
    page = 1 << page_bits
    return -(-count // page) if count > page else 0
