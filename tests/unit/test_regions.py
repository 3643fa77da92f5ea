"""Mean abundance and area of each material inside a polygon."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import ParameterError
from unmixel.regions import pixel_areas, region_summary
from unmixel.result import make_result
from unmixel.scene import make_scene

ROWS, COLUMNS = 30, 40
UTM = CRS.from_epsg(32632).to_wkt()


def a_result(transform: Affine | None, crs_wkt: str | None = UTM, *, sd: float | None = 0.1) -> xr.Dataset:
    """Return a result whose first material's abundance says where a pixel is: column / 100 + row / 1000."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    first = columns / 100 + rows / 1000
    maps = {"abundance": np.stack([first, 1 - first], axis=-1).astype(np.float32)}
    if sd is not None:
        maps["abundance_sd"] = np.full((ROWS, COLUMNS, 2), sd, dtype=np.float32)
    values = np.random.default_rng(0).random((ROWS, COLUMNS, 3))
    scene = make_scene(values, crs_wkt=crs_wkt, transform=transform)
    return make_result(scene, endmember=["sand", "water"], maps=maps, spectra={}, provenance={})


def rectangle(transform: Affine, first: tuple[int, int], last: tuple[int, int]) -> list[tuple[float, float]]:
    """Return the corners of a rectangle of pixels, given by row and column."""
    (top, left), (bottom, right) = first, last
    return [transform @ corner for corner in ((left, top), (right, top), (right, bottom), (left, bottom))]


@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_a_rectangle_of_pixels(turn):
    transform = Affine.translation(500_000, 5_000_000) @ Affine.rotation(turn) @ Affine.scale(5.0, -4.0)
    result = a_result(transform)
    found = region_summary(result, rectangle(transform, (3, 7), (9, 12)))
    expected = result["abundance"].values[3:9, 7:12].reshape(-1, 2).mean(axis=0)
    assert found.attrs["n_pixels"] == 30
    assert found.attrs["region_area"] == pytest.approx(30 * 20.0)
    np.testing.assert_allclose(found.mean_abundance, expected, rtol=1e-6)
    np.testing.assert_allclose(found.area, 600 * expected, rtol=1e-6)
    assert found.area.attrs["units"] == "m2"


def test_errors_alike_and_independent():
    transform = Affine(5.0, 0.0, 0.0, 0.0, -5.0, 0.0)
    found = region_summary(a_result(transform, sd=0.08), rectangle(transform, (0, 0), (10, 10)))
    np.testing.assert_allclose(found.mean_abundance_sd, 0.08, rtol=1e-5)
    np.testing.assert_allclose(found.mean_abundance_sd_independent, 0.008, rtol=1e-5)
    np.testing.assert_allclose(found.area_sd, 2500 * 0.08, rtol=1e-5)
    np.testing.assert_allclose(found.area_sd_independent, 2500 * 0.008, rtol=1e-5)
    np.testing.assert_allclose(found.area_lower, np.maximum(found.area - 1.645 * 200, 0), rtol=1e-3)
    np.testing.assert_allclose(found.area_upper, np.minimum(found.area + 1.645 * 200, 2500), rtol=1e-3)


def test_a_triangle_counts_pixels_by_their_centres():
    result = a_result(None, None)
    found = region_summary(result, [(0, 0), (10, 0), (0, 10)])
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    inside = (rows + 0.5) + (columns + 0.5) < 10
    assert found.attrs["n_pixels"] == pytest.approx(inside.sum(), abs=10)  # centres on the edge go either way
    assert np.isnan(found.area).all()


def test_pixels_without_a_value_are_left_out_and_told():
    transform = Affine(2.0, 0.0, 0.0, 0.0, -2.0, 0.0)
    result = a_result(transform)
    result["abundance"][2, 3] = np.nan
    found = region_summary(result, rectangle(transform, (0, 0), (5, 5)))
    assert (found.attrs["n_pixels"], found.attrs["n_masked"], found.attrs["region_area"]) == (24, 1, 96.0)


def test_a_polygon_over_the_edge_is_cut():
    transform = Affine(2.0, 0.0, 0.0, 0.0, -2.0, 0.0)
    assert region_summary(a_result(transform), [(-50, 50), (6, 50), (6, -8), (-50, -8)]).attrs["n_pixels"] == 12


def test_a_point_estimate_has_no_interval():
    transform = Affine(2.0, 0.0, 0.0, 0.0, -2.0, 0.0)
    found = region_summary(a_result(transform, sd=None), rectangle(transform, (0, 0), (5, 5)))
    assert np.isfinite(found.area).all()
    assert np.isnan(found.area_lower).all()
    assert np.isnan(found.area_sd).all()


@pytest.mark.parametrize(
    ("latitude", "by_latitude", "by_longitude"),
    [(0.0, 110_574.0, 111_320.0), (60.0, 111_412.0, 55_800.0), (-45.0, 111_132.0, 78_847.0)],
)
def test_the_area_of_a_pixel_in_degrees(latitude, by_latitude, by_longitude):
    """Lengths of a degree on WGS 84, as geodesy's tables have them [m]."""
    size = 0.0005
    result = a_result(Affine(size, 0, 11.0, 0, -size, latitude), CRS.from_epsg(4326).to_wkt())
    np.testing.assert_allclose(pixel_areas(result)[0], size**2 * by_latitude * by_longitude, rtol=3e-4)


def test_feet_are_turned_into_metres():
    result = a_result(Affine(10.0, 0, 0, 0, -10.0, 0), CRS.from_epsg(2263).to_wkt())
    np.testing.assert_allclose(pixel_areas(result), 100 * 0.3048006**2, rtol=1e-6)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([(0, 0), (1, 1)], "at least 3 corners"),
        ([(0, 0), (1, 1), (np.nan, 2)], "at least 3 corners"),
        ([(900, 900), (910, 900), (905, 910)], "outside the map"),
        ([(2.1, 2.1), (2.3, 2.1), (2.2, 2.3)], "without one valid pixel"),
    ],
)
def test_what_is_no_region_is_refused(polygon, message):
    with pytest.raises(ParameterError, match=message):
        region_summary(a_result(None, None), polygon)
