"""Figures of endmember spectra."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unmixel.errors import ParameterError
from unmixel.plot.band_axis import BandAxis, band_axis
from unmixel.plot.map_axes import MOST_COLUMNS, PANEL_WIDTH
from unmixel.result import label_of_spectra

LINE = "#0072B2"
"""Blue that most colour-blind readers tell from black and grey."""


def endmembers(result: xr.Dataset) -> Figure:
    """Draw the mean spectrum of every endmember and its spread over the scene, with gaps at left-out bands.

    The bands around the mean are the pairs of quantiles in ``endmember_quantile``, or else one standard
    deviation.

    Parameters
    ----------
    result : Dataset
        A result with ``endmember_spectrum`` (see `unmixel.result`).

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If the result has no spectra.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> scene, truth = simulate_demo(rows=20, columns=30)
    >>> endmembers(truth).axes[0].get_xlabel()
    'wavelength [nm]'
    """
    if "endmember_spectrum" not in result:
        raise ParameterError("a result without endmember_spectrum", "one with spectra")
    n = result.sizes["endmember"]
    columns = min(n, MOST_COLUMNS)
    rows = -(-n // columns)
    figure = Figure(figsize=(columns * PANEL_WIDTH + 0.6, rows * 2.6 + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    axis = band_axis(result)
    for k, axes in enumerate(grid.ravel()):
        if k >= n:
            axes.remove()
            continue
        _draw_spread(axes, axis, result.isel(endmember=k))
        mean = np.asarray(result["endmember_spectrum"].values[k])
        axes.plot(axis.x, axis.with_gaps(mean), color=LINE, linewidth=1.2, label="mean")
        axes.set_title(str(result["endmember"].values[k]))
        axes.grid(alpha=0.3)
        if k % columns == 0:
            axes.set_ylabel(label_of_spectra(result))
        if k >= n - columns:
            axes.set_xlabel(axis.label)
            axes.tick_params(labelbottom=True)
    figure.axes[0].legend(fontsize="x-small", loc="best")
    figure.axes[0].set_ylim(bottom=min(0.0, figure.axes[0].get_ylim()[0]))
    return figure


def _draw_spread(axes: Axes, axis: BandAxis, one: xr.Dataset) -> None:
    """Draw the quantiles of one endmember's spectrum, or its standard deviation, as bands."""
    if "endmember_quantile" in one:
        levels, quantiles = one["quantile"].values, np.asarray(one["endmember_quantile"].values)
        for i in range(len(levels) // 2):
            low, high = quantiles[i], quantiles[-1 - i]
            share = f"{100 * (levels[-1 - i] - levels[i]):.0f} % of pixels"
            _fill(axes, axis, low, high, share, 0.2 + 0.15 * i)
    elif "endmember_spectrum_sd" in one:
        mean, sd = one["endmember_spectrum"].values, one["endmember_spectrum_sd"].values
        _fill(axes, axis, mean - sd, mean + sd, "± 1 standard deviation", 0.3)


def _fill(
    axes: Axes,
    axis: BandAxis,
    low: Float[np.ndarray, "band"],
    high: Float[np.ndarray, "band"],
    label: str,
    alpha: float,
) -> None:
    if np.nanmax(high - low, initial=0.0) > 0:
        lower, upper = axis.with_gaps(low), axis.with_gaps(high)
        axes.fill_between(axis.x, lower, upper, color=LINE, alpha=alpha, linewidth=0, label=label)
