"""A scene that is written window by window, whether it lies in memory or on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import NDArray

from unmixel.io.windows import Window, natural_windows

_VALUES = 4_000_000
_ROWS = 32


class WindowedScene(NamedTuple):
    """What a format needs to know of a scene to write it.

    Attributes
    ----------
    outline : DataArray
        The scene with its coordinates and attributes; nobody looks at its values.
    windows : sequence of Window
        They cover the scene.
    read : callable
        Gives the reflectance in a window, NaN where it is invalid.
    """

    outline: xr.DataArray
    windows: Sequence[Window]
    read: Callable[[Window], Float[np.ndarray, "y x band"]]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and bands."""
        rows, columns, n_bands = self.outline.shape
        return rows, columns, n_bands

    def parts(self) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        """Yield each window with its reflectance."""
        for window in self.windows:
            yield window, np.asarray(self.read(window), dtype=np.float32)


def windowed(scene: xr.DataArray) -> WindowedScene:
    """Return a scene as one that is written by windows.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> scene = make_scene(np.random.default_rng(0).random((40, 30, 5)))
    >>> [(window.top, window.bottom, values.shape) for window, values in windowed(scene).parts()]
    [(0, 40, (40, 30, 5))]
    """
    rows, columns, n_bands = scene.shape
    windows = natural_windows((rows, columns), (min(_ROWS, rows), columns), max(1, _VALUES // n_bands))
    return WindowedScene(scene, windows, lambda window: scene[window.slices].values)
