"""DESIS L2A: the values, places, bands and masks that the product's files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desis_scene import GAIN, NAME, OFFSET, WAVELENGTH, make_product, metadata
from dlr_products import COLUMNS, PLACE, ROWS, UTM
from rasterio.crs import CRS

from unmixel.errors import SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.scale.identity import scene_identity
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels


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


def test_the_header_beside_the_image_stands_for_the_product(tmp_path: Path) -> None:
    """DLR puts an ENVI header beside the GeoTIFF; what it says of bands is not used, the metadata say it."""
    make_product(tmp_path)
    alone = open_scene(tmp_path)
    header = tmp_path / f"{NAME}-SPECTRAL_IMAGE.hdr"
    header.write_text(
        "ENVI\nsamples = 9\nlines = 6\nbands = 5\ndata type = 2\ninterleave = bip\nwavelength = {1, 2, 3, 4, 5}\n"
    )
    assert open_scene(header).identical(alone)
    assert open_scene(tmp_path).identical(alone)
    lazy = open_lazily(header)
    assert scene_identity(lazy.path, lazy.variable, lazy.companions)["bytes"] > header.stat().st_size
