"""What the headers of HDF5 objects lead to: trees of the right kind, and arrays with room for all chunks.

The library takes what it finds there for what it expects: records of links for records of chunks, or the number of a
chunk for its place in an array, however long that is. (The HDF5 File Format Specification, version 3.0: sections IV.A.1
for headers, IV.A.2.c, .i, .m and .v for the messages on links, chunks and attributes, VII.C for fixed arrays.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unmixel.io.hdf5_heaps import FractalHeap
from unmixel.io.hdf5_trees import CHUNKS, NOWHERE, Read, kind_of_tree
from unmixel.io.hdf5_types import REFERENCE

_LINKS, _EXTERNAL, LAYOUT, _ATTRIBUTE, _CONTINUED, _ATTRIBUTES = 2, 7, 8, 12, 16, 21
"""Kinds of messages."""
_CHUNKED, _VIRTUAL = 2, 3
"""Kinds of layouts."""
_SINGLE, _FIXED_ARRAY, _TREE = 1, 3, 5
"""Kinds of indexes of chunks."""
_OWN_BYTES = {_FIXED_ARRAY: 1, _TREE: 6}
"""Between the kind of an index and its place."""
_FIXED_HEADER = b"FAHD\x00"
_VARIABLE = 9
"""The class of types of variable length: texts, and lists."""
_LONGEST = 1 << 24
"""Bytes of a text that may lie there unread."""
_LARGEST_PIECE, _MOST_BYTES, _MOST_MESSAGES = 1 << 20, 1 << 24, 1 << 17


def check_header(read: Read, header: int) -> int | None:
    """Check what the header of an object leads to.

    Returns
    -------
    int or None
        For how many chunks a dataset has room; None for any number, and for all other objects.

    Raises
    ------
    ValueError
        If it leads to what it should not, or is no header that the library could read.
    """
    room, n_layouts = None, 0
    for kind, message in messages(read, header):
        if kind == _LINKS:
            _check_trees(read, message, 8, (5, 6))
        elif kind == _ATTRIBUTES:
            _check_trees(read, message, 2, (8, 9))
        elif kind == LAYOUT:
            n_layouts += 1
            if message[0] >= 4 and message[1] == _CHUNKED:
                room = _room_for_chunks(read, message)
    if n_layouts > 1:
        raise ValueError(f"a header with {n_layouts} layouts")
    return room


def is_elsewhere(read: Read, header: int) -> bool:
    """Return whether the values of a dataset lie in others or in other files, which it is opened with."""
    return any(
        kind == _EXTERNAL or (kind == LAYOUT and message[0] >= 3 and message[1] == _VIRTUAL)
        for kind, message in messages(read, header)
    )


def check_lengths(read: Read, header: int) -> None:
    """Check the texts and lists in the attributes of an object which the library has found to be whole.

    Raises
    ------
    ValueError
        If one is longer than it can be.
    """
    for kind, message in messages(read, header):
        if kind == _ATTRIBUTE:
            _check_length(message)
        elif kind == _ATTRIBUTES:
            first = 2 + 2 * (message[1] & 1)
            heap, tree = (number_in(message[at : at + 8]) for at in (first, first + 8))
            if heap != NOWHERE and tree != NOWHERE:
                for attribute in FractalHeap(read, heap).objects_of(tree):
                    _check_length(attribute)


def _check_length(attribute: bytes) -> None:
    """Check that texts and lists are no longer than one can be: the library makes room before it looks for them."""
    if len(attribute) < 8:
        raise ValueError("an attribute that is none")
    version = attribute[0]
    sizes = (number_in(attribute[at : at + 2]) for at in (2, 4, 6))
    name, kind, space = (-(-size // 8) * 8 if version == 1 else size for size in sizes)
    at = 8 + (version == 3) + name
    if kind < 16 or attribute[at] & 15 != _VARIABLE:
        return
    of_one = number_in(attribute[at + 12 : at + 16])
    check_references(attribute[at + kind + space :], of_one)


def check_references(references: bytes, of_one: int = 1) -> None:
    """Check that texts, or lists of values of so many bytes, are no longer than one can be.

    Raises
    ------
    ValueError
        If one is.
    """
    lengths = np.frombuffer(references, REFERENCE, len(references) // REFERENCE.itemsize)["length"]
    if (longest := int(lengths.max(initial=0)) * of_one) > _LONGEST:
        raise ValueError(f"a text or list that claims {longest} bytes")


def _check_trees(read: Read, message: bytes, n_counted: int, kinds: tuple[int, int]) -> None:
    """Check the trees, by name and by order, of links or attributes."""
    flags = message[1]
    at = 2 + n_counted * (flags & 1) + 8
    for number, kind in enumerate(kinds[: 1 + (flags >> 1 & 1)]):
        place = number_in(message[at + 8 * number : at + 8 * number + 8])
        if place != NOWHERE and kind_of_tree(read, place) != kind:
            raise ValueError("a header that leads to a tree of another kind")


def _room_for_chunks(read: Read, layout: bytes) -> int | None:
    """Return for how many chunks there is room, from a layout message of version 4 or later."""
    index = 5 + layout[3] * layout[4]
    kind = layout[index]
    if kind == _SINGLE:
        return 1
    if kind not in _OWN_BYTES:
        return None
    at = index + 1 + _OWN_BYTES[kind]
    place = number_in(layout[at : at + 8])
    if place == NOWHERE:
        return None
    if kind == _TREE:
        if kind_of_tree(read, place) not in CHUNKS:
            raise ValueError("a header that leads to a tree of another kind")
        return None
    array = read(place, 16)
    if not array.startswith(_FIXED_HEADER):
        raise ValueError("a header that leads to no array")
    return number_in(array[8:])


def messages(read: Read, header: int) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each message of a header, in all of its pieces."""
    start = read(header, 16)
    is_new = start.startswith(b"OHDR")
    if is_new:
        first = 6 + 16 * (start[5] >> 5 & 1) + 4 * (start[5] >> 4 & 1)
        size = 1 << (start[5] & 3)
        lead = 4 + 2 * (start[5] >> 2 & 1)
        pieces = [(header + first + size, number_in(read(header + first, size)))]
    else:
        lead = 8
        pieces = [(header + 16, number_in(start[8:12]))]
    n_bytes = n_messages = 0
    for place, length in pieces:
        n_bytes += length
        content, at = _whole(read, place, length), 0
        while at + lead <= len(content):
            head = content[at : at + lead]
            kind, size = (head[0], number_in(head[1:3])) if is_new else (number_in(head[:2]), number_in(head[2:4]))
            message = content[at + lead : at + lead + size]
            at += lead + size
            n_messages += 1
            if n_bytes > _MOST_BYTES or n_messages > _MOST_MESSAGES:
                raise ValueError("a header that never ends")
            if kind == _CONTINUED:
                there, more = number_in(message[:8]), number_in(message[8:16])
                pieces.append((there + 4, more - 8) if is_new else (there, more))  # between a mark and a checksum
            yield kind, message


def _whole(read: Read, place: int, size: int) -> bytes:
    if not 0 <= size <= _LARGEST_PIECE:
        raise ValueError(f"a piece of a header of {size} bytes")
    if len(content := read(place, size)) < size:
        raise ValueError("a header beyond the end of the file")
    return content


def number_in(content: bytes) -> int:
    """Return a number as HDF5 stores it."""
    return int.from_bytes(content, "little")
