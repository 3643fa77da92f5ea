"""Figures of endmember spectra."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unmixel.errors import ParameterError
from unmixel.plot.map_axes import MOST_COLUMNS, PANEL_WIDTH

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
    x, x_label, order = _band_axis(result)
    for k, axes in enumerate(grid.ravel()):
        if k >= n:
            axes.remove()
            continue
        _draw_spread(axes, x, order, result.isel(endmember=k))
        mean = np.asarray(result["endmember_spectrum"].values[k])
        axes.plot(x, _with_gaps(mean, order), color=LINE, linewidth=1.2, label="mean")
        axes.set_title(str(result["endmember"].values[k]))
        axes.grid(alpha=0.3)
        if k % columns == 0:
            axes.set_ylabel("reflectance [1]")
        if k >= n - columns:
            axes.set_xlabel(x_label)
            axes.tick_params(labelbottom=True)
    figure.axes[0].legend(fontsize="x-small", loc="best")
    figure.axes[0].set_ylim(bottom=min(0.0, figure.axes[0].get_ylim()[0]))
    return figure


def _band_axis(result: xr.Dataset) -> tuple[np.ndarray, str, np.ndarray]:
    """Return positions on the axis, its name, and the band at each position, -1 for a gap between bands."""
    wavelength = np.asarray(result["wavelength"].values, dtype=float)
    bands = np.arange(len(wavelength))
    if not np.isfinite(wavelength).all():
        return bands + 1.0, "band", bands
    steps = np.diff(wavelength)
    after = np.flatnonzero(steps > 3 * np.median(steps)) if len(steps) else np.array([], dtype=int)
    positions = np.insert(wavelength, after + 1, wavelength[after] + steps[after] / 2)
    return positions, "wavelength [nm]", np.insert(bands, after + 1, -1)


def _with_gaps(spectrum: Float[np.ndarray, "band"], order: np.ndarray) -> np.ndarray:
    return np.where(order >= 0, spectrum[order], np.nan)


def _draw_spread(axes: Axes, x: np.ndarray, order: np.ndarray, one: xr.Dataset) -> None:
    """Draw the quantiles of one endmember's spectrum, or its standard deviation, as bands."""
    if "endmember_quantile" in one:
        levels, quantiles = one["quantile"].values, np.asarray(one["endmember_quantile"].values)
        for i in range(len(levels) // 2):
            low, high = quantiles[i], quantiles[-1 - i]
            share = f"{100 * (levels[-1 - i] - levels[i]):.0f} % of pixels"
            _fill(axes, x, _with_gaps(low, order), _with_gaps(high, order), share, 0.2 + 0.15 * i)
    elif "endmember_spectrum_sd" in one:
        mean, sd = one["endmember_spectrum"].values, one["endmember_spectrum_sd"].values
        _fill(axes, x, _with_gaps(mean - sd, order), _with_gaps(mean + sd, order), "± 1 standard deviation", 0.3)


def _fill(axes: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, label: str, alpha: float) -> None:
    if np.nanmax(high - low, initial=0.0) > 0:
        axes.fill_between(x, low, high, color=LINE, alpha=alpha, linewidth=0, label=label)
