"""EnMAP L2A: surface reflectance as GeoTIFF, COG, BSQ, BIL or BIP, with its metadata and quality layers beside it.

A product is a folder of ``NAME-METADATA.XML``, ``NAME-SPECTRAL_IMAGE.TIF`` (int16, all bands by wavelength) and
``NAME-QL_....TIF`` (a byte for each pixel); the files of the EOC Geoservice end in ``_COG.TIF``. Ordered in another
format the image is ``.BSQ``, ``.BIL`` or ``.BIP`` with ``NAME-SPECTRAL_IMAGE.HDR``, or JPEG 2000. The metadata have
wavelength, width, gain and offset of each band (``specific/bandCharacterisation``), and which bands each of the two
detectors has. Values of the quality layers are those of ESA SNAP's reader of EnMAP:

============================ ===============================================================
``QL_QUALITY_CLOUD``         1 cloud
``QL_QUALITY_CLOUDSHADOW``   1 shadow of a cloud
``QL_QUALITY_CIRRUS``        1 thin, 2 medium, 3 thick
``QL_QUALITY_TESTFLAGS``     bit 4 SWIR saturated, bit 5 VNIR saturated
``QL_QUALITY_CLASSES``       1 land, 2 water, 3 background
============================ ===============================================================

Clouds, their shadows, medium and thick cirrus, saturated pixels and the background are masked. Kept are haze, thin
cirrus, snow (a material) and what the processor interpolated over defective detector elements (``QL_PIXELMASK``): to
leave these pixels out would leave out whole columns.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.dlr_files import METADATA, files_of, image_among, metadata_beside, name_beside
from unmixel.io.dlr_image import BandNames, describe_image, described_image, driver_of
from unmixel.io.quality_layers import QualityLayer
from unmixel.io.xml_metadata import begins_with, read_xml, text_at

NAME = "EnMAP L2A reflectance"
_BAND = BandNames("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
_LAYERS: dict[str, tuple[tuple[int, ...], int]] = {  # values and bits that mean unusable
    "QL_QUALITY_CLOUD": ((1,), 0),
    "QL_QUALITY_CLOUDSHADOW": ((1,), 0),
    "QL_QUALITY_CIRRUS": ((2, 3), 0),
    "QL_QUALITY_TESTFLAGS": ((), 1 << 4 | 1 << 5),
    "QL_QUALITY_CLASSES": ((3,), 0),
}
_MASKED = "clouds, their shadows, medium and thick cirrus, saturated pixels and background"


whole_of = name_beside


def is_mine(path: Path) -> bool:
    """Return whether a spectral image, a metadata file or a folder is a product of EnMAP."""
    metadata = metadata_beside(path)
    return metadata is not None and begins_with(metadata, b"<level_X", b"ENMAP")


def read(path: Path) -> RawScene:
    """Describe the scene of a product.

    Raises
    ------
    SceneError
        If it is of another level, or incomplete or damaged.
    """
    files = files_of(path)
    metadata = files[METADATA]
    root = read_xml(metadata)
    if (level := text_at(root, "base/level")) != "L2A":
        raise SceneError(f"{metadata}, EnMAP {level or 'of no level'}", "L2A: surface reflectance", "order it as L2A")
    image = image_among(files)
    described = describe_image(image)
    n_bands = described["shape"][2]
    bands = sorted(root.findall("specific/bandCharacterisation/bandID"), key=_number)
    if [_number(band) for band in bands] != list(range(1, n_bands + 1)):
        raise SceneError(
            f"{metadata} that describes {len(bands)} bands", f"those of {image.name}, 1 to {n_bands}", "is it complete?"
        )
    layers = [
        QualityLayer(files[part], values=values, bits=bits, driver=driver_of(files[part]))
        for part, (values, bits) in _LAYERS.items()
        if part in files
    ]
    said = described_image(files, described, root, bands, _BAND, layers)
    good, notes = _good_bands(root, said["wavelength"])
    return RawScene(product=NAME, good_band=good, notes=(*notes, *_on_layers(set(files))), **said)


def _number(band: Element) -> int:
    number = band.get("number", "")
    return int(number) if number.isdecimal() and len(number) < 6 else 0


def _good_bands(root: Element, wavelength: NDArray[np.float64]) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which bands a detector has measured, and what to say of them."""
    notes = []
    vnir, swir = (_channels(root, detector, len(wavelength)) for detector in ("vnir", "swir"))
    good = vnir | swir if vnir.any() and swir.any() else np.ones(len(wavelength), dtype=bool)
    if not good.all():
        notes.append(f"{int((~good).sum())} bands of no detector left out")
    if vnir.any() and swir.any():
        first, last = wavelength[swir].min(), wavelength[vnir].max()
        both = good & (wavelength >= first) & (wavelength <= last)
        if both.any():
            span = f"{first:.0f} to {last:.0f} nm"
            notes.append(f"VNIR and SWIR detectors overlap at {span}: {int(both.sum())} bands, those of both kept")
    empty = _empty_bands(root, len(wavelength))
    if empty.any():
        notes.append(f"{int(empty.sum())} bands without any measurement left out, by the product's statistics")
    return good & ~empty, notes


def _channels(root: Element, detector: str, n_bands: int) -> NDArray[np.bool_]:
    """Return which bands a detector has; none if the metadata do not say."""
    numbers = text_at(root, f"specific/{detector}ProductQuality/expectedChannelsList").split(",")
    listed = [int(number) for number in map(str.strip, numbers) if number.isdecimal() and len(number) < 6]
    return np.isin(np.arange(1, n_bands + 1), listed)


def _empty_bands(root: Element, n_bands: int) -> NDArray[np.bool_]:
    """Return which bands have the fill value everywhere: their mean is far below zero, and they do not vary."""
    empty = np.zeros(n_bands, dtype=bool)
    for band in root.findall("product/bandStatistics/bandID"):
        try:
            mean, spread = float(text_at(band, "mean")), float(text_at(band, "stdDeviation"))
        except ValueError:
            continue
        if spread == 0 and mean < -1 and 1 <= _number(band) <= n_bands:
            empty[_number(band) - 1] = True
    return empty


def _on_layers(parts: set[str]) -> list[str]:
    missing = [part for part in _LAYERS if part not in parts]
    lines = [f"masked by the quality layers: {_MASKED}"] if len(missing) < len(_LAYERS) else []
    lines.append("kept: haze, thin cirrus, snow, and values interpolated over defective detector elements")
    if missing:
        lines.append(f"quality layers that are not beside the image, so not masked by: {', '.join(missing)}")
    return lines
