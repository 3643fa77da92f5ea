"""Figure of calibration: how often intervals hold the truth, beside how often they should."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from unmixel.errors import ParameterError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours that colour-blind readers tell apart (Okabe and Ito 2008); markers tell them apart without colour."""
MARKERS = "osD^vP*X"


def reliability(
    levels: Float[np.ndarray, "level"],
    coverage: Float[np.ndarray, "level endmember"],
    names: Sequence[str],
    *,
    n_pixels: int,
) -> Figure:
    """Draw the observed coverage of intervals against their level, a line for each endmember.

    On the diagonal intervals mean what they say; below it they are too short, above it too long. The grey band is
    where a calibrated line lies by chance, 1.96 binomial standard errors around the diagonal.

    Parameters
    ----------
    levels : array, shape (level,)
        Nominal coverages [1].
    coverage : array, shape (level, endmember)
        Observed coverages [1], see `unmixel.metrics.central_coverage`.
    names : sequence of str, length P
        Names of the endmembers.
    n_pixels : int
        Pixels that the coverages were counted on.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there is not a name for each endmember.

    Examples
    --------
    >>> levels = np.array([0.5, 0.9])
    >>> figure = reliability(levels, np.array([[0.4, 0.5], [0.8, 0.9]]), ["soil", "tree"], n_pixels=100)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['soil', 'tree', 'calibrated', '95 % by chance']
    """
    if len(names) != coverage.shape[1]:
        raise ParameterError(f"{len(names)} names for {coverage.shape[1]} endmembers", "a name for each")
    figure = Figure(figsize=(5.4, 5.2), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(names):
        axes.plot(
            levels,
            coverage[:, k],
            color=COLOURS[k % len(COLOURS)],
            marker=MARKERS[k % len(MARKERS)],
            markersize=4,
            linewidth=1.2,
            label=name,
        )
    nominal = np.linspace(0, 1, 201)
    reach = 1.96 * np.sqrt(nominal * (1 - nominal) / n_pixels)
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--", label="calibrated")
    axes.fill_between(
        nominal, nominal - reach, nominal + reach, color="0.75", linewidth=0, zorder=0, label="95 % by chance"
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("level of the interval [1]")
    axes.set_ylabel("share of true abundances inside [1]")
    axes.text(0.97, 0.03, "below the diagonal: too sure", ha="right", fontsize="small", color="0.35")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="upper left")
    return figure
