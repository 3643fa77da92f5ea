"""A small EnMAP L2A product in the layout of its folder: image, metadata and quality layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from dlr_products import PLACE, stored_values, write_image, write_layer

NAME = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
WAVELENGTH = [418.42, 902.25, 906.1, 911.57, 920.3, 1390.4, 1401.2, 2445.3]
DETECTOR = ["vnir", "swir", "vnir", "swir", "swir", "swir", "swir", "swir"]
GAIN = [1e-4, 1e-4, 1e-4, 1e-4, 2e-4, 1e-4, 1e-4, 1e-4]
OFFSET = [0.0, 0.0, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0]
EMPTY = 5
MASKS = {
    "CLOUD": {(1, 2): 1},
    "CLOUDSHADOW": {(1, 3): 1},
    "CIRRUS": {(2, 0): 1, (2, 1): 2, (2, 2): 3},
    "HAZE": {(3, 3): 1},
    "SNOW": {(3, 4): 1},
    "TESTFLAGS": {(4, 0): 1 << 4, (4, 1): 1 << 5, (4, 2): 1 << 2, (4, 3): 1},
    "CLASSES": {(5, 8): 3, (5, 7): 2},
}
MASKED = [(1, 2), (1, 3), (2, 1), (2, 2), (4, 0), (4, 1), (5, 8), (0, 1)]


def metadata(level: str = "L2A", wavelength: list[float] = WAVELENGTH) -> str:
    numbers = range(len(wavelength), 0, -1)  # the order of the elements is not that of the bands
    bands = "".join(
        f'<bandID number="{k}"><wavelengthCenterOfBand>{wavelength[k - 1]}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{6 + k / 10}</FWHMOfBand><GainOfBand>{GAIN[k - 1]}</GainOfBand>"
        f"<OffsetOfBand>{OFFSET[k - 1]}</OffsetOfBand></bandID>"
        for k in numbers
    )
    statistics = "".join(
        f'<bandID number="{k}"><mean>{-1000000 if k - 1 == EMPTY else 1200}</mean>'
        f"<stdDeviation>{0 if k - 1 == EMPTY else 77.5}</stdDeviation></bandID>"
        for k in numbers
    )
    channels = {
        name: ",".join(str(k + 1) for k, detector in enumerate(DETECTOR) if detector == name)
        for name in ("vnir", "swir")
    }
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<metadata><name>{NAME}-METADATA.XML</name></metadata><base><level>{level}</level><temporalCoverage>"
        "<startTime>2022-07-24T10:45:26.123456Z</startTime></temporalCoverage></base><specific>"
        f"<vnirProductQuality><expectedChannelsList>{channels['vnir']}</expectedChannelsList></vnirProductQuality>"
        f"<swirProductQuality><expectedChannelsList>{channels['swir']}</expectedChannelsList></swirProductQuality>"
        f"<bandCharacterisation>{bands}</bandCharacterisation></specific>"
        f"<product><bandStatistics>{statistics}</bandStatistics></product></level_X>"
    )


def as_raw_numbers(folder: Path, interleave: str, more: str = "") -> None:
    """Replace the image of a product by raw numbers with an ENVI header, as it is delivered in BSQ, BIL or BIP."""
    values = stored_image()
    order = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    (folder / f"{NAME}-SPECTRAL_IMAGE.TIF").unlink()
    stored = values.transpose(order).astype("<i2").tobytes()
    (folder / f"{NAME}-SPECTRAL_IMAGE.{interleave.upper()}").write_bytes(stored)
    rows, columns, bands = values.shape
    (folder / f"{NAME}-SPECTRAL_IMAGE.HDR").write_text(
        f"ENVI\nsamples = {columns}\nlines = {rows}\nbands = {bands}\nheader offset = 0\nfile type = ENVI Standard\n"
        f"data type = 2\ninterleave = {interleave}\nbyte order = 0\ndata ignore value = -32768\n"
        f"map info = {{UTM, 1.0, 1.0, {PLACE.c}, {PLACE.f}, {PLACE.a}, {-PLACE.e}, 32, North, WGS-84, units=Meters}}\n"
        f"{more}"
    )


def stored_image() -> np.ndarray:
    """Return the stored values (row, column, band)."""
    values = stored_values(len(WAVELENGTH))
    values[:, :, EMPTY] = -32768
    values[0, 1] = -32768
    return values


def make_product(folder: Path, *, cog: str = "") -> np.ndarray:
    """Write a product of 6 x 9 pixels and 8 bands, and return its stored values."""
    values = stored_image()
    write_image(folder / f"{NAME}-SPECTRAL_IMAGE{cog}.TIF", values, nodata=-32768, interleave="pixel")
    for layer, marked in MASKS.items():
        write_layer(folder / f"{NAME}-QL_QUALITY_{layer}{cog}.TIF", marked)
    write_layer(folder / f"{NAME}-QL_PIXELMASK{cog}.TIF", {(0, 5): 1})
    (folder / f"{NAME}-METADATA.XML").write_text(metadata())
    return values
