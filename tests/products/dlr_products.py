"""Look-alikes of products as DLR distributes them: an image, its metadata and quality layers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

ROWS, COLUMNS = 6, 9
PLACE = Affine(30.0, 0.0, 656_412.0, 0.0, -30.0, 5_319_240.0)
UTM = CRS.from_epsg(32632)


def stored_values(n_bands: int, seed: int = 0) -> np.ndarray:
    """Counts (row, column, band) that differ in every pixel and band, with a bright corner up on the left."""
    values = np.random.default_rng(seed).integers(200, 4000, (ROWS, COLUMNS, n_bands)).astype(np.int16)
    values[0, 0] = 9000 + np.arange(n_bands)
    return values


def write_image(path: Path, values: np.ndarray, **profile: Any) -> None:
    """Write (row, column, band) as GeoTIFF on the place of the look-alikes."""
    rows, columns, bands = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", "GTiff", columns, rows, bands, UTM, PLACE, dtype=values.dtype.name, **profile
        ) as file:
            file.write(np.moveaxis(values, 2, 0))


def write_layer(path: Path, marked: dict[tuple[int, int], int], background: int = 0) -> None:
    """Write a quality layer: these values at (row, column), the background elsewhere."""
    values = np.full((ROWS, COLUMNS, 1), background, dtype=np.uint8)
    for place, value in marked.items():
        values[place] = value
    write_image(path, values)
