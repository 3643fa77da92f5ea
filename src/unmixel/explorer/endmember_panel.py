"""The spectrum of an endmember in one pixel, beside what it is over the scene."""

from __future__ import annotations

import numpy as np
from bokeh.models import Column, ColumnDataSource, Select

from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_panels import spectral_figure, with_legend
from unmixel.explorer.pixel_story import LEVEL, PixelStory
from unmixel.intervals import normal_interval
from unmixel.pages.colours import endmember_colours
from unmixel.scene import good_bands


class EndmemberPanel:
    """A figure of one endmember, and what chooses it."""

    def __init__(self, opened: OpenedResult) -> None:
        self._opened = opened
        self._story: PixelStory | None = None
        names = [str(name) for name in opened.result["endmember"].values]
        self._colours = endmember_colours(len(names))
        options = [(str(k), name) for k, name in enumerate(names)]
        self.endmember = Select(title="Endmember", options=options, value="0", name="endmember")
        self.source = ColumnDataSource(self._columns(), name="endmember_spectrum")
        plot = spectral_figure("Its spectrum here, and over the scene", opened.axis)
        grey = {"source": self.source, "color": "#777777"}
        plot.varea("x", "q05", "q95", alpha=0.25, legend_label="scene 5 to 95 %", **grey)
        plot.varea("x", "q25", "q75", alpha=0.4, legend_label="25 to 75 %", **grey)
        plot.line("x", "q50", line_dash="dashed", legend_label="median", **grey)
        self._band = plot.varea(
            "x", "lower", "upper", source=self.source, alpha=0.3, legend_label=f"{100 * LEVEL:.0f} % here"
        )
        self._line = plot.line("x", "here", source=self.source, line_width=2, legend_label="here")
        self.plot = with_legend(plot)
        self.layout = Column(self.endmember, self.plot, sizing_mode="stretch_width", name="endmembers")
        self.endmember.on_change("value", lambda attribute, old, new: self._draw())
        self._draw()

    def show(self, story: PixelStory) -> None:
        """Draw a pixel."""
        self._story = story
        self._draw()

    def _draw(self) -> None:
        colour = self._colours[int(self.endmember.value)]
        self._band.glyph.fill_color = self._line.glyph.line_color = colour
        self.source.data = self._columns()

    def _columns(self) -> dict[str, np.ndarray]:
        k, result, axis = int(self.endmember.value), self._opened.result, self._opened.axis
        good = good_bands(result)
        nothing = np.full(len(axis.x), np.nan)
        columns = dict.fromkeys(("q05", "q25", "q50", "q75", "q95", "here", "lower", "upper"), nothing)
        if "endmember_quantile" in result:
            levels = [f"q{round(100 * float(level)):02d}" for level in result["quantile"].values]
            spectra = np.asarray(result["endmember_quantile"].isel(endmember=k).values)[:, good]
            of_level = dict(zip(levels, spectra, strict=True))
            for low, high in (("q05", "q95"), ("q25", "q75")):
                if low in of_level and high in of_level:
                    columns[low] = axis.area(of_level[low], of_level[low])
                    columns[high] = axis.area(of_level[high], of_level[low])
            if "q50" in of_level:
                columns["q50"] = axis.line(of_level["q50"])
        if self._story is not None and self._story.spectra is not None:
            mean, sd = self._story.spectra.endmembers[k], self._story.spectra.endmember_sd[k]
            lower, upper = normal_interval(mean, sd, LEVEL)
            columns["here"] = axis.line(mean)
            columns["lower"], columns["upper"] = axis.area(lower, lower), axis.area(upper, lower)
        return {"x": axis.x, **columns}
