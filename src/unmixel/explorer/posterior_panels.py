"""How sure the abundances of a pixel are: the density of each, and of all three where there are three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, Label, LinearColorMapper, Range1d
from bokeh.palettes import Viridis256
from bokeh.plotting import figure
from jaxtyping import Float
from scipy.special import betainc

from unmixel.explorer.colours import endmember_colours
from unmixel.explorer.pixel_panels import HEIGHT
from unmixel.explorer.pixel_story import PixelStory
from unmixel.metrics import beta_marginals

CELLS = 200
"""Of the abundances between 0 and 1 whose probability is drawn."""
SIDE = 40
"""Small triangles along a side of the ternary plot."""
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
    plot.legend.label_text_font_size = "9pt"
    plot.legend.background_fill_alpha = 0.6
    plot.legend.padding = plot.legend.spacing = 2
    return plot


def small_triangles() -> Float[np.ndarray, "triangle corner abundance"]:
    """Return the corners of the small triangles that fill the simplex of three abundances.

    Examples
    --------
    >>> small_triangles().shape == (SIDE**2, 3, 3), bool(np.allclose(small_triangles().sum(axis=2), 1))
    (True, True)
    """
    triangles = []
    for i in range(SIDE):
        for j in range(SIDE - i):
            triangles.append([(i, j), (i + 1, j), (i, j + 1)])
            if i + j < SIDE - 1:
                triangles.append([(i + 1, j), (i + 1, j + 1), (i, j + 1)])
    first, second = np.moveaxis(np.array(triangles, dtype=float) / SIDE, 2, 0)
    return np.stack([first, second, 1 - first - second], axis=2)


def on_paper(abundance: Float[np.ndarray, "*place three"]) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of abundances in the triangle: the first at the left, the second at the right, the third on top.

    Examples
    --------
    >>> on_paper(np.eye(3))[0], on_paper(np.eye(3))[1].round(3)
    (array([0. , 1. , 0.5]), array([0.   , 0.   , 0.866]))
    """
    return abundance[..., 1] + abundance[..., 2] / 2, _HIGH * abundance[..., 2]


TRIANGLES = small_triangles()


def dirichlet_density(
    concentration: Float[np.ndarray, "endmember"], abundance: Float[np.ndarray, "place endmember"]
) -> Float[np.ndarray, "place"]:
    """Return a Dirichlet density at some places, in units of the largest among them."""
    log_density = ((concentration - 1) * np.log(abundance)).sum(axis=1)
    return np.exp(log_density - log_density.max())


def ternary_columns(story: PixelStory) -> dict[str, np.ndarray]:
    """Return the column of `ternary_figure` that changes with the pixel: ``density``, NaN where there is none."""
    nothing = {"density": np.full(len(TRIANGLES), np.nan)}
    if not story.valid or "concentration" not in story.said:
        return nothing
    concentration = np.asarray(story.said["concentration"].values, dtype=float)
    if not np.isfinite(concentration).all():
        return nothing
    return {"density": dirichlet_density(concentration, TRIANGLES.mean(axis=1))}


def ternary_outlines() -> dict[str, list]:
    """Return the columns of `ternary_figure` that stay: ``x`` and ``y`` of the corners of the small triangles."""
    x, y = on_paper(TRIANGLES)
    return {"x": list(x), "y": list(y)}


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
    """Draw the Dirichlet posterior of three abundances over their simplex, and its mean."""
    plot = figure(
        height=HEIGHT + 40,
        sizing_mode="stretch_width",
        title="How sure: the posterior of all three abundances",
        x_range=Range1d(-0.25, 1.25),
        y_range=Range1d(-0.14, 1.0),
        match_aspect=True,
        tools="reset,save",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    mapper = LinearColorMapper(palette=Viridis256, low=0, high=1, nan_color="#eeeeee")
    colour = {"field": "density", "transform": mapper}
    plot.patches("x", "y", source=source, fill_color=colour, line_color=colour, line_width=0.5)
    for what, size in (("white", 13), ("black", 9)):
        plot.scatter("x", "y", marker="marker", source=marks, size=size, fill_color=what, line_color="black")
    plot.add_layout(ColorBar(color_mapper=mapper, width=10, title="density / its largest [1]"), "right")
    for name, x, y, align in zip(names, (0, 1, 0.5), (-0.03, -0.03, _HIGH + 0.02), ("center",) * 3, strict=True):
        baseline = "bottom" if y > 0 else "top"
        plot.add_layout(Label(x=x, y=y, text=name, text_align=align, text_baseline=baseline, text_font_size="10pt"))
    return plot
