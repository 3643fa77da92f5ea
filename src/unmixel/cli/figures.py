"""The figures of a result folder."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from unmixel import plot


def figures_of(scene: Figure, result: xr.Dataset) -> dict[str, Figure]:
    """Return the figures of a scene and of what its result holds, by file name without ``.png``."""
    figures = {"scene": scene, "abundance": plot.abundances(result)}
    drawings = {
        "abundance_sd": plot.abundance_sd,
        "endmember_spectrum": plot.endmembers,
        "reconstruction_rmse": plot.residual,
        "nonlinearity_degree": plot.nonlinearity,
    }
    names = {"endmember_spectrum": "endmembers", "nonlinearity_degree": "nonlinearity"}
    for variable, draw in drawings.items():
        if variable in result:
            figures[names.get(variable, variable)] = draw(result)
    return figures
