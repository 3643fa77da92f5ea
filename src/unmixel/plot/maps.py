"""Figures of a result's maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from unmixel.errors import ParameterError
from unmixel.plot.map_axes import add_colour_bar, draw_map, frame_of, label_outer_axes, map_panels
from unmixel.result import provenance_of, unit_of


def abundances(result: xr.Dataset) -> Figure:
    """Draw the abundance map of every endmember, all on the scale from 0 to 1.

    Parameters
    ----------
    result : Dataset
        A result with ``abundance`` (see `unmixel.result`).

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If the result has no such map.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> scene, truth = simulate_demo(rows=20, columns=30)
    >>> [axes.get_title() for axes in abundances(truth).axes[:3]]
    ['vegetation', 'soil', 'limestone']
    """
    return _small_multiples(result, "abundance", "endmember", "abundance [1]", "viridis", (0.0, 1.0))


def abundance_sd(result: xr.Dataset) -> Figure:
    """Draw the posterior standard deviation of every abundance.

    Raises
    ------
    ParameterError
        If the result has no ``abundance_sd``.
    """
    label = "standard deviation of abundance [1]"
    return _small_multiples(result, "abundance_sd", "endmember", label, "magma", None)


def residual(result: xr.Dataset) -> Figure:
    """Draw how far every pixel is from its reconstruction.

    Raises
    ------
    ParameterError
        If the result has no ``reconstruction_rmse``.
    """
    label = f"reconstruction RMSE [{unit_of('reconstruction_rmse', provenance_of(result))}]"
    return _small_multiples(result, "reconstruction_rmse", None, label, "magma", None)


def nonlinearity(result: xr.Dataset) -> Figure:
    """Draw the nonlinearity degree of the mixing and of the abundances, of what the method has.

    Raises
    ------
    ParameterError
        If the result has no ``nonlinearity_degree``.
    """
    return _small_multiples(result, "nonlinearity_degree", "stream", "nonlinearity degree [1]", "cividis", None)


def _small_multiples(
    result: xr.Dataset,
    name: str,
    dim: str | None,
    label: str,
    colours: str,
    limits: tuple[float, float] | None,
) -> Figure:
    if name not in result:
        raise ParameterError(f"a result without {name}", "one of a method that gives it", "see `unmixel methods`")
    maps, titles = _maps_of(result[name], dim)
    if not maps:
        raise ParameterError(f"a result whose {name} is NaN everywhere", "values in some pixels")
    frame = frame_of(result)
    figure, axes_list = map_panels(frame, len(maps))
    low, high = limits or (0.0, float(np.nanpercentile(np.stack(maps), 99.0)) or 1.0)
    for axes, values, title in zip(axes_list, maps, titles, strict=True):
        image = draw_map(axes, frame, values, cmap=colours, vmin=low, vmax=high)
        axes.set_title(title)
    label_outer_axes(axes_list, frame)
    extend = "max" if np.nanmax(np.stack(maps)) > high else "neither"
    add_colour_bar(figure, image, axes_list, label, extend)
    return figure


def _maps_of(variable: xr.DataArray, dim: str | None) -> tuple[list[np.ndarray], Sequence[str]]:
    """Return the maps of a variable that have values, with their titles."""
    values = np.asarray(variable.values)
    if dim is None:
        maps, titles = [values], [""]
    else:
        maps = list(np.moveaxis(values, variable.get_axis_num(dim), 0))
        titles = [str(name) for name in variable[dim].values]
    shown = [k for k, values in enumerate(maps) if np.isfinite(values).any()]
    return [maps[k] for k in shown], [titles[k] for k in shown]
