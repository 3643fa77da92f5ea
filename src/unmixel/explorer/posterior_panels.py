"""How sure the abundances of a pixel are: the density of each, and of all three where there are three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, Label, LinearColorMapper, PlainText, Range1d
from bokeh.palettes import Viridis256
from bokeh.plotting import figure
from jaxtyping import Float
from scipy.special import betainc

from unmixel.explorer.pixel_panels import HEIGHT, quiet, with_legend
from unmixel.explorer.pixel_story import PixelStory
from unmixel.metrics import beta_marginals
from unmixel.pages.colours import endmember_colours

CELLS = 200
"""Of the abundances between 0 and 1 whose probability is drawn."""
SIDE = 150
"""Cells along a side of the ternary plot."""
PAPER = 420
"""Width of the ternary plot [screen pixel], without its colour bar."""
_HIGH = 0.75**0.5


def marginal_columns(story: PixelStory) -> dict[str, np.ndarray]:
    """Return the columns of `marginal_figure`: ``x`` and the densities ``density0``, ``density1``, ….

    They are means over cells, and so finite where the density is not.
    """
    edges = np.linspace(0, 1, CELLS + 1)
    columns = {"x": (edges[:-1] + edges[1:]) / 2}
    nothing = np.full(CELLS, np.nan)
    for k in range(len(story.names)):
        columns[f"density{k}"] = nothing
    if story.valid and "abundance_sd" in story.said:
        sd = np.asarray(story.said["abundance_sd"].values, dtype=float)
        if np.isfinite(sd).all():
            first, second = beta_marginals(story.abundance, sd)
            below = betainc(first[:, None], second[:, None], edges)
            for k, cells in enumerate(CELLS * np.diff(below, axis=1)):
                columns[f"density{k}"] = cells
    return columns


def marginal_figure(source: ColumnDataSource, names: Sequence[str]) -> figure:
    """Draw the density of each abundance, a Beta distribution with its mean and standard deviation."""
    plot = figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        title="How sure: density of each abundance",
        x_axis_label="abundance [1]",
        y_axis_label="density [1]",
        x_range=Range1d(0, 1),
        tools="pan,box_zoom,reset,save",
    )
    plot.y_range.start = 0
    for k, (name, colour) in enumerate(zip(names, endmember_colours(len(names)), strict=True)):
        plot.line("x", f"density{k}", source=source, color=colour, line_width=2, legend_label=name)
    return with_legend(plot)


def on_paper(abundance: Float[np.ndarray, "*place three"]) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of abundances in the triangle: the first at the left, the second at the right, the third on top.

    Examples
    --------
    >>> on_paper(np.eye(3))[0], on_paper(np.eye(3))[1].round(3)
    (array([0. , 1. , 0.5]), array([0.   , 0.   , 0.866]))
    """
    return abundance[..., 1] + abundance[..., 2] / 2, _HIGH * abundance[..., 2]


def on_the_simplex() -> Float[np.ndarray, "y x three"]:
    """Return the abundances in the middle of each cell of the ternary plot, row by row from below; some are outside."""
    third = (np.arange(round(_HIGH * SIDE)) + 0.5)[:, None] / (_HIGH * SIDE)
    second = (np.arange(SIDE) + 0.5) / SIDE - third / 2
    third = np.broadcast_to(third, second.shape)
    return np.stack([1 - second - third, second, third], axis=2)


def dirichlet_density(
    concentration: Float[np.ndarray, "endmember"], abundance: Float[np.ndarray, "*place endmember"]
) -> Float[np.ndarray, "*place"]:
    """Return a Dirichlet density in units of its largest value at these places; NaN at those outside the simplex."""
    inside = np.all(abundance > 0, axis=-1)
    some = np.where(inside[..., None], abundance, 1.0)
    log_density = np.where(inside, ((concentration - 1) * np.log(some)).sum(axis=-1), -np.inf)
    return np.where(inside, np.exp(log_density - log_density.max()), np.nan)


def ternary_columns(story: PixelStory) -> dict[str, list]:
    """Return the columns of `ternary_figure`: one image ``density`` with its place; nothing where there is none."""
    columns: dict[str, list] = {"density": [], "width": [], "height": []}
    if not story.valid or "concentration" not in story.said:
        return columns
    concentration = np.asarray(story.said["concentration"].values, dtype=float)
    if not np.isfinite(concentration).all():
        return columns
    density = dirichlet_density(concentration, on_the_simplex()).astype(np.float32)
    return {"density": [density], "width": [1.0], "height": [len(density) / SIDE]}


def ternary_marks(story: PixelStory) -> dict[str, Sequence[object]]:
    """Return the columns of the marks in `ternary_figure`: ``x``, ``y``, ``marker`` and ``what``."""
    marks = {} if not story.valid else {"mean": ("circle", story.abundance)}
    if story.spectra is not None:
        marks["FCLS"] = ("diamond", np.asarray(story.spectra.fcls, dtype=float))
    x, y = on_paper(np.array([abundance for _, abundance in marks.values()]).reshape(-1, 3))
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "marker": [marker for marker, _ in marks.values()],
        "what": list(marks),
    }


def ternary_figure(source: ColumnDataSource, marks: ColumnDataSource, names: Sequence[str]) -> figure:
    """Draw the Dirichlet posterior of three abundances over their simplex, its mean, and what FCLS says."""
    x_range, y_range = (-0.3, 1.3), (-0.13, 1.0)
    plot = figure(
        frame_width=PAPER,
        frame_height=round(PAPER * (y_range[1] - y_range[0]) / (x_range[1] - x_range[0])),
        title="How sure: the posterior of all three abundances (circle: mean, diamond: FCLS)",
        x_range=Range1d(*x_range),
        y_range=Range1d(*y_range),
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll=None,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    mapper = LinearColorMapper(palette=Viridis256, low=0, high=1, nan_color="#ffffff")
    plot.image("density", x=0, y=0, dw="width", dh="height", source=source, color_mapper=mapper)
    plot.line([0, 1, 0.5, 0], [0, 0, _HIGH, 0], color="#333333")
    for colour, size in (("white", 9), ("black", 5)):
        plot.scatter("x", "y", marker="marker", source=marks, size=size, fill_color=colour, line_color="black")
    plot.add_layout(ColorBar(color_mapper=mapper, width=10, title="density / its largest [1]"), "right")
    for name, x, y in zip(names, (0, 1, 0.5), (-0.03, -0.03, _HIGH + 0.02), strict=True):
        baseline = "bottom" if y > 0 else "top"
        plot.add_layout(
            Label(
                x=x, y=y, text=PlainText(text=name), text_align="center", text_baseline=baseline, text_font_size="9pt"
            )
        )
    return quiet(plot)
