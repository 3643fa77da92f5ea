"""The spectral image of a product as DLR distributes it: int16, scaled band by band by its metadata.

It is a GeoTIFF, or raw numbers with an ENVI header, of which shape, type and map are taken. What the header may say of
bands is not used: the metadata say it for every format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from unmixel.errors import SceneError
from unmixel.io.dlr_files import IMAGE, METADATA, is_jpeg2000, is_raw_image
from unmixel.io.envi import read_envi
from unmixel.io.envi_header import find_header
from unmixel.io.quality_layers import QualityLayer, check_layers, unusable
from unmixel.io.raster import describe_raster, read_raster, read_raster_rows
from unmixel.io.xml_metadata import numbers_of, text_at

FILL = -32768.0


class BandNames(NamedTuple):
    """How the metadata call what they say of a band."""

    centre: str
    fwhm: str
    gain: str
    offset: str


def describe_image(path: Path) -> dict[str, Any]:
    """Return what the image itself says of a scene, under the names of RawScene; no pixel is read.

    Raises
    ------
    SceneError
        If it cannot be read, or has no header where it needs one.
    """
    if not is_raw_image(path):
        raster = describe_raster(path)
        return {
            "shape": raster.shape,
            "dtype": raster.dtype,
            "read": partial(read_raster_rows, path, "GTiff", raster.shape[1]),
            "read_part": partial(read_raster, path, "GTiff"),
            "block": raster.block,
            "crs_wkt": raster.crs_wkt,
            "transform": raster.transform,
        }
    header = find_header(path)
    if header is None:
        raise SceneError(f"{path} without its ENVI header", f"{path.stem}.HDR beside it", "unpack all files")
    raw = read_envi(path, header)
    return {name: getattr(raw, name) for name in ("shape", "dtype", "read", "read_part", "crs_wkt", "transform")}


def described_image(
    files: Mapping[str, Path],
    image: Mapping[str, Any],
    root: Element,
    bands: Sequence[Element],
    names: BandNames,
    layers: Sequence[QualityLayer],
) -> dict[str, Any]:
    """Return what image, metadata and quality layers say of a scene, under the names of RawScene.

    Raises
    ------
    SceneError
        If a band lacks a number, or a quality layer is of another size.
    """
    metadata = files[METADATA]
    check_layers(layers, image["shape"][:2])
    return {
        **image,
        "wavelength": numbers_of(bands, names.centre, metadata),
        "wavelength_unit": "nm",
        "fwhm": numbers_of(bands, names.fwhm, metadata),
        "gain": numbers_of(bands, names.gain, metadata),
        "offset": numbers_of(bands, names.offset, metadata),
        "fill": (FILL,),
        "acquired": text_at(root, "base/temporalCoverage/startTime"),
        "companions": (metadata, files[IMAGE], *(layer.path for layer in layers), *_header_beside(files[IMAGE])),
        "invalid": partial(unusable, layers) if layers else None,
    }


def driver_of(layer: Path) -> str:
    """Return the format of a quality layer, as GDAL calls it."""
    return "JP2OpenJPEG" if is_jpeg2000(layer) else "GTiff"


def _header_beside(image: Path) -> list[Path]:
    header = find_header(image) if is_raw_image(image) else None
    return [] if header is None else [header]
