"""Sentinel-2 L2A: surface reflectance in 12 bands, as the folder ``....SAFE`` with ``MTD_MSIL2A.xml``.

Each band is a JPEG 2000 file for a tile of 109.8 km, at 10, 20 or 60 m::

    GRANULE/L2A_.../IMG_DATA/R20m/T32TPS_20240830T100559_B04_20m.jp2

The scene is on the grid of 20 m. A band that is there at 20 m is read so; of B08, which is there at 10 m only, a pixel
is the mean of its four (rounded, and without data or saturated where one of them is), of B09 (and in older products
B01), which are there at 60 m, it is the pixel that it lies in.

By the product's metadata, the reflectance of a value v is ``(v + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE``; there
is no offset before processing baseline 04.00 (25 January 2022), and it is -1000 since. 0 is no data, 65535 saturated.
The first products (format 13, until 2018) call the divisor ``L2A_BOA_QUANTIFICATION_VALUE``.
Of the scene classification (SCL), no data (0), saturated or defective (1), cloud shadow (3), cloud of medium (8) and
high probability (9) and thin cirrus (10) are masked; dark areas, unclassified pixels and snow are kept.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.quality_layers import QualityLayer, check_layers, unusable
from unmixel.io.raster import Raster, describe_raster, read_band
from unmixel.io.windows import Window
from unmixel.io.xml_metadata import number_at, read_xml, text_at

NAME = "Sentinel-2 L2A reflectance"
PIXEL = 20
"""Size of a pixel of the scene [m]."""
_JPEG2000 = "JP2OpenJPEG"
_METADATA, _LEVEL_1 = "MTD_MSIL2A.xml", "MTD_MSIL1C.xml"
_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
_NO_DATA, _SATURATED = 0, 65535
_DIVISOR, _OLD_DIVISOR = "BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"
_MASKED_CLASSES = (0, 1, 3, 8, 9, 10)
_FILE = re.compile(r".+_(?P<band>B\d[\dA]|SCL)_(?P<size>10|20|60)m\.jp2")


class BandFile(NamedTuple):
    """A band: its file, and the size of its pixels [m]."""

    path: Path
    size: int


def is_mine(path: Path) -> bool:
    """Return whether a folder is a product of Sentinel-2, or a file its metadata."""
    try:
        if path.is_dir():
            return any((path / name).is_file() for name in (_METADATA, _LEVEL_1))
    except OSError:
        return False
    return path.name in (_METADATA, _LEVEL_1)


def whole_of(path: Path) -> Path | None:
    """Return the folder of the product that a file is in."""
    return next((folder for folder in path.parents if (folder / _METADATA).is_file()), None)


def read(path: Path) -> RawScene:
    """Describe the scene of a product.

    Raises
    ------
    SceneError
        If it is of another level, or incomplete or damaged.
    """
    folder = path if path.is_dir() else path.parent
    metadata = folder / _METADATA
    if not metadata.is_file():
        raise SceneError(f"{folder}, Sentinel-2 L1C", "L2A: surface reflectance", "get its L2A, or run sen2cor on it")
    root = read_xml(metadata)
    files = _band_files(folder)
    grid = _grid(files)
    rows, columns, _ = grid.shape
    bands = [files[name] for name in _BANDS]
    identifiers = _identifiers(root, metadata)
    spectral = {name: _spectral(root, identifiers[name], metadata) for name in _BANDS}
    divisor = _OLD_DIVISOR if root.find(f".//{_OLD_DIVISOR}") is not None else _DIVISOR
    quantification = number_at(root, f".//{divisor}", metadata)
    if quantification <= 0:
        raise SceneError(f"{metadata} with {divisor} = {quantification:g}", "a positive number")
    offset, on_offset = _offsets(root, identifiers, metadata)
    layers = [QualityLayer(files["SCL"].path, values=_MASKED_CLASSES, driver=_JPEG2000)] if "SCL" in files else []
    check_layers(layers, (rows, columns))
    return RawScene(
        shape=(rows, columns, len(_BANDS)),
        dtype=grid.dtype,
        read=partial(_read_rows, bands, columns),
        read_part=partial(_read_part, bands),
        block=grid.block,
        wavelength=np.array([spectral[name][0] for name in _BANDS]),
        wavelength_unit="nm",
        fwhm=np.array([spectral[name][1] for name in _BANDS]),
        gain=1 / quantification,
        offset=offset / quantification,
        fill=(float(_NO_DATA), float(_SATURATED)),
        crs_wkt=grid.crs_wkt,
        transform=grid.transform,
        product=NAME,
        acquired=text_at(root, ".//PRODUCT_START_TIME"),
        companions=(metadata, *(band.path for band in bands), *(layer.path for layer in layers)),
        invalid=partial(unusable, layers) if layers else None,
        notes=(_on_sizes(files), on_offset, _on_classes(bool(layers))),
    )


def _band_files(folder: Path) -> dict[str, BandFile]:
    """Return the file of each band, and of SCL: that with pixels of 20 m if there is one."""
    granules = [granule for granule in sorted(folder.glob("GRANULE/*")) if (granule / "IMG_DATA").is_dir()]
    if len(granules) != 1:
        raise SceneError(f"{folder} with {len(granules)} granules that have IMG_DATA", "one", "is it complete?")
    files: dict[str, BandFile] = {}
    for size in (60, 10, PIXEL):
        for path in sorted(granules[0].glob(f"IMG_DATA/R{size}m/*.jp2")):
            told = _FILE.fullmatch(path.name)
            if told is not None and int(told["size"]) == size and (told["band"] != "SCL" or size == PIXEL):
                files[told["band"]] = BandFile(path, size)
    missing = [name for name in _BANDS if name not in files]
    if missing:
        raise SceneError(
            f"{granules[0]} without {', '.join(missing)}", f"the bands {', '.join(_BANDS)}", "get it whole"
        )
    return files


def _grid(files: Mapping[str, BandFile]) -> Raster:
    """Return the grid of the scene, after checking that every band covers it with its pixels."""
    described = {name: describe_raster(files[name].path, _JPEG2000) for name in _BANDS}
    reference = next((name for name in _BANDS if files[name].size == PIXEL), None)
    if reference is None:
        raise SceneError(f"{files[_BANDS[0]].path.parent} without bands of {PIXEL} m", "the whole product")
    grid = described[reference]
    for name, raster in described.items():
        size = files[name].size
        covers = all(n * size == here * PIXEL for n, here in zip(raster.shape[:2], grid.shape[:2], strict=True))
        if not covers or raster.shape[2] != 1 or raster.dtype != np.uint16:
            raise SceneError(
                "{} of {} x {} pixels and {} bands of {}".format(files[name].path, *raster.shape, raster.dtype),
                f"one band of uint16 that covers {grid.shape[0]} x {grid.shape[1]} pixels of {PIXEL} m",
                "is it of this product, and complete?",
            )
    return grid


def _identifiers(root: Element, metadata: Path) -> dict[str, str]:
    """Return the number that the metadata have for each band."""
    found = {
        _two_digits(entry.get("physicalBand", "")): entry.get("bandId", "")
        for entry in root.iter("Spectral_Information")
    }
    missing = [name for name in _BANDS if not found.get(name)]
    if missing:
        raise SceneError(f"{metadata} without Spectral_Information on {', '.join(missing)}", "all bands")
    return found


def _two_digits(name: str) -> str:
    return f"B0{name[1:]}" if re.fullmatch(r"B\d", name) else name


def _spectral(root: Element, identifier: str, metadata: Path) -> tuple[float, float]:
    """Return the centre of a band, and its width at half its highest response [nm]; NaN where there is no response."""
    (entry, *_) = (one for one in root.iter("Spectral_Information") if one.get("bandId") == identifier)
    centre = number_at(entry, "Wavelength/CENTRAL", metadata)
    try:
        step = float(text_at(entry, "Spectral_Response/STEP"))
        response = np.array([float(value) for value in text_at(entry, "Spectral_Response/VALUES").split()])
    except ValueError:
        return centre, np.nan
    if not len(response) or not np.isfinite([step, *response]).all() or response.max() <= 0:
        return centre, np.nan
    return centre, step * float(np.count_nonzero(response >= response.max() / 2))


def _offsets(root: Element, identifiers: Mapping[str, str], metadata: Path) -> tuple[NDArray[np.float64], str]:
    """Return what is added to the values of each band, and what to say of it."""
    baseline = text_at(root, ".//PROCESSING_BASELINE")
    listed = {entry.get("band_id"): entry for entry in root.iter("BOA_ADD_OFFSET")}
    if listed:
        missing = [name for name in _BANDS if identifiers[name] not in listed]
        if missing:
            raise SceneError(f"{metadata} without BOA_ADD_OFFSET of {', '.join(missing)}", "one for each band")
        offset = np.array([number_at(listed[identifiers[name]], ".", metadata) for name in _BANDS])
        added = ", ".join(f"{value:g}" for value in np.unique(offset))
        return offset, f"{added} added to the values before scaling: processing baseline {baseline or 'not said'}"
    if re.fullmatch(r"\d\d\.\d\d", baseline) is None or baseline >= "04.00":
        raise SceneError(
            f"{metadata} of processing baseline {baseline or 'unknown'} without BOA_ADD_OFFSET",
            "what to add to the values: -1000 since baseline 04.00",
            "get the product again",
        )
    return np.zeros(len(_BANDS)), f"nothing added to the values: processing baseline {baseline} is before 04.00"


def _on_sizes(files: Mapping[str, BandFile]) -> str:
    finer, coarser = (
        [f"{name} from {files[name].size} m" for name in _BANDS if is_other(files[name].size, PIXEL)]
        for is_other in (operator.lt, operator.gt)
    )
    ways = [f"{way} of {', '.join(names)}" for way, names in (("mean", finer), ("nearest pixel", coarser)) if names]
    return "; ".join([f"pixels of {PIXEL} m", *ways])


def _on_classes(known: bool) -> str:
    if not known:
        return f"no scene classification (SCL) of {PIXEL} m: clouds and shadows not masked"
    return "masked by the scene classification: no data, saturated, cloud shadow, cloud (medium, high), thin cirrus"


def _read_rows(bands: Sequence[BandFile], columns: int, first: int, last: int) -> NDArray:
    return _read_part(bands, Window(first, last, 0, columns))


def _read_part(bands: Sequence[BandFile], window: Window) -> NDArray:
    """Return a window of all bands."""
    values = np.empty((*window.shape, len(bands)), dtype=np.uint16)
    for k, band in enumerate(bands):
        values[:, :, k] = (_mean_of_finer if band.size < PIXEL else _nearest)(band, window)
    return values


def _mean_of_finer(band: BandFile, window: Window) -> NDArray[np.uint16]:
    """Return the rounded mean of the pixels in each of the scene's; no data or saturated if one of them is."""
    n = PIXEL // band.size
    part = Window(n * window.top, n * window.bottom, n * window.left, n * window.right)
    rows, columns = window.shape
    parts = read_band(band.path, _JPEG2000, 1, part).reshape(rows, n, columns, n)
    mean = np.rint(parts.mean(axis=(1, 3))).astype(np.uint16)
    for mark in (_SATURATED, _NO_DATA):
        mean[(parts == mark).any(axis=(1, 3))] = mark
    return mean


def _nearest(band: BandFile, window: Window) -> NDArray[np.uint16]:
    """Return the pixels in which the centres of the scene's lie."""
    rows, columns = (
        np.floor((np.arange(first, last) + 0.5) * PIXEL / band.size).astype(np.intp)
        for first, last in ((window.top, window.bottom), (window.left, window.right))
    )
    part = Window(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    return read_band(band.path, _JPEG2000, 1, part)[np.ix_(rows - rows[0], columns - columns[0])]
