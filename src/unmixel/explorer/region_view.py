"""A polygon on the map -> what lies in it, as a table and as files."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import xarray as xr
from bokeh.models import ColumnDataSource, TextInput

from unmixel.errors import ParameterError
from unmixel.explorer.map_coordinates import MapCoordinates
from unmixel.explorer.pixel_story import LEVEL
from unmixel.explorer.region_export import region_csv, region_geojson
from unmixel.regions import region_summary

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
Corners = list[tuple[float, float]]


def corners_in(text: str) -> Corners:
    """Read the corners of a polygon: x y of each, with commas or semicolons between them.

    Raises
    ------
    ParameterError
        If they are not pairs of numbers, three at least.

    Examples
    --------
    >>> corners_in("1 2, 3 4.5, 5 6")
    [(1.0, 2.0), (3.0, 4.5), (5.0, 6.0)]
    """
    numbers = [float(number) for number in _NUMBER.findall(text)]
    if _NUMBER.sub("", text).strip(" ,;") or len(numbers) % 2 or len(numbers) < 6:
        raise ParameterError(f"corners {text!r}", "x y of at least three corners", 'write "1 2, 3 4, 5 6"')
    return [*zip(numbers[::2], numbers[1::2], strict=True)]


class RegionView:
    """The region of a result.

    Parameters
    ----------
    result : Dataset
    where : MapCoordinates
    outline : callable
        Draws the region on the maps.
    """

    def __init__(self, result: xr.Dataset, where: MapCoordinates, outline: Callable[[Corners], None]) -> None:
        self._result, self._where, self._outline = result, where, outline
        self.corners = TextInput(
            title=f"Corners: {where.x_label}, {where.y_label}",
            placeholder="x y, x y, x y",
            name="corners",
            sizing_mode="stretch_width",
        )
        self.table = ColumnDataSource({"name": [], "mean": [], "area": []}, name="region_table")
        self.said = ColumnDataSource({"sentence": []}, name="region_said")
        self.files = ColumnDataSource({"name": [], "type": [], "content": []}, name="region_files")
        self.corners.on_change("value", lambda attribute, old, new: self._read(new))

    def draw(self, corners: Corners) -> None:
        """Take the corners that were drawn on a map."""
        self.corners.value = ", ".join(f"{x:.9g} {y:.9g}" for x, y in corners)

    def _read(self, text: str) -> None:
        self._clear()
        try:
            corners = corners_in(text) if text.strip() else []
            if corners:
                self._show(corners)
            self._outline(corners)
        except ParameterError as error:
            self._clear(str(error))

    def _clear(self, *sentences: str) -> None:
        self._outline([])
        self.table.data = {"name": [], "mean": [], "area": []}
        self.files.data = {"name": [], "type": [], "content": []}
        self.said.data = {"sentence": list(sentences)}

    def _show(self, corners: Corners) -> None:
        polygon = [self._where.on_the_map(x, y) for x, y in corners]
        summary = region_summary(self._result, polygon, LEVEL)
        content = [region_csv(summary), region_geojson(summary, polygon, self._where.crs)]
        self.table.data = {
            "name": [str(name) for name in summary["endmember"].values],
            "mean": _cells(summary, "mean_abundance", 100.0, "%"),
            "area": _cells(summary, "area", 1.0, "m²"),
        }
        self.said.data = {"sentence": _sentences(summary)}
        self.files.data = {
            "name": ["region.csv", "region.geojson"],
            "type": ["text/csv", "application/geo+json"],
            "content": content,
        }


def _cells(summary: xr.Dataset, quantity: str, factor: float, unit: str) -> list[str]:
    """Return a quantity of each endmember with its interval."""
    cells = []
    for value, lower, upper in zip(
        *(summary[f"{quantity}{end}"].values for end in ("", "_lower", "_upper")), strict=True
    ):
        if not np.isfinite(value):
            cells.append("unknown")
        elif not np.isfinite(lower):
            cells.append(f"{factor * value:,.4g} {unit}")
        else:
            cells.append(f"{_short(factor * value)} {unit} ({_short(factor * lower)} to {_short(factor * upper)})")
    return cells


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _sentences(summary: xr.Dataset) -> list[str]:
    n_pixels, n_masked, area = (summary.attrs[name] for name in ("n_pixels", "n_masked", "region_area"))
    size = f", {_short(area)} m²" if np.isfinite(area) else ""
    said = [f"{n_pixels} pixels{size}; their centres lie in the region."]
    if n_masked:
        said.append(f"{n_masked} more pixels are masked.")
    if np.isfinite(summary["mean_abundance_sd"].values).all():
        said.append(
            f"In brackets: {100 * LEVEL:.0f} % intervals if the errors of all pixels are alike, the widest ones."
        )
    if not np.isfinite(area):
        said.append("Areas are unknown: the result has no map coordinates with a unit.")
    return said
