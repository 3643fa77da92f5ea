"""One map on the screen, with its colour bar, the pixel and the region that are looked at."""

from __future__ import annotations

from typing import NamedTuple

from bokeh.models import (
    BasicTickFormatter,
    ColorBar,
    ColumnDataSource,
    LassoSelectTool,
    LinearColorMapper,
    PlainText,
    Range1d,
)
from bokeh.models import PolySelectTool as PolygonTool
from bokeh.plotting import figure

from unmixel.explorer.compared import DifferenceLayer
from unmixel.explorer.map_coordinates import MapCoordinates
from unmixel.explorer.map_layers import MapLayer, Piece
from unmixel.explorer.scene_colours import SceneColours
from unmixel.pages.colours import MASKED

Layer = MapLayer | SceneColours | DifferenceLayer
WIDTH, HEIGHT = 450, 400
"""Of the only map [screen pixel], without its axes."""
NOTHING: dict[str, list] = {name: [] for name in ("rgba", "x", "y", "width", "height")}


class Shared(NamedTuple):
    """What all maps have in common, so that they move together.

    Attributes
    ----------
    x, y : Range1d
        What is seen.
    marker : ColumnDataSource
        ``x`` and ``y`` of the pixel.
    region : ColumnDataSource
        ``x`` and ``y`` of the corners of the region.
    """

    x: Range1d
    y: Range1d
    marker: ColumnDataSource
    region: ColumnDataSource


def shared_by_maps(where: MapCoordinates) -> Shared:
    """Return ranges in which the whole result is seen, pixels as high as they are wide on the map."""
    left, low, width, height = where.box_of(where.whole)
    wide, high = max(width, height * WIDTH / HEIGHT), max(height, width * HEIGHT / WIDTH)
    x, y = left - (wide - width) / 2, low - (high - height) / 2
    ends = (y, y + high) if where.on_a_map else (y + high, y)
    marker, region = (ColumnDataSource({"x": [], "y": []}, name=name) for name in ("marker", "region"))
    return Shared(Range1d(x, x + wide, name="map_x"), Range1d(*ends, name="map_y"), marker, region)


class MapFigure:
    """A map, drawn from an overview and from what is seen of it in full detail."""

    def __init__(self, where: MapCoordinates, shared: Shared, *, part: float = 1.0) -> None:
        self._where = where
        self.layer: Layer | None = None
        self.whole, self.detail = ColumnDataSource(NOTHING), ColumnDataSource(NOTHING)
        alone = part == 1
        self.plot = figure(
            frame_width=round(WIDTH * part),
            frame_height=round(HEIGHT * part),
            x_range=shared.x,
            y_range=shared.y,
            tools="pan,wheel_zoom,box_zoom,reset,save",
            active_scroll="wheel_zoom",
            toolbar_location="above",
            background_fill_color="#ffffff",
            name="map",
        )
        self.plot.add_tools(LassoSelectTool(renderers=[]), PolygonTool(renderers=[]))
        self.plot.toolbar.update(active_tap=None, logo=None)
        self.plot.title.update(text_font_size="8pt", visible=not alone)
        self.plot.grid.visible = False
        for axis, label in ((self.plot.xaxis, where.x_label), (self.plot.yaxis, where.y_label)):
            axis.formatter = BasicTickFormatter(use_scientific=False)
            axis.ticker.desired_num_ticks = 3
            axis.axis_label = label
            axis.visible = alone
        for source in (self.whole, self.detail):
            self.plot.image_rgba("rgba", x="x", y="y", dw="width", dh="height", source=source)
        self.plot.patch(
            "x", "y", source=shared.region, fill_alpha=0.15, fill_color="#ffffff", line_color="#D55E00", line_width=2
        )
        for colour, width in (("#ffffff", 4), ("#000000", 2)):
            self.plot.scatter(
                "x", "y", source=shared.marker, size=15, fill_color=None, line_color=colour, line_width=width
            )
        self._mapper = LinearColorMapper(palette=["#000000", "#ffffff"], low=0, high=1, nan_color=MASKED)
        self._bar = ColorBar(color_mapper=self._mapper, width=10, padding=4, title_text_font_size="8pt")
        self.plot.add_layout(self._bar, "right")

    def show(self, layer: Layer, step: int) -> None:
        """Draw a layer."""
        self.layer = layer
        self.plot.title.text = PlainText(text=layer.title)
        self.detail.data = NOTHING
        self.whole.data = self._columns(layer.colours(self._where.whole, step))
        self._bar.visible = not isinstance(layer, SceneColours)
        if not isinstance(layer, SceneColours):
            low, high = layer.limits
            self._mapper.update(palette=layer.palette, low=low, high=high)
            self._bar.title = f"[{layer.unit}]"

    def show_detail(self, piece: Piece | None) -> None:
        """Draw what is seen in more detail, or no more than the overview."""
        self.detail.data = NOTHING if piece is None else self._columns(piece)

    def _columns(self, piece: Piece) -> dict[str, list]:
        x, y, width, height = self._where.box_of(piece.window)
        rgba = self._where.lowest_first(piece.values)
        return {"rgba": [rgba], "x": [x], "y": [y], "width": [width], "height": [height]}
