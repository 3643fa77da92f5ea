"""DESIS L2A: surface reflectance as GeoTIFF, with its metadata and quality layers beside it.

A product is a folder of ``DESIS-HSI-L2A-...-METADATA.xml``, ``...-SPECTRAL_IMAGE.tif`` (int16, 235 bands at 401 to
1000 nm, or fewer if binned) and quality layers. The metadata have wavelength, width, gain and offset of each band
(``specific/bandCharacterisation/band``). ``QL_QUALITY-2`` has ten bands: cloud or terrain shadow, land, snow, haze over
land and over water, cloud over land and over water, water (1 where it is so), aerosol and water vapour. Shadows and
clouds are masked; haze and snow are kept, and so is what ``QL_QUALITY`` says of single values.

The names are as far as known from programs that read the product; the specification (PAV-DLR-ICD-003) was not at hand.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.dlr_files import METADATA, files_of, image_among, metadata_beside, name_beside
from unmixel.io.dlr_image import BandNames, describe_image, described_image, driver_of
from unmixel.io.quality_layers import QualityLayer
from unmixel.io.xml_metadata import begins_with, number_at, read_xml

NAME = "DESIS L2A reflectance"
_BAND = BandNames("wavelengthCenterOfBand", "wavelengthWidthOfBand", "gainOfBand", "offsetOfBand")
_MASKS = "QL_QUALITY-2"
_SHADOW, _CLOUD_OVER_LAND, _CLOUD_OVER_WATER = 1, 6, 7


whole_of = name_beside


def is_mine(path: Path) -> bool:
    """Return whether a spectral image, a metadata file or a folder is a product of DESIS."""
    metadata = metadata_beside(path)
    return metadata is not None and metadata.name.startswith("DESIS") and begins_with(metadata, b"<")


def read(path: Path) -> RawScene:
    """Describe the scene of a product.

    Raises
    ------
    SceneError
        If it is of another level, or incomplete or damaged.
    """
    files = files_of(path)
    metadata = files[METADATA]
    if (level := re.search(r"L\d[A-Z]", metadata.name)) is None or level[0] != "L2A":
        raise SceneError(
            f"{metadata}, DESIS {level[0] if level else 'of no level'}", "L2A: surface reflectance", "order it as L2A"
        )
    root = read_xml(metadata)
    image = image_among(files)
    described = describe_image(image)
    n_bands = described["shape"][2]
    bands = sorted(root.findall("specific/bandCharacterisation/band"), key=partial(_number, metadata))
    if len({_number(metadata, band) for band in bands}) != n_bands or len(bands) != n_bands:
        raise SceneError(
            f"{metadata} that describes {len(bands)} bands", f"the {n_bands} of {image.name}", "is it complete?"
        )
    layers = [
        QualityLayer(files[_MASKS], band, values=(1,), driver=driver_of(files[_MASKS]))
        for band in (_SHADOW, _CLOUD_OVER_LAND, _CLOUD_OVER_WATER)
        if _MASKS in files
    ]
    masked = f"masked by {_MASKS}: shadows and clouds" if layers else f"no {_MASKS} beside the image: nothing masked"
    return RawScene(
        product=NAME,
        notes=(masked, "kept: haze, snow, water, and single values that QL_QUALITY calls suspicious"),
        **described_image(files, described, root, bands, _BAND, layers),
    )


def _number(metadata: Path, band: Element) -> float:
    return number_at(band, "bandNumber", metadata)
