"""The headers of HDF5 objects: their messages, and what these say of other files and of texts.

(The HDF5 File Format Specification, version 3.0: sections II for the superblock, IV.A.1 for headers, IV.A.2 for
messages that lie in another header, .i and .m for those on values and attributes.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from unmixel.io.hdf5_trees import NOWHERE, Read
from unmixel.io.hdf5_types import REFERENCE

LINKS, TYPE, _EXTERNAL, LAYOUT, ATTRIBUTE, CONTINUED, SYMBOLS, ATTRIBUTES = 2, 3, 7, 8, 12, 16, 17, 21
"""Kinds of messages."""
_ELSEWHERE = 2
"""The flag of a message that only says where it is."""
_IN_A_HEAP = 1
"""Where that may be, and not in another header."""
_SHARED_TYPE, _SHARED_SPACE = 1, 2
"""Flags of an attribute."""
CHUNKED, _VIRTUAL = 2, 3
"""Kinds of layouts."""
_PLACES = (64, None), (68, None), (36, 20), (36, 20)
"""Where superblocks of each version have the places of the root and of their extension, if they have one."""
_VARIABLE = 9
"""The class of types of variable length: texts, and lists."""
_LONGEST = 1 << 24
"""Bytes of a text that may lie there unread."""
_LARGEST_PIECE, _MOST_BYTES, _MOST_MESSAGES = 1 << 20, 1 << 24, 1 << 17


def first_headers(read: Read) -> tuple[int, int]:
    """Return the places of the headers of the root and of the superblock's extension, from the superblock."""
    head = read(0, 80)
    root, extension = _PLACES[min(head[8], len(_PLACES) - 1)]
    return number_in(head[root : root + 8]), NOWHERE if extension is None else number_in(head[extension:][:8])


def is_elsewhere(read: Read, header: int) -> bool:
    """Return whether the values of a dataset lie in others or in other files, which it is opened with."""
    return any(
        kind == _EXTERNAL or (kind == LAYOUT and message[0] >= 3 and message[1] == _VIRTUAL)
        for kind, message, _ in messages(read, header)
    )


def check_attribute(read: Read, attribute: bytes) -> None:
    """Check that the type of an attribute is there, and that its texts and lists are no longer than one can be.

    The library makes room for a text before it looks for it.

    Raises
    ------
    ValueError
        If it is not, or one is longer.
    """
    if len(attribute) < 8:
        raise ValueError("an attribute that is none")
    version, shared = attribute[0], attribute[1] if attribute[0] > 1 else 0
    if shared & _SHARED_SPACE:
        raise ValueError("messages that objects share")
    sizes = (number_in(attribute[at : at + 2]) for at in (2, 4, 6))
    name, kind, space = (-(-size // 8) * 8 if version == 1 else size for size in sizes)
    at = 8 + (version == 3) + name
    stored_type = type_in(read, attribute[at : at + kind], is_elsewhere=bool(shared & _SHARED_TYPE))
    if len(stored_type) < 16 or stored_type[0] & 15 != _VARIABLE:
        return
    of_one = number_in(stored_type[12:16])
    check_references(attribute[at + kind + space :], of_one)


def type_in(read: Read, message: bytes, *, is_elsewhere: bool) -> bytes:
    """Return a message on a type, which may lie in the header of a named type.

    Raises
    ------
    ValueError
        If it lies nowhere, or goes on from there: the library follows it until its stack is full.
    """
    if not is_elsewhere:
        return message
    version, where = message[:2]
    if version > 1 and where == _IN_A_HEAP:
        raise ValueError("messages that objects share")
    at = 16 if version == 1 else 2
    found = [one for one in messages(read, number_in(message[at : at + 8])) if one.kind == TYPE]
    if len(found) != 1 or found[0].is_elsewhere:
        raise ValueError("a type that is not where it is said to be")
    return found[0].content


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


class Message(NamedTuple):
    """A message of a header."""

    kind: int
    content: bytes
    is_elsewhere: bool
    """Whether the content only says where it is."""


def messages(read: Read, header: int) -> Iterator[Message]:
    """Yield each message of a header, in all of its pieces."""
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
            if kind == CONTINUED:
                there, more = number_in(message[:8]), number_in(message[8:16])
                pieces.append((there + 4, more - 8) if is_new else (there, more))  # between a mark and a checksum
            yield Message(kind, message, bool(head[3 if is_new else 4] & _ELSEWHERE))


def _whole(read: Read, place: int, size: int) -> bytes:
    if not 0 <= size <= _LARGEST_PIECE:
        raise ValueError(f"a piece of a header of {size} bytes")
    if len(content := read(place, size)) < size:
        raise ValueError("a header beyond the end of the file")
    return content


def number_in(content: bytes) -> int:
    """Return a number as HDF5 stores it."""
    return int.from_bytes(content, "little")
