"""A small Hyperion scene in the layout of the archive: a file for each of 242 bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from dlr_products import COLUMNS, ROWS, write_image

SCENE = "EO1H0370332004123110KZ"
NUMBERS = np.arange(1, 243)
CALIBRATED = ((NUMBERS >= 8) & (NUMBERS <= 57)) | ((NUMBERS >= 77) & (NUMBERS <= 224))


def stored() -> np.ndarray:
    values = np.random.default_rng(0).integers(-20, 4000, (ROWS, COLUMNS, 242)).astype(np.int16)
    values[0, 0] = 8000
    values[5, 7:] = 0  # beside the swath
    values[:, :, ~CALIBRATED] = 0
    return values


def write_bands(folder: Path, values: np.ndarray) -> None:
    """Write a folder of one GeoTIFF for each band."""
    for band in NUMBERS:
        write_image(folder / f"{SCENE}_B{band:03d}_L1T.TIF", values[:, :, band - 1 : band])
    (folder / f"{SCENE}_MTL_L1T.TXT").write_text("GROUP = L1_METADATA_FILE\n")
