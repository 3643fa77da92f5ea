"""Regions as files: numbers that read back, places on the Earth, and no formula for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from unmixel.errors import ParameterError
from unmixel.explorer.map_coordinates import map_coordinates
from unmixel.explorer.region_export import region_csv, region_geojson
from unmixel.explorer.region_view import RegionView, corners_in
from unmixel.regions import region_summary
from unmixel.result import make_result
from unmixel.scene import make_scene

UTM = CRS.from_epsg(32632)
TRANSFORM = Affine(5.0, 0.0, 600_000.0, 0.0, -5.0, 5_300_000.0)
SQUARE = [(600_000.0, 5_300_000.0), (600_050.0, 5_300_000.0), (600_050.0, 5_299_950.0), (600_000.0, 5_299_950.0)]


def a_result(transform: Affine | None, crs: CRS | None, names: tuple[str, ...] = ("=1+1", "<b>")) -> xr.Dataset:
    first = np.linspace(0, 1, 12 * 20, dtype=np.float32).reshape(12, 20)
    abundance = np.stack([first, 1 - first], axis=2)
    maps = {"abundance": abundance, "abundance_sd": np.full_like(abundance, 0.02)}
    scene = make_scene(
        np.random.default_rng(0).random((12, 20, 3)), crs_wkt=crs.to_wkt() if crs else None, transform=transform
    )
    return make_result(scene, endmember=names, maps=maps, spectra={}, provenance={})


def test_table_of_a_region():
    result = a_result(TRANSFORM, UTM)
    summary = region_summary(result, SQUARE)
    rows = list(csv.DictReader(io.StringIO(region_csv(summary))))
    assert [row["endmember"] for row in rows] == ["'=1+1", "<b>"]
    inside = result["abundance"].values[:10, :10].reshape(-1, 2)
    for k, row in enumerate(rows):
        assert float(row["mean_abundance"]) == pytest.approx(inside[:, k].mean(), rel=1e-6)
        assert float(row["area_m2"]) == pytest.approx(25 * inside[:, k].sum(), rel=1e-6)
        assert float(row["n_pixels"]) == 100 and float(row["region_area_m2"]) == 2500
        assert 0 <= float(row["area_lower_m2"]) <= float(row["area_m2"]) <= float(row["area_upper_m2"]) <= 2500


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_no_name_is_a_formula(first: str):
    summary = region_summary(a_result(TRANSFORM, UTM, (f"{first}cmd", "b")), SQUARE)
    name = list(csv.reader(io.StringIO(region_csv(summary))))[1][0]
    assert name == f"'{first}cmd"


@pytest.mark.parametrize("reverse", [False, True])
def test_polygon_on_the_earth(reverse: bool):
    corners = SQUARE[::-1] if reverse else SQUARE
    summary = region_summary(a_result(TRANSFORM, UTM), corners)
    (feature,) = json.loads(region_geojson(summary, corners, UTM))["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1] and len(ring) == 5
    longitude, latitude = np.transpose(ring)
    expected = np.transpose(to_crs(UTM, CRS.from_epsg(4326), *np.transpose(corners)))
    found = {(round(x, 9), round(y, 9)) for x, y in ring}
    assert found == {(round(x, 9), round(y, 9)) for x, y in expected}
    assert ((longitude[1:] - longitude[:-1]) * (latitude[1:] + latitude[:-1])).sum() < 0  # against the clock
    assert feature["properties"]["=1+1 area_m2"] == pytest.approx(float(summary["area"][0]))


def test_polygon_without_a_map():
    corners = [(0.0, 0.0), (5.0, 0.0), (5.0, 4.0), (0.0, 4.0)]
    summary = region_summary(a_result(None, None), corners)
    (feature,) = json.loads(region_geojson(summary, corners, None))["features"]
    assert sorted(map(tuple, feature["geometry"]["coordinates"][0][:-1])) == sorted(corners)
    assert feature["properties"]["region_area_m2"] is None and feature["properties"]["n_pixels"] == 20


@pytest.mark.parametrize("text", ["1 2, 3 4", "1 2, 3 4, 5", "a b, c d, e f", "1 2 3 4 5 6 x"])
def test_corners_that_are_none(text: str):
    with pytest.raises(ParameterError, match="three corners"):
        corners_in(text)


def test_a_region_that_is_typed():
    result, drawn = a_result(TRANSFORM, UTM), []
    region = RegionView(result, map_coordinates(result), drawn.append)
    region.corners.value = ", ".join(f"{x} {y}" for x, y in SQUARE)
    assert drawn[-1] == SQUARE
    assert region.table.data["name"] == ["=1+1", "<b>"]
    assert region.said.data["sentence"][0] == "100 pixels, 2,500 m²; their centres lie in the region."
    assert region.files.data["name"] == ["region.csv", "region.geojson"]
    region.corners.value = "somewhere"
    assert "three corners" in region.said.data["sentence"][0] and not region.table.data["name"]
    assert drawn[-1] == []
    region.corners.value = ""
    assert drawn[-1] == [] and not region.said.data["sentence"]


def test_a_region_of_a_rotated_map():
    rotated = Affine.translation(600_000, 5_300_000) @ Affine.rotation(30) @ Affine.scale(5.0, -4.0)
    result = a_result(rotated, UTM)
    region = RegionView(result, map_coordinates(result), lambda corners: None)
    region.draw([(3.0, 2.0), (9.0, 2.0), (9.0, 6.0), (3.0, 6.0)])
    assert region.said.data["sentence"][0].startswith("24 pixels, 480 m²")


def test_a_region_that_is_nowhere_on_the_earth_leaves_nothing_of_the_one_before():
    result = a_result(TRANSFORM, UTM)
    region = RegionView(result, map_coordinates(result), lambda corners: None)
    region.corners.value = ", ".join(f"{x} {y}" for x, y in SQUARE)
    assert region.files.data["content"]
    x, y = SQUARE[0]
    region.corners.value = f"{x} {y}, {x + 6e7} {y}, {x} {y - 50}"
    assert not region.files.data["content"] and not region.table.data["name"]
    assert "on the map" in region.said.data["sentence"][0]
