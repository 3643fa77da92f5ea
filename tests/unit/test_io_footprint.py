"""Footprints: where the corners of a grid are on Earth, and what is done where longitudes begin again."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from unmixel.io.footprint import Footprint, footprint_of

UTM_32 = CRS.from_epsg(32632)


def rings_of(found: Footprint | None) -> list[list[list[float]]]:
    assert found is not None
    coordinates = found.geometry["coordinates"]
    return [coordinates[0]] if found.geometry["type"] == "Polygon" else [polygon[0] for polygon in coordinates]


def area(ring: list[list[float]]) -> float:
    x, y = np.array(ring).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


@pytest.mark.parametrize("turn", [0.0, 30.0, -75.0])
def test_the_corners_are_those_of_the_grid_also_if_it_is_rotated(turn: float) -> None:
    grid = Affine.translation(656_412.0, 5_319_240.0) @ Affine.rotation(turn) @ Affine.scale(30.0, -30.0)
    (ring,) = rings_of(footprint_of(UTM_32, grid, (50, 70)))
    for corner in ((0, 0), (70, 0), (70, 50), (0, 50)):
        x, y = grid @ corner
        (longitude,), (latitude,) = transform_points(UTM_32, "OGC:CRS84", [x], [y])
        assert min(math.dist(point, (longitude, latitude)) for point in ring) < 2e-7
    metres_per_degree = 111_320.0
    on_the_ground = area(ring) * metres_per_degree**2 * math.cos(math.radians(48.0))
    assert on_the_ground == pytest.approx(70 * 30 * 50 * 30, rel=0.01)


def test_rings_close_and_run_counterclockwise() -> None:
    for step in (-30.0, 30.0):  # rows from north to south, and from south to north
        grid = Affine(30.0, 0.0, 656_412.0, 0.0, step, 5_319_240.0)
        (ring,) = rings_of(footprint_of(UTM_32, grid, (5, 7)))
        assert ring[0] == ring[-1]
        assert area(ring) > 0


def test_a_side_that_is_bent_in_longitude_and_latitude_has_points_between_its_corners() -> None:
    polar = CRS.from_epsg(3413)
    grid = Affine(1000.0, 0.0, -800_000.0, 0.0, -1000.0, -1_000_000.0)
    found = footprint_of(polar, grid, (40, 1600))
    (ring,) = rings_of(found)
    (_,), (of_corner,) = transform_points(polar, "OGC:CRS84", [-800_000.0], [-1_000_000.0])
    (_,), (of_middle,) = transform_points(polar, "OGC:CRS84", [0.0], [-1_000_000.0])
    assert found is not None
    assert of_middle > of_corner + 1
    assert found.bbox[3] == pytest.approx(of_middle, abs=1e-6)
    assert [0.0, 0.0] not in ring


@pytest.mark.parametrize(
    ("crs", "grid"),
    [
        pytest.param(CRS.from_epsg(32601), Affine(1000.0, 0.0, 300_000.0, 0.0, -1000.0, 7_000_000.0), id="UTM"),
        pytest.param(CRS.from_epsg(4326), Affine(0.02, 0.0, 179.5, 0.0, -0.01, 63.1), id="degrees"),
        pytest.param(CRS.from_epsg(4326), Affine(0.02, 0.003, 179.5, 0.002, -0.01, 63.1), id="degrees, rotated"),
        pytest.param(CRS.from_epsg(4326), Affine(0.02, 0.0, -180.5, 0.0, -0.01, 63.1), id="degrees, from the east"),
    ],
)
def test_a_grid_across_the_antimeridian_is_cut_in_two(crs: CRS, grid: Affine) -> None:
    found = footprint_of(crs, grid, (50, 70))
    rings = rings_of(found)
    assert found is not None
    assert len(rings) == 2
    for ring in rings:
        assert ring[0] == ring[-1]
        assert area(ring) > 0
        assert all(-180 <= longitude <= 180 for longitude, _ in ring)
        assert max(abs(x1 - x0) for (x0, _), (x1, _) in pairwise(ring)) < 90
    west, south, east, north = found.bbox
    assert 170 < west < 180
    assert -180 < east < -170
    assert 62 < south < north < 64
    if crs.is_geographic:
        whole = abs(grid.determinant) * 50 * 70
        assert sum(area(ring) for ring in rings) == pytest.approx(whole, rel=1e-5)


def test_longitudes_from_0_to_360_become_those_from_minus_180() -> None:
    found = footprint_of(CRS.from_epsg(4326), Affine(0.5, 0.0, 240.0, 0.0, -0.5, 40.0), (4, 6))
    assert found is not None
    assert found.bbox == [-120.0, 38.0, -117.0, 40.0]


@pytest.mark.parametrize(
    ("crs", "grid"),
    [
        pytest.param(None, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0), id="none"),
        pytest.param(
            CRS.from_wkt('LOCAL_CS["laboratory",UNIT["metre",1]]'),
            Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
            id="laboratory",
        ),
        pytest.param(CRS.from_string("IAU_2015:30100"), Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0), id="the Moon"),
        pytest.param(UTM_32, Affine(1e9, 0.0, 1e12, 0.0, -1e9, 5e30), id="outside of the projection"),
        pytest.param(CRS.from_epsg(3857), Affine(30.0, 0.0, 6e17, 0.0, -30.0, 0.0), id="many times around the Earth"),
        pytest.param(CRS.from_epsg(4326), Affine(1.0, 0.0, 1e18, 0.0, -1.0, 0.0), id="longitudes without digits"),
        pytest.param(CRS.from_epsg(3035), Affine(-117.0, 0.0, 19079052.8, 0.0, -11.5, -186.9), id="beyond its pole"),
    ],
)
def test_a_grid_with_no_place_on_earth_has_no_footprint(crs: CRS | None, grid: Affine) -> None:
    assert footprint_of(crs, grid, (5, 7)) is None
