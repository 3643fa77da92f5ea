"""A scene to disk, in the format that its name asks for."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from unmixel.errors import OutputError
from unmixel.io.netcdf import write_netcdf
from unmixel.io.zarr_store import write_zarr


def save_scene(scene: xr.DataArray, path: str | Path) -> None:
    """Write a scene to a new NetCDF file (``.nc``) or Zarr store (``.zarr``), whole or not at all.

    Everything of the scene comes back with :func:`unmixel.io.open_scene`: values, wavelengths, widths, good
    bands, place on the map and the notes on its reading. A crop of a scene without a map is counted from its
    own corner.

    Raises
    ------
    OutputError
        If the path exists, has another suffix, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from unmixel.io import open_scene
    >>> from unmixel.scene import make_scene
    >>> scene = make_scene(np.random.default_rng(0).random((2, 3, 4)), wavelength=[450, 550, 650, 750])
    >>> save_scene(scene, Path(tempfile.mkdtemp()) / "scene.nc")
    """
    target = Path(path)
    match target.suffix.lower():
        case ".nc":
            write_netcdf(scene, target)
        case ".zarr":
            write_zarr(scene, target)
        case _:
            raise OutputError(f"a scene as {target.name}", "a name that ends in .nc or .zarr")
