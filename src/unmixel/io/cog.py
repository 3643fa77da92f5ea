"""Maps -> cloud-optimised GeoTIFF, with place, band names and units."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from jaxtyping import Float
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile


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
    with MemoryFile() as memory:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with memory.open(
                driver="COG",
                height=rows,
                width=columns,
                count=n_bands,
                dtype="float32",
                nodata=np.nan,
                crs=crs_wkt,
                transform=transform,
                compress="deflate",
                predictor="yes",
                overview_resampling="average",
            ) as file:
                file.write(np.moveaxis(np.asarray(maps, dtype=np.float32), 2, 0))
                file.descriptions = tuple(bands)
                file.units = (unit,) * n_bands
                file.update_tags(units=unit, **(tags or {}))
        Path(path).write_bytes(memory.getbuffer())
