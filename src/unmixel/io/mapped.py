"""Windows of an array that lies in a file as it is: NumPy's, and MATLAB 5 without compression."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmixel.io.windows import Window


class MappedArray(NamedTuple):
    """Where the values of a scene lie in a file.

    The file is mapped for one step along the slowest axis at a time: the system may count all that it has of a mapped
    file in its cache as the memory of the process.

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
        slowest, *inner = (asked[axis] for axis in self.axes)
        for at, part in enumerate(values.transpose(order), start=slowest.start):
            part[...] = self._step(at)[tuple(inner)]
        return values

    def _step(self, at: int) -> NDArray:
        """Return all values at one place of the slowest axis."""
        shape = tuple(self.shape["yxb".index(axis)] for axis in self.axes[1:])
        start = self.start + at * math.prod(shape) * self.dtype.itemsize
        return np.memmap(self.path, self.dtype, "r", start, shape)
