"""Figure of one pixel: what a model sees in it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from unmixel.errors import ParameterError
from unmixel.intervals import abundance_interval, normal_interval
from unmixel.methods._fitted import Fitted
from unmixel.methods._parts import Parts
from unmixel.plot.band_axis import BandAxis, band_axis
from unmixel.plot.endmember_colours import colour_of, hatch_of, line_of
from unmixel.result import label_of_spectra
from unmixel.scene import good_bands
from unmixel.solvers import fcls

LEVEL = 0.9
"""Probability inside the intervals that are drawn."""
RECONSTRUCTION, NONLINEAR, RESIDUAL = "#0072B2", "#8B5E3C", "#999999"


def pixel(result: xr.Dataset, scene: xr.DataArray, fitted: Fitted, row: int, column: int) -> Figure:
    """Draw what a pixel is made of, by its model.

    Four panels: the observed spectrum, its reconstruction and the band where the model expects 90 % of observations of
    it; the shares of the endmembers and of nonlinear mixing, stacked, and what they leave over; the abundances with
    their 90 % intervals and, as diamonds, those of fully constrained least squares with the mean spectra of the
    result; the endmember spectra in this pixel with their 90 % intervals, and their means over the scene. The spectrum
    of an endmember that is hardly there is only a guess.

    Parameters
    ----------
    result : Dataset
        What the model made of the scene.
    scene : DataArray
        The scene.
    fitted : Fitted
        The model.
    row, column : int
        Of the pixel, from 0.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If the pixel is outside the scene or masked, or the result is not one of this scene and this model.
    ModelError
        If the scene has other bands than the model.

    Examples
    --------
    >>> from unmixel.methods.fcls import FCLS
    >>> from unmixel.simulate import simulate_demo
    >>> scene, _ = simulate_demo(rows=20, columns=30)
    >>> fitted = FCLS(n_endmembers=3).fit(scene)
    >>> figure = pixel(fitted.unmix(scene), scene, fitted, 2, 3)
    >>> [axes.get_title() for axes in figure.axes]
    ['observed and reconstructed', 'what it is made of', 'abundances', 'endmember spectra here']
    """
    _check(result, scene, fitted, row, column)
    here, place = scene, (row, column)
    if not fitted.neighbours:
        here, place = scene.isel(y=slice(row, row + 1), x=slice(column, column + 1)), (0, 0)
    parts = Parts(*(array[0] for array in fitted.parts_at(here, place)))
    mean, sd = (array[0] for array in fitted.endmembers_at(here, place))
    axis, good = band_axis(result), good_bands(result)
    said = result.isel(y=row, x=column)
    figure = Figure(figsize=(11.0, 7.4), layout="constrained")
    spectrum, stacked, shares, own = figure.subplots(2, 2).ravel()
    _draw_spectrum(spectrum, axis, good, parts)
    _draw_parts(stacked, axis, good, parts, fitted.endmember)
    _draw_abundances(shares, said, fcls(parts.observed[None], np.asarray(said["endmember_spectrum"])[:, good])[0])
    _draw_endmembers(own, axis, good, said, mean, sd)
    for axes in (spectrum, stacked, own):
        axes.set(xlabel=axis.label, ylabel=label_of_spectra(result))
    for axes in (spectrum, stacked, shares, own):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", loc="best")
    stacked.legend(fontsize="x-small", loc="upper left", ncols=3)
    figure.suptitle(f"row {row}, column {column} (from 0)")
    return figure


def _check(result: xr.Dataset, scene: xr.DataArray, fitted: Fitted, row: int, column: int) -> None:
    names = [str(name) for name in result["endmember"].values]
    if names != list(fitted.endmember):
        raise ParameterError(
            f"a result of {', '.join(names)} and a model of {', '.join(fitted.endmember)}", "a result of this model"
        )
    rows, columns = scene.shape[:2]
    if (result.sizes["y"], result.sizes["x"]) != (rows, columns):
        raise ParameterError(
            f"a result of {result.sizes['y']} x {result.sizes['x']} pixels and a scene of {rows} x {columns}",
            "a result of this scene",
        )
    inside = 0 <= row < rows and 0 <= column < columns
    if not inside or not np.isfinite(result["abundance"][row, column].values).all():
        raise ParameterError(
            f"pixel ({row}, {column}) of a scene of {rows} x {columns} pixels", "a valid pixel inside the scene"
        )


def _at(
    axis: BandAxis, good: np.ndarray, spectrum: Float[np.ndarray, "*spectra good"]
) -> Float[np.ndarray, "*spectra place"]:
    """Return spectra over the good bands at the places of the axis."""
    full = np.full((*spectrum.shape[:-1], len(good)), np.nan)
    full[..., good] = spectrum
    return axis.with_gaps(full)


def _draw_spectrum(axes: Axes, axis: BandAxis, good: np.ndarray, parts: Parts) -> None:
    reconstruction = parts.shares.sum(axis=0) + parts.nonlinear
    lower, upper = (_at(axis, good, edge) for edge in normal_interval(reconstruction, parts.sd, LEVEL))
    if np.isfinite(lower).any():
        label = f"where {100 * LEVEL:.0f} % are expected"
        axes.fill_between(axis.x, lower, upper, color=RECONSTRUCTION, alpha=0.25, linewidth=0, label=label)
    axes.plot(axis.x, _at(axis, good, reconstruction), color=RECONSTRUCTION, linewidth=1.8, label="reconstruction")
    axes.plot(axis.x, _at(axis, good, parts.observed), color="black", linewidth=0.8, label="observed")
    axes.set_title("observed and reconstructed")


def _draw_parts(axes: Axes, axis: BandAxis, good: np.ndarray, parts: Parts, names: tuple[str, ...]) -> None:
    tops = np.cumsum([np.zeros_like(parts.nonlinear), *parts.shares, parts.nonlinear], axis=0)
    looks = [*((name, colour_of(k), hatch_of(k)) for k, name in enumerate(names)), ("nonlinear part", NONLINEAR, "")]
    for (name, colour, hatch), below, above in zip(looks, tops[:-1], tops[1:], strict=True):
        low, high = _at(axis, good, below), _at(axis, good, above)
        axes.fill_between(
            axis.x, low, high, facecolor=colour, hatch=hatch, edgecolor="white", alpha=0.75, linewidth=0, label=name
        )
    left = _at(axis, good, parts.observed - tops[-1])
    axes.plot(axis.x, left, color=RESIDUAL, linewidth=0.8, linestyle="--", label="residual")
    axes.set_ylim(top=1.3 * np.nanmax(tops), bottom=1.1 * min(0.0, np.nanmin(left)))
    axes.set_title("what it is made of")


def _draw_abundances(axes: Axes, said: xr.Dataset, of_fcls: Float[np.ndarray, "endmember"]) -> None:
    names = [str(name) for name in said["endmember"].values]
    places, abundance = np.arange(len(names)), np.asarray(said["abundance"].values, dtype=float)
    axes.barh(places, abundance, height=0.6, color=[colour_of(k) for k in range(len(names))], alpha=0.75)
    if "abundance_sd" in said:
        interval = abundance_interval(said, LEVEL)
        lower, upper = (np.asarray(interval[name].values, dtype=float) for name in ("lower", "upper"))
        axes.hlines(places, lower, upper, color="black", linewidth=1.5, label=f"{100 * LEVEL:.0f} % interval")
    axes.plot(of_fcls, places, "D", color="white", markeredgecolor="black", label="FCLS", linestyle="none")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="abundance [1]", title="abundances")


def _draw_endmembers(
    axes: Axes,
    axis: BandAxis,
    good: np.ndarray,
    said: xr.Dataset,
    mean: Float[np.ndarray, "endmember good"],
    sd: Float[np.ndarray, "endmember good"],
) -> None:
    lower, upper = (_at(axis, good, edge) for edge in normal_interval(mean, sd, LEVEL))
    here, over_scene = _at(axis, good, mean), axis.with_gaps(np.asarray(said["endmember_spectrum"].values))
    for k, name in enumerate(said["endmember"].values):
        if (sd[k] > 0).any():
            axes.fill_between(axis.x, lower[k], upper[k], color=colour_of(k), alpha=0.2, linewidth=0)
        axes.plot(axis.x, here[k], color=colour_of(k), linestyle=line_of(k), linewidth=1.5, label=str(name))
        axes.plot(axis.x, over_scene[k], color=colour_of(k), linestyle=(0, (1, 1)), linewidth=1.0)
    axes.set_title("endmember spectra here")
    axes.add_line(Line2D([], [], color="0.3", linestyle=(0, (1, 1)), linewidth=1.0, label="mean over the scene"))
