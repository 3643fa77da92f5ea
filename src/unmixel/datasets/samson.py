"""Samson, with either of the two truths that the literature uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from scipy.io import loadmat

from unmixel.datasets.catalogue import describe
from unmixel.datasets.truth import make_truth, with_wavelength
from unmixel.io import open_scene

ENDMEMBERS = ("soil", "tree", "water")
N_BANDS = 156


def open_samson(folder: Path) -> tuple[xr.DataArray, xr.Dataset]:
    """Open Samson; ``S_GT`` is (row, column, endmember), while the pixels of ``Y`` run down the columns."""
    scene = _with_wavelength(open_scene(folder / "Samson.mat"))
    file = loadmat(folder / "Samson.mat", variable_names=["S_GT", "GT"])
    return scene, make_truth(scene, describe("samson"), ENDMEMBERS, file["S_GT"], file["GT"])


def open_samson_alternative(folder: Path) -> tuple[xr.DataArray, xr.Dataset]:
    """Open the same scene with the other truth; ``A_true`` is (row, column, endmember) here."""
    scene = _with_wavelength(open_scene(folder / "Y_clean.mat"))
    abundances = np.clip(loadmat(folder / "A_true.mat")["A_true"], 0.0, None)
    spectra = loadmat(folder / "E.mat")["E"].T
    return scene, make_truth(scene, describe("samson_alternative"), ENDMEMBERS, abundances, spectra)


def _with_wavelength(scene: xr.DataArray) -> xr.DataArray:
    return with_wavelength(scene, np.linspace(401.0, 889.0, N_BANDS), "401 to 889 nm in equal steps")
