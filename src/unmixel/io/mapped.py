"""Windows of an array that lies in a file as it is: NumPy's, and MATLAB 5 without compression."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmixel.io.windows import Window

_AT_ONCE = 8_000_000
"""Bytes that are mapped together, if a step along the slowest axis has no more."""


class MappedArray(NamedTuple):
    """Where the values of a scene lie in a file.

    The file is mapped by parts, of one step or more along the slowest axis: the system may count all that it has of a
    mapped file in its cache as the memory of the process.

    Attributes
    ----------
    path : path
    dtype : numpy.dtype
        Of the stored values.
    start : int
        Where they begin in the file [bytes].
    shape : tuple of int
        Rows, columns and bands.
    axes : str
        ``y`` (row), ``x`` (column) and ``b`` (band), from the slowest to the fastest.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "values"
    >>> np.arange(24, dtype=">i2").tofile(file)
    >>> by_band = MappedArray(file, np.dtype(">i2"), 0, (3, 4, 2), "byx")
    >>> by_band.read_part(Window(1, 2, 2, 4))
    array([[[ 6, 18],
            [ 7, 19]]], dtype=int16)
    """

    path: Path
    dtype: np.dtype
    start: int
    shape: tuple[int, int, int]
    axes: str

    def read_rows(self, first: int, last: int) -> NDArray:
        """Return the values of rows, first to last without the last, as (row, column, band)."""
        return self.read_part(Window(first, last, 0, self.shape[1]))

    def read_part(self, window: Window) -> NDArray:
        """Return the values in a window as (row, column, band).

        Raises
        ------
        OSError, ValueError
            If the file does not hold them.
        """
        rows, columns = window.slices
        asked = {"y": rows, "x": columns, "b": slice(0, self.shape[2])}
        order = ["yxb".index(axis) for axis in self.axes]
        values = np.empty((*window.shape, self.shape[2]), self.dtype.newbyteorder("="))
        asked_slowest, *inner = (asked[axis] for axis in self.axes)
        ordered = values.transpose(order)
        shape = tuple(self.shape[index] for index in order)
        step = max(1, _AT_ONCE // max(1, math.prod(shape[1:]) * self.dtype.itemsize))
        for first in range(asked_slowest.start, asked_slowest.stop, step):
            last = min(first + step, asked_slowest.stop)
            here = slice(first - asked_slowest.start, last - asked_slowest.start)
            ordered[here] = self._mapped(first, last, shape)[(slice(None), *inner)]
        return values

    def _mapped(self, first: int, last: int, shape: tuple[int, ...]) -> NDArray:
        """Return all values from one place of the slowest axis to another, without the last."""
        start = self.start + first * math.prod(shape[1:]) * self.dtype.itemsize
        return np.memmap(self.path, self.dtype, "r", start, (last - first, *shape[1:]))
