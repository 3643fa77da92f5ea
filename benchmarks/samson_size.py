"""A scene of Samson's size: Samson itself where its file is at hand, else a simulated one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.datasets import fetch
from unmixel.io import open_scene, write_envi
from unmixel.simulate import Landscape, Sensor, simulate

SIZE = 95
N_BANDS = 156
N_ENDMEMBERS = 3


def samson_file(folder: Path) -> tuple[Path, str]:
    """Return a scene file and what it is: Samson from UNMIXEL_DATA_DIR, or a simulation written to the folder."""
    if os.environ.get("UNMIXEL_DATA_DIR"):
        return fetch("samson") / "Samson.mat", "Samson"
    sensor = Sensor(
        wavelength=np.linspace(401.0, 889.0, N_BANDS),
        fwhm=np.full(N_BANDS, 3.2),
        good_band=np.ones(N_BANDS, dtype=bool),
    )
    landscape = Landscape(materials=("vegetation", "soil", "limestone"))
    scene, _ = simulate(landscape, sensor, rows=SIZE, columns=SIZE, snr_db=30.0, seed=0)
    write_envi(scene, folder / "scene.img")
    return folder / "scene.img", "a simulated scene of Samson's size"


def repeat_to(scene: xr.DataArray, n_pixels: int) -> xr.DataArray:
    """Return a scene of about that many pixels: the rows of this one, over and over."""
    n_rows = -(-n_pixels // scene.sizes["x"])
    repeated = scene.isel(y=np.resize(np.arange(scene.sizes["y"]), n_rows))
    return repeated.assign_coords(y=np.arange(n_rows) + 0.5)


def open_samson_size(folder: Path) -> tuple[xr.DataArray, str]:
    """Open the scene and say which it is."""
    path, what = samson_file(folder)
    return open_scene(path), what
