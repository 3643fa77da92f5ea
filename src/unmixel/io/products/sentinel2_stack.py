"""Sentinel-2 L2A stacked into one GeoTIFF: its bands have the names ``B02``, ``B8A`` and so on.

Such files are made by many programs, and none says alike what its values are. Known are the bands by their names
(``B2``, ``B02``, ``B02_10m``, ``B2, central wavelength 490 nm``); the centres and widths are, as far as known, those
of Sentinel-2A: Sentinel-2B differs by up to 3 nm, in B12 by 17 nm. Where the bands have a scale and an offset, these
are applied; else what GDAL keeps of the product's metadata::

    reflectance = (v + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE        (items of the bands, and of the file)

Where neither is there, nothing is applied. Whether the -1000 of processing baseline 04.00 and later has been added
before cannot be seen in the values. A band of the name ``SCL`` masks as in the product. 65535 is saturated. No data are
a pixel of 0 in every band, what the file calls so, and any 0 where an offset is applied; elsewhere, programs that took
the offset away leave 0 in single bands of dark water.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.quality_layers import QualityLayer, unusable
from unmixel.io.raster import opened_raster
from unmixel.io.tiff_sidecars import TIFF
from unmixel.io.windows import Window

NAME = "Sentinel-2 L2A reflectance, stacked"
_CENTRE_AND_WIDTH = {
    "B01": (442.7, 21.0),
    "B02": (492.4, 66.0),
    "B03": (559.8, 36.0),
    "B04": (664.6, 31.0),
    "B05": (704.1, 15.0),
    "B06": (740.5, 15.0),
    "B07": (782.8, 20.0),
    "B08": (832.8, 106.0),
    "B8A": (864.7, 21.0),
    "B09": (945.1, 20.0),
    "B11": (1613.7, 91.0),
    "B12": (2202.4, 175.0),
}
_MASKED_CLASSES = (0, 1, 3, 8, 9, 10)
_BAND = re.compile(r"B0?(?P<number>\d|1[0-2]|8A)(?![0-9A-Z]).*", re.IGNORECASE)
_FEWEST = 4
_OF_SENTINEL = re.compile(r"sentinel-?2|S2[ABC]_|MSIL\d", re.IGNORECASE)


def is_mine(path: Path) -> bool:
    """Return whether a GeoTIFF has bands of Sentinel-2 by their names: B8A among them, or the satellite is named."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in TIFF:
                return False
        with opened_raster(path, "GTiff") as file:
            names = list(_bands_of(file))
            told = " ".join([path.name, *file.tags().values()])
    except (OSError, SceneError):
        return False
    return len(names) >= _FEWEST and ("B8A" in names or _OF_SENTINEL.search(told) is not None)


def read(path: Path) -> RawScene:
    """Describe the scene of a stack.

    Raises
    ------
    SceneError
        If it is of another level, or damaged.
    """
    with opened_raster(path, "GTiff") as file:
        bands, tags = _bands_of(file), file.tags()
        told = " ".join([path.name, *tags.values()])
        if "B10" in bands or "MSIL1C" in told.upper():
            raise SceneError(f"{path}, Sentinel-2 L1C", "L2A: surface reflectance (without B10)", "get its L2A")
        numbers = tuple(bands.values())
        calibration, on_values = _calibration(file, tags, numbers)
        known = np.array([_CENTRE_AND_WIDTH[name] for name in bands])
        classes = next((number for number, name in _described(file) if name.upper() == "SCL"), None)
        layers = [] if classes is None else [QualityLayer(path, classes, values=_MASKED_CLASSES)]
        fill = {65535.0, *(float(value) for value in file.nodatavals if value is not None)}
        if np.any(calibration.get("offset", 0.0)):
            fill.add(0.0)
        on_classes = ["masked by the band SCL: no data, saturated, cloud shadow, cloud, thin cirrus"] if layers else []
        return RawScene(
            shape=(file.height, file.width, len(numbers)),
            dtype=np.result_type(*(file.dtypes[number - 1] for number in numbers)),
            read=partial(_read_rows, path, numbers, file.width),
            read_part=partial(_read_part, path, numbers),
            block=file.block_shapes[0],
            wavelength=known[:, 0],
            wavelength_unit="nm",
            fwhm=known[:, 1],
            fill=tuple(sorted(value for value in fill if np.isfinite(value))),
            crs_wkt=file.crs.to_wkt() if file.crs else None,
            transform=None if file.transform.is_identity else file.transform,
            product=NAME,
            acquired=tags.get("PRODUCT_START_TIME", tags.get("DATATAKE_1_DATATAKE_SENSING_START", "")),
            invalid=partial(unusable, layers) if layers else None,
            notes=("wavelengths of Sentinel-2A by the names of the bands", on_values, *on_classes),
            **calibration,
        )


def _described(file: rasterio.DatasetReader) -> list[tuple[int, str]]:
    return [(number, (name or "").strip()) for number, name in zip(file.indexes, file.descriptions, strict=True)]


def _bands_of(file: rasterio.DatasetReader) -> dict[str, int]:
    """Return the numbers of the bands that have a name of Sentinel-2, each name once."""
    bands: dict[str, int] = {}
    for number, described in _described(file):
        told = _BAND.fullmatch(described)
        if told is not None and told["number"] != "0":
            name = told["number"].upper()
            bands.setdefault(f"B{name.zfill(2)}", number)
    return bands


def _calibration(
    file: rasterio.DatasetReader, tags: dict[str, str], numbers: Sequence[int]
) -> tuple[dict[str, Any], str]:
    """Return gain and offset, and what to say of them."""
    gain = np.array([file.scales[number - 1] for number in numbers], dtype=np.float64)
    offset = np.array([file.offsets[number - 1] for number in numbers], dtype=np.float64)
    if (gain != 1).any() or (offset != 0).any():
        return {"gain": gain, "offset": offset}, "scale and offset of the bands"
    quantification = _number(tags.get("BOA_QUANTIFICATION_VALUE", tags.get("QUANTIFICATION_VALUE")))
    if quantification is None or quantification <= 0:
        return {}, "the file does not say its scale (perhaps --scale 10000), nor whether values are 1000 too high"
    baseline = f"baseline {tags.get('PROCESSING_BASELINE', 'not said')}"
    listed = [_number(file.tags(number).get("BOA_ADD_OFFSET", tags.get("BOA_ADD_OFFSET"))) for number in numbers]
    offsets = [value for value in listed if value is not None]
    if len(offsets) < len(listed):
        unsaid = f"no BOA_ADD_OFFSET ({baseline}): values may be 1000 too high, from 04.00 on"
        return {"gain": 1 / quantification}, unsaid
    added = ", ".join(f"{value:g}" for value in sorted(set(offsets)))
    calibration = {"gain": 1 / quantification, "offset": np.array(offsets) / quantification}
    return calibration, f"{added} added to the values before scaling ({baseline})"


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _read_rows(path: Path, numbers: Sequence[int], columns: int, first: int, last: int) -> NDArray:
    return _read_part(path, numbers, Window(first, last, 0, columns))


def _read_part(path: Path, numbers: Sequence[int], window: Window) -> NDArray:
    rows, columns = window.shape
    with opened_raster(path, "GTiff") as file:
        values = file.read(list(numbers), window=RasterWindow(window.left, window.top, columns, rows))
    return np.moveaxis(values, 0, 2)
