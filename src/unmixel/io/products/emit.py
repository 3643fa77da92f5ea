"""EMIT L2A surface reflectance, version 1 and 2: NetCDF in the geometry of the sensor.

=============================================== ======================================================================
``reflectance`` (downtrack, crosstrack, bands)  float32 fractions, fill -9999; about -0.01 in bands without a retrieval
``sensor_band_parameters/wavelengths``, fwhm    per band [nm]
``sensor_band_parameters/good_wavelengths``     0 for bands in deep water absorptions; older files have none, and their
                                                ranges are those of the data system (1325-1435 and 1770-1962 nm)
``location/glt_x``, glt_y (ortho_y, ortho_x)    crosstrack and downtrack of the pixel at each place of the map, from 1;
                                                0 where there is none
attributes ``geotransform``, ``spatial_ref``    of that map: the order of GDAL, from the outer corner; WKT
attribute ``time_coverage_start``               2022-09-03T16:31:29+0000
=============================================== ======================================================================

The uncertainty file of a granule (``..._RFLUNCERT_...``) has ``reflectance_uncertainty`` in place of ``reflectance``:
the posterior standard deviation of the retrieval. Its mask file (``EMIT_L2A_MASK_002_20220903T163129_...``), if it
lies beside the scene, is applied: pixels with a cloud, cirrus, dilated cloud, spacecraft or (version 2) SpecTf cloud
flag are invalid. The water flag is not, since water is a material, and neither is the aggregate flag, which includes
water. Masks have versions of their own: the newest of those with the time of the granule in their name is applied. Its
``band_mask`` (a bit for each band, eight to a byte) says which single values were interpolated, where a pixel of the
detector is bad or saturated. They are kept, and it is said: without them whole columns would be left out.

References
----------
The data system's own writers of these files: emit-sds/emit-utils (``daac_converter``), emit-sds/emit-sds-l2a
(``output_conversion``), emit-sds/emit-sds-masks (*L2A Mask Data Product User Guide*); LP DAAC,
nasa/EMIT-Data-Resources (``emit_tools``: the table counts from 1, and its map begins at the outer corner).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.hdf5 import (
    array_of,
    block_of,
    holds,
    list_of,
    names_in,
    number_attribute,
    numbers_attribute,
    opened_hdf5,
    opened_values,
    text_attribute,
    texts_in,
)
from unmixel.io.windows import Window
from unmixel.lookup import NONE, Lookup, Table

NAME = "EMIT L2A reflectance"

_FILL = -9999.0
_MAP_AT_MOST = 100
"""Pixels of the map for each of the sensor: there are two or three."""
_BEYOND = np.int64(1 << 30)
"""A place in a lookup table that is beyond any scene, and within whole numbers of 32 bits."""
_CHECKED_AT_ONCE = 500_000
_WITHOUT_RETRIEVAL = ((1325.0, 1435.0), (1770.0, 1962.0))
_GRANULE = re.compile(r"EMIT_L2A_RFL_\d{3}_(?P<time>\d{8}T\d{6})")
_KEPT_FLAGS = ("water", "aggregate")
_OTHERS = {
    "reflectance": ("EMIT reflectance", "give it as the scene"),
    "reflectance_uncertainty": (
        "the uncertainty of EMIT reflectance",
        "give it as --uncertainty of its scene; many scenes are *_RFL_*.nc",
    ),
    "mask": ("an EMIT mask", "put it beside the reflectance file, where it is found; many scenes are *_RFL_*.nc"),
    "radiance": ("EMIT radiance (L1B)", "get the reflectance of the granule (EMIT_L2A_RFL)"),
}


def is_mine(path: Path) -> bool:
    """Return whether a file is one of EMIT, by its title or by its groups."""
    if not names_in(path, "/"):
        return False
    try:
        with opened_hdf5(path) as file:
            if text_attribute(file, "title").startswith("EMIT ") or text_attribute(file, "instrument") == "EMIT":
                return True
            return holds(file, "sensor_band_parameters") and holds(file, "location/glt_x")
    except SceneError:
        return False


def comes_beside(path: Path) -> bool:
    """Return whether a file is the mask or the uncertainty of a granule."""
    names = set(names_in(path, "/"))
    return not names.isdisjoint(("mask", "reflectance_uncertainty")) and "reflectance" not in names and is_mine(path)


def read(path: Path) -> RawScene:
    """Read the description of an EMIT L2A scene; its rows are read when they are asked for.

    Raises
    ------
    SceneError
        If the file is another one of EMIT, or damaged.
    """
    return _described(path, "reflectance")


def read_uncertainty(path: Path) -> RawScene:
    """Read the description of an uncertainty file, as if it were a scene: standard deviations of the reflectance.

    Raises
    ------
    SceneError
        If the file is another one of EMIT, or damaged.
    """
    return _described(path, "reflectance_uncertainty")


def _mask_beside(path: Path) -> Path | None:
    """Return the mask of a granule, the newest version of several; None if none lies beside the scene."""
    granule = _GRANULE.search(path.name)
    if granule is None:
        return None
    return max(path.parent.glob(f"EMIT_L2A_MASK_*_{granule['time']}*.nc"), default=None)


def _described(path: Path, variable: str) -> RawScene:
    with opened_hdf5(path) as file:
        values = _values_of(file, variable)
        good, notes = _good_bands(file, values.shape[2])
        lookup = _lookup_of(file, values.shape, path)
        fill = number_attribute(values, "_FillValue")
        described: dict[str, Any] = {
            "shape": values.shape,
            "dtype": values.dtype.newbyteorder("="),
            "block": block_of(values, 0, 1),
            "wavelength": list_of(file, "sensor_band_parameters/wavelengths", values.shape[2]),
            "wavelength_unit": text_attribute(file["sensor_band_parameters/wavelengths"], "units") or "nm",
            "fill": (_FILL if fill is None else fill,),
            "acquired": text_attribute(file, "time_coverage_start"),
        }
        if holds(file, "sensor_band_parameters/fwhm"):
            described["fwhm"] = list_of(file, "sensor_band_parameters/fwhm", values.shape[2])
    if lookup is None:
        notes.append("no lookup table in the file: maps stay in the geometry of the sensor")
    else:
        notes.append("in the geometry of the sensor: maps are put on the map by the file's lookup table, nearest pixel")
    flagged, mask = None, _mask_beside(path)
    if mask is None:
        notes.append("no MASK file of the granule beside it: clouds not masked")
    else:
        flags, names, has_interpolated = _flags_of(mask, values_shape=described["shape"][:2])
        flagged = partial(_flagged, mask, flags)
        notes.append(f"{mask.name} beside it: pixels with {', '.join(names)} masked (water is kept)")
        if has_interpolated:
            notes.append("values that its band_mask calls interpolated (bad or saturated detector pixels) are kept")
    return RawScene(
        product=NAME,
        companions=() if mask is None else (mask,),
        read=partial(_read_rows, path, variable),
        read_part=partial(_read_part, path, variable),
        good_band=good,
        invalid=partial(_unusable, good, flagged),
        lookup=lookup,
        notes=tuple(notes),
        **described,
    )


def _values_of(file: h5py.File, variable: str) -> h5py.Dataset:
    if not holds(file, variable):
        for other, (what, remedy) in _OTHERS.items():
            if holds(file, other):
                raise SceneError(what, f"an EMIT L2A file with {variable!r}", remedy)
    return array_of(file, variable, 3)


def _good_bands(file: h5py.File, n_bands: int) -> tuple[NDArray[np.bool_], list[str]]:
    if holds(file, "sensor_band_parameters/good_wavelengths"):
        good = list_of(file, "sensor_band_parameters/good_wavelengths", n_bands) > 0
        said = "good_wavelengths of the file"
    else:
        wavelength = list_of(file, "sensor_band_parameters/wavelengths", n_bands)
        good = ~np.any([(wavelength > low) & (wavelength < high) for low, high in _WITHOUT_RETRIEVAL], axis=0)
        said = "no good_wavelengths in the file, so 1325-1435 and 1770-1962 nm"
    n_bad = int((~good).sum())
    return good, [f"{n_bad} bands hold no retrieval and become invalid ({said})"] if n_bad else []


def _lookup_of(file: h5py.File, shape: tuple[int, ...], path: Path) -> Lookup | None:
    if not holds(file, "location/glt_x") and not holds(file, "location/glt_y"):
        return None
    x, y = (array_of(file, f"location/{name}", 2) for name in ("glt_x", "glt_y"))
    if x.shape != y.shape or prod(x.shape) > _MAP_AT_MOST * shape[0] * shape[1]:
        raise SceneError(
            f"lookup tables of shape {x.shape} and {y.shape} for {shape[0]} x {shape[1]} pixels",
            "two of the same shape",
            "download it again",
        )
    lookup = Lookup(x.shape, partial(_read_table, path), _wkt(file), _geotransform(file))
    step = max(1, _CHECKED_AT_ONCE // x.shape[1])
    for first in range(0, x.shape[0], step):
        rows, columns = _table_in(file, slice(first, first + step), slice(None))
        if rows.max() >= shape[0] or columns.max() >= shape[1]:
            raise SceneError(
                f"a lookup table that names row {rows.max() + 1} and column {columns.max() + 1} of "
                f"{shape[0]} x {shape[1]} pixels",
                "a table of its own pixels",
                "give the whole granule: the table of a crop counts from the granule's corner",
            )
    return lookup


def _geotransform(file: h5py.File) -> Affine:
    numbers = numbers_attribute(file, "geotransform")
    if (
        numbers is None
        or len(numbers) != 6
        or not np.isfinite(numbers).all()
        or Affine.from_gdal(*numbers).determinant == 0
    ):
        given = "nothing" if numbers is None else numbers.tolist()
        raise SceneError(f"geotransform = {given}", "six numbers that place its map")
    return Affine.from_gdal(*map(float, numbers))


def _wkt(file: h5py.File) -> str | None:
    text = text_attribute(file, "spatial_ref")
    try:
        return text if text and CRS.from_wkt(text) else None
    except CRSError:
        return None


def _read_table(path: Path, rows: slice, columns: slice) -> Table:
    with opened_values(path) as file:
        return _table_in(file, rows, columns)


def _table_in(file: h5py.File, rows: slice, columns: slice) -> Table:
    """Return rows and columns of the sensor, from 0, in a part of the map."""
    stored = (array_of(file, f"location/{name}", 2) for name in ("glt_x", "glt_y"))
    x, y = (np.minimum(each[rows, columns], _BEYOND) for each in stored)
    there = (x >= 1) & (y >= 1)
    return np.where(there, y, NONE + 1).astype(np.int32) - 1, np.where(there, x, NONE + 1).astype(np.int32) - 1


def _read_rows(path: Path, variable: str, first: int, last: int) -> NDArray:
    return _read(path, variable, slice(first, last), slice(None))


def _read_part(path: Path, variable: str, window: Window) -> NDArray:
    return _read(path, variable, *window.slices)


def _read(path: Path, variable: str, rows: slice, columns: slice) -> NDArray:
    with opened_values(path) as file:
        values = array_of(file, variable, 3)[rows, columns]
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def _flags_of(path: Path, values_shape: tuple[int, int]) -> tuple[tuple[int, ...], list[str], bool]:
    """Return which layers of a mask make a pixel unusable, their names, and whether it tells of interpolated values."""
    with opened_hdf5(path) as file:
        mask, names = array_of(file, "mask", 3), texts_in(file, "sensor_band_parameters/mask_bands")
        if mask.shape != (*values_shape, len(names)):
            raise SceneError(
                f"a mask of shape {mask.shape} with {len(names)} names",
                f"the mask of the scene beside it, {values_shape[0]} x {values_shape[1]} pixels",
                "get the mask of this granule, or move it away",
            )
        has_interpolated = holds(file, "band_mask")
    flags = [k for k, name in enumerate(names) if name.lower().endswith("flag")]
    used = [k for k in flags if not names[k].lower().startswith(_KEPT_FLAGS)]
    return tuple(used), [names[k] for k in used], has_interpolated


def _flagged(path: Path, flags: tuple[int, ...], window: Window) -> NDArray[np.bool_]:
    with opened_values(path) as file:
        return (array_of(file, "mask", 3)[window.slices][:, :, list(flags)] > 0.5).any(axis=2, keepdims=True)


def _unusable(
    good: NDArray[np.bool_], flagged: Callable[[Window], NDArray[np.bool_]] | None, window: Window
) -> NDArray[np.bool_]:
    """Return which values are no retrieval, or lie in a pixel that is flagged."""
    without = np.broadcast_to(~good, (*window.shape, len(good)))
    return without if flagged is None else without | flagged(window)
