"""Figure of several results beside the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from unmixel.errors import ParameterError
from unmixel.metrics import abundance_rmse
from unmixel.plot.map_axes import add_colour_bar, draw_map, frame_of, map_figure


def comparison(results: Mapping[str, xr.Dataset], truth: xr.Dataset) -> Figure:
    """Draw the abundance maps of the truth and of each result, row by row, with each result's error.

    Parameters
    ----------
    results : mapping of str to Dataset
        Results under the names to show. Their endmembers are in the order of the truth (sort them with
        ``result.isel(endmember=match_endmembers(...))``) and in its convention.
    truth : Dataset
        The truth, on the same grid.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If a result has another size or number of endmembers than the truth.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> scene, truth = simulate_demo(rows=20, columns=30)
    >>> comparison({"perfect": truth}, truth).axes[3].get_ylabel()
    'perfect\\nRMSE 0.000'
    """
    reference = np.asarray(truth["abundance"].values)
    frame = frame_of(truth)
    names = [str(name) for name in truth["endmember"].values]
    figure, grid = map_figure(frame, 1 + len(results), len(names))
    for row, (label, maps) in enumerate([("truth", reference), *_maps_of(results, reference.shape)]):
        if row:
            label = f"{label}\nRMSE {_rmse(reference, maps):.3f}"
        for k, axes in enumerate(grid[row]):
            image = draw_map(axes, frame, maps[:, :, k], cmap="viridis", vmin=0.0, vmax=1.0)
        grid[row, 0].set_ylabel(label)
    for k, name in enumerate(names):
        grid[0, k].set_title(name)
        grid[-1, k].set_xlabel(frame.x_label, fontsize="small")
    add_colour_bar(figure, image, list(grid.ravel()), "abundance [1]")
    return figure


def _maps_of(results: Mapping[str, xr.Dataset], shape: tuple[int, ...]) -> list[tuple[str, np.ndarray]]:
    found = []
    for name, result in results.items():
        maps = np.asarray(result["abundance"].values)
        if maps.shape != shape:
            raise ParameterError(f"abundances of {name!r} of shape {maps.shape}", f"{shape} as the truth's")
        found.append((name, maps))
    return found


def _rmse(truth: np.ndarray, estimate: np.ndarray) -> float:
    known = np.isfinite(truth).all(axis=2) & np.isfinite(estimate).all(axis=2)
    return abundance_rmse(truth[known], estimate[known])
