"""Colours that most colour-blind readers tell apart."""

from __future__ import annotations

from bokeh.palettes import TolRainbow

from unmixel.palette import OKABE_ITO

NONLINEAR, RESIDUAL = "#8B5E3C", "#999999"
MASKED = "#bfbfbf"


def endmember_colours(n_endmembers: int) -> list[str]:
    """Return a colour for each endmember: Okabe and Ito's as long as they last, then Tol's rainbow.

    Examples
    --------
    >>> endmember_colours(2)
    ['#0072B2', '#E69F00']
    >>> len(set(endmember_colours(20)))
    20
    """
    if n_endmembers <= len(OKABE_ITO):
        return list(OKABE_ITO[:n_endmembers])
    rainbow = TolRainbow[min(max(n_endmembers, 3), 23)]
    return [rainbow[k % len(rainbow)] for k in range(n_endmembers)]
