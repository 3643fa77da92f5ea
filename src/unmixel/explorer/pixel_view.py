"""All panels of one pixel."""

from __future__ import annotations

from collections.abc import Callable

from bokeh.models import Column, ColumnDataSource, Div, LayoutDOM

from unmixel.explorer.endmember_panel import EndmemberPanel
from unmixel.explorer.latent_panel import LatentPanel, LatentSample
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_panels import (
    abundance_columns,
    abundance_figure,
    parts_columns,
    parts_figure,
    spectrum_columns,
    spectrum_figure,
)
from unmixel.explorer.pixel_story import PixelStory
from unmixel.explorer.posterior_panels import (
    marginal_columns,
    marginal_figure,
    ternary_columns,
    ternary_figure,
    ternary_marks,
)


class PixelView:
    """The panels, in the order in which they are read.

    Attributes
    ----------
    panels : dict of str to model
        By what each is called.
    """

    def __init__(self, opened: OpenedResult) -> None:
        self._opened = opened
        result, axis = opened.result, opened.axis
        names = [str(name) for name in result["endmember"].values]
        self._columns: dict[ColumnDataSource, Callable[[PixelStory], dict]] = {}
        spectrum = self._source("spectrum", lambda story: spectrum_columns(story, axis))
        parts = self._source("parts", lambda story: parts_columns(story, axis))
        self.panels: dict[str, LayoutDOM] = {
            "Abundances": abundance_figure(self._source("abundances", abundance_columns), names),
            "Spectrum": spectrum_figure(spectrum, axis),
            "Parts of the spectrum": parts_figure(parts, names, axis),
        }
        if "abundance_sd" in result:
            marginals = self._source("marginals", marginal_columns)
            self.panels["Densities of the abundances"] = marginal_figure(marginals, names)
        if len(names) == 3 and "concentration" in result:
            density, marks = self._source("ternary", ternary_columns), self._source("ternary_marks", ternary_marks)
            self.panels["Posterior over the simplex"] = ternary_figure(density, marks, names)
        self._endmembers = EndmemberPanel(opened)
        self._latents: LatentPanel | None = None
        self.later = Column(Div(text="The model is being loaded."), sizing_mode="stretch_width", name="later")
        self.panels |= {"Endmember spectra": self._endmembers.layout, "Latent space": self.later}

    def add_latents(self, sample: LatentSample | None) -> None:
        """Add the panel of the latents, if there are any; they are read after the page is shown."""
        if sample is None:
            self.later.visible = False
            return
        self._latents = LatentPanel(self._opened, sample)
        self.later.children = [self._latents.layout]

    def show(self, story: PixelStory) -> None:
        """Draw a pixel."""
        for source, columns in self._columns.items():
            source.data = columns(story)
        self._endmembers.show(story)
        if self._latents is not None:
            self._latents.show(story)

    def _source(self, name: str, columns: Callable[[PixelStory], dict]) -> ColumnDataSource:
        source = ColumnDataSource(name=name)
        self._columns[source] = columns
        return source
