"""Maps -> cloud-optimised GeoTIFF, with place, band names and units."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
import rasterio.windows
from affine import Affine
from jaxtyping import Float
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from unmixel.io.windows import Window

_COG = {"compress": "deflate", "level": 1, "predictor": "yes"}
_BLOCK = 512
_CACHE = 64_000_000
"""What GDAL may keep of a file's blocks [bytes]; it takes numbers below 100,000 as megabytes."""
_SPECTRA_BYTES = 2**20


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
    shape, whole = maps.shape[:2], [Window(0, maps.shape[0], 0, maps.shape[1])]
    with MemoryFile() as plain, MemoryFile() as cog:
        with _quiet_gdal():
            _write_plain(lambda _: maps, whole, shape, plain.name, bands, unit, crs_wkt, transform, tags)
            rasterio.shutil.copy(plain.name, cog.name, driver="COG", **_COG)
        Path(path).write_bytes(cog.getbuffer())


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
    band_tags: Sequence[Mapping[str, Mapping[str, str]]] = (),
    spectra: bool = False,
) -> None:
    """Write maps as `write_cog` does, window by window and never whole in memory.

    What was written is read again and has the same checksums, so that a full disk is an error and not a short file.

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
    band_tags : sequence of mapping, length (band,)
        Metadata of each band: of each domain of GDAL, its items.
    spectra : bool
        The values of a pixel are read together: they lie together in the file, in smaller blocks, and there are no
        overviews, which GDAL makes band by band.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    plain = path.with_name(f".{path.name}.plain")
    try:
        with _quiet_gdal():
            described = (bands, unit, crs_wkt, transform, tags, band_tags)
            checksums = _write_plain(read, windows, shape, str(plain), *described, spectra=spectra)
            block = _block_of_spectra(len(bands)) if spectra else _BLOCK
            cog = {"bigtiff": "if_safer", "blocksize": block, "overviews": "force_use_existing"}
            rasterio.shutil.copy(plain, path, driver="COG", **cog, **_COG)
            with rasterio.open(path) as file:
                for window, checksum in zip(windows, checksums, strict=True):
                    if _checksum(file.read(window=_as_gdal(window))) != checksum:
                        raise OSError(f"{path} is not what was written to it: is the disk full?")
    except (RasterioError, CPLE_BaseError, SystemError) as error:  # the last two are GDAL's own, if the disk is full
        raise OSError(f"{path}: {error}") from error
    finally:
        plain.unlink(missing_ok=True)


def _block_of_spectra(n_bands: int) -> int:
    """Return the side of a block with all bands: a power of two from 16, about a megabyte.

    >>> _block_of_spectra(3), _block_of_spectra(50), _block_of_spectra(285)
    (256, 64, 16)
    """
    sides = (2**k for k in range(5, 10))
    return max((side for side in sides if side**2 * n_bands * 4 <= _SPECTRA_BYTES), default=16)


@contextmanager
def _quiet_gdal() -> Iterator[None]:
    with rasterio.Env(GDAL_CACHEMAX=_CACHE), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _write_plain(
    read: Callable[[Window], Float[np.ndarray, "y x band"]],
    windows: Sequence[Window],
    shape: tuple[int, int],
    path: str,
    bands: Sequence[str],
    unit: str,
    crs_wkt: str | None,
    transform: Affine | None,
    tags: Mapping[str, str] | None,
    band_tags: Sequence[Mapping[str, Mapping[str, str]]] = (),
    *,
    spectra: bool = False,
) -> list[int]:
    """Write maps as a GeoTIFF that is not compressed and return the checksum of each window.

    Maps that lie band by band get overviews.

    GDAL would make the overviews itself when it copies the file, but compressed ones, which takes twice as long.
    """
    blocksize = _block_of_spectra(len(bands)) if spectra else _BLOCK
    tiled = {"tiled": True, "blockxsize": blocksize, "blockysize": blocksize} if shape[1] > blocksize else {}
    profile = {"count": len(bands), "dtype": "float32", "nodata": np.nan, "crs": crs_wkt, "transform": transform}
    layout: dict[str, Any] = {"height": shape[0], "width": shape[1], "bigtiff": "if_safer"}
    layout["interleave"] = "pixel" if spectra else "band"
    checksums = []
    with rasterio.open(path, "w", driver="GTiff", **profile, **layout, **tiled) as file:
        for window in windows:
            values = np.ascontiguousarray(np.moveaxis(read(window), 2, 0), dtype=np.float32)
            file.write(values, window=_as_gdal(window))
            checksums.append(_checksum(values))
        file.descriptions = tuple(bands)
        file.units = (unit,) * len(bands)
        file.update_tags(units=unit, **(tags or {}))
        for band, domains in enumerate(band_tags, start=1):
            for domain, items in domains.items():
                file.update_tags(band, ns=domain, **items)
    if spectra:
        return checksums
    factors = [2**k for k in range(1, max(shape).bit_length()) if max(shape) >> (k - 1) > _BLOCK]
    if factors:
        with rasterio.open(path, "r+") as file:
            file.build_overviews(factors, Resampling.average)
    return checksums


def _checksum(values: Float[np.ndarray, "band y x"]) -> int:
    """Return the same number for the same values, whichever NaN there is."""
    return zlib.crc32(np.ascontiguousarray(np.where(np.isnan(values), np.float32(np.nan), values)).data)


def _as_gdal(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.left, window.top, window.shape[1], window.shape[0])
