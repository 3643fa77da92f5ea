"""The pixel explorer inside a report: figures, and the numbers that a script in the page puts into them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from bokeh.embed import json_item
from bokeh.models import ColorBar, ColumnDataSource, LinearColorMapper, Range1d
from bokeh.palettes import viridis
from bokeh.plotting import figure

from unmixel.errors import UnmixingError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_grid import PixelGrid, pixel_grid
from unmixel.explorer.pixel_panels import (
    NONLINEAR_PART,
    abundance_columns,
    abundance_figure,
    parts_columns,
    parts_figure,
    spectrum_columns,
    spectrum_figure,
)
from unmixel.explorer.pixel_story import LEVEL, PixelSpectra
from unmixel.intervals import normal_interval
from unmixel.pages.colours import MASKED, NONLINEAR, RESIDUAL, endmember_colours
from unmixel.pages.pictures import N_COLOURS, colour_numbers
from unmixel.result import thinned
from unmixel.scene import good_bands

EMBEDDED = 3_100_000
"""Characters that the numbers and sentences of all pixels may take in the page."""
SENTENCES, SENTENCE_OF_ENDMEMBER = 210, 75
"""Characters of the sentences on a pixel, about."""
CHARACTERS = 8 / 3
"""Of a number of two bytes."""
MAP_VALUES = 500_000
"""Of the maps to choose a pixel on."""
MAP_SIDE = 420
"""Of the longer side of the map [screen pixel]."""
PANEL_HEIGHT = 300
"""Of a figure with its legend below [screen pixel]."""
UNKNOWN = 65_535
"""The code of a number that is not known."""


@dataclass(frozen=True)
class PixelExplorer:
    """What the page needs to explain pixels by itself.

    Attributes
    ----------
    figures : dict
        Bokeh figures by name, for ``Bokeh.embed.embed_item``: ``map``, ``abundance`` and, if there are spectra,
        ``spectrum`` and ``parts``.
    data : dict
        What the script of the page puts into them.
    part_colours : list of (str, str)
        What is drawn in ``parts``, each with its colour.
    step : int
        Every how manyth row and column can be chosen.
    without_spectra : str
        Why there are no spectra, if there are none.
    """

    figures: dict[str, Any]
    data: dict[str, Any]
    part_colours: list[tuple[str, str]]
    step: int
    without_spectra: str


def pixel_explorer(opened: OpenedResult) -> PixelExplorer:
    """Return figures and numbers for pixels on a grid that is as fine as the page can hold."""
    without, grid = without_spectra(opened), None
    if not without:
        try:
            grid = pixel_grid(opened, _step(opened, with_spectra=True), with_spectra=True)
        except UnmixingError as error:
            without = str(error)
    if grid is None:
        grid = pixel_grid(opened, _step(opened, with_spectra=False), with_spectra=False)
    start = _start(grid)
    example, axis = grid.stories[start], opened.axis
    names = example.names
    figures = {
        "map": _map_figure(opened.result[["abundance"]]),
        "abundance": abundance_figure(_source("abundance", abundance_columns(example)), names),
    }
    if not without:
        figures["spectrum"] = spectrum_figure(_source("spectrum", spectrum_columns(example, axis)), axis)
        figures["parts"] = parts_figure(_source("parts", parts_columns(example, axis)), names, axis)
        figures["parts"].legend.visible = False  # many names need room that a figure has not
    for plot in figures.values():
        _make_room(plot)
    colours = endmember_colours(len(names))
    data = {
        "rows": opened.result.sizes["y"],
        "columns": opened.result.sizes["x"],
        "step": grid.step,
        "shape": grid.shape,
        "start": start,
        "names": names,
        "colours": colours,
        "x": axis.x.tolist(),
        "band": axis.band.tolist(),
        "gap": axis.gap.tolist(),
        "reach": float(normal_interval(np.zeros(1), np.ones(1), LEVEL)[1][0]),
        "arrays": {name: coded(values) for name, values in _arrays(grid, with_spectra=not without).items()},
        "sentences": [" ".join(story.sentences()) for story in grid.stories],
    }
    items = {name: json_item(plot) for name, plot in figures.items()}
    parts = zip([*names, NONLINEAR_PART, "residual"], [*colours, NONLINEAR, RESIDUAL], strict=True)
    return PixelExplorer(items, data, [*parts], grid.step, without)


def without_spectra(opened: OpenedResult) -> str:
    """Return why there are no spectra of single pixels, or nothing."""
    try:
        fitted = opened.fitted
    except UnmixingError as error:
        return str(error)
    if fitted is None:
        return "the folder holds no model"
    if "endmember_spectrum" not in opened.result:
        return "the result has no endmember spectra"
    return "" if opened.scene is not None else opened.without_scene


def _step(opened: OpenedResult, *, with_spectra: bool) -> int:
    """Return every how manyth row and column fits into the page."""
    sizes = opened.result.sizes
    n_numbers = 3 * sizes["endmember"]
    if with_spectra:
        n_numbers += sizes["endmember"] + (sizes["endmember"] + 3) * int(good_bands(opened.result).sum())
    of_pixel = CHARACTERS * n_numbers + SENTENCES + SENTENCE_OF_ENDMEMBER * sizes["endmember"]
    step = 1
    while -(-sizes["y"] // step) * -(-sizes["x"] // step) * of_pixel > EMBEDDED:
        step += 1
    return step


def _start(grid: PixelGrid) -> int:
    """Return the number of the valid pixel that is nearest to the middle of the grid."""
    rows, columns = np.divmod(np.arange(len(grid.stories)), grid.shape[1])
    distance = np.hypot(rows - (grid.shape[0] - 1) / 2, columns - (grid.shape[1] - 1) / 2)
    distance[[not story.valid for story in grid.stories]] = np.inf
    return int(np.argmin(distance))


def _arrays(grid: PixelGrid, *, with_spectra: bool) -> dict[str, np.ndarray]:
    """Return what is said of all pixels, by name, the first dimension of each being the pixel."""
    arrays = {name: np.stack([getattr(story, name) for story in grid.stories]) for name in ("abundance", "lower")}
    arrays["upper"] = np.stack([story.upper for story in grid.stories])
    told = [story.spectra for story in grid.stories]
    example = next((spectra for spectra in told if spectra is not None), None)
    if not with_spectra or example is None:
        return arrays
    for name, one in _spectra(example).items():
        nothing = np.full_like(one, np.nan)
        arrays[name] = np.stack([nothing if spectra is None else _spectra(spectra)[name] for spectra in told])
    return arrays


def _spectra(of_pixel: PixelSpectra) -> dict[str, np.ndarray]:
    return {**of_pixel.parts._asdict(), "fcls": np.asarray(of_pixel.fcls, dtype=np.float32)}


def coded(values: np.ndarray) -> dict[str, Any]:
    """Return an array as a text of whole numbers c of two bytes: a value is low + c step.

    Parameters
    ----------
    values : array, shape (pixel, ...)

    Returns
    -------
    dict
        ``low``, ``step``, ``codes`` (base64, little-endian) and ``size``, the number of values of a pixel.

    Examples
    --------
    >>> told = coded(np.array([[0.0, 0.5], [1.0, np.nan]]))
    >>> np.frombuffer(base64.b64decode(told["codes"]), "<u2"), told["size"]
    (array([    0, 32767, 65534, 65535], dtype=uint16), 2)
    """
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    step = (high - low) / (UNKNOWN - 1) or 1.0
    codes = np.where(known, np.round((np.where(known, values, low) - low) / step), UNKNOWN).astype("<u2")
    size = int(np.prod(values.shape[1:]))
    return {"low": low, "step": step, "size": size, "codes": base64.b64encode(codes.tobytes()).decode("ascii")}


def _source(name: str, columns: dict[str, Any]) -> ColumnDataSource:
    return ColumnDataSource(columns, name=name)


def _map_figure(result: xr.Dataset) -> figure:
    """Draw an abundance map for each endmember, of which one is seen at a time, and what marks the pixel."""
    rows, columns = result.sizes["y"], result.sizes["x"]
    small, step = thinned(result, max(MAP_VALUES // result.sizes["endmember"], 1))
    width, height = (max(round(MAP_SIDE * side / max(rows, columns)), MAP_SIDE // 6) for side in (columns, rows))
    plot = figure(
        frame_width=width,
        frame_height=height,
        x_range=Range1d(0, columns),
        y_range=Range1d(0, rows),
        tools="pan,box_zoom,wheel_zoom,reset",
        active_drag=None,
        active_scroll=None,
        toolbar_location="below",
        background_fill_color=MASKED,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    n_rows, n_columns = small.sizes["y"], small.sizes["x"]
    place = {"x": 0, "y": rows - n_rows * step, "dw": n_columns * step, "dh": n_rows * step}
    colours = viridis(N_COLOURS)
    mapper = LinearColorMapper(palette=colours, low=0, high=N_COLOURS - 1, high_color=MASKED)
    for k, values in enumerate(np.moveaxis(small["abundance"].values, 2, 0)):
        from_below = np.ascontiguousarray(colour_numbers(values, 1.0)[::-1])
        plot.image([from_below], **place, color_mapper=mapper, name=f"map{k}", visible=k == 0)
    meaning = LinearColorMapper(palette=colours, low=0, high=1)
    plot.add_layout(ColorBar(color_mapper=meaning, title="abundance [1]", width=12), "right")
    _mark(plot, _source("chosen", {"x": [columns / 2], "y": [rows / 2]}), (("white", 5), ("black", 2)))
    return plot


def _make_room(plot: figure) -> None:
    """Move what hides data out of the way."""
    plot.toolbar.logo = None
    if plot.legend and plot.legend.visible:
        plot.legend.orientation, plot.legend.border_line_color = "horizontal", None
        plot.add_layout(plot.legend[0], "below")
        plot.height = PANEL_HEIGHT


def _mark(plot: figure, source: ColumnDataSource, lines: Sequence[tuple[str, int]]) -> None:
    for colour, width in lines:
        plot.scatter(
            "x", "y", source=source, marker="square", size=14, fill_color=None, line_color=colour, line_width=width
        )
