"""Figures of scenes and results: ``unmixel.plot.abundances(result).savefig("abundances.png")``.

Every function returns a :class:`matplotlib.figure.Figure` of its own: no window, no global state.
"""

from unmixel.plot.comparison import comparison
from unmixel.plot.maps import abundance_sd, abundances, nonlinearity, residual
from unmixel.plot.reliability import reliability
from unmixel.plot.scenes import picture, scene_rgb
from unmixel.plot.spectra import endmembers

__all__ = [
    "abundance_sd",
    "abundances",
    "comparison",
    "endmembers",
    "nonlinearity",
    "picture",
    "reliability",
    "residual",
    "scene_rgb",
]
