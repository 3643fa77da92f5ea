"""A small PRISMA L2D scene in the layout of the product: both detectors descend, overlap, and have empty places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

ROWS, COLUMNS = 5, 7
WAVELENGTH = {"Vnir": [0.0, 0.0, 970.5, 800.25, 550.5, 410.75], "Swir": [2490.5, 1600.25, 1100.0, 951.0, 0.0]}
FWHM = {"Vnir": [0.0, 0.0, 13.5, 13.0, 10.0, 11.5], "Swir": [9.5, 14.0, 14.5, 12.0, 0.0]}
FLAGS = {"Vnir": [0, 0, 1, 1, 1, 1], "Swir": [0, 1, 1, 1, 0]}
SCALE = {"Vnir": (0.0, 1.25), "Swir": (-0.05, 0.9)}
READ = (970.5, 800.25, 550.5, 410.75, 2490.5, 1600.25, 1100.0, 951.0)
"""Wavelengths of the bands that are read, in the order of the file."""
GOOD = (True, True, True, True, False, True, True, False)
EMPTY, ZERO_IN_A_BAND = (0, 6), (3, 2)
INVALID_IN_L1, NEGATIVE, SATURATED_IN_A_BAD_BAND = (1, 1), (4, 5), (2, 3)
FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"


def counts() -> dict[str, np.ndarray]:
    """Return the stored numbers (row, band, column) of each detector; each tells its place."""
    rng = np.random.default_rng(11)
    stored = {}
    for name, wavelength in WAVELENGTH.items():
        values = rng.integers(5_000, 30_000, (ROWS, len(wavelength), COLUMNS), dtype=np.uint16)
        values[:2, :, 0] = values[0, :, 1] = 60_000  # a marker that no turn or mirror leaves as it is
        values[:, [wavelength_ == 0 for wavelength_ in wavelength]] = 0
        values[EMPTY[0], :, EMPTY[1]] = 0
        stored[name] = values
    stored["Swir"][ZERO_IN_A_BAND[0], 1, ZERO_IN_A_BAND[1]] = 0
    return stored


def errors() -> dict[str, np.ndarray]:
    """Return the error matrices."""
    flags = {name: np.zeros((ROWS, len(wavelength), COLUMNS), np.uint8) for name, wavelength in WAVELENGTH.items()}
    flags["Vnir"][INVALID_IN_L1[0], 3, INVALID_IN_L1[1]] = 1
    flags["Swir"][NEGATIVE[0], 2, NEGATIVE[1]] = 2
    flags["Swir"][SATURATED_IN_A_BAD_BAND[0], 0, SATURATED_IN_A_BAD_BAND[1]] = 3
    return flags


def reflectance() -> np.ndarray:
    """Return what the numbers mean, as (row, column, band) in the order of the bands that are read."""
    parts = []
    for name, stored in counts().items():
        low, high = SCALE[name]
        used = np.array(WAVELENGTH[name]) > 0
        parts.append((low + stored[:, used].astype(np.float64) * (high - low) / 65535).swapaxes(1, 2))
    return np.concatenate(parts, axis=2)


def write(path: Path, *, chunks: tuple[int, int, int] | None = None) -> Path:
    """Write the scene."""
    return _write(path, counts(), errors(), WAVELENGTH, FWHM, FLAGS, chunks)


def write_long_spectra(path: Path, change: Callable[[dict[str, np.ndarray], dict[str, np.ndarray]], None]) -> Path:
    """Write a scene of 40 VNIR and 60 SWIR bands that do not overlap; `change` sets stored numbers and flags."""
    wavelength = {"Vnir": np.linspace(960, 410, 40).tolist(), "Swir": np.linspace(2480, 980, 60).tolist()}
    ones = {name: [1] * len(centres) for name, centres in wavelength.items()}
    rng = np.random.default_rng(12)
    stored = {name: rng.integers(9_000, 30_000, (12, len(each), 10), dtype=np.uint16) for name, each in ones.items()}
    flags = {name: np.zeros(values.shape, np.uint8) for name, values in stored.items()}
    change(stored, flags)
    return _write(path, stored, flags, wavelength, {name: [10.0] * len(each) for name, each in ones.items()}, ones)


def _write(
    path: Path,
    stored: dict[str, np.ndarray],
    flags: dict[str, np.ndarray],
    wavelength: dict[str, list[float]],
    fwhm: dict[str, list[float]],
    is_there: dict[str, list[int]],
    chunks: tuple[int, int, int] | None = None,
) -> Path:
    rows, _, columns = stored["Vnir"].shape
    with h5py.File(path, "w") as file:
        for name, values in stored.items():
            upper = name.upper()
            file.create_dataset(f"{FIELDS}/{upper}_Cube", data=values, chunks=chunks)
            file.create_dataset(f"{FIELDS}/{upper}_PIXEL_L2_ERR_MATRIX", data=flags[name], chunks=chunks)
            file.attrs[f"List_Cw_{name}"] = np.array(wavelength[name], dtype=np.float32)
            file.attrs[f"List_Fwhm_{name}"] = np.array(fwhm[name], dtype=np.float32)
            file.attrs[f"List_Cw_{name}_Flags"] = np.array(is_there[name], dtype=np.uint8)
            file.attrs[f"L2Scale{name}Min"], file.attrs[f"L2Scale{name}Max"] = map(np.float32, SCALE[name])
        file.create_group("HDFEOS/SWATHS/PRS_L2D_PCO/Data Fields")
        file.attrs["Epsg_Code"] = np.uint32(32733)
        file.attrs["Product_StartTime"] = np.bytes_("2020-05-24T10:37:04.123456")
        for corner, easting, northing in (
            ("UL", 300_015.0, 6_000_000.0 - 15),
            ("LR", 300_015.0 + 30 * (columns - 1), 6_000_000.0 - 15 - 30 * (rows - 1)),
        ):
            file.attrs[f"Product_{corner}corner_easting"] = easting
            file.attrs[f"Product_{corner}corner_northing"] = northing
    return path
