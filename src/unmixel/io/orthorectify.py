"""Maps, or a scene, in the geometry of the sensor -> the same on the map, by the scene's lookup table."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.io.windowed_scene import WindowedScene
from unmixel.io.windows import Window
from unmixel.lookup import Lookup, lookup_of, places_in
from unmixel.scene import DIMS, place_of

ReadMaps = Callable[[Window], Float[np.ndarray, "y x band"]]
"""Gives maps in a window."""

_VALUES = 16_000_000
_ON_MAP = "put on the map by its lookup table, nearest pixel: pixels repeat, and some are left out"


def on_map(scene: WindowedScene) -> WindowedScene:
    """Return a scene in the geometry of the sensor as one on the map of its lookup table: its spectra are not mixed.

    Raises
    ------
    ParameterError
        If it has no lookup table.
    """
    outline, lookup = scene.outline, lookup_of(scene.outline)
    if lookup is None:
        raise ParameterError("a scene without a lookup table", "one in the geometry of its sensor", "it needs none")
    n_bands = scene.shape[2]
    most = max(1, _VALUES // n_bands)
    bands = {name: coord for name, coord in outline.coords.items() if coord.dims == ("band",)}
    mapped = xr.DataArray(
        np.broadcast_to(np.float32(np.nan), (*lookup.shape, n_bands)),
        dims=DIMS,
        name=outline.name,
        coords={**place_of(*lookup.shape, lookup.crs_wkt, lookup.transform), **bands},
        attrs={**outline.attrs, "reading": [*outline.attrs.get("reading", ()), _ON_MAP]},
    )
    read = orthorectified(scene.read, outline, lookup, n_bands, most)
    return WindowedScene(mapped, square_windows(lookup.shape, most), read)


def orthorectified(
    read: ReadMaps, result: xr.Dataset | xr.DataArray, lookup: Lookup, n_bands: int, most: int
) -> ReadMaps:
    """Return what reads the maps of a result on the map: each pixel from the one that the table names, else NaN.

    A window of the map is read from the rectangle of the result around the pixels that lie in it, so that windows of
    the map should be about square, and never more than about so many of its pixels at a time.

    Parameters
    ----------
    read : callable
        Gives the maps in a window of the result.
    result : Dataset or DataArray
        A result or a scene; it, or a crop of it, is what `lookup` names the pixels of.
    lookup : Lookup
    n_bands : int
        Maps that `read` gives.
    most : int
        Pixels of the result that are read at a time.

    Examples
    --------
    >>> from affine import Affine
    >>> from unmixel.lookup import table_from
    >>> maps = np.array([[[0.1], [0.2]], [[0.3], [0.4]]])
    >>> grid = xr.Dataset(coords={"y": [0.5, 1.5], "x": [0.5, 1.5]})
    >>> turned = np.array([[1, 0, -1], [1, 0, 0]], np.int32), np.array([[0, 0, -1], [1, 1, 1]], np.int32)
    >>> read = orthorectified(lambda w: maps[w.slices], grid, table_from(*turned, None, Affine.identity()), 1, 100)
    >>> read(Window(0, 2, 0, 3))[:, :, 0]
    array([[0.3, 0.1, nan],
           [0.4, 0.2, 0.2]], dtype=float32)
    """
    return partial(_read_on_map, read, result, lookup, n_bands, most)


def _read_on_map(
    read: ReadMaps, result: xr.Dataset | xr.DataArray, lookup: Lookup, n_bands: int, most: int, window: Window
) -> Float[np.ndarray, "map_y map_x band"]:
    values = np.full((*window.shape, n_bands), np.nan, dtype=np.float32)
    rows, columns = places_in(result, lookup.read(*window.slices))
    known = rows >= 0
    if not known.any():
        return values
    top, bottom = int(rows[known].min()), int(rows[known].max()) + 1
    left, right = int(columns[known].min()), int(columns[known].max()) + 1
    step = max(1, most // (right - left))
    for first in range(top, bottom, step):
        part = Window(first, min(first + step, bottom), left, right)
        inside = known & (rows >= part.top) & (rows < part.bottom)
        if inside.any():
            values[inside] = read(part)[rows[inside] - part.top, columns[inside] - part.left]
    return values


def square_windows(shape: tuple[int, int], most: int) -> list[Window]:
    """Cut a map into squares of at most so many pixels; those at the lower and right edge are smaller.

    >>> [tuple(window) for window in square_windows((3, 5), 10)]
    [(0, 2, 0, 2), (0, 2, 2, 4), (0, 2, 4, 5), (2, 3, 0, 2), (2, 3, 2, 4), (2, 3, 4, 5)]
    """
    side = 2 ** int(math.log2(max(math.isqrt(most), 1)))
    return [
        Window(top, min(top + side, shape[0]), left, min(left + side, shape[1]))
        for top in range(0, shape[0], side)
        for left in range(0, shape[1], side)
    ]
