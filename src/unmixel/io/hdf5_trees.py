"""The trees of HDF5 files: what they say of themselves must hold.

Those of version 1 have the links of groups and the places of chunks, those of version 2 all that there is of many. The
library makes room for as many links and attributes as a tree of version 2 says it has, and then fills in those that are
there, so a tree that tells too few is written beyond the end of that room; and it goes down a tree until its stack is
full. (The HDF5 File Format Specification, version 3.0: sections III.A for trees, III.B for the nodes that links are
in.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate, pairwise

_TREE, _LEAF, _INNER = b"BTHD\x00", b"BTLF\x00", b"BTIN\x00"
_FIRST = b"TREE"
"""The first bytes of a node of version 1."""
_OF_LINKS, _OF_CHUNKS = 0, 1
"""The kinds of trees of version 1."""
_SYMBOLS = b"SNOD\x01"
_LEAD_OF_FIRST, _SYMBOL = 24, 40
"""Bytes of a node of version 1 before its keys, and of a link."""
NOWHERE = 2**64 - 1
PACKED_CHUNKS = 11
CHUNKS = frozenset({10, PACKED_CHUNKS})
"""Kinds of trees of chunks; others are of links, attributes, and the huge objects of a heap."""
_SIZES = {1: {24}, 2: {36}, 3: {16}, 4: {28}, 5: {11}, 6: {15}, 8: {17}, 9: {13}}
"""Bytes of a record of each kind of tree. Those of chunks depend on the dimensions."""
_SHARABLE = frozenset({8, 9})
_FLAGS, _SHARED = 8, 2
"""Where the record of an attribute says whether several objects share it."""
_AROUND = 10
"""Bytes of a node that are no records: mark, version, kind and checksum."""
_LEAD = 6
"""Bytes of a node before its records."""
_DEEPEST = 16
_SMALLEST_NODE, _LARGEST_NODE = 64, 1 << 16
_PLACE = 8
_MOST_DIMENSIONS = 32

Read = Callable[[int, int], bytes]
"""From a place in HDF5 and a number of bytes to those of them that are in the file."""
Take = Callable[[int, int], None]
"""An error if so many bytes from a place on are not all in the file, or already something else's."""


def check_links(read: Read, take: Take, start: int) -> None:
    """Check that the tree of version 1 with the links of a group has an end, and is its own.

    Raises
    ------
    ValueError
        If it has not, or is not.
    """
    for leaf in _leaves(read, take, start, _OF_LINKS, _PLACE):
        head = read(leaf, 8)
        if not head.startswith(_SYMBOLS):
            raise ValueError("a group whose links lie where there are none")
        take(leaf, 8 + _SYMBOL * int.from_bytes(head[6:8], "little"))


def check_chunks(read: Read, take: Take, start: int, n_dimensions: int) -> None:
    """Check that the tree of version 1 with the places of chunks has an end, and is its own.

    Parameters
    ----------
    n_dimensions : int
        Of a chunk, with the bytes of a value as the last.

    Raises
    ------
    ValueError
        If it has not, or is not.
    """
    for _ in _leaves(read, take, start, _OF_CHUNKS, 8 + 8 * n_dimensions):
        pass


def _leaves(read: Read, take: Take, start: int, kind: int, key: int) -> Iterator[int]:
    """Take the nodes of a tree of version 1, whose keys have so many bytes, and yield the places they lead to."""
    pending: list[tuple[int, int | None]] = [(start, None)]
    while pending:
        place, expected = pending.pop()
        head = read(place, _LEAD_OF_FIRST)
        if len(head) < _LEAD_OF_FIRST or head[:5] != _FIRST + bytes([kind]) or expected not in (None, head[5]):
            raise ValueError("a tree whose nodes are not what it says")
        size = int.from_bytes(head[6:8], "little") * (key + _PLACE) + key
        take(place, _LEAD_OF_FIRST + size)
        node = read(place + _LEAD_OF_FIRST, size)
        below = [int.from_bytes(node[at : at + _PLACE], "little") for at in range(key, size, key + _PLACE)]
        if head[5]:
            pending.extend((each, head[5] - 1) for each in below)
        else:
            yield from below


def kind_of_tree(read: Read, start: int) -> int | None:
    """Return the kind of the tree of version 2 whose header is at a place; None if there is none."""
    head = read(start, 6)
    return head[5] if head.startswith(_TREE) and len(head) == 6 else None


def check_tree(read: Read, take: Take, start: int, kinds: Collection[int]) -> tuple[int, int]:
    """Check that a tree of version 2 is of one of some kinds, and has as many records as it says, each in one node.

    Returns
    -------
    tuple of int
        Its kind, and bytes of a record.

    Raises
    ------
    ValueError
        If it is not or has not, or a node is also something else's.
    """
    if kind_of_tree(read, start) not in kinds:
        raise ValueError("a header that leads to a tree of another kind")
    take(start, 38)
    head = read(start, 38)
    kind, node_size, record, depth = struct.unpack_from("<xBIHH", head, 4)
    root, n_root, n_records = struct.unpack_from("<QHQ", head, 16)
    is_known = record in _SIZES[kind] if kind in _SIZES else kind in CHUNKS and record in _of_chunks(kind)
    if not is_known or not _SMALLEST_NODE <= node_size <= _LARGEST_NODE or depth > _DEEPEST:
        raise ValueError("a tree of no kind that there is")
    if root == NOWHERE:
        if n_root or n_records:
            raise ValueError("a tree that says it has what it has not")
        return kind, record
    levels = _Levels(node_size, record, depth)

    def counted(place: int, here: int, level: int) -> int:
        """Return how many records lie at and under a node."""
        mark = _INNER if level else _LEAF
        node = read(place, node_size)
        if here > levels.most[level] or len(node) < node_size or not node.startswith(mark + bytes([kind])):
            raise ValueError("a tree whose nodes are not what it says")
        take(place, node_size)
        if kind in _SHARABLE and any(node[_LEAD + record * i + _FLAGS] & _SHARED for i in range(here)):
            raise ValueError("an attribute that lies elsewhere")  # in a heap which the library takes to be there
        total = here
        for below, n_below, told in levels.below(node, here, level):
            under = counted(below, n_below, level - 1)
            if level > 1 and told != under:
                raise ValueError("a tree that says it has what it has not")
            total += under
        return total

    if counted(root, n_root, depth) != n_records:
        raise ValueError("a tree that says it has what it has not")
    return kind, record


def records_of(read: Read, start: int) -> Iterator[bytes]:
    """Yield the records of a tree that :func:`check_tree` has checked."""
    head = read(start, 26)
    node_size, record, depth, root, n_root = struct.unpack("<6xIHH2xQH", head)
    levels = _Levels(node_size, record, depth)
    pending = [(root, n_root, depth)] if root != NOWHERE else []
    while pending:
        place, here, level = pending.pop()
        node = read(place, node_size)
        yield from (node[_LEAD + record * i :][:record] for i in range(here))
        pending.extend((below, n_below, level - 1) for below, n_below, _ in levels.below(node, here, level))


class _Levels:
    """How many records a node has room for on each level of a tree, from its leaves.

    Attributes
    ----------
    most : list of int
    count_size : int
        Bytes of the number of records of a node, where another leads to it.
    total_sizes : list of int
        Bytes of the number of all records under a node of a level.
    """

    def __init__(self, node_size: int, record: int, depth: int) -> None:
        room = node_size - _AROUND
        self._record = record
        self.most = [room // record]
        self.count_size = bytes_for(self.most[0])
        self.total_sizes = [0]
        total = self.most[0]
        for level in range(1, depth + 1):
            pointer = _PLACE + self.count_size + self.total_sizes[level - 1]
            self.most.append((room - pointer) // (record + pointer))
            total = (self.most[level] + 1) * total + self.most[level]
            self.total_sizes.append(bytes_for(total))

    def below(self, node: bytes, here: int, level: int) -> Iterator[tuple[int, int, int]]:
        """Yield, for each node under one, its place, number of records, and of all that are under it, if it says so."""
        sizes = (_PLACE, self.count_size, self.total_sizes[level - 1]) if level else ()
        step = sum(sizes)
        for at in range(_LEAD + here * self._record, _LEAD + here * self._record + (here + 1) * step, step or 1):
            ends = accumulate(sizes, initial=at)
            place, count, total = (int.from_bytes(node[a:b], "little") for a, b in pairwise(ends))
            yield place, count, total


def bytes_for(number: int) -> int:
    """Return how many bytes a number takes that may be as large as one."""
    return (max(number, 1).bit_length() - 1) // 8 + 1


def _of_chunks(kind: int) -> set[int]:
    """Return the sizes that records of chunks may have: place, size and filters if packed, and where in the dataset."""
    packed = range(5, 13) if kind == PACKED_CHUNKS else (0,)
    return {_PLACE + more + 8 * n for more in packed for n in range(1, _MOST_DIMENSIONS + 1)}


def is_power_of_2(number: int) -> bool:
    """Return whether a number is 1, 2, 4, 8 ..."""
    return number > 0 and number & (number - 1) == 0


def places_in(content: bytes) -> tuple[int, ...]:
    """Return the places in the file that lie one after the other."""
    return struct.unpack(f"<{len(content) // _PLACE}Q", content)
