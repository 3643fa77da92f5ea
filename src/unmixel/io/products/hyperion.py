"""EO-1 Hyperion: at-sensor radiance of 242 bands as the USGS distributes it, or a stack of these bands made from it.

The archive's L1Gst and L1T are folders of one GeoTIFF for each band, int16::

    EO1H0370332004123110KZ_B001_L1T.TIF     # EO1H, path, row, year, day of the year, ...

Bands 1 to 70 are radiance [W m-2 sr-1 um-1] times 40, bands 71 to 242 times 80. Programs that correct for the
atmosphere write stacks, as ENVI or GeoTIFF; one is recognised by its 242 bands and a name that begins with ``EO1H``, or
``sensor type = Hyperion`` in its header. What its values are (radiance or reflectance, and its scale) only its own
header can say.

Bands 1 to 7, 58 to 76 and 225 to 242 are not calibrated; bands 56 and 57 of the VNIR and 77 and 78 of the SWIR
detector overlap, and are kept. Where a file has no wavelengths, they are the nominal ones: evenly from 355.59 to
1057.68 nm and from 851.92 to 2577.08 nm, which is true to some 0.1 nm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.envi import read_envi
from unmixel.io.envi_header import find_data, find_header, is_envi_header, read_envi_header
from unmixel.io.raster import describe_raster, opened_raster
from unmixel.io.tiff import read_tiff
from unmixel.io.tiff_sidecars import TIFF
from unmixel.io.windows import Window

NAME = "EO-1 Hyperion"
N_BANDS, N_VNIR = 242, 70
_VNIR_SCALE, _SWIR_SCALE = 40.0, 80.0
_ROWS_TOGETHER = 64
"""Rows that are worth opening the files of all bands for."""
_CALIBRATED = ((8, 57), (77, 224))
_BAND_FILE = re.compile(r"(?P<scene>EO1H\w+)_B(?P<band>\d{3})_(?P<level>L1\w+)\.TIF", re.IGNORECASE)
_SCENE = re.compile(r"EO1H\d{6}(?P<year>\d{4})(?P<day>\d{3})")
_ON_BANDS = (
    "bands 1-7, 58-76 and 225-242 left out: not calibrated; of the detectors' overlap 56, 57, 77 and 78 are kept"
)


def is_mine(path: Path) -> bool:
    """Return whether a folder holds the bands of a scene, a file is one of them, or a stack of all."""
    try:
        if path.is_dir():
            return any(_BAND_FILE.fullmatch(file.name) for file in path.iterdir())
        return _BAND_FILE.fullmatch(path.name) is not None or _stack(path) is not None
    except (OSError, SceneError):
        return False


def whole_of(path: Path) -> Path | None:
    """Return the name of the scene that a file has one band of, in its folder."""
    told = _BAND_FILE.fullmatch(path.name)
    return path.with_name(told["scene"]) if told is not None else None


def read(path: Path) -> RawScene:
    """Describe a scene.

    Raises
    ------
    SceneError
        If a band is missing, or a file is damaged.
    """
    if path.is_dir() or _BAND_FILE.fullmatch(path.name):
        return _read_folder(path)
    found = _stack(path)
    if found is None:
        raise SceneError(f"{path}, no stack of Hyperion's {N_BANDS} bands", "the file as it was")
    data, header = found
    raw = read_tiff(data, header) if _is_tiff(data) else _read_stack(data, header)
    good = _calibrated() if raw.good_band is None else raw.good_band & _calibrated()
    notes = [*raw.notes, _ON_BANDS]
    if raw.wavelength is None:
        raw = replace(raw, wavelength=_nominal(), wavelength_unit="nm")
        notes.append("nominal wavelengths: the file has none")
    if not np.any(np.asarray(raw.gain) != 1):
        notes.append("the file does not say whether its values are radiance or reflectance, or their scale")
    acquired = raw.acquired or _date_of(data.name)
    return replace(raw, good_band=good, product=NAME, acquired=acquired, notes=tuple(notes))


def _stack(path: Path) -> tuple[Path, Path | None] | None:
    """Return data and header of a stack of all bands of Hyperion; None for any other file."""
    own_header = path.suffix.lower() == ".hdr" and is_envi_header(path)
    header = path if own_header else find_header(path)
    data = find_data(read_envi_header(path)) if own_header else path
    described = None if header is None else read_envi_header(header)
    named = data.name.upper().startswith("EO1H")
    if not named and (described is None or described.text("sensor type").lower() != "hyperion"):
        return None
    n_bands = describe_raster(data).shape[2] if described is None else described.shape()[2]
    return (data, header) if n_bands == N_BANDS else None


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in TIFF


def _read_stack(data: Path, header: Path | None) -> RawScene:
    if header is None:
        raise SceneError(f"{data} without its ENVI header", "NAME.hdr beside it")
    return read_envi(data, header)


def _calibrated() -> NDArray[np.bool_]:
    numbers = np.arange(1, N_BANDS + 1)
    return np.any([(numbers >= first) & (numbers <= last) for first, last in _CALIBRATED], axis=0)


def _nominal() -> NDArray[np.float64]:
    """Return the nominal centres of the bands [nm]."""
    return np.concatenate([np.linspace(355.59, 1057.68, N_VNIR), np.linspace(851.92, 2577.08, N_BANDS - N_VNIR)])


def _date_of(name: str) -> str:
    """Return the day in the name of a scene, empty if there is none."""
    told = _SCENE.match(name.upper())
    if told is None or not 1 <= int(told["day"]) <= 366 or int(told["year"]) < 2000:
        return ""
    return (date(int(told["year"]), 1, 1) + timedelta(days=int(told["day"]) - 1)).isoformat()


def _read_folder(path: Path) -> RawScene:
    files, level = _band_files(path)
    grid = describe_raster(files[0])
    rows, columns, _ = grid.shape
    gain = np.repeat([1 / _VNIR_SCALE, 1 / _SWIR_SCALE], [N_VNIR, N_BANDS - N_VNIR])
    return RawScene(
        shape=(rows, columns, N_BANDS),
        dtype=grid.dtype,
        read=partial(_read_rows, files, (rows, columns)),
        read_part=partial(_read_part, files, (rows, columns)),
        block=(max(grid.block[0], min(rows, _ROWS_TOGETHER)), grid.block[1]),
        wavelength=_nominal(),
        wavelength_unit="nm",
        good_band=_calibrated(),
        gain=gain,
        crs_wkt=grid.crs_wkt,
        transform=grid.transform,
        product=f"{NAME} {level} radiance",
        acquired=_date_of(files[0].name),
        companions=tuple(files),
        notes=(
            _ON_BANDS,
            "nominal wavelengths: the product has none",
            "at-sensor radiance [W m-2 sr-1 um-1], no reflectance: take endmembers from the scene, or correct it first",
        ),
    )


def _band_files(path: Path) -> tuple[list[Path], str]:
    """Return the file of each band, and the level that they are of."""
    told = None if path.is_dir() else _BAND_FILE.fullmatch(path.name)
    found: dict[tuple[str, str], dict[int, Path]] = {}
    for file in sorted((path if path.is_dir() else path.parent).iterdir()):
        one = _BAND_FILE.fullmatch(file.name)
        if one is not None and (told is None or (one["scene"], one["level"]) == (told["scene"], told["level"])):
            found.setdefault((one["scene"], one["level"].upper()), {})[int(one["band"])] = file
    if len(found) != 1:
        raise SceneError(f"{path} with {len(found)} scenes of Hyperion", "one", "give a band of one of them")
    (((scene, level), files),) = found.items()
    missing = [band for band in range(1, N_BANDS + 1) if band not in files]
    if missing:
        raise SceneError(f"{scene} without band {missing[0]} ({len(missing)} missing)", f"all {N_BANDS} bands")
    return [files[band] for band in range(1, N_BANDS + 1)], level


def _read_rows(files: Sequence[Path], shape: tuple[int, int], first: int, last: int) -> NDArray:
    return _read_part(files, shape, Window(first, last, 0, shape[1]))


def _read_part(files: Sequence[Path], shape: tuple[int, int], window: Window) -> NDArray:
    bands = []
    for file in files:
        with opened_raster(file, "GTiff") as opened:
            is_alike = opened.shape == shape
            bands.append(opened.read(1, window=RasterWindow(window.left, window.top, *reversed(window.shape))))
        if not is_alike or bands[-1].dtype != bands[0].dtype:
            raise SceneError(f"{file}, of another size or type than {files[0].name}", "bands alike", "is it complete?")
    return np.stack(bands, axis=2)
