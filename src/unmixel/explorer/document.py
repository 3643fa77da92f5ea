"""A result -> the page of the explorer, alive."""

from __future__ import annotations

from typing import Any

from bokeh.document import Document
from bokeh.events import DocumentReady
from bokeh.models import ColumnDataSource, Row, Spinner
from jinja2 import Environment, PackageLoader

from unmixel.explorer.exploration import Exploration
from unmixel.explorer.maps_view import MapsView
from unmixel.explorer.pixel_view import PixelView
from unmixel.explorer.region_view import RegionView

_TEMPLATES = Environment(loader=PackageLoader("unmixel.explorer"), autoescape=True, trim_blocks=True)


class ExplorerPage:
    """The page: maps on the left, the pixel on the right. Whatever moves the pixel ends in `go`.

    The mark moves at once, and the rest follows; of pixels that are asked for meanwhile only the last is told.

    Parameters
    ----------
    exploration : Exploration
    """

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._document: Document | None = None
        where = exploration.where
        self._pixel = exploration.first_pixel()
        self._following = self._to_tell = False
        self._story = ColumnDataSource({"sentence": []}, name="story")
        self._shown = ColumnDataSource({"sentence": []}, name="map_text")
        self._moves = ColumnDataSource({"row": [0], "column": [0], "number": [0]}, name="moves")
        self._row = Spinner(title="Row", low=1, high=where.rows, step=1, value=1, mode="int", width=100, name="row")
        self._column = Spinner(
            title="Column", low=1, high=where.columns, step=1, value=1, mode="int", width=100, name="column"
        )
        self._view = PixelView(exploration.opened)
        self._maps = MapsView(
            where,
            exploration.layers,
            exploration.compared,
            on_pixel=self.go,
            on_region=lambda corners: self._region.draw(corners),
            on_change=self._say_maps,
        )
        self._region = RegionView(exploration.opened.result, where, self._maps.outline)
        for spinner in (self._row, self._column):
            spinner.on_change("value", lambda attribute, old, new: self._typed())
        self._moves.on_change("data", lambda attribute, old, new: self._moved())
        self.go(*self._pixel)
        self.tell()

    def go(self, row: int, column: int) -> None:
        """Look at another pixel."""
        self._pixel = row, column
        self._maps.mark(row, column)
        self._following = True
        self._row.value, self._column.value = row + 1, column + 1
        self._following = False
        self._say_maps()
        if self._document is not None and not self._to_tell:
            self._to_tell = True
            self._document.add_next_tick_callback(self.tell)

    def tell(self) -> None:
        """Show what is known of the pixel."""
        self._to_tell = False
        story, sentences = self._exploration.tell(*self._pixel)
        self._view.show(story)
        self._story.data = {"sentence": sentences}

    def _typed(self) -> None:
        if self._following or self._row.value is None or self._column.value is None:
            return
        pixel = int(self._row.value) - 1, int(self._column.value) - 1
        inside = 0 <= pixel[0] < self._exploration.where.rows and 0 <= pixel[1] < self._exploration.where.columns
        if inside and pixel != self._pixel:
            self.go(*pixel)

    def _moved(self) -> None:
        """Go by what arrow keys ask for, from the pixel that was asked for last."""
        where = self._exploration.where
        steps = (int(self._moves.data[axis][0]) for axis in ("row", "column"))
        limits = (where.rows, where.columns)
        row, column = (
            min(max(at + step, 0), size - 1) for at, step, size in zip(self._pixel, steps, limits, strict=True)
        )
        if (row, column) != self._pixel:
            self.go(row, column)

    def _say_maps(self) -> None:
        self._shown.data = {"sentence": self._maps.sentences()}

    def _prepare(self, event: DocumentReady) -> None:
        """Load the model once the page is seen: while it is imported, little else goes on."""
        document = self._document
        assert document is not None
        prepared = self._exploration.prepare()
        prepared.add_done_callback(lambda done: document.add_next_tick_callback(self._add_latents))

    def _add_latents(self) -> None:
        self._view.add_latents(self._exploration.prepare().result())
        self.tell()

    def fill(self, document: Document) -> None:
        """Put everything into a document; one page fills one document."""
        self._document, exploration = document, self._exploration
        roots: dict[str, Any] = {
            "controls": self._maps.controls,
            "maps": self._maps.maps,
            "place": Row(self._row, self._column),
            "corners": self._region.corners,
            **{f"panel{number}": panel for number, panel in enumerate(self._view.panels.values())},
        }
        data = [self._story, self._shown, self._moves, self._region.table, self._region.said, self._region.files]
        for name, root in roots.items():
            root.name = name
        with document.models.freeze():  # all models are counted once, not after each
            for root in (*roots.values(), *data):
                document.add_root(root)
        document.title = f"{exploration.title} - unmixel"
        document.template = _TEMPLATES.get_template("explorer.html.j2")
        document.template_variables.update(
            heading=exploration.title,
            subtitle=exploration.subtitle,
            notes=exploration.notes,
            panels=[(f"panel{number}", label) for number, label in enumerate(self._view.panels)],
            data=[source.name for source in data],
            row_above=exploration.where.row_above,
        )
        document.on_event(DocumentReady, self._prepare)
