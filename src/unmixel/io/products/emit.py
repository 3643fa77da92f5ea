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
the posterior standard deviation of the retrieval. Its mask file (``..._MASK_...``), if it lies beside the scene under
the same name, is applied: pixels with a cloud, cirrus, dilated cloud, spacecraft or (version 2) SpecTf cloud flag are
invalid. The water flag is not, since water is a material, and neither is the aggregate flag, which includes water.

References
----------
The data system's own writers of these files: emit-sds/emit-utils (``daac_converter``), emit-sds/emit-sds-l2a
(``output_conversion``), emit-sds/emit-sds-masks (*L2A Mask Data Product User Guide*); LP DAAC,
nasa/EMIT-Data-Resources (``emit_tools``: the table counts from 1, and its map begins at the outer corner).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
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
from unmixel.io.windows import Window
from unmixel.lookup import NONE, Lookup, Table

NAME = "EMIT L2A reflectance"

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError, UnicodeDecodeError)
_FILL = -9999.0
_SQUEEZED = 1100
"""More than deflate can make of a byte: a dataset that claims more than that was never written."""
_MAP_AT_MOST = 100
"""Pixels of the map for each of the sensor: there are two or three."""
_LARGEST_CHUNK = 256_000_000
"""Bytes; a chunk is always read whole."""
_CHECKED_AT_ONCE = 500_000
_WITHOUT_RETRIEVAL = ((1325.0, 1435.0), (1770.0, 1962.0))
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
    try:
        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                return False
        with h5py.File(path, "r") as file:
            if _text(file.attrs.get("title")).startswith("EMIT "):
                return True
            return _text(file.attrs.get("instrument")) == "EMIT" or (
                "sensor_band_parameters" in file and "location/glt_x" in file
            )
    except _DAMAGE:
        return False


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


def _masks(path: Path) -> list[Path]:
    """Return the mask of a granule, if it lies beside the scene."""
    if "_L2A_RFL_" not in path.name:
        return []
    mask = path.with_name(path.name.replace("_L2A_RFL_", "_L2A_MASK_"))
    return [mask] if mask.is_file() else []


def _described(path: Path, variable: str) -> RawScene:
    with _opened(path) as file:
        values = _values_of(file, variable, path)
        good, notes = _good_bands(file, values.shape[2], path)
        lookup = _lookup_of(file, values.shape, path)
        fill = values.attrs.get("_FillValue", _FILL)
        described: dict[str, Any] = {
            "shape": values.shape,
            "dtype": values.dtype.newbyteorder("="),
            "block": values.chunks[:2] if values.chunks else None,
            "wavelength": _numbers(file, "sensor_band_parameters/wavelengths", values.shape[2], path),
            "wavelength_unit": _text(file["sensor_band_parameters/wavelengths"].attrs.get("units")) or "nm",
            "fill": (float(np.ravel(fill)[0]),),
            "acquired": _time(_text(file.attrs.get("time_coverage_start"))),
        }
        if "sensor_band_parameters/fwhm" in file:
            described["fwhm"] = _numbers(file, "sensor_band_parameters/fwhm", values.shape[2], path)
    if lookup is None:
        notes.append("no lookup table in the file: maps stay in the geometry of the sensor")
    else:
        notes.append("in the geometry of the sensor: maps are put on the map by the file's lookup table, nearest pixel")
    flagged = None
    for mask in _masks(path):
        flags, names = _flags_of(mask, values_shape=described["shape"][:2])
        flagged = partial(_flagged, mask, flags)
        notes.append(f"{mask.name} beside it: pixels with {', '.join(names)} masked (water is kept)")
    return RawScene(
        product=NAME,
        companions=tuple(_masks(path)),
        read=partial(_read_rows, path, variable),
        read_part=partial(_read_part, path, variable),
        good_band=good,
        invalid=partial(_unusable, good, flagged),
        lookup=lookup,
        notes=tuple(notes),
        **described,
    )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file, and say of whatever is wrong with it that it is damaged."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGE as error:
        raise SceneError(f"{path}: {error}", "a whole EMIT file", "is it truncated? Download it again") from error


def _values_of(file: h5py.File, variable: str, path: Path) -> h5py.Dataset:
    if variable not in file:
        for other, (what, remedy) in _OTHERS.items():
            if other in file:
                raise SceneError(f"{path}, {what}", f"an EMIT L2A file with {variable!r}", remedy)
    values = _dataset(file, variable, 3, path)
    if 0 in values.shape:
        raise SceneError(f"{path} with {variable!r} of shape {values.shape}", "at least one pixel and one band")
    return values


def _dataset(file: h5py.File, name: str, n_axes: int, path: Path) -> h5py.Dataset:
    """Return numbers of the file that have so many axes, were written, and lie in the file itself."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or found.ndim != n_axes or found.dtype.kind not in "iuf":
        shape = f"of shape {found.shape}" if isinstance(found, h5py.Dataset) else "missing"
        raise SceneError(f"{path} with {name!r} {shape}", f"numbers with {n_axes} axes", "download it again")
    if found.is_virtual or found.external or found.file.filename != file.filename:
        raise SceneError(f"{path}, whose {name!r} lies in another file", "all data in the file itself")
    claimed = prod(found.shape) * found.dtype.itemsize
    if claimed > 1_000_000 + _SQUEEZED * found.id.get_storage_size():
        raise SceneError(
            f"{path}, whose {name!r} claims {claimed} bytes and holds {found.id.get_storage_size()}",
            "a whole EMIT file",
            "is it truncated? Download it again",
        )
    if found.chunks and prod(found.chunks) * found.dtype.itemsize > _LARGEST_CHUNK:
        raise SceneError(f"{path}, whose {name!r} has chunks of shape {found.chunks}", "chunks that fit in memory")
    return found


def _numbers(file: h5py.File, name: str, n_bands: int, path: Path) -> NDArray[np.float64]:
    found = _dataset(file, name, 1, path)
    if found.shape != (n_bands,):
        raise SceneError(f"{path} with {found.shape[0]} {name.split('/')[1]} for {n_bands} bands", "one for each band")
    return np.asarray(found[:], dtype=np.float64)


def _good_bands(file: h5py.File, n_bands: int, path: Path) -> tuple[NDArray[np.bool_], list[str]]:
    if "sensor_band_parameters/good_wavelengths" in file:
        good = _numbers(file, "sensor_band_parameters/good_wavelengths", n_bands, path) > 0
        said = "good_wavelengths of the file"
    else:
        wavelength = _numbers(file, "sensor_band_parameters/wavelengths", n_bands, path)
        good = ~np.any([(wavelength > low) & (wavelength < high) for low, high in _WITHOUT_RETRIEVAL], axis=0)
        said = "no good_wavelengths in the file, so 1325-1435 and 1770-1962 nm"
    n_bad = int((~good).sum())
    return good, [f"{n_bad} bands hold no retrieval and become invalid ({said})"] if n_bad else []


def _lookup_of(file: h5py.File, shape: tuple[int, ...], path: Path) -> Lookup | None:
    if "location/glt_x" not in file and "location/glt_y" not in file:
        return None
    x, y = (_dataset(file, f"location/{name}", 2, path) for name in ("glt_x", "glt_y"))
    if x.shape != y.shape or 0 in x.shape or prod(x.shape) > _MAP_AT_MOST * shape[0] * shape[1]:
        raise SceneError(
            f"{path} with lookup tables of shape {x.shape} and {y.shape} for {shape[0]} x {shape[1]} pixels",
            "two of the same shape",
            "download it again",
        )
    lookup = Lookup(x.shape, partial(_read_table, path), _wkt(file), _geotransform(file, path))
    step = max(1, _CHECKED_AT_ONCE // x.shape[1])
    for first in range(0, x.shape[0], step):
        rows, columns = _table_in(file, slice(first, first + step), slice(None))
        if rows.max() >= shape[0] or columns.max() >= shape[1]:
            raise SceneError(
                f"{path}, whose lookup table names row {rows.max() + 1} and column {columns.max() + 1} of "
                f"{shape[0]} x {shape[1]} pixels",
                "a table of its own pixels",
                "give the whole granule: the table of a crop counts from the granule's corner",
            )
    return lookup


def _geotransform(file: h5py.File, path: Path) -> Affine:
    numbers = np.ravel(np.asarray(file.attrs.get("geotransform", ()), dtype=np.float64))
    if len(numbers) != 6 or not np.isfinite(numbers).all() or Affine.from_gdal(*numbers).determinant == 0:
        raise SceneError(f"{path} with geotransform = {numbers.tolist()}", "six numbers that place its map")
    return Affine.from_gdal(*map(float, numbers))


def _wkt(file: h5py.File) -> str | None:
    text = _text(file.attrs.get("spatial_ref"))
    try:
        return text if text and CRS.from_wkt(text) else None
    except CRSError:
        return None


def _read_table(path: Path, rows: slice, columns: slice) -> Table:
    with _opened(path) as file:
        return _table_in(file, rows, columns)


def _table_in(file: h5py.File, rows: slice, columns: slice) -> Table:
    """Return rows and columns of the sensor, from 0, in a part of the map."""
    x, y = (np.nan_to_num(file[f"location/{name}"][rows, columns]).astype(np.int64) for name in ("glt_x", "glt_y"))
    there = (x >= 1) & (y >= 1)
    return np.where(there, y - 1, NONE).astype(np.int32), np.where(there, x - 1, NONE).astype(np.int32)


def _read_rows(path: Path, variable: str, first: int, last: int) -> NDArray:
    return _read(path, variable, slice(first, last), slice(None))


def _read_part(path: Path, variable: str, window: Window) -> NDArray:
    return _read(path, variable, *window.slices)


def _read(path: Path, variable: str, rows: slice, columns: slice) -> NDArray:
    with _opened(path) as file:
        values = file[variable][rows, columns]
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def _flags_of(path: Path, values_shape: tuple[int, int]) -> tuple[tuple[int, ...], list[str]]:
    """Return which layers of a mask make a pixel unusable, and their names."""
    with _opened(path) as file:
        mask = _dataset(file, "mask", 3, path)
        named = file["sensor_band_parameters/mask_bands"]
        if mask.shape != (*values_shape, *named.shape):
            raise SceneError(
                f"{path} of shape {mask.shape} with names of shape {named.shape}",
                f"the mask of the scene beside it, {values_shape[0]} x {values_shape[1]} pixels",
                "get the mask of this granule, or move it away",
            )
        names = [_text(name) for name in named[:]]
    flags = [k for k, name in enumerate(names) if name.lower().endswith("flag")]
    used = [k for k in flags if not names[k].lower().startswith(_KEPT_FLAGS)]
    return tuple(used), [names[k] for k in used]


def _flagged(path: Path, flags: tuple[int, ...], window: Window) -> NDArray[np.bool_]:
    with _opened(path) as file:
        return (file["mask"][window.slices][:, :, list(flags)] > 0.5).any(axis=2, keepdims=True)


def _unusable(
    good: NDArray[np.bool_], flagged: Callable[[Window], NDArray[np.bool_]] | None, window: Window
) -> NDArray[np.bool_]:
    """Return which values are no retrieval, or lie in a pixel that is flagged."""
    without = np.broadcast_to(~good, (*window.shape, len(good)))
    return without if flagged is None else without | flagged(window)


def _time(text: str) -> str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return ""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: Any) -> str:
    """Return the text of an attribute: bytes, text, or an array of one."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else ""
