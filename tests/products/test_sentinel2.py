"""Sentinel-2 L2A: bands of three sizes on one grid, the offset of its baseline, and the scene classification."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from dlr_products import COLUMNS, ROWS, UTM
from rasterio.crs import CRS
from sentinel2_scene import CENTRES, IDENTIFIERS, MASKED, NAMES, make_product, metadata, write_band

from unmixel.cli.scenes import scenes_of
from unmixel.errors import ParameterError, SceneError
from unmixel.io import open_scene
from unmixel.io.opening import read_raw
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A product."""
    make_product(tmp_path / "S2B.SAFE")
    return tmp_path / "S2B.SAFE"


@pytest.mark.parametrize("given", ["", "MTD_MSIL2A.xml"])
def test_bands_of_three_sizes_come_on_one_grid(tmp_path: Path, given: str) -> None:
    values = make_product(tmp_path / "S2B.SAFE")
    scene = open_scene(tmp_path / "S2B.SAFE" / given)
    offset = np.array([-1000 - IDENTIFIERS[name] for name in NAMES])
    expected = (values * 1e-4 + offset / 10_000).astype(np.float32)
    invalid = [*MASKED, (5, 0), (5, 1), (5, 2), (5, 3)]
    for place in invalid:
        expected[place] = np.nan
    np.testing.assert_allclose(scene.values, expected, rtol=1e-6)
    assert int((~valid_pixels(scene)).sum()) == len(invalid)
    assert scene.values[0, 0, 1] == pytest.approx((20_001 - 1001) / 10_000)  # the bright corner, up on the left
    assert transform_of(scene) == Affine(20, 0, 600_000, 0, -20, 5_000_040)
    assert CRS.from_wkt(crs_wkt_of(scene)) == UTM
    assert scene.wavelength.values.tolist() == CENTRES
    assert scene.fwhm.values.tolist() == [2.0 + k for k in range(12)]
    assert scene.good_band.all()
    assert scene.attrs["acquired"] == "2024-08-30T10:05:59Z"
    reading = scene.attrs["reading"]
    assert "pixels of 20 m; mean of B08 from 10 m; nearest pixel of B01 from 60 m, B09 from 60 m" in reading
    assert any(line.endswith("before scaling: processing baseline 05.11") for line in reading)


def test_a_pattern_means_a_product_once_and_no_part_of_it(product: Path) -> None:
    assert [job.path for job in scenes_of([product.parent / "**"], None)] == [product]
    assert [job.path for job in scenes_of([product.parent / "**/*.*"], None)] == [product]
    with pytest.raises(ParameterError, match="matches no scene"):
        scenes_of([product / "GRANULE/**/*.jp2"], None)


def test_before_baseline_4_there_is_no_offset(product: Path) -> None:
    (product / "MTD_MSIL2A.xml").write_text(metadata(offset=None, baseline="03.01"))
    scene = open_scene(product)
    assert scene.values[0, 0, 0] == pytest.approx(2.0)
    assert "nothing added to the values: processing baseline 03.01 is before 04.00" in scene.attrs["reading"]


def test_the_first_products_call_the_divisor_otherwise(product: Path) -> None:
    (product / "MTD_MSIL2A.xml").write_text(
        metadata(offset=None, baseline="02.05").replace("BOA_QUANT", "L2A_BOA_QUANT").replace(">10000<", ">5000<")
    )
    raw = read_raw(product)
    assert (raw.gain, np.unique(raw.offset).tolist()) == (1 / 5000, [0])


def test_without_classification_it_is_said(product: Path) -> None:
    next(product.glob("**/*SCL*")).unlink()
    scene = open_scene(product)
    assert int((~valid_pixels(scene)).sum()) == 4
    assert any("no scene classification" in line for line in scene.attrs["reading"])


def write_metadata(product: Path, before: str, after: str) -> None:
    path = product / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace(before, after))


def only_level_1(product: Path) -> None:
    (product / "MTD_MSIL2A.xml").rename(product / "MTD_MSIL1C.xml")


def another_size(product: Path) -> None:
    write_band(next(product.glob("GRANULE/*")), "B11", 20, np.ones((ROWS, COLUMNS - 1), dtype=np.uint16))


def truncate(product: Path) -> None:
    path = next(product.glob("**/*B11*"))
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (only_level_1, "L1C; expected L2A"),
        (lambda product: (product / "MTD_MSIL2A.xml").write_text(metadata(None)), "05.11 without BOA_ADD_OFFSET"),
        (lambda product: write_metadata(product, 'band_id="4"', 'band_id="40"'), "BOA_ADD_OFFSET of B05"),
        (lambda product: write_metadata(product, 'physicalBand="B4"', 'physicalBand="B44"'), "on B04"),
        (lambda product: write_metadata(product, ">10000<", ">0<"), "QUANTIFICATION_VALUE = 0"),
        (lambda product: write_metadata(product, "442.7", "bright"), "CENTRAL = bright"),
        (lambda product: next(product.glob("**/*B11*")).unlink(), "without B11"),
        (lambda product: (product / "GRANULE/second/IMG_DATA").mkdir(parents=True), "2 granules"),
        (another_size, "6 x 8 pixels"),
        (truncate, "is it complete"),
    ],
)
def test_damage_is_an_error_that_says_so(product: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(product)
    with pytest.raises(SceneError, match=said):
        open_scene(product)
