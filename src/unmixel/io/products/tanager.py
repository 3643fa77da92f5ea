"""Planet Tanager surface reflectance: HDF-EOS5, on a map (ortho) or in the geometry of the sensor (basic).

``HDFEOS/GRIDS/HYP/Data Fields`` (ortho) or ``HDFEOS/SWATHS/HYP/Data Fields`` (basic) holds ``surface_reflectance``
(band, row, column) with the attributes ``wavelengths`` and ``fwhm`` (nanometres), ``good_wavelengths`` and
``_FillValue`` (-9999), and ``nodata_pixels``, which is not zero outside of the scene. ``epsg_code`` of the grid and the
text ``HDFEOS INFORMATION/StructMetadata.0`` (``UpperLeftPointMtrs`` and ``LowerRightMtrs``, outer corners) say where an
ortho scene is; a basic scene has a latitude and longitude for each pixel, which are not used. ``Time`` is in seconds
since 1970. The names of these groups are also met with underscores (``Data_Fields``). That is the layout as Planet's
own reader (xarray-hyperspectral) has it. The masks of clouds and cirrus are called beta there, and are not applied.
"""

from __future__ import annotations

import re
from functools import partial
from math import prod
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
from unmixel.io.acquisition_time import utc_of_seconds
from unmixel.io.doubles import in_doubles
from unmixel.io.hdf5 import (
    array_of,
    block_of,
    group_of,
    holds,
    list_of,
    names_in,
    number_attribute,
    numbers_attribute,
    opened_hdf5,
    opened_values,
    read_band_first,
    required_list,
    text_attribute,
    text_in,
)
from unmixel.io.windows import Window

NAME = "Tanager surface reflectance"

_ORTHO, _BASIC = "HDFEOS/GRIDS/HYP", "HDFEOS/SWATHS/HYP"
_DATA, _GEOLOCATION = ("Data Fields", "Data_Fields"), ("Geolocation Fields", "Geolocation_Fields")
_REFLECTANCE, _RADIANCE = "surface_reflectance", "toa_radiance"
_FILL = -9999.0
_MOST_TIMES_AT_ONCE = 1 << 23


def is_mine(path: Path) -> bool:
    """Return whether a file is a Tanager product: reflectance or radiance, ortho or basic."""
    groups = [f"{root}/{fields}" for root in (_ORTHO, _BASIC) for fields in _DATA]
    return any({_REFLECTANCE, _RADIANCE} & set(names_in(path, group)) for group in groups)


def read(path: Path) -> RawScene:
    """Read the description of a Tanager reflectance scene.

    Raises
    ------
    SceneError
        If it is damaged, or the radiance of one.
    """
    with opened_hdf5(path) as file:
        root = _BASIC if _fields(file, _ORTHO, _DATA) is None else _ORTHO
        fields = _fields(file, root, _DATA) or f"{root}/{_DATA[0]}"
        cube, nodata = f"{fields}/{_REFLECTANCE}", f"{fields}/nodata_pixels"
        if not holds(file, cube) and holds(file, f"{fields}/{_RADIANCE}"):
            raise SceneError(
                "Tanager radiance at the top of the atmosphere",
                "Tanager surface reflectance",
                "download the ortho_sr_hdf5 or basic_sr_hdf5 asset of the same scene",
            )
        stored = array_of(file, cube, 3)
        n_bands, rows, columns = stored.shape
        gain, offset = (number_attribute(stored, name) for name in ("scale_factor", "add_offset"))
        fill = number_attribute(stored, "_FillValue")
        masked = holds(file, nodata)
        if masked and array_of(file, nodata, 2).shape != (rows, columns):
            raise SceneError("nodata_pixels of another shape than the scene", f"{rows} x {columns}")
        crs_wkt, transform, place = _place(file, root, rows, columns)
        return RawScene(
            shape=(rows, columns, n_bands),
            dtype=stored.dtype.newbyteorder("="),
            read=partial(_read_rows, path, cube, columns),
            read_part=partial(read_band_first, path, cube),
            block=block_of(stored, 1, 2),
            wavelength=required_list(stored, "wavelengths", n_bands),
            wavelength_unit=text_attribute(stored, "wavelengths_units") or "nm",
            fwhm=required_list(stored, "fwhm", n_bands) if "fwhm" in stored.attrs else None,
            good_band=_good_bands(stored, n_bands),
            gain=1.0 if gain is None else gain,
            offset=0.0 if offset is None else offset,
            fill=(_FILL if fill is None else fill,),
            crs_wkt=crs_wkt,
            transform=transform,
            product=f"{NAME} ({'ortho' if root == _ORTHO else 'basic, in the geometry of the sensor'})",
            acquired=_acquired(file, root, fields, rows),
            invalid=partial(_outside, path, nodata) if masked else None,
            notes=(*place, *_notes_on(file, fields, masked)),
        )


def _fields(file: h5py.File, root: str, names: tuple[str, ...]) -> str | None:
    """Return the group that has one of these names, None if there is none."""
    return next((group for name in names if holds(file, group := f"{root}/{name}")), None)


def _good_bands(stored: h5py.Dataset, n_bands: int) -> NDArray[np.bool_] | None:
    if numbers_attribute(stored, "good_wavelengths") is None:
        return None
    return required_list(stored, "good_wavelengths", n_bands) > 0


def _notes_on(file: h5py.File, fields: str, masked: bool) -> list[str]:
    lines = ["pixels of nodata_pixels made invalid"] if masked else []
    kinds = [kind for kind in ("cloud", "cirrus") if holds(file, f"{fields}/beta_{kind}_mask")]
    if kinds:
        lines.append(f"masks of {' and '.join(kinds)} in the file not applied (beta)")
    return lines


def _place(file: h5py.File, root: str, rows: int, columns: int) -> tuple[str | None, Affine | None, list[str]]:
    """Return where an ortho scene is; a basic one is in the geometry of the sensor."""
    if root == _BASIC:
        return None, None, ["no map: latitude and longitude of each pixel not used (the ortho product has a map)"]
    grid = _grid(text_in(file, "HDFEOS INFORMATION/StructMetadata.0"))
    size = f"{grid.get('YDim')} x {grid.get('XDim')}"
    if grid and size != f"{rows} x {columns}":
        raise SceneError(f"a grid of {size} for {rows} x {columns} pixels", "the same numbers")
    upper_left, lower_right = (_point(grid.get(name, "")) for name in ("UpperLeftPointMtrs", "LowerRightMtrs"))
    crs_wkt = _crs(file, root, grid)
    origin = grid.get("GridOrigin", "HE5_HDFE_GD_UL")
    if upper_left is None or lower_right is None or crs_wkt is None or not origin.endswith("_UL"):
        return None, None, ["no place on the map: the file does not say which, or says it wrongly"]
    width, height = (lower_right[0] - upper_left[0]) / columns, (lower_right[1] - upper_left[1]) / rows
    if width == 0 or height == 0:
        return None, None, ["no place on the map: the corners of the grid are the same"]
    return crs_wkt, Affine(width, 0, upper_left[0], 0, height, upper_left[1]), []


def _grid(structure: str) -> dict[str, str]:
    """Return what the structural metadata say of the grid HYP."""
    for part in re.split(r"\bGROUP=GRID_\d+", structure):
        said = dict(re.findall(r"^[ \t]*(\w+)=([^\n]*)$", part.split("END_GROUP=GRID_")[0], re.MULTILINE))
        if said.get("GridName", "").strip('" ') == "HYP":
            return {name: value.strip('" \r') for name, value in said.items()}
    return {}


def _point(text: str) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in text.strip("()").split(","))
    except ValueError:
        return None
    return (x, y) if np.isfinite([x, y]).all() else None


def _crs(file: h5py.File, root: str, grid: dict[str, str]) -> str | None:
    """Return the reference system by its code, or else by the UTM zone of the grid (negative in the south)."""
    code = number_attribute(group_of(file, root), "epsg_code")
    in_utm = grid.get("Projection", "").endswith("_UTM") and re.fullmatch(r"-?\d{1,2}", grid.get("ZoneCode", ""))
    if code is None and in_utm:
        zone = int(grid["ZoneCode"])
        code = 32600 + zone if zone > 0 else 32700 - zone
    try:
        with rasterio.Env():  # its messages are ours to give
            return CRS.from_epsg(int(code)).to_wkt() if code is not None else None
    except CRSError:
        return None


def _acquired(file: h5py.File, root: str, fields: str, rows: int) -> str:
    """Return the earliest time of the lines, or of the pixels in the middle row where every pixel has its own."""
    lines = f"{_fields(file, root, _GEOLOCATION)}/Time"
    if holds(file, lines):
        times = list_of(file, lines, rows)
    elif name := next((name for name in ("Time", "time") if holds(file, f"{fields}/{name}")), None):
        stored = array_of(file, f"{fields}/{name}", 2)
        if max(stored.shape[1], prod(stored.chunks or ())) > _MOST_TIMES_AT_ONCE:
            return ""
        middle = stored.shape[0] // 2
        times = in_doubles(stored[middle : middle + 1])
    else:
        return ""
    times = times[np.isfinite(times) & (times > 0)]
    return utc_of_seconds(float(times.min())) if times.size else ""


def _outside(path: Path, name: str, window: Window) -> NDArray[np.bool_]:
    """Return which pixels lie outside of the scene, as (row, column, 1)."""
    rows, columns = window.slices
    with opened_values(path) as file:
        return np.asarray(array_of(file, name, 2)[rows, columns] != 0)[:, :, None]


def _read_rows(path: Path, cube: str, columns: int, first: int, last: int) -> NDArray:
    return read_band_first(path, cube, Window(first, last, 0, columns))
