"""MATLAB 5 files: which arrays of real numbers they hold, and their values.

A file is a header of 128 bytes and then elements: a tag (kind and size) and content. An array is an element with four
others inside (flags, dimensions, name, values), and may be compressed by zlib as a whole. What an element claims is
checked against what is there before anything of that size is made.

References
----------
MAT-File Format, The MathWorks, version 5.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC_CLASSES = range(6, 16)
_LOGICAL, _COMPLEX = 0x200, 0x800
_HEAD = 2048
"""Bytes in which flags, dimensions and name of any array lie."""


class Variable(NamedTuple):
    """An array of real numbers in a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        Of the values as they are stored, which MATLAB makes as small as it can.
    element : tuple of int
        Where the content of its element begins in the file, and its size [bytes].
    compressed : bool
    start : int
        Where its values begin, in the element as it is without compression.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    element: tuple[int, int]
    compressed: bool
    start: int

    def place(self) -> int:
        """Return where the values begin in the file, if they are not compressed [bytes].

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        position, size = self.element
        if self.start + math.prod(self.shape) * self.dtype.itemsize > size:
            raise ValueError("an array is larger than its element")
        return position + self.start


def list_variables(path: Path) -> dict[str, Variable]:
    """Return the arrays of real numbers that are not empty, and lists of truth values, by name.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    found = {}
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        for kind, position, size in _elements(path, order):
            file.seek(position)
            if kind == _COMPRESSED:
                compressed = file.read(min(size, _HEAD))
                head = zlib.decompressobj().decompress(compressed, _HEAD + 8)[8:]
            elif kind == _MATRIX:
                head = file.read(min(size, _HEAD))
            else:
                raise ValueError(f"an element of kind {kind}")
            name, shape, dtype, start = _described(head, order)
            if dtype is not None and 0 not in shape:
                found[name] = Variable(shape, dtype, (position, size), kind == _COMPRESSED, start)
    return found


def load_variable(path: Path, variable: Variable) -> NDArray:
    """Return the values of an array, in MATLAB's order of axes; mapped from the file if they are not compressed.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    if not variable.compressed:
        return np.memmap(path, variable.dtype, "r", variable.place(), variable.shape, order="F")
    position, size = variable.element
    count = math.prod(variable.shape)
    end = variable.start + count * variable.dtype.itemsize
    with path.open("rb") as file:
        file.seek(position)
        content = zlib.decompressobj().decompress(file.read(size), end + 8)
    if len(content) < end + 8:
        raise ValueError("an array is larger than its element")
    values = np.frombuffer(content, dtype=variable.dtype, count=count, offset=variable.start + 8)
    return values.reshape(variable.shape, order="F")


def _elements(path: Path, order: str) -> Iterator[tuple[int, int, int]]:
    """Yield kind, place of the content and size of each element; the last one ends with the file."""
    total = path.stat().st_size
    with path.open("rb") as file:
        position = 128
        while position < total:
            file.seek(position)
            tag = np.frombuffer(file.read(8), dtype=f"{order}u4")
            if len(tag) < 2 or position + 8 + int(tag[1]) > total:
                raise ValueError("the file ends within a variable")
            yield int(tag[0]), position + 8, int(tag[1])
            position += 8 + int(tag[1])
    if total <= 128:
        raise ValueError("the file ends within a variable")


def _described(head: bytes, order: str) -> tuple[str, tuple[int, ...], np.dtype | None, int]:
    """Return name, shape and type of an array and where its values begin; no type if they are no real numbers."""
    _, flags, at = _inner(head, 0, order)
    if len(flags) < 4:
        raise ValueError("an array without flags")
    flag = int(np.frombuffer(flags[:4], dtype=f"{order}u4")[0])
    _, dimensions, at = _inner(head, at, order)
    shape = tuple(np.frombuffer(dimensions[: len(dimensions) // 4 * 4], dtype=f"{order}i4").tolist())
    _, name, at = _inner(head, at, order)
    if flag & 0xFF not in _NUMERIC_CLASSES or flag & _COMPLEX:
        return name.decode("latin-1"), shape, None, 0
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of shape {shape}")
    if flag & _LOGICAL and max(shape) != math.prod(shape):
        return name.decode("latin-1"), shape, None, 0
    kind, size, start = _tag(head, at, order)
    if kind not in _TYPES:
        raise ValueError(f"values of kind {kind}")
    dtype = np.dtype(order + _TYPES[kind])
    if size != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{size} bytes for an array of shape {shape}")
    return name.decode("latin-1"), shape, dtype, start


def _tag(head: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Return kind and size of an element, and where its content begins: after the tag, or within a small one."""
    if at + 8 > len(head):
        raise ValueError("the file ends within a variable")
    first, second = (int(word) for word in np.frombuffer(head[at : at + 8], dtype=f"{order}u4"))
    if first >> 16:
        return first & 0xFFFF, first >> 16, at + 4
    return first, second, at + 8


def _inner(head: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Return kind and content of an element, and where the next one begins."""
    kind, size, start = _tag(head, at, order)
    if start + size > len(head):
        raise ValueError("the file ends within a variable")
    after = at + 8 if start == at + 4 else start + -(-size // 8) * 8
    return kind, head[start : start + size], after
