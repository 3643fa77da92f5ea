"""Blocks of a file that are larger than a window: unpacked once for all windows in them."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import NDArray

from unmixel.io._raw import RawScene
from unmixel.io.windows import Window, part_of

KEPT_MEMORY = 80_000_000
"""Bytes of a block, as it is stored, that are kept."""


class KeptBlock:
    """Read windows of a scene from the block, or the part of a block, that the last window was in.

    It is kept until its last window has been read.

    Parameters
    ----------
    raw : RawScene
        A scene whose blocks have to be unpacked, and are larger than a window.
    block : tuple of int
        Rows and columns of a block, no more than the scene has.
    height : int
        Rows of a window. What is kept has a multiple of them.
    """

    def __init__(self, raw: RawScene, block: tuple[int, int], height: int) -> None:
        self._raw = raw
        tall, self._wide = block
        most = KEPT_MEMORY // (self._wide * raw.shape[2] * raw.dtype.itemsize)
        self._tall = height * part_of(max(1, tall // height), max(1, most // height))
        self._kept: tuple[Window, NDArray] | None = None

    def __call__(self, window: Window) -> NDArray:
        """Return the stored values in a window as (row, column, band)."""
        around = self._around(window)
        if around is None:
            return self._raw.read_window(window)
        kept = self._kept
        if kept is None or kept[0] != around:
            self._kept = kept = None  # two of them never are in memory
            kept = around, self._raw.read_window(around)
        is_last = (window.bottom, window.right) == (around.bottom, around.right)
        self._kept = None if is_last else kept
        top, bottom, left, right = window
        return kept[1][top - around.top : bottom - around.top, left - around.left : right - around.left]

    def _around(self, window: Window) -> Window | None:
        """Return what is kept of the block that a window is in; None if that is no more than it, or too much."""
        rows, columns, n_bands = self._raw.shape
        top, left = window.top // self._tall * self._tall, window.left // self._wide * self._wide
        around = Window(top, min(top + self._tall, rows), left, min(left + self._wide, columns))
        is_inside = window.bottom <= around.bottom and window.right <= around.right
        fits = around.n_pixels * n_bands * self._raw.dtype.itemsize <= KEPT_MEMORY
        return around if is_inside and fits and around != window else None


def keeping_blocks(raw: RawScene, block: tuple[int, int], windows: list[Window]) -> RawScene:
    """Return a scene that is read by such windows, without unpacking a block again for each of them.

    Examples
    --------
    >>> import numpy as np
    >>> from unmixel.io.windows import natural_windows
    >>> values = np.arange(96).reshape(8, 6, 2)
    >>> unpacked = []
    >>> def read_part(window):
    ...     unpacked.append(tuple(window))
    ...     return values[window.slices]
    >>> raw = RawScene(shape=(8, 6, 2), dtype=values.dtype, read=lambda first, last: None, read_part=read_part)
    >>> windows = natural_windows((8, 6), (4, 3), most=6)
    >>> keeping = keeping_blocks(raw, (4, 3), windows)
    >>> all((keeping.read_window(window) == values[window.slices]).all() for window in windows), len(windows)
    (True, 8)
    >>> unpacked
    [(0, 4, 0, 3), (0, 4, 3, 6), (4, 8, 0, 3), (4, 8, 3, 6)]
    """
    height, width = windows[0].shape
    if raw.read_part is None or (height >= block[0] and width >= block[1]):
        return raw
    return replace(raw, read_part=KeptBlock(raw, block, height))
