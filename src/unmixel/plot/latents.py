"""Figure of latents: how each endmember varies over the scene."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from unmixel.errors import ParameterError
from unmixel.plot.endmember_colours import colour_of
from unmixel.plot.map_axes import MOST_COLUMNS, PANEL_WIDTH

LEAST = 0.05
"""Where an endmember has no greater abundance its latents are only a guess, and are not drawn."""
FEWEST, MOST = 12, 50
"""Bins along an axis: the more, the more pixels there are."""
COUNTED = "each as its abundance [1]"


def latents(result: xr.Dataset) -> Figure:
    """Draw where the pixels of a scene lie in the latent space of every endmember.

    Shown are posterior means: of the first two latents, or of the only one. A pixel counts as its abundance of the
    endmember, and not at all where that is below 0.05: where an endmember is absent its latents are only a guess.

    Parameters
    ----------
    result : Dataset
        A result with ``latent_mean``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If the result has no latents, or no pixel has a value.

    Examples
    --------
    >>> dims = ("y", "x", "endmember")
    >>> result = xr.Dataset(
    ...     {"abundance": (dims, np.full((4, 5, 2), 0.5)), "latent_mean": ((*dims, "latent"), np.ones((4, 5, 2, 3)))},
    ...     coords={"endmember": ["soil", "tree"]},
    ... )
    >>> [axes.get_title() for axes in latents(result).axes[:2]]
    ['soil', 'tree']
    """
    if "latent_mean" not in result:
        raise ParameterError("a result without latent_mean", "one of a method with latents", "use method='idnet'")
    n, n_latents = result.sizes["endmember"], result.sizes["latent"]
    weight = np.asarray(result["abundance"].values, dtype=float).reshape(-1, n)
    valid = np.isfinite(weight).all(axis=1)
    if not valid.any():
        raise ParameterError("a result whose latent_mean is NaN everywhere", "values in some pixels")
    weight, places = weight[valid], np.asarray(result["latent_mean"].values, float).reshape(-1, n, n_latents)[valid]
    columns = min(n, MOST_COLUMNS)
    rows = -(-n // columns)
    figure = Figure(figsize=(columns * PANEL_WIDTH + 1.2, rows * PANEL_WIDTH + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    meshes = []
    for k, axes in enumerate(grid[:n]):
        shown = weight[:, k] >= LEAST
        if n_latents == 1:
            _draw_line(axes, places[shown, k, 0], weight[shown, k], colour_of(k))
        else:
            meshes.append(_draw_plane(axes, places[shown, k, :2], weight[shown, k]))
        axes.set_title(str(result["endmember"].values[k]))
        axes.set_xlabel("latent 1 [1]")
        if k % columns == 0:
            axes.set_ylabel(f"pixels in a bin, {COUNTED}" if n_latents == 1 else "latent 2 [1]")
    for axes in grid[n:]:
        axes.remove()
    if meshes:
        _share_colours(figure, meshes, list(grid[:n]))
    return figure


def _share_colours(figure: Figure, meshes: list[QuadMesh], axes_list: list[Axes]) -> None:
    highest = max(float(np.ma.filled(np.ma.asarray(mesh.get_array()), 0).max()) for mesh in meshes)
    for mesh in meshes:
        mesh.set_clim(0, highest or 1.0)
    bar = figure.colorbar(meshes[0], ax=axes_list, fraction=0.04, pad=0.02, aspect=25)
    bar.set_label(f"pixels in a cell, {COUNTED}", fontsize="small")


def _draw_line(axes: Axes, places: Float[np.ndarray, "pixel"], weight: Float[np.ndarray, "pixel"], colour: str) -> None:
    axes.hist(places, bins=_bins(len(places)), weights=weight, color=colour, alpha=0.75)


def _draw_plane(axes: Axes, places: Float[np.ndarray, "pixel 2"], weight: Float[np.ndarray, "pixel"]) -> QuadMesh:
    counts, x, y = np.histogram2d(places[:, 0], places[:, 1], bins=_bins(len(places)), weights=weight)
    return axes.pcolormesh(x, y, np.ma.masked_equal(counts.T, 0), cmap="viridis", rasterized=True)


def _bins(n_pixels: int) -> int:
    return int(np.clip(np.sqrt(n_pixels) / 1.5, FEWEST, MOST))
