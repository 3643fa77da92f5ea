"""Where the pixels of a result lie on the axes of its maps: north up on a map, row by row where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Shaped
from rasterio.crs import CRS

from unmixel.io.windows import Window
from unmixel.map_crs import axis_labels, crs_of
from unmixel.scene import transform_of


@dataclass(frozen=True)
class MapCoordinates:
    """The axes of the maps of a result.

    Attributes
    ----------
    rows, columns : int
        Size of the result [pixel].
    axes : Affine
        From the corners of pixels (column, row) to the axes.
    place : Affine
        From the corners of pixels to the coordinates of the map; the same as `axes` unless the map is rotated.
    crs : CRS, optional
        Of the map.
    x_label, y_label : str
        Names of the axes with their units.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> where = map_coordinates(simulate_demo(rows=20, columns=30)[1])
    >>> where.centre_of(0, 0), where.pixel_at(656_412.0, 5_319_249.0), where.x_label
    ((656402.5, 5319247.5), (0, 2), 'easting [m]')
    """

    rows: int
    columns: int
    axes: Affine
    place: Affine
    crs: CRS | None
    x_label: str
    y_label: str

    @property
    def whole(self) -> Window:
        """All pixels."""
        return Window(0, self.rows, 0, self.columns)

    @property
    def on_a_map(self) -> bool:
        """Whether y grows upwards on the axes, as on a map; rows are counted downwards elsewhere."""
        return self.axes != Affine.identity()

    @property
    def row_above(self) -> int:
        """What is added to a row to come to the one above it on the screen: -1, or 1 if rows go north."""
        return 1 if self.on_a_map and self.axes.e > 0 else -1

    def centre_of(self, row: int, column: int) -> tuple[float, float]:
        """Return x and y of the middle of a pixel."""
        return self.axes @ (column + 0.5, row + 0.5)

    def pixel_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return row and column of the pixel at a place on the axes; None outside."""
        column, row = ~self.axes @ (x, y)
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        return (int(row), int(column)) if inside else None

    def box_of(self, window: Window) -> tuple[float, float, float, float]:
        """Return the smallest x and y of a window on the axes, its width and its height."""
        ends = [self.axes @ (window.left, window.top), self.axes @ (window.right, window.bottom)]
        (left, right), (low, high) = sorted(x for x, _ in ends), sorted(y for _, y in ends)
        return left, low, right - left, high - low

    def window_between(self, x: tuple[float, float], y: tuple[float, float]) -> Window | None:
        """Return the pixels of which something is seen between two x and two y; None if there is none."""
        ends = [~self.axes @ (x[0], y[0]), ~self.axes @ (x[1], y[1])]
        (left, right), (top, bottom) = sorted(column for column, _ in ends), sorted(row for _, row in ends)
        window = Window(
            max(int(np.floor(top)), 0),
            min(int(np.ceil(bottom)), self.rows),
            max(int(np.floor(left)), 0),
            min(int(np.ceil(right)), self.columns),
        )
        return window if min(window.shape) > 0 else None

    def lowest_first(self, values: Shaped[np.ndarray, "y x"]) -> Shaped[np.ndarray, "y x"]:
        """Return values with the row of the smallest y first, as Bokeh draws them."""
        return values[::-1] if self.axes.e < 0 else values

    def on_the_map(self, x: float, y: float) -> tuple[float, float]:
        """Return the coordinates of the map, as `unmixel.regions` expects them, of a place on the axes."""
        return self.place @ (~self.axes @ (x, y))


def map_coordinates(result: xr.Dataset) -> MapCoordinates:
    """Return where the maps of a result lie."""
    transform, crs = transform_of(result), crs_of(result)
    place = transform or Affine.identity()
    if transform is None or transform.b or transform.d or transform.a < 0:
        axes, labels = Affine.identity(), ("column [pixel]", "row [pixel]")
    else:
        axes, labels = transform, axis_labels(crs)
    return MapCoordinates(result.sizes["y"], result.sizes["x"], axes, place, crs if transform else None, *labels)
