"""Figures of scenes and results: ``unmixel.plot.abundances(result).savefig("abundances.png")``.

Every function returns a :class:`matplotlib.figure.Figure` of its own: no window, no global state.
"""

from unmixel.plot.comparison import comparison
from unmixel.plot.latents import latents
from unmixel.plot.maps import abundance_sd, abundances, nonlinearity, residual
from unmixel.plot.pixel import pixel
from unmixel.plot.reliability import reliability
from unmixel.plot.scenes import picture, scene_rgb
from unmixel.plot.spectra import endmembers
from unmixel.plot.ternary import ternary

__all__ = [
    "abundance_sd",
    "abundances",
    "comparison",
    "endmembers",
    "latents",
    "nonlinearity",
    "picture",
    "pixel",
    "reliability",
    "residual",
    "scene_rgb",
    "ternary",
]
