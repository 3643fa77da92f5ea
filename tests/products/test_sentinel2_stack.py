"""Sentinel-2 in one GeoTIFF: bands by their names, and no guess at what the file does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from dlr_products import COLUMNS, PLACE, ROWS
from sentinel2_scene import write_stack

from unmixel.errors import SceneError
from unmixel.io import open_scene
from unmixel.io.products import sentinel2_stack
from unmixel.scene import transform_of, valid_pixels

WAVELENGTH = [492.4, 559.8, 832.8, 864.7, 2202.4]
BY_WAVELENGTH = [1, 4, 5, 3, 0]  # where these bands are in the file


def test_bands_are_known_by_their_names(tmp_path: Path) -> None:
    tags = {
        "BOA_QUANTIFICATION_VALUE": "10000",
        "PROCESSING_BASELINE": "05.11",
        "PRODUCT_START_TIME": "2024-08-30T10:05:59.024Z",
    }
    values = write_stack(tmp_path / "s.tif", tags=tags, offset=-1000)
    scene = open_scene(tmp_path / "s.tif")
    expected = (values[:, :, BY_WAVELENGTH] * 1e-4 - 0.1).astype(np.float32)
    masked = np.zeros((ROWS, COLUMNS), dtype=bool)
    masked[1, 2] = masked[1, 3] = masked[2, 0] = masked[2, 1] = True
    expected[masked] = np.nan
    np.testing.assert_allclose(scene.values, expected, rtol=1e-6)
    np.testing.assert_array_equal(valid_pixels(scene), ~masked)
    assert scene.wavelength.values.tolist() == WAVELENGTH
    assert scene.fwhm.values.tolist() == [66, 36, 106, 21, 175]
    assert transform_of(scene) == PLACE
    assert scene.attrs["acquired"] == "2024-08-30T10:05:59Z"
    assert "-1000 added to the values before scaling (baseline 05.11)" in scene.attrs["reading"]


def test_what_the_file_does_not_say_is_not_guessed(tmp_path: Path) -> None:
    values = write_stack(tmp_path / "s.tif")
    scene = open_scene(tmp_path / "s.tif")
    assert scene.values[0, 1, 0] == values[0, 1, 1]
    assert any("does not say its scale" in line for line in scene.attrs["reading"])
    assert open_scene(tmp_path / "s.tif", scale=10_000).values[0, 0, 0] == 2


def test_dark_water_stays_where_the_offset_was_taken_away(tmp_path: Path) -> None:
    """The look-alike has a 0 in one band of pixel (1, 2); one in all bands is no data."""
    values = write_stack(tmp_path / "s.tif", tags={"BOA_QUANTIFICATION_VALUE": "10000"})
    assert open_scene(tmp_path / "s.tif").values[1, 2, BY_WAVELENGTH.index(0)] == values[1, 2, 0] == 0
    with rasterio.open(tmp_path / "s.tif", "r+") as file:
        values[1, 2] = 0
        file.write(np.moveaxis(values, 2, 0))
    assert np.isnan(open_scene(tmp_path / "s.tif").values[1, 2]).all()


def test_an_offset_that_is_not_there_is_said(tmp_path: Path) -> None:
    write_stack(tmp_path / "s.tif", tags={"BOA_QUANTIFICATION_VALUE": "10000", "PROCESSING_BASELINE": "05.11"})
    scene = open_scene(tmp_path / "s.tif")
    assert scene.values[0, 0, 0] == 2
    assert any("no BOA_ADD_OFFSET (baseline 05.11)" in line for line in scene.attrs["reading"])


def test_a_scale_of_the_bands_counts(tmp_path: Path) -> None:
    write_stack(tmp_path / "s.tif", tags={"BOA_QUANTIFICATION_VALUE": "5"})
    with rasterio.open(tmp_path / "s.tif", "r+") as file:
        file.scales, file.offsets = [1e-4] * 6, [-0.1] * 6
    scene = open_scene(tmp_path / "s.tif")
    assert scene.values[0, 0, 0] == pytest.approx(1.9)
    assert "scale and offset of the bands" in scene.attrs["reading"]


@pytest.mark.parametrize(
    ("name", "names", "tags", "mine"),
    [
        ("s.tif", ["B02", "B03", "B04", "B08"], {}, False),  # it may be of another satellite
        ("S2B_32TPS.tif", ["B02", "B03", "B04", "B08"], {}, True),
        ("s.tif", ["B02", "B03", "B04", "B08"], {"SPACECRAFT": "Sentinel-2A"}, True),
        ("S2B_32TPS.tif", ["B02", "B03", "B8A"], {}, False),
        ("s.tif", ["SR_B2", "SR_B3", "SR_B4", "B8A"], {}, False),
        ("s.tif", ["B02", "B03", "B11", "B8A"], {}, True),
    ],
)
def test_only_stacks_of_sentinel_2_are_taken_for_them(
    tmp_path: Path, name: str, names: list[str], tags: dict[str, str], mine: bool
) -> None:
    write_stack(tmp_path / name, names, tags=tags)
    assert sentinel2_stack.is_mine(tmp_path / name) is mine


def test_level_1_is_refused(tmp_path: Path) -> None:
    write_stack(tmp_path / "s.tif", ["B02", "B03", "B04", "B8A", "B10"])
    with pytest.raises(SceneError, match="L1C; expected L2A"):
        open_scene(tmp_path / "s.tif")
