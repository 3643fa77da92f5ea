"""Raster files of a product: what GDAL says of them, and parts of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from unmixel.claims import check_claim
from unmixel.errors import SceneError
from unmixel.io.jpeg_blocks import check_jpeg_blocks
from unmixel.io.tiff_items import check_items
from unmixel.io.windows import Window


class Raster(NamedTuple):
    """What a raster file says of itself.

    Attributes
    ----------
    shape : tuple of int
        Rows, columns and bands.
    dtype : numpy.dtype
    block : tuple of int
        Rows and columns that lie together.
    crs_wkt, transform : optional
        Where it is.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    block: tuple[int, int]
    crs_wkt: str | None
    transform: Affine | None


SMALL_CACHE = {"GDAL_CACHEMAX": 16_000_000}
"""What GDAL may keep of a file's blocks [bytes]: otherwise every block that a window touches, until it is read."""
NOTHING_BESIDE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
"""GDAL looks for no files beside."""


@contextmanager
def opened_raster(path: Path, driver: str) -> Iterator[rasterio.DatasetReader]:
    """Open a raster file of one format; other files beside it are not looked at.

    Raises
    ------
    SceneError
        If GDAL cannot open or read it, or one of its blocks would take far more than the file, or holds too few pixels.
    """
    if not path.is_file():
        raise SceneError(f"{path}, which is no file", "a raster file", "copy what it leads to into its place")
    check_items(path)
    try:
        with rasterio.Env(**NOTHING_BESIDE, **SMALL_CACHE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path.absolute(), driver=driver) as file:  # a name may ask GDAL for another file
                (block, *_), (dtype, *_) = file.block_shapes, file.dtypes
                check_claim(path, "a block", math.prod(block) * np.dtype(dtype).itemsize)
                check_jpeg_blocks(path, file)
                yield file
    except (RasterioError, CRSError, UnicodeDecodeError) as error:
        raise SceneError(f"{path}: {error}", f"a file that GDAL can read ({driver})", "is it complete?") from error


def describe_raster(path: Path, driver: str = "GTiff") -> Raster:
    """Return what a raster file says of itself; no pixel is read."""
    with opened_raster(path, driver) as file:
        return Raster(
            shape=(file.height, file.width, file.count),
            dtype=np.result_type(*file.dtypes),
            block=file.block_shapes[0],
            crs_wkt=file.crs.to_wkt() if file.crs else None,
            transform=None if file.transform.is_identity else file.transform,
        )


def read_raster(path: Path, driver: str, window: Window) -> NDArray:
    """Return the stored values of a window as (row, column, band)."""
    rows, columns = window.shape
    with opened_raster(path, driver) as file:
        values = file.read(window=RasterWindow(window.left, window.top, columns, rows))
    return np.moveaxis(values, 0, 2)


def read_raster_rows(path: Path, driver: str, columns: int, first: int, last: int) -> NDArray:
    """Return the stored values of rows of so many columns, first to last without the last, as (row, column, band)."""
    return read_raster(path, driver, Window(first, last, 0, columns))


def read_band(path: Path, driver: str, band: int, window: Window) -> NDArray:
    """Return the stored values of a window of one band, counted from 1, as (row, column)."""
    rows, columns = window.shape
    with opened_raster(path, driver) as file:
        return file.read(band, window=RasterWindow(window.left, window.top, columns, rows))
