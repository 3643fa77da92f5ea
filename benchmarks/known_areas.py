"""Areas found on DLR HySU beside the areas laid out there: how far off a method is on independent truth."""

from __future__ import annotations

import numpy as np

from unmixel.datasets import dlr_hysu_library, dlr_hysu_targets, open_dataset
from unmixel.unmixing import unmix

LIBRARIES = ("image", "field")


def true_areas() -> np.ndarray:
    """Return the areas of the targets [m2], largest to smallest."""
    return np.asarray(dlr_hysu_targets()["area"].values)


def area_errors(method: str, library: str, seed: int) -> np.ndarray:
    """Return the error of the area found, relative to the true one and averaged over the materials, for each target.

    The area found is the sum of a material's abundances in the target's region, times the area of a pixel.
    """
    scene, _ = open_dataset("dlr_hysu")
    targets = dlr_hysu_targets()
    result = unmix(scene, bundle=dlr_hysu_library(library), method=method, seed=seed)
    abundances = result["abundance"].sel(endmember=targets["material"].values).transpose("endmember", "y", "x")
    found = np.einsum("kyx,ktyx->kt", np.nan_to_num(abundances.values), targets["region"].values)
    area = found * float(targets["pixel_area"])
    return np.abs(area / targets["area"].values - 1).mean(axis=0)
