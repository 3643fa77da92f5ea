"""Maps -> cloud-optimised GeoTIFF, with place, band names and units."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
import rasterio.windows
from affine import Affine
from jaxtyping import Float
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import BufferedDatasetWriter, DatasetWriter, MemoryFile

from unmixel.io.windows import Window

_COG = {"compress": "deflate", "predictor": "yes", "overview_resampling": "average"}
_CACHE_MB = 64


def write_cog(
    maps: Float[np.ndarray, "y x band"],
    path: str | Path,
    *,
    bands: Sequence[str],
    unit: str,
    crs_wkt: str | None = None,
    transform: Affine | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write maps as one cloud-optimised GeoTIFF of float32 with NaN as no-data value.

    The file is made in memory and written by one call, so that a full disk is an error and not a short file.

    Parameters
    ----------
    maps : array, shape (y, x, band)
        The maps, NaN where there is no value.
    path : path
        The file; replaced if it exists.
    bands : sequence of str, length (band,)
        What each band is; GIS programs show it.
    unit : str
        Unit of the values; "1" for a fraction.
    crs_wkt : str, optional
        Coordinate reference system as WKT.
    transform : affine.Affine, optional
        From pixel corners (column, row) to map coordinates.
    tags : mapping of str to str, optional
        Further metadata of the file.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import rasterio, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "share.tif"
    >>> north_up = Affine(2.0, 0.0, 500000.0, 0.0, -2.0, 5300000.0)
    >>> write_cog(np.full((3, 4, 1), 0.5, np.float32), path, bands=["soil"], unit="1", transform=north_up)
    >>> with rasterio.open(path) as file:
    ...     print(file.descriptions, file.units, file.shape, file.transform == north_up)
    ('soil',) ('1',) (3, 4) True
    """
    rows, columns, n_bands = maps.shape
    profile = _profile(rows, columns, n_bands, crs_wkt, transform)
    with MemoryFile() as memory:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with memory.open(driver="COG", **profile, **_COG) as file:
                file.write(np.moveaxis(np.asarray(maps, dtype=np.float32), 2, 0))
                _describe(file, bands, unit, tags)
        Path(path).write_bytes(memory.getbuffer())


def stream_cog(
    read: Callable[[Window], Float[np.ndarray, "y x band"]],
    windows: Sequence[Window],
    shape: tuple[int, int],
    path: Path,
    *,
    bands: Sequence[str],
    unit: str,
    crs_wkt: str | None = None,
    transform: Affine | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write maps as `write_cog` does, window by window and never whole in memory.

    What was written is read again and compared, so that a full disk is an error and not a short file.

    Parameters
    ----------
    read : callable
        Gives the maps in a window.
    windows : sequence of Window
        They cover the maps.
    shape : tuple of int
        Rows and columns of the maps.
    path, bands, unit, crs_wkt, transform, tags
        As in `write_cog`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    profile = _profile(*shape, len(bands), crs_wkt, transform)
    striped = path.with_name(f".{path.name}.striped")
    try:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(striped, "w", driver="GTiff", bigtiff="if_safer", interleave="band", **profile) as file:
                for window in windows:
                    file.write(np.moveaxis(read(window), 2, 0), window=_as_gdal(window))
                _describe(file, bands, unit, tags)
            rasterio.shutil.copy(striped, path, driver="COG", bigtiff="if_safer", **_COG)
            with rasterio.open(path) as file:
                for window in windows:
                    written = np.moveaxis(file.read(window=_as_gdal(window)), 0, 2)
                    if not np.array_equal(written, read(window), equal_nan=True):
                        raise OSError(f"{path} is not what was written to it: is the disk full?")
    except (RasterioError, SystemError) as error:  # SystemError: GDAL's own, when the disk is full
        raise OSError(f"{path}: {error}") from error
    finally:
        striped.unlink(missing_ok=True)


def _profile(rows: int, columns: int, n_bands: int, crs_wkt: str | None, transform: Affine | None) -> dict[str, Any]:
    return {
        "height": rows,
        "width": columns,
        "count": n_bands,
        "dtype": "float32",
        "nodata": np.nan,
        "crs": crs_wkt,
        "transform": transform,
    }


def _describe(
    file: DatasetWriter | BufferedDatasetWriter, bands: Sequence[str], unit: str, tags: Mapping[str, str] | None
) -> None:
    file.descriptions = tuple(bands)
    file.units = (unit,) * len(bands)
    file.update_tags(units=unit, **(tags or {}))


def _as_gdal(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.left, window.top, window.shape[1], window.shape[0])
