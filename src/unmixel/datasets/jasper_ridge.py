"""Jasper Ridge: a piece of an AVIRIS scene in counts, without its wavelengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from scipy.io import loadmat

from unmixel.datasets.catalogue import describe
from unmixel.datasets.truth import make_truth, with_wavelength
from unmixel.io import open_scene

ENDMEMBERS = ("tree", "water", "dirt", "road")


def open_jasper_ridge(folder: Path) -> tuple[xr.DataArray, xr.Dataset]:
    """Open Jasper Ridge: counts over 5000; pixels of scene and truth run down the columns.

    The file names the bands of the sensor that it has, not their wavelengths: they are laid out evenly so
    that the first and the last of these bands are at 399 and 2457 nm, which is true to some 10 nm.
    """
    file = loadmat(folder / "JasperRidge2_R198.mat", variable_names=["SlectBands"])
    sensor_band = file["SlectBands"].ravel().astype(float)
    wavelength = np.interp(sensor_band, sensor_band[[0, -1]], (399.0, 2457.0))
    scene = with_wavelength(
        open_scene(folder / "JasperRidge2_R198.mat"),
        wavelength,
        "approximate, 399 to 2457 nm in equal steps over the sensor's bands",
    )
    truth = loadmat(folder / "JasperRidge2_end4.mat", variable_names=["A", "M"])
    rows, columns = scene.shape[:2]
    abundances = truth["A"].reshape(len(ENDMEMBERS), columns, rows).transpose(2, 1, 0)
    return scene, make_truth(scene, describe("jasper_ridge"), ENDMEMBERS, abundances, truth["M"].T)
