"""The trees, heaps and arrays of HDF5 files since version 1.8: what they say of themselves must hold.

The library makes room for as many links and attributes as a tree says it has, and then fills in those that are there,
so a tree that tells too few is written beyond the end of that room. What begins like one but does not end with its
checksum is none: pixels may look so. (The HDF5 File Format Specification, version 3.0: sections III.A.2 for trees of
version 2, III.G for fractal heaps, VII.D for extensible arrays.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

from numcodecs.jenkins import jenkins_lookup3

from unmixel.claims import RATIO

TREE, HEAP, ARRAY = b"BTHD\x00", b"FRHP\x00", b"EAHD\x00"
"""The first bytes of their headers."""
_LEAF, _INNER = b"BTLF\x00", b"BTIN\x00"
NOWHERE = 2**64 - 1
HUGE = frozenset({1, 2, 3, 4})
"""Kinds of trees: of the huge objects of a heap; others are of links, attributes and chunks."""
CHUNKS = frozenset({10, 11})
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


def kind_of_tree(read: Read, start: int) -> int | None:
    """Return the kind of the tree whose header is at a place; None if there is none."""
    head = read(start, 6)
    return head[5] if head.startswith(TREE) and len(head) == 6 else None


def check_tree(read: Read, start: int, n_bytes: int) -> None:
    """Check that a tree of version 2, in a file of so many bytes, has as many records as it says, each in one node.

    Raises
    ------
    OSError
        If it has not.
    """
    head = read(start, 38)
    if not _is_right(head):
        return
    kind, node_size, record, depth = struct.unpack_from("<xBIHH", head, 4)
    root, n_root, n_records = struct.unpack_from("<QHQ", head, 16)
    is_known = record in _SIZES[kind] if kind in _SIZES else kind in CHUNKS and record in _of_chunks(kind)
    if not is_known or not _SMALLEST_NODE <= node_size <= _LARGEST_NODE or depth > _DEEPEST:
        raise OSError("a tree of no kind that there is")
    if root == NOWHERE:
        if n_root or n_records:
            raise OSError("a tree that says it has what it has not")
        return
    levels = _Levels(node_size, record, depth)
    seen: set[int] = set()

    def counted(place: int, here: int, level: int) -> int:
        """Return how many records lie at and under a node."""
        mark = _INNER if level else _LEAF
        node = read(place, node_size)
        is_whole = len(node) == node_size and node.startswith(mark + bytes([kind]))
        if place in seen or here > levels.most[level] or not is_whole:
            raise OSError("a tree whose nodes are not what it says")
        if kind in _SHARABLE and any(node[_LEAD + record * i + _FLAGS] & _SHARED for i in range(here)):
            raise OSError("an attribute that lies elsewhere")  # in a heap which the library takes to be there
        seen.add(place)
        if len(seen) * node_size > n_bytes:
            raise OSError("a tree of nodes that lie in each other")
        total = here
        for below, n_below, told in levels.below(node, here, level):
            under = counted(below, n_below, level - 1)
            if level > 1 and told != under:
                raise OSError("a tree that says it has what it has not")
            total += under
        return total

    if counted(root, n_root, depth) != n_records:
        raise OSError("a tree that says it has what it has not")


def records_of(read: Read, start: int) -> Iterator[bytes]:
    """Yield the records of a tree that :func:`check_tree` has checked."""
    if len(head := read(start, 26)) < 26:
        raise ValueError("a tree beyond the end of the file")
    node_size, record, depth, root, n_root = struct.unpack("<6xIHH2xQH", head)
    levels = _Levels(node_size, record, depth)
    pending = [(root, n_root, depth)] if root != NOWHERE else []
    while pending:
        place, here, level = pending.pop()
        node = read(place, node_size)
        yield from (node[_LEAD + record * i :][:record] for i in range(here))
        pending.extend((below, n_below, level - 1) for below, n_below, _ in levels.below(node, here, level))


def _is_right(structure: bytes) -> bool:
    """Return whether a structure ends with its checksum."""
    return jenkins_lookup3(structure[:-4], 0) == int.from_bytes(structure[-4:], "little")


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
    packed = range(5, 13) if kind == 11 else (0,)
    return {_PLACE + more + 8 * n for more in packed for n in range(1, _MOST_DIMENSIONS + 1)}


def check_heap(read: Read, start: int) -> None:
    """Check that a fractal heap has rows of blocks, and that its tree is one of huge objects.

    Raises
    ------
    OSError
        If it has not.
    """
    head = read(start, 146)
    if len(head) == 146 and (filters := int.from_bytes(head[7:9], "little")):
        head = read(start, 146 + 12 + filters)
    if not _is_right(head):
        return
    (objects,) = struct.unpack_from("<Q", head, 22)
    width, first, largest = struct.unpack_from("<HQQ", head, 110)
    if not (_is_power_of_2(width) and _is_power_of_2(first) and _is_power_of_2(largest) and first <= largest):
        raise OSError("a heap of no blocks")
    if objects != NOWHERE and kind_of_tree(read, objects) not in HUGE:
        raise OSError("a heap with a tree of another kind")


def _is_power_of_2(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def check_array(read: Read, start: int, n_bytes: int) -> None:
    """Check that an extensible array doesn't reach far beyond what a file of so many bytes can hold.

    Raises
    ------
    OSError
        If it does.
    """
    head = read(start, 72)
    if _is_right(head) and int.from_bytes(head[44:52], "little") * _PLACE > RATIO * n_bytes:
        raise OSError("an array of more chunks than the file can hold")
