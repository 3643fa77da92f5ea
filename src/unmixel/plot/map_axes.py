"""Where a map lies on the axes of a figure: north up, in map units, or row by row where there is no map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from unmixel.lookup import lookup_of
from unmixel.map_crs import axis_labels, crs_of
from unmixel.plot.saved_figure import SavedFigure
from unmixel.scene import transform_of

MASKED = "0.75"
"""Grey of pixels without a value."""
AS_SEEN = "as the sensor saw it, not on the map"
PANEL_WIDTH = 3.0
MOST_COLUMNS = 4


@dataclass(frozen=True)
class MapFrame:
    """The place of a map on its axes.

    Attributes
    ----------
    first_row, last_row, first_column, last_column : float
        Outer edges of the first and the last row and column, in the units of the axes.
    x_label, y_label : str
        Names of the axes with their units.
    north_up : bool
        True if y grows upwards on the axes; False if rows are counted downwards.
    title : str
        Of every figure of these maps, where they are not on the map though the scene has one.
    """

    first_row: float
    last_row: float
    first_column: float
    last_column: float
    x_label: str
    y_label: str
    north_up: bool
    title: str = ""

    @property
    def aspect(self) -> float:
        """Height over width."""
        return abs((self.last_row - self.first_row) / (self.last_column - self.first_column))


def frame_of(grid: xr.DataArray | xr.Dataset) -> MapFrame:
    """Return where the maps of a scene or a result lie.

    Examples
    --------
    >>> from affine import Affine
    >>> from unmixel.scene import make_scene
    >>> scene = make_scene(np.random.rand(4, 5, 3), transform=Affine(2.0, 0.0, 100.0, 0.0, -2.0, 50.0))
    >>> frame = frame_of(scene)
    >>> frame.first_row, frame.last_row, frame.first_column, frame.last_column
    (50.0, 42.0, 100.0, 110.0)
    """
    transform = transform_of(grid)
    if transform is not None and transform.b == 0 and transform.d == 0:
        right, bottom = transform @ (grid.sizes["x"], grid.sizes["y"])
        x_label, y_label = axis_labels(crs_of(grid))
        return MapFrame(transform.f, bottom, transform.c, right, x_label, y_label, north_up=True)
    (top, bottom), (left, right) = _edges(grid["y"]), _edges(grid["x"])
    title = "" if lookup_of(grid) is None else AS_SEEN
    return MapFrame(top, bottom, left, right, "column [pixel]", "row [pixel]", north_up=False, title=title)


def _edges(centres: xr.DataArray) -> tuple[float, float]:
    values = np.asarray(centres.values, dtype=float)
    half = (values[1] - values[0]) / 2 if len(values) > 1 else 0.5
    return float(values[0] - half), float(values[-1] + half)


def map_figure(frame: MapFrame, rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """Return a figure with a grid of map axes: (figure, axes of shape (rows, columns))."""
    height = PANEL_WIDTH * min(max(frame.aspect, 0.4), 2.0)
    figure = SavedFigure(figsize=(columns * PANEL_WIDTH + 2.0, rows * (height + 0.35) + 0.6), layout="compressed")
    if frame.title:
        figure.suptitle(frame.title, fontsize="medium")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)


def map_panels(frame: MapFrame, n_panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with one map axes for each panel, at most four in a row."""
    columns = min(n_panels, MOST_COLUMNS)
    figure, grid = map_figure(frame, -(-n_panels // columns), columns)
    for unused in grid.ravel()[n_panels:]:
        unused.remove()
    last = grid.ravel()[:n_panels]
    for axes in last[-columns:]:
        axes.tick_params(labelbottom=True)
    return figure, list(last)


def draw_map(axes: Axes, frame: MapFrame, values: Float[np.ndarray, "y x *colour"], **how: Any) -> AxesImage:
    """Draw a map where it lies; pixels without a value stay grey. Other arguments are those of ``imshow``."""
    image = axes.imshow(
        np.ma.masked_invalid(values) if values.ndim == 2 else values,
        origin="upper",
        extent=(frame.first_column, frame.last_column, frame.last_row, frame.first_row),
        interpolation="nearest",
        aspect="equal" if 0.1 < frame.aspect < 10 else "auto",
        **how,
    )
    axes.set_facecolor(MASKED)
    axes.set_xlim(*sorted((frame.first_column, frame.last_column)))
    low, high = sorted((frame.first_row, frame.last_row))
    axes.set_ylim(*((low, high) if frame.north_up else (high, low)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], prune="both" if frame.north_up else None))
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(labelsize="small")
    return image


def add_colour_bar(
    figure: Figure, image: AxesImage, axes_list: list[Axes], label: str, extend: str = "neither"
) -> None:
    """Add the one colour bar of all panels."""
    bar = figure.colorbar(image, ax=axes_list, extend=extend, fraction=0.04, pad=0.02, aspect=25)
    bar.set_label(label, fontsize="small")
    bar.ax.tick_params(labelsize="small")


def label_outer_axes(axes_list: list[Axes], frame: MapFrame) -> None:
    """Name the axes once for each row and column of panels."""
    n_columns = axes_list[0].get_subplotspec().get_gridspec().ncols  # type: ignore[union-attr]
    for position, axes in enumerate(axes_list):
        if position % n_columns == 0:
            axes.set_ylabel(frame.y_label, fontsize="small")
        if position >= len(axes_list) - n_columns:
            axes.set_xlabel(frame.x_label, fontsize="small")
