"""From stored values to reflectance."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import damage_told
from unmixel.io._raw import RawScene
from unmixel.io.windows import Window
from unmixel.scene import CHUNK


class Calibrated(NamedTuple):
    """Reflectance of a window, NaN where nothing was measured.

    Attributes
    ----------
    values : array, shape (y, x, band)
    n_filled, n_empty, n_unusable : int
        Values equal to a fill value; pixels of zeros; values that the product's own quality layers call unusable.
    """

    values: NDArray[np.float32]
    n_filled: int = 0
    n_empty: int = 0
    n_unusable: int = 0


class Calibration:
    """How stored values v of a scene become reflectance. ::

        reflectance = gain v + offset,    invalid where v is a fill value, the pixel is zero in every band,
                                      or the product calls it unusable

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
    >>> Calibration(raw, 10_000)(Window(0, 1, 0, 2))
    Calibrated(values=array([[[nan, nan],
            [0.5, nan]]], dtype=float32), n_filled=1, n_empty=1, n_unusable=0)
    """

    def __init__(self, raw: RawScene, scale: float | int | None) -> None:
        self._asked = scale is not None
        self._gain, self._offset = (raw.gain, raw.offset) if scale is None else (1.0 / scale, 0.0)
        self._identity = bool(np.all(np.asarray(self._gain) == 1) and np.all(np.asarray(self._offset) == 0))
        self._raw = raw
        self._stored = [(value, as_stored(value, raw.dtype)) for value in raw.fill]
        self.fills = [value for value, stored in self._stored if stored is not None]

    def __call__(self, window: Window) -> Calibrated:
        """Read a window, and return its reflectance with the bands in the order of the file."""
        with _damage_in(window):
            block = self._raw.read_window(window)
            if block.shape != (expected := (*window.shape, self._raw.shape[2])):
                raise ValueError(f"values of shape {block.shape} where {expected} are announced")
        values = np.empty(block.shape, dtype=np.float32)
        fills = np.array([stored for _, stored in self._stored if stored is not None], dtype=self._raw.dtype)
        n_filled = n_empty = 0
        step = max(1, CHUNK // max(1, values.shape[1]))
        for first in range(0, len(values), step):
            stored, lines = block[first : first + step], values[first : first + step]
            self._convert(stored, lines)
            empty = ~stored.any(axis=2)
            if empty.any():
                lines[empty] = np.nan
                n_empty += int(empty.sum())
            if self.fills:
                missing = np.isin(stored, fills)
                lines[missing] = np.nan
                n_filled += int(missing.sum())
        return Calibrated(values, n_filled, n_empty, self._mask_unusable(values, window))

    def _convert(self, stored: NDArray, lines: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # what is no reflectance is masked with the pixels
            lines[:] = stored if self._identity else stored * np.asarray(self._gain, np.float64) + self._offset

    def _mask_unusable(self, values: NDArray[np.float32], window: Window) -> int:
        if self._raw.invalid is None:
            return 0
        with _damage_in(window):
            invalid = np.broadcast_to(self._raw.invalid(window), values.shape)
        unusable = invalid & np.isfinite(values)
        values[unusable] = np.nan
        return int(np.count_nonzero(unusable))

    def notes(self) -> list[str]:
        """Return a line on the numbers that are applied, if any."""
        if self._identity:
            return []
        source = "as asked" if self._asked else "by the file"
        gains, offsets = np.unique(self._gain), np.unique(self._offset)
        if len(gains) == 1 and len(offsets) == 1 and offsets[0] == 0:
            dropped = ", and not shifted as the file says" if self._asked and np.any(self._raw.offset) else ""
            return [f"values divided by {1 / gains[0]:g} ({source}{dropped})"]
        if len(gains) == 1 and len(offsets) == 1:
            return [f"values divided by {1 / gains[0]:g} and shifted by {offsets[0]:g} ({source})"]
        return [f"values scaled and shifted, each band by its own numbers ({source})"]


def _damage_in(window: Window) -> AbstractContextManager[None]:
    rows = f"rows {window.top} to {window.bottom}"
    return damage_told(rows, "a complete scene file", "is it truncated, or damaged?")


def as_stored(value: float, dtype: np.dtype) -> Any:
    """Return a fill value as the values of a file can have it; None if they cannot.

    Programs round the largest number of a type, which many take as fill value, to one beyond it.

    >>> bool(as_stored(-3.40282347e38, np.dtype("f4")) == np.finfo("f4").min), as_stored(-9999.0, np.dtype("u2"))
    (True, None)
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            stored = np.float64(value).astype(dtype)
        return stored if np.isfinite(stored) else None
    if not float(value).is_integer():
        return None
    limits = np.iinfo(dtype)
    inside = min(max(int(value), limits.min), limits.max)
    return dtype.type(inside) if float(inside) == value else None
