"""Figures of one pixel. Each draws a source whose columns a callback replaces, in Python or in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Range1d, Whisker
from bokeh.plotting import figure

from unmixel.explorer.band_axis import BandAxis
from unmixel.explorer.pixel_story import LEVEL, PixelStory
from unmixel.intervals import normal_interval
from unmixel.pages.colours import NONLINEAR, RESIDUAL, endmember_colours

HEIGHT = 260
NONLINEAR_PART = "nonlinear part"


def spectrum_columns(story: PixelStory, axis: BandAxis) -> dict[str, np.ndarray]:
    """Return the columns of `spectrum_figure`: ``x``, ``observed``, ``reconstruction``, ``lower``, ``upper``.

    The band is where the model expects 90 % of observations of this reconstruction; NaN where it does not say.
    """
    if story.spectra is None:
        return {name: np.array([]) for name in ("x", "observed", "reconstruction", "lower", "upper")}
    parts = story.spectra.parts
    reconstruction = parts.shares.sum(axis=0) + parts.nonlinear
    lower, upper = normal_interval(reconstruction, parts.sd, LEVEL)
    return {
        "x": axis.x,
        "observed": axis.line(parts.observed),
        "reconstruction": axis.line(reconstruction),
        "lower": axis.area(lower, lower),
        "upper": axis.area(upper, lower),
    }


def spectrum_figure(source: ColumnDataSource, axis: BandAxis) -> figure:
    """Draw what was observed, its reconstruction, and the band where 90 % of observations are expected."""
    plot = spectral_figure("Observed and reconstructed", axis)
    blue = endmember_colours(1)[0]
    plot.varea("x", "lower", "upper", source=source, color=blue, alpha=0.25, legend_label=f"{100 * LEVEL:.0f} % band")
    plot.line("x", "reconstruction", source=source, color=blue, line_width=2, legend_label="reconstruction")
    observed = plot.line("x", "observed", source=source, color="black", line_width=1, legend_label="observed")
    shown = [("", f"$x{{0.0}} {_unit(axis.label)}"), ("observed", "@observed{0.0000}")]
    plot.add_tools(HoverTool(renderers=[observed], tooltips=[*shown, ("reconstruction", "@reconstruction{0.0000}")]))
    return with_legend(plot)


def parts_columns(story: PixelStory, axis: BandAxis) -> dict[str, np.ndarray]:
    """Return the columns of `parts_figure`: ``x``, the upper edge ``top0``, ``top1``, … of each part, and ``residual``.

    Parts are stacked: the endmembers in the order of the result, then the nonlinear part.
    """
    n_endmembers = story.said.sizes["endmember"]
    if story.spectra is None:
        return {name: np.array([]) for name in ("x", "residual", *(f"top{k}" for k in range(-1, n_endmembers + 1)))}
    parts = story.spectra.parts
    tops = np.cumsum(
        np.concatenate([np.zeros_like(parts.nonlinear)[None], parts.shares, parts.nonlinear[None]]), axis=0
    )
    columns = {f"top{k - 1}": axis.area(top, tops[0]) for k, top in enumerate(tops)}
    return {"x": axis.x, "residual": axis.line(parts.observed - tops[-1]), **columns}


def parts_figure(source: ColumnDataSource, names: Sequence[str], axis: BandAxis) -> figure:
    """Draw the shares of the endmembers, the nonlinear part on top of them, and the residual by itself."""
    plot = spectral_figure("What it is made of", axis)
    for k, (name, colour) in enumerate(
        zip([*names, NONLINEAR_PART], [*endmember_colours(len(names)), NONLINEAR], strict=True)
    ):
        plot.varea("x", f"top{k - 1}", f"top{k}", source=source, color=colour, alpha=0.75, legend_label=name)
    plot.line("x", "residual", source=source, color=RESIDUAL, line_width=1, line_dash="dashed", legend_label="residual")
    return with_legend(plot)


def abundance_columns(story: PixelStory) -> dict[str, Any]:
    """Return the columns of `abundance_figure`: ``name``, ``abundance``, ``lower``, ``upper``, ``fcls``, ``colour``."""
    nothing = np.full(len(story.names), np.nan)
    return {
        "name": story.names,
        "abundance": story.abundance,
        "lower": np.asarray(story.lower, dtype=float),
        "upper": np.asarray(story.upper, dtype=float),
        "fcls": nothing if story.spectra is None else np.asarray(story.spectra.fcls, dtype=float),
        "colour": endmember_colours(len(story.names)),
    }


def abundance_figure(source: ColumnDataSource, names: Sequence[str]) -> figure:
    """Draw the abundances with their 90 % intervals, and what fully constrained least squares says."""
    plot = figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        title="Abundances",
        y_range=list(reversed(names)),
        x_range=Range1d(0, 1),
        x_axis_label="abundance [1]",
        tools="save,reset",
        output_backend="canvas",
    )
    plot.hbar(y="name", right="abundance", height=0.6, source=source, color="colour", alpha=0.75)
    plot.add_layout(Whisker(base="name", upper="upper", lower="lower", dimension="width", source=source))
    plot.scatter("fcls", "name", source=source, marker="diamond", size=10, color="black", legend_label="FCLS")
    return with_legend(plot)


def spectral_figure(title: str, axis: BandAxis) -> figure:
    """Return an empty figure of spectra."""
    return figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        title=title,
        x_axis_label=axis.label,
        y_axis_label=axis.values_label,
        tools="pan,box_zoom,wheel_zoom,save,reset",
        active_scroll=None,
    )


def with_legend(plot: figure) -> figure:
    """Return the figure with a small legend above it, whose entries can be clicked away."""
    legend = plot.legend[0]
    plot.add_layout(legend, "above")
    legend.orientation = "horizontal"
    legend.click_policy = "hide"
    legend.label_text_font_size = "9pt"
    legend.padding = legend.margin = 0
    legend.spacing = 10
    legend.border_line_color = None
    return quiet(plot)


def quiet(plot: figure) -> figure:
    """Return the figure with a toolbar that shows only while it is pointed at."""
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    return plot


def _unit(band_axis: str) -> str:
    return "nm" if "nm" in band_axis else ""
