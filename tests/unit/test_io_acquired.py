"""When a scene was taken comes with it, from its file to the result folder and its STAC item."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from unmixel.io import open_lazily, open_scene, save_scene, write_envi
from unmixel.io.acquisition_time import moment_of, utc_time
from unmixel.methods.fcls import FCLS
from unmixel.result import open_result, provenance_of
from unmixel.scale import unmix_file
from unmixel.scene import make_scene

SAID = "2023-08-01T21:25:31.604+02:00"
ACQUIRED = "2023-08-01T19:25:31Z"


def write_dated(path: Path, time: str = SAID) -> Path:
    """An ENVI scene of 5 x 4 pixels whose header says when it was taken."""
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(3), (5, 4)) @ rng.uniform(0.1, 0.6, (3, 6)) + rng.normal(0, 1e-3, (5, 4, 6))
    write_envi(make_scene(values, wavelength=np.linspace(450, 900, 6)), path)
    with path.with_suffix(".hdr").open("a") as header:
        header.write(f"acquisition time = {time}\n")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T23:59:59.9999999Z", "2024-02-29T23:59:59Z"),
        ("2023-06-01 10:17:05", "2023-06-01T10:17:05Z"),
        ("2023/06/01 10:17:05", "2023-06-01T10:17:05Z"),
        ("2023-06-01T00:17:05+02:00", "2023-05-31T22:17:05Z"),
        (" 2023-06-01 ", "2023-06-01"),
        ("0001-01-01T00:00:00+12:00", ""),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
        ("0999-05-05", "0999-05-05"),
        ("", ""),
        ("NA", ""),
    ],
)
def test_a_time_has_one_form(text: str, expected: str) -> None:
    assert utc_time(text) == expected
    assert utc_time(utc_time(text)) == expected
    assert (moment_of(expected) is None) == (expected == "")


def test_it_comes_with_the_scene_and_through_stores(tmp_path: Path) -> None:
    scene = open_scene(write_dated(tmp_path / "s.img"))
    assert scene.attrs["acquired"] == ACQUIRED
    lazy = open_lazily(tmp_path / "s.img")
    assert lazy.outline.attrs["acquired"] == ACQUIRED
    assert lazy.read(lazy.windows()[0]).attrs["acquired"] == ACQUIRED
    assert f"acquired {ACQUIRED}" in scene.attrs["reading"]
    save_scene(scene, tmp_path / "s.nc")
    save_scene(scene, tmp_path / "s.zarr")
    write_envi(scene, tmp_path / "again.img")
    for name in ("s.nc", "s.zarr", "again.img"):
        back = open_scene(tmp_path / name)
        assert back.attrs["acquired"] == ACQUIRED, name
        assert back.attrs["reading"].count(f"acquired {ACQUIRED}") == 1, name


def test_geotiff_says_it_in_the_imagery_domain(tmp_path: Path) -> None:
    profile = {"width": 4, "height": 5, "count": 2, "dtype": "float32", "crs": CRS.from_epsg(32632)}
    with rasterio.open(tmp_path / "s.tif", "w", "GTiff", transform=Affine(2, 0, 1, 0, -2, 9), **profile) as file:
        file.write(np.random.default_rng(0).random((2, 5, 4)).astype(np.float32))
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2023-08-01 19:25:31")
    assert open_scene(tmp_path / "s.tif").attrs["acquired"] == ACQUIRED


def test_it_is_in_the_result_and_its_item(tmp_path: Path) -> None:
    unmix_file(FCLS(n_endmembers=3), write_dated(tmp_path / "s.img"), tmp_path / "out")
    properties = json.loads((tmp_path / "out/item.json").read_text())["properties"]
    assert properties["datetime"] == ACQUIRED
    assert properties["unmixel:datetime"] == "when the scene was acquired"
    assert provenance_of(open_result(tmp_path / "out"))["acquired"] == ACQUIRED


def test_a_text_that_is_no_time_is_not_taken_for_one(tmp_path: Path) -> None:
    scene = open_scene(write_dated(tmp_path / "s.img", "sometime in June"))
    assert "acquired" not in scene.attrs
    unmix_file(FCLS(n_endmembers=3), tmp_path / "s.img", tmp_path / "out")
    item = json.loads((tmp_path / "out/item.json").read_text())
    assert "not known" in item["properties"]["unmixel:datetime"]
