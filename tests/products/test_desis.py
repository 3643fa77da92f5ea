"""DESIS L2A: the values, places, bands and masks that the product's files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dlr_products import COLUMNS, PLACE, ROWS, UTM, stored_values, write_image
from rasterio.crs import CRS

from unmixel.errors import SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.io.opening import read_raw
from unmixel.io.windows import Window
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels
from unmixel.testing.reader_contract import check_reader

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


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A folder with a product."""
    make_product(tmp_path)
    return tmp_path


@pytest.mark.parametrize("given", ["", f"{NAME}-SPECTRAL_IMAGE.tif", f"{NAME}-METADATA.xml"])
def test_it_is_read_from_its_image_its_metadata_or_its_folder(tmp_path: Path, given: str) -> None:
    values = make_product(tmp_path)
    scene = open_scene(tmp_path / given)
    expected = (values * np.array(GAIN) + np.array(OFFSET)).astype(np.float32)
    masked = np.zeros((ROWS, COLUMNS), dtype=bool)
    masked[0, 1] = masked[3, 0] = masked[3, 5] = masked[3, 6] = True
    expected[masked] = np.nan
    np.testing.assert_array_equal(scene.values, expected)
    np.testing.assert_array_equal(valid_pixels(scene), ~masked)
    assert scene.values[0, 0, 0] == np.float32(0.9)
    assert transform_of(scene) == PLACE
    assert CRS.from_wkt(crs_wkt_of(scene)) == UTM
    assert scene.wavelength.values.tolist() == WAVELENGTH
    assert scene.fwhm.values.tolist() == [3 + k / 8 for k in range(5)]
    assert scene.attrs["acquired"] == "2022-07-12T22:35:40Z"
    assert scene.attrs["product"] == "DESIS L2A reflectance"
    assert "masked by QL_QUALITY-2: shadows and clouds" in scene.attrs["reading"]


def test_windows_are_those_of_the_whole(product: Path) -> None:
    check_reader(read_raw(product))
    window = Window(2, 5, 0, 4)
    np.testing.assert_array_equal(open_lazily(product).read(window).values, open_scene(product).values[window.slices])


def test_without_its_quality_layer_it_is_said(product: Path) -> None:
    (product / f"{NAME}-QL_QUALITY-2.tif").unlink()
    scene = open_scene(product)
    assert int(valid_pixels(scene).sum()) == ROWS * COLUMNS - 1
    assert "no QL_QUALITY-2 beside the image: nothing masked" in scene.attrs["reading"]


def test_another_level_and_damage_are_errors(product: Path) -> None:
    path = product / f"{NAME}-METADATA.xml"
    path.write_text(metadata().replace("<bandNumber>3</bandNumber>", ""))
    with pytest.raises(SceneError, match="bandNumber = nothing"):
        open_scene(product)
    path.write_text(
        metadata()
        .replace("<band><bandNumber>3<", "<other><bandNumber>3<")
        .replace("</band></bandCharacterisation>", "</other></bandCharacterisation>")
    )
    with pytest.raises(SceneError, match="describes 4 bands; expected the 5 of"):
        open_scene(product)
    for file in list(product.iterdir()):
        file.rename(product / file.name.replace("L2A", "L1C"))
    with pytest.raises(SceneError, match="DESIS L1C"):
        open_scene(product)
