"""The maps of a result: one, all of them small, or those of two results beside each other; they move together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from bokeh.events import DoubleTap, PointEvent, Press, SelectionGeometry, Tap
from bokeh.layouts import gridplot
from bokeh.models import Column, PlainText, Row, Select

from unmixel.explorer.compared import Compared, DifferenceLayer
from unmixel.explorer.map_coordinates import MapCoordinates
from unmixel.explorer.map_figure import Layer, MapFigure, shared_by_maps
from unmixel.explorer.map_layers import MOST_PIXELS, MapLayer, step_for
from unmixel.explorer.scene_colours import SceneColours

ONE, ALL, COMPARE = "one map", "all maps", "two results"
PART = 0.44
"""Size of a small map."""
AFTER = 150
"""Milliseconds after a move of the maps until they are read again."""
MARGIN = 0.25
"""How much more is read on each side than is seen."""


class MapsView:
    """The maps, and what chooses them.

    Parameters
    ----------
    where : MapCoordinates
    layers : list of layers
    compared : Compared, optional
    on_pixel : callable
        Told row and column of the pixel that was pointed at.
    on_region : callable
        Told x and y of the corners that were drawn.
    on_change : callable
        Told when other maps are shown.
    """

    def __init__(
        self,
        where: MapCoordinates,
        layers: list[MapLayer | SceneColours],
        compared: Compared | None,
        on_pixel: Callable[[int, int], None],
        on_region: Callable[[list[tuple[float, float]]], None],
        on_change: Callable[[], None],
    ) -> None:
        self._where, self._layers, self._compared = where, layers, compared
        self._on_pixel, self._on_region, self._on_change = on_pixel, on_region, on_change
        self.shared = shared_by_maps(where)
        self._waiting = False
        self.figures: list[MapFigure] = []
        self._pixel: tuple[int, int] | None = None
        titles = [(str(number), layer.title) for number, layer in enumerate(layers)]
        ways = [ONE, ALL, *([COMPARE] if compared else [])]
        self.layer = Select(title="Map", options=titles, value="0", width=320, name="layer")
        self.way = Select(title="Show", options=ways, value=COMPARE if compared else ONE, width=110, name="way")
        self.controls = Row(self.layer, self.way, name="controls")
        self.maps = Column(name="maps")
        self.layer.on_change("value", lambda attribute, old, new: self._chosen())
        self.way.on_change("value", lambda attribute, old, new: self._rearranged())
        for ends in (self.shared.x, self.shared.y):
            for end in ("start", "end"):
                ends.on_change(end, lambda attribute, old, new: self._read_soon())
        self._arrange()

    def mark(self, row: int, column: int) -> None:
        """Show which pixel is looked at."""
        self._pixel = row, column
        x, y = self._where.centre_of(row, column)
        self.shared.marker.data = {"x": [x], "y": [y]}

    def outline(self, corners: list[tuple[float, float]]) -> None:
        """Show the region that is looked at."""
        self.shared.region.data = {"x": [x for x, _ in corners], "y": [y for _, y in corners]}

    def sentences(self) -> list[str]:
        """Say what is shown."""
        said = [self._of(shown.layer) for shown in self.figures if shown.layer is not None]
        if self.way.value != COMPARE or self._compared is None:
            return said
        chosen = self._layers[int(self.layer.value)]
        named = [f"{name}: {line}" for name, line in zip((*self._compared.names, "difference"), said, strict=True)]
        if self.figures[0].layer is not None and self.figures[0].layer.title != chosen.title:
            named.append(f"Only {self._compared.names[0]} has a map of the {chosen.title}; another is shown.")
        return named

    def _of(self, layer: Layer) -> str:
        if isinstance(layer, SceneColours):
            return f"{layer.title}."
        low, high = layer.limits
        colours = f"{layer.title}: colours from {low:.3g} to {high:.3g} [{layer.unit}]"
        if self._pixel is None:
            return f"{colours}."
        row, column = self._pixel
        value = layer.values(self._where.whole._replace(top=row, bottom=row + 1, left=column, right=column + 1), 1)
        here = value.values.item()
        return f"{colours}; {here:.3g} here." if np.isfinite(here) else f"{colours}; masked here."

    def _chosen(self) -> None:
        self._show()
        self._on_change()

    def _rearranged(self) -> None:
        self._arrange()
        self._on_change()

    def _arrange(self) -> None:
        """Make as many figures as are shown."""
        way = self.way.value
        self.layer.disabled = way == ALL
        count = {ONE: 1, COMPARE: 3}.get(way, len(self._layers))
        self.figures = [MapFigure(self._where, self.shared, part=1.0 if count == 1 else PART) for _ in range(count)]
        for shown in self.figures:
            for click in (Tap, DoubleTap, Press):  # to Bokeh a second click within 0.3 s, or a long one, is no Tap
                shown.plot.on_event(click, self._tapped)
            shown.plot.on_event(SelectionGeometry, self._drawn)
        self._show()
        plots = [shown.plot for shown in self.figures]
        self.maps.children = plots if count == 1 else [gridplot(plots, ncols=2, toolbar_location="above")]

    def _show(self) -> None:
        chosen = self._layers[int(self.layer.value)]
        if self.way.value == COMPARE and self._compared is not None:
            shown: list[Layer] = [*_side_by_side(self._compared, chosen)]
        else:
            shown = [*self._layers] if self.way.value == ALL else [chosen]
        for place, layer in zip(self.figures, shown, strict=True):
            place.show(layer, step_for(self._where.whole))
        names = self._compared.names if self.way.value == COMPARE and self._compared is not None else ()
        for place, name in zip(self.figures, names, strict=False):
            place.plot.title.text = PlainText(text=f"{name}: {place.plot.title.text.text}")
        self._read_soon()

    def _tapped(self, event: PointEvent) -> None:
        x, y = (sorted((ends.start, ends.end)) for ends in (self.shared.x, self.shared.y))
        if not (x[0] <= event.x <= x[1] and y[0] <= event.y <= y[1]):
            return  # on an axis or a title, where Bokeh goes on counting
        if (pixel := self._where.pixel_at(event.x, event.y)) is not None:
            self._on_pixel(*pixel)

    def _drawn(self, event: SelectionGeometry) -> None:
        if event.final and event.geometry.get("type") == "poly":
            self._on_region([*zip(event.geometry["x"], event.geometry["y"], strict=True)])

    def _read_soon(self) -> None:
        document = self.maps.document
        if document is not None and not self._waiting and step_for(self._where.whole) > 1:
            self._waiting = True
            document.add_timeout_callback(self.read_detail, AFTER)

    def read_detail(self) -> None:
        """Read what is seen, where that is finer than the overview."""
        self._waiting = False
        x, y = self.shared.x, self.shared.y
        wide, high = MARGIN * (x.end - x.start), MARGIN * (y.end - y.start)
        window = self._where.window_between((x.start - wide, x.end + wide), (y.start - high, y.end + high))
        step = 0 if window is None else step_for(window, MOST_PIXELS)
        for shown in self.figures:
            if shown.layer is None:
                continue
            finer = window is not None and step < step_for(self._where.whole)
            shown.show_detail(shown.layer.colours(window, step) if finer and window else None)


def _side_by_side(compared: Compared, chosen: MapLayer | SceneColours) -> tuple[MapLayer, MapLayer, DifferenceLayer]:
    """Return the layers of two results that are nearest to the one that is chosen."""
    wanted = (chosen.variable, chosen.label) if isinstance(chosen, MapLayer) else None
    alike = [three for three in compared.layers if (three[0].variable, three[0].label) == wanted]
    first, second, difference = alike[0] if alike else compared.layers[0]
    second.limits = first.limits  # the same colour means the same value
    return first, second, difference
