"""A small DESIS L2A product in the layout of its folder: image, metadata and quality layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from dlr_products import COLUMNS, ROWS, stored_values, write_image

NAME = "DESIS-HSI-L2A-DT0485529167_001-20220712T223540-V0220"
WAVELENGTH = [401.25, 550.125, 700.0, 850.5, 998.75]
GAIN = [1e-4, 2e-4, 1e-4, 1e-4, 5e-5]
OFFSET = [0.0, 0.0, 0.01, 0.0, 0.0]


def metadata() -> str:
    bands = "".join(
        f"<band><bandNumber>{k + 1}</bandNumber><wavelengthCenterOfBand>{WAVELENGTH[k]}</wavelengthCenterOfBand>"
        f"<wavelengthWidthOfBand>{3 + k / 8}</wavelengthWidthOfBand><response>0.1,0.9,0.1</response>"
        f"<gainOfBand>{GAIN[k]}</gainOfBand><offsetOfBand>{OFFSET[k]}</offsetOfBand></band>"
        for k in (3, 0, 1, 4, 2)
    )
    return (
        '<?xml version="1.0"?><product xmlns:d="http://example.org/d"><base><temporalCoverage>'
        "<startTime>2022-07-12T22:35:40.250Z</startTime></temporalCoverage></base><d:specific>"
        f"<bandCharacterisation>{bands}</bandCharacterisation><interiorOrientation><band/></interiorOrientation>"
        "</d:specific></product>"
    )


def make_product(folder: Path) -> np.ndarray:
    """Write a product of 6 x 9 pixels and 5 bands, and return its stored values."""
    values = stored_values(5)
    values[0, 1] = -32768
    write_image(folder / f"{NAME}-SPECTRAL_IMAGE.tif", values, interleave="pixel", compress="deflate")
    layers = np.zeros((ROWS, COLUMNS, 10), dtype=np.uint8)
    for band in range(8):
        layers[3, band, band] = 1
    layers[:, :, 8:] = 1  # aerosol and water vapour are no masks
    write_image(folder / f"{NAME}-QL_QUALITY-2.tif", layers)
    write_image(folder / f"{NAME}-QL_QUALITY.tif", np.ones((ROWS, COLUMNS, 5), dtype=np.uint8))
    (folder / f"{NAME}-METADATA.xml").write_text(metadata())
    return values
