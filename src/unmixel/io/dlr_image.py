"""The spectral image of a product as DLR distributes it: int16, scaled band by band by its metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from unmixel.io.dlr_files import IMAGE, METADATA
from unmixel.io.quality_layers import QualityLayer, check_layers, unusable
from unmixel.io.raster import Raster, read_raster, read_raster_rows
from unmixel.io.xml_metadata import numbers_of, text_at

FILL = -32768.0


class BandNames(NamedTuple):
    """How the metadata call what they say of a band."""

    centre: str
    fwhm: str
    gain: str
    offset: str


def described_image(
    files: Mapping[str, Path],
    raster: Raster,
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
    metadata, image = files[METADATA], files[IMAGE]
    check_layers(layers, raster.shape[:2])
    return {
        "shape": raster.shape,
        "dtype": raster.dtype,
        "read": partial(read_raster_rows, image, "GTiff", raster.shape[1]),
        "read_part": partial(read_raster, image, "GTiff"),
        "block": raster.block,
        "wavelength": numbers_of(bands, names.centre, metadata),
        "wavelength_unit": "nm",
        "fwhm": numbers_of(bands, names.fwhm, metadata),
        "gain": numbers_of(bands, names.gain, metadata),
        "offset": numbers_of(bands, names.offset, metadata),
        "fill": (FILL,),
        "crs_wkt": raster.crs_wkt,
        "transform": raster.transform,
        "acquired": text_at(root, "base/temporalCoverage/startTime"),
        "companions": (metadata, image, *(layer.path for layer in layers)),
        "invalid": partial(unusable, layers) if layers else None,
    }
