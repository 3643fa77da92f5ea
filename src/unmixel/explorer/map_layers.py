"""The maps that a result has, read no finer than they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import rasterio.windows
import xarray as xr
from bokeh.palettes import Cividis256, Magma256, Viridis256
from jaxtyping import Float, UInt32

from unmixel.errors import SceneError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io.raster import opened_raster
from unmixel.io.result_folder import MAPS
from unmixel.io.windows import Window
from unmixel.lookup import lookup_of
from unmixel.pages.colours import MASKED

MOST_PIXELS = 250_000
"""Of a map that are read and shown at a time."""
OUTSIDE = ("#f2f2f2", "#D55E00")


class Piece(NamedTuple):
    """Values of a map, each of so many pixels, and the window that they cover."""

    values: np.ndarray
    window: Window


def step_for(window: Window, most: int = MOST_PIXELS) -> int:
    """Return the smallest step with which at most so many pixels of a window are read.

    Examples
    --------
    >>> step_for(Window(0, 1000, 0, 1000)), step_for(Window(0, 95, 0, 95))
    (2, 1)
    """
    step = int(np.ceil(np.sqrt(window.n_pixels / most)))
    while -(-window.shape[0] // step) * -(-window.shape[1] // step) > most:
        step += 1
    return max(step, 1)


class MapLayer:
    """A map of numbers.

    Parameters
    ----------
    opened : OpenedResult
    variable : str
        Of the result.
    label : str, optional
        Which endmember or stream.
    title : str
    palette : sequence of str
        Colours from the lowest to the highest value.
    limits : tuple of float, optional
        Values of the first and the last colour; 1st and 99th percentile when None.
    """

    def __init__(
        self,
        opened: OpenedResult,
        variable: str,
        label: str | None = None,
        *,
        title: str,
        palette: Sequence[str],
        limits: tuple[float, float] | None = None,
    ) -> None:
        self.variable, self.label, self.title, self.palette = variable, label, title, tuple(palette)
        self._given_limits = limits
        self._map: xr.DataArray = opened.result[variable]
        self._abundance: xr.DataArray = opened.result["abundance"]
        on_same_grid = lookup_of(opened.result) is None
        self._file = opened.folder / MAPS[variable][0] if on_same_grid else None
        by = self._map.dims[2:]
        self.of_endmember = by == ("endmember",)
        self._at = None if label is None else [str(name) for name in self._map[by[0]].values].index(label)
        if self._at is not None:
            self._map = self._map.isel({by[0]: self._at})
        self.whole = Window(0, self._map.sizes["y"], 0, self._map.sizes["x"])

    @property
    def unit(self) -> str:
        """Of the values."""
        return str(self._map.attrs.get("units", "1"))

    @cached_property
    def overview(self) -> Piece:
        """The whole map, as fine as it is shown whole."""
        return self.values(self.whole, step_for(self.whole))

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Values of the first and the last colour."""
        return self._given_limits or percentiles(self.overview.values, 1.0, 99.0)

    def values(self, window: Window, step: int) -> Piece:
        """Return every step-th row and column of a window, NaN where it is masked.

        If a step is more than one pixel, values are means over about a step, from the GeoTIFF of the folder if there is
        one, which holds them.
        """
        if step > 1 and (found := self._from_overviews(window, step)) is not None:
            return Piece(found, window)
        rows, columns = (slice(part.start, part.stop, step) for part in window.slices)
        values = np.asarray(self._map.isel(y=rows, x=columns).values, dtype=np.float32)
        if self._map.dtype == bool:
            valid = np.isfinite(self._abundance.isel(y=rows, x=columns, endmember=0).values)
            values = np.where(valid, values, np.float32(np.nan))
        height, width = values.shape
        covered = Window(window.top, window.top + height * step, window.left, window.left + width * step)
        return Piece(values, covered)

    def colours(self, window: Window, step: int) -> Piece:
        """Return RGBA of every step-th row and column of a window."""
        whole = self.whole == window and step == step_for(window)
        values, covered = self.overview if whole else self.values(window, step)
        return Piece(paint(values, self.palette, self.limits), covered)

    def _from_overviews(self, window: Window, step: int) -> Float[np.ndarray, "y x"] | None:
        if self._file is None:
            return None
        place = rasterio.windows.Window(window.left, window.top, window.shape[1], window.shape[0])
        shape = -(-window.shape[0] // step), -(-window.shape[1] // step)
        band = 1 if self._at is None else self._at + 1
        try:
            with opened_raster(self._file, "GTiff") as file:
                if file.shape != self.whole.shape or file.dtypes[band - 1 : band] != ("float32",):
                    return None
                return file.read(band, window=place, out_shape=shape)
        except SceneError:
            return None


def percentiles(values: Float[np.ndarray, "y x"], low: float, high: float) -> tuple[float, float]:
    """Return two percentiles of the values that are known, never twice the same."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    first, last = (float(end) for end in np.percentile(known, (low, high)))
    return (first, last) if last > first else (first, first + max(abs(first), 1e-6))


def paint(
    values: Float[np.ndarray, "y x"], palette: Sequence[str], limits: tuple[float, float]
) -> UInt32[np.ndarray, "y x"]:
    """Return the colour of each value as RGBA; grey where there is none.

    Examples
    --------
    >>> grey = paint(np.array([[0.0, 0.4, 0.6, np.nan]]), ["#000000", "#ffffff"], (0.0, 1.0))
    >>> grey.view(np.uint8).reshape(-1, 4)[:, 0]
    array([  0,   0, 255, 191], dtype=uint8)
    """
    colours = np.array([rgba_of(colour) for colour in [*palette, MASKED]], dtype=np.uint8).view(np.uint32).ravel()
    low, high = limits
    known = np.isfinite(values)
    share = (np.where(known, values, low) - low) / (high - low)
    place = np.clip((share * len(palette)).astype(np.int64), 0, len(palette) - 1)
    return colours[np.where(known, place, len(palette))]


def rgba_of(colour: str) -> tuple[int, int, int, int]:
    """Return the four bytes of a colour such as ``#0072B2``."""
    red, green, blue = bytes.fromhex(colour[1:7])
    return red, green, blue, 255


def layers_of(opened: OpenedResult) -> list[MapLayer]:
    """Return the maps of a result: abundances, their uncertainty, nonlinearity, residual and what is outside reach."""
    result = opened.result
    names = [str(name) for name in result["endmember"].values]
    layers = [
        MapLayer(opened, "abundance", name, title=f"abundance of {name}", palette=Viridis256, limits=(0.0, 1.0))
        for name in names
    ]
    if "abundance_sd" in result:
        layers += [
            MapLayer(opened, "abundance_sd", name, title=f"standard deviation of {name}", palette=Magma256)
            for name in names
        ]
    if "nonlinearity_degree" in result:
        layers += [
            MapLayer(opened, "nonlinearity_degree", name, title=f"nonlinear share of {name}", palette=Cividis256)
            for name in (str(stream) for stream in result["stream"].values)
        ]
    if "reconstruction_rmse" in result:
        title = "residual: root mean square over the bands"
        layers.append(MapLayer(opened, "reconstruction_rmse", title=title, palette=Magma256))
    if "outside_reach" in result:
        title = "outside reach: 1 where the endmembers don't explain the pixel"
        layers.append(MapLayer(opened, "outside_reach", title=title, palette=OUTSIDE, limits=(0.0, 1.0)))
    return layers
