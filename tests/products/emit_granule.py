"""A small EMIT granule: reflectance, uncertainty and mask files in the layout of the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from affine import Affine
from rasterio.crs import CRS

DOWNTRACK, CROSSTRACK, BANDS = 14, 9, 12
WAVELENGTH = np.array([400, 500, 640, 860, 1100, 1380, 1420, 1600, 1850, 2100, 2200, 2350], dtype=np.float32)
FWHM = np.linspace(8.5, 8.8, BANDS).astype(np.float32)
GOOD = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1], dtype=np.uint8)
FILLED = ((3, 7), (3, 8), (12, 0))
"""Pixels without a measurement."""
MAP = (17, 21)
GEOTRANSFORM = (-118.25, 0.000542232520256367, 0.0, 34.5, 0.0, -0.000542232520256367)
TO_MAP = Affine.from_gdal(*GEOTRANSFORM)
WKT = CRS.from_epsg(4326).to_wkt()
STEM = "EMIT_L2A_{}_001_20220903T163129_2224611_012.nc"
MASK_BANDS = (
    "Cloud flag",
    "Cirrus flag",
    "Water flag",
    "Spacecraft Flag",
    "Dilated Cloud Flag",
    "AOD550",
    "H2O (g cm-2)",
    "Aggregate Flag",
)
Change = Callable[[h5py.File], None]


def reflectance() -> np.ndarray:
    """Return mixtures of three spectra with a bright corner, -0.01 in bad bands, and the fill value in some pixels."""
    rng = np.random.default_rng(3)
    spectra = rng.uniform(0.05, 0.6, (3, BANDS))
    values = rng.dirichlet(np.ones(3), (DOWNTRACK, CROSSTRACK)) @ spectra
    values += 0.002 * rng.standard_normal(values.shape)
    values[:2, :3] = spectra[0] * 1.2
    values[:, :, GOOD == 0] = -0.01
    for row, column in FILLED:
        values[row, column] = -9999
    return values.astype(np.float32)


def uncertainty() -> np.ndarray:
    """Return standard deviations that differ from pixel to pixel."""
    values = np.linspace(0.01, 0.03, DOWNTRACK * CROSSTRACK).reshape(DOWNTRACK, CROSSTRACK, 1) * np.linspace(
        1, 2, BANDS
    )
    values[:, :, GOOD == 0] = -0.01
    for row, column in FILLED:
        values[row, column] = -9999
    return values.astype(np.float32)


def lookup() -> tuple[np.ndarray, np.ndarray]:
    """Return glt_x and glt_y: the sensor turned by 35 degrees, some of its pixels repeated, and some skipped."""
    y, x = np.mgrid[: MAP[0], : MAP[1]] - (np.array(MAP)[:, None, None] - 1) / 2
    cos, sin = np.cos(np.radians(35)), np.sin(np.radians(35))
    row = np.round(0.9 * (cos * y + sin * x) + (DOWNTRACK - 1) / 2).astype(int)
    column = np.round(0.8 * (cos * x - sin * y) + (CROSSTRACK - 1) / 2).astype(int)
    there = (row >= 0) & (row < DOWNTRACK) & (column >= 0) & (column < CROSSTRACK)
    return np.where(there, column + 1, 0).astype(np.int32), np.where(there, row + 1, 0).astype(np.int32)


def write_file(path: Path, variable: str, values: np.ndarray, title: str, change: Change | None = None) -> Path:
    """Write a file of the granule; `change` may damage it before it is closed."""
    with h5py.File(path, "w") as file:
        file.attrs["title"] = title
        file.attrs["instrument"] = "EMIT"
        file.attrs["time_coverage_start"] = "2022-09-03T16:31:29+0000"
        file.attrs["spatial_ref"] = WKT
        file.attrs["geotransform"] = np.array(GEOTRANSFORM)
        data = file.create_dataset(variable, data=values, chunks=(5, 4, values.shape[2]), compression="gzip")
        data.attrs["_FillValue"] = np.array([-9999], dtype=np.float32)
        for name, table in zip(("glt_x", "glt_y"), lookup(), strict=True):
            file.create_dataset(f"location/{name}", data=table, compression="gzip").attrs["_FillValue"] = np.int32(
                -9999
            )
        bands = file.create_group("sensor_band_parameters")
        if variable == "mask":
            bands.create_dataset("mask_bands", data=list(MASK_BANDS), dtype=h5py.string_dtype())
            interpolated = np.zeros((DOWNTRACK, CROSSTRACK, BANDS), dtype=np.uint8)
            interpolated[:, 2, 4] = 1
            file["band_mask"] = np.packbits(interpolated, axis=2)
        else:
            bands["wavelengths"], bands["fwhm"], bands["good_wavelengths"] = WAVELENGTH, FWHM, GOOD
            bands["wavelengths"].attrs["units"] = "nm"
        if change:
            change(file)
    return path


def write_scene(folder: Path, change: Change | None = None) -> Path:
    """Write the reflectance file."""
    title = "EMIT L2A Estimated Surface Reflectance 60 m V001"
    return write_file(folder / STEM.format("RFL"), "reflectance", reflectance(), title, change)


def write_uncertainty(folder: Path, change: Change | None = None) -> Path:
    """Write the uncertainty file."""
    title = "EMIT L2A Estimated Surface Reflectance Uncertainty 60 m V001"
    return write_file(folder / STEM.format("RFLUNCERT"), "reflectance_uncertainty", uncertainty(), title, change)


def write_mask(folder: Path, change: Change | None = None) -> Path:
    """Write a mask file: one pixel with each flag, in row 10, in the order of the layers."""
    values = np.zeros((DOWNTRACK, CROSSTRACK, len(MASK_BANDS)), dtype=np.float32)
    for layer in range(len(MASK_BANDS)):
        values[10, layer, layer] = 1
    values[:, :, 5:7] = 0.3
    values[12, 0] = -9999
    return write_file(folder / STEM.format("MASK"), "mask", values, "EMIT L2A Masks 60 m V001", change)
