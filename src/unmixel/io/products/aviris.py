"""AVIRIS-3, AVIRIS-5 and AVIRIS-NG L2A: orthorectified surface reflectance in NetCDF (``*_RFL_ORT.nc``).

The group ``reflectance`` holds ``reflectance`` (wavelength, northing, easting) with its ``_FillValue`` (-9999), and
``wavelength`` and ``fwhm`` in nanometres; ``transverse_mercator`` at the root has the map (``crs_wkt`` or
``spatial_ref``, and ``GeoTransform`` from pixel corners, as a text or as six numbers), and ``time_coverage_start`` says
when. ``easting`` and ``northing`` are the centres of pixels. There is no list of bad bands. That is the layout as JPL's
own tools (SpectralUtil) read it; older flights are distributed as ENVI files, which need no reader of their own.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.acquisition_time import utc_time
from unmixel.io.hdf5 import (
    array_of,
    block_of,
    holds,
    list_of,
    names_in,
    number_attribute,
    numbers_attribute,
    opened_hdf5,
    read_band_first,
    text_attribute,
)
from unmixel.io.windows import Window

NAME = "AVIRIS L2A surface reflectance"

_CUBE = "reflectance/reflectance"
_MAP = "transverse_mercator"
_FILL = -9999.0
_UNEVEN = 0.01
"""Pixels by which evenly spaced coordinates may be off."""
_OTHERS = {
    "radiance": "AVIRIS L1B, radiance at the sensor",
    "uncertainty": "AVIRIS L2A, the uncertainty of a reflectance",
}


def is_mine(path: Path) -> bool:
    """Return whether a file is an AVIRIS product in NetCDF: a group with a variable of its own name, and a map."""
    groups = ("reflectance", *_OTHERS)
    if not set(groups) & set(names_in(path, "/")) or _MAP not in names_in(path, "/"):
        return False
    return any({group, "wavelength"} <= set(names_in(path, group)) for group in groups)


def comes_beside(path: Path) -> bool:
    """Return whether a file is the uncertainty of a flight line."""
    names = names_in(path, "/")
    return "uncertainty" in names and "reflectance" not in names and is_mine(path)


def read(path: Path) -> RawScene:
    """Read the description of an AVIRIS reflectance scene.

    Raises
    ------
    SceneError
        If it is damaged, or another product of AVIRIS.
    """
    with opened_hdf5(path) as file:
        _check_product(file)
        stored = array_of(file, _CUBE, 3)
        n_bands, rows, columns = stored.shape
        wavelength = list_of(file, "reflectance/wavelength", n_bands)
        fwhm = list_of(file, "reflectance/fwhm", n_bands) if holds(file, "reflectance/fwhm") else None
        fill = number_attribute(stored, "_FillValue")
        crs_wkt, transform, notes = _place(file, rows, columns)
        return RawScene(
            shape=(rows, columns, n_bands),
            dtype=stored.dtype.newbyteorder("="),
            read=partial(_read_rows, path, columns),
            read_part=partial(read_band_first, path, _CUBE),
            block=block_of(stored, 1, 2),
            wavelength=wavelength,
            wavelength_unit=text_attribute(file["reflectance/wavelength"], "units") or "nm",
            fwhm=fwhm,
            fill=(_FILL if fill is None else fill,),
            crs_wkt=crs_wkt,
            transform=transform,
            product=_name(file),
            acquired=utc_time(text_attribute(file, "time_coverage_start")),
            notes=("no list of bad bands in the product", *notes),
        )


def _check_product(file: h5py.File) -> None:
    if holds(file, _CUBE):
        return
    what = next((said for name, said in _OTHERS.items() if holds(file, f"{name}/{name}")), "AVIRIS")
    raise SceneError(what, "the reflectance of the same flight line", "give its *_RFL_ORT.nc")


def _name(file: h5py.File) -> str:
    """Return the name of the product, with the instrument where the file says which of them it is."""
    said = " ".join(text_attribute(file, name) for name in ("instrument", "sensor", "title", "source", "summary"))
    found = re.search(r"AVIRIS[-_ ]?(3|5|NG)\b", said, re.IGNORECASE)
    return NAME.replace("AVIRIS", f"AVIRIS-{found[1].upper()}") if found else NAME


def _place(file: h5py.File, rows: int, columns: int) -> tuple[str | None, Affine | None, list[str]]:
    """Return where the scene is, and a line if that is in doubt."""
    entry = file[_MAP] if holds(file, _MAP) else file
    wkt = text_attribute(entry, "crs_wkt") or text_attribute(entry, "spatial_ref")
    try:
        with rasterio.Env():  # its messages are ours to give
            crs_wkt = CRS.from_wkt(wkt).to_wkt() if wkt else None
        numbers = _geotransform(entry)
    except (CRSError, ValueError) as error:
        raise SceneError(f"a map that cannot be read ({error})", "crs_wkt and GeoTransform") from error
    if len(numbers) != 6 or not np.isfinite(numbers).all() or numbers[1] * numbers[5] == numbers[2] * numbers[4]:
        by_coordinates = _by_coordinates(file, rows, columns)
        if by_coordinates is None:
            return crs_wkt, None, ["no place on the map: no GeoTransform in the file"]
        return crs_wkt, by_coordinates, ["place by easting and northing: no GeoTransform in the file"]
    transform = Affine.from_gdal(*numbers)
    notes = [] if _agrees(file, transform, rows, columns) else ["easting and northing differ from GeoTransform (used)"]
    return crs_wkt, transform, notes


def _geotransform(entry: h5py.Group | h5py.Dataset) -> list[float]:
    """Return the numbers of the map in the order of GDAL, whether they are numbers or a text of them."""
    numbers = numbers_attribute(entry, "GeoTransform")
    if numbers is not None:
        return [float(number) for number in numbers]
    return [float(part) for part in text_attribute(entry, "GeoTransform").replace(",", " ").split()]


def _by_coordinates(file: h5py.File, rows: int, columns: int) -> Affine | None:
    """Return the map whose pixels have their centres at easting and northing; None if these are not evenly spaced."""
    if not (min(rows, columns) > 1 and holds(file, "easting") and holds(file, "northing")):
        return None
    corner, step = [], []
    for name, count in (("easting", columns), ("northing", rows)):
        centres = list_of(file, name, count)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = (centres[-1] - centres[0]) / (count - 1)
            even = np.abs(centres - centres[0] - apart * np.arange(count)) <= _UNEVEN * abs(apart)
        if apart == 0 or not np.isfinite(apart) or not even.all():
            return None
        corner.append(float(centres[0] - apart / 2))
        step.append(float(apart))
    return Affine(step[0], 0.0, corner[0], 0.0, step[1], corner[1])


def _agrees(file: h5py.File, transform: Affine, rows: int, columns: int) -> bool:
    """Return whether the coordinates of the pixels are where the transform has them, to a pixel."""
    if transform.b or transform.d or not (holds(file, "easting") and holds(file, "northing")):
        return True
    x, y = list_of(file, "easting", columns), list_of(file, "northing", rows)
    across = (x - transform.c) / transform.a - (np.arange(columns) + 0.5)
    down = (y - transform.f) / transform.e - (np.arange(rows) + 0.5)
    return bool(max(np.abs(across).max(), np.abs(down).max()) < 1)


def _read_rows(path: Path, columns: int, first: int, last: int) -> NDArray:
    return read_band_first(path, _CUBE, Window(first, last, 0, columns))
