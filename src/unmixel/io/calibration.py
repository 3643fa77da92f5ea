"""From stored values to reflectance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmixel.io._raw import RawScene


class Calibrated(NamedTuple):
    """Reflectance of some rows, NaN where nothing was measured, and how much of it was filled or empty."""

    values: NDArray[np.float32]
    n_filled: int
    n_empty: int


class Calibration:
    """How stored values v of a scene become reflectance. ::

        reflectance = gain v + offset,    invalid where v is a fill value or the pixel is zero in every band

    Parameters
    ----------
    raw : RawScene
        What the file says.
    scale : float, optional
        The stored value that stands for a reflectance of 1, instead of what the file says.

    Examples
    --------
    >>> stored = np.array([[[0, 0], [5000, -1]]], dtype=np.int16)
    >>> raw = RawScene(shape=stored.shape, dtype=stored.dtype, read=lambda first, last: stored, fill=(-1.0,))
    >>> Calibration(raw, 10_000)(stored)
    Calibrated(values=array([[[nan, nan],
            [0.5, nan]]], dtype=float32), n_filled=1, n_empty=1)
    """

    def __init__(self, raw: RawScene, scale: float | int | None) -> None:
        self._asked = scale is not None
        self._gain, self._offset = (raw.gain, raw.offset) if scale is None else (1.0 / scale, 0.0)
        self._identity = bool(np.all(np.asarray(self._gain) == 1) and np.all(np.asarray(self._offset) == 0))
        self._dtype = raw.dtype
        self.fills = [value for value in raw.fill if _representable(value, raw.dtype)]

    def __call__(self, block: NDArray) -> Calibrated:
        """Return the reflectance of stored values (row, column, band), its bands in the order of the file."""
        values = np.empty(block.shape, dtype=np.float32)
        fills = np.array(self.fills, dtype=self._dtype)
        n_filled = n_empty = 0
        for stored, line in zip(block, values, strict=True):
            line[:] = stored if self._identity else stored * np.asarray(self._gain, np.float64) + self._offset
            empty = ~stored.any(axis=1)
            if empty.any():
                line[empty] = np.nan
                n_empty += int(empty.sum())
            if self.fills:
                missing = np.isin(stored, fills)
                line[missing] = np.nan
                n_filled += int(missing.sum())
        return Calibrated(values, n_filled, n_empty)

    def notes(self) -> list[str]:
        """Return a line on the numbers that are applied, if any."""
        if self._identity:
            return []
        source = "as asked" if self._asked else "by the file"
        gains, offsets = np.unique(self._gain), np.unique(self._offset)
        if len(gains) == 1 and len(offsets) == 1 and offsets[0] == 0:
            return [f"values divided by {1 / gains[0]:g} ({source})"]
        if len(gains) == 1 and len(offsets) == 1:
            return [f"values divided by {1 / gains[0]:g} and shifted by {offsets[0]:g} ({source})"]
        return [f"values scaled and shifted, each band by its own numbers ({source})"]


def _representable(value: float, dtype: np.dtype) -> bool:
    if dtype.kind == "f":
        return bool(np.isfinite(value))
    limits = np.iinfo(dtype)
    return float(value).is_integer() and limits.min <= value <= limits.max
