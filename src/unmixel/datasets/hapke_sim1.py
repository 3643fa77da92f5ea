"""A simulated intimate mixture of minerals."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from scipy.io import loadmat

from unmixel.datasets.catalogue import describe
from unmixel.datasets.truth import make_truth
from unmixel.io import open_scene


def open_hapke_sim1(folder: Path) -> tuple[xr.DataArray, xr.Dataset]:
    """Open the scene; ``A_true`` is (endmember, row, column).

    The files name neither the minerals nor the wavelengths.
    """
    scene = open_scene(folder / "Y_clean.mat")
    abundances = loadmat(folder / "A_true.mat")["A_true"].transpose(1, 2, 0)
    spectra = loadmat(folder / "E.mat")["E"].T
    names = tuple(f"mineral {k + 1}" for k in range(len(spectra)))
    return scene, make_truth(scene, describe("hapke_sim1"), names, abundances, spectra)
