"""AVIRIS L2A in NetCDF and as rotated ENVI files: what they say comes out exactly, and damaged ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin
from pathlib import Path

import aviris_scene as made
import h5py
import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import OutputError, SceneError
from unmixel.io import open_scene, write_envi
from unmixel.io.products import aviris, product_of
from unmixel.scene import crs_wkt_of, make_scene, transform_of, valid_pixels

ROTATED = "UTM, 1, 1, 581226.666764, 7916192.56364, 5.2, 5.2, 4, North,WGS-84, rotation=42"


def check_values(path: Path, good: list[bool]) -> None:
    scene = open_scene(path)
    valid = np.ones((made.ROWS, made.COLUMNS), dtype=bool)
    for place in (*made.FILLED, made.FILLED_IN_A_BAND):
        valid[place] = False
    np.testing.assert_array_equal(valid_pixels(scene), valid)
    np.testing.assert_array_equal(scene["good_band"].values, good)
    np.testing.assert_array_equal(scene.values[valid], made.reflectance().transpose(1, 2, 0)[valid])
    np.testing.assert_array_equal(scene["wavelength"].values, made.WAVELENGTH.astype(float))
    np.testing.assert_array_equal(scene["fwhm"].values, made.FWHM.astype(float))


def test_a_netcdf_line_is_what_the_product_says(tmp_path: Path) -> None:
    path = made.write(tmp_path / "line.nc")
    check_values(path, [True] * made.BANDS)
    scene = open_scene(path)
    assert transform_of(scene) == Affine(3.5, 0, 581226.5, 0, -3.5, 3762192.25)
    assert CRS.from_wkt(crs_wkt_of(scene)) == CRS.from_epsg(32611)
    reading = scene.attrs["reading"]
    assert reading[:2] == ["AVIRIS-3 L2A surface reflectance", "acquired 2023-10-05T18:15:18Z"]
    assert "no list of bad bands in the product" in reading
    assert f"{2 * made.BANDS + 1} values equal to the fill value -9999 made invalid" in reading


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4"])
def test_a_map_may_be_numbers_instead_of_a_text(tmp_path: Path, dtype: str) -> None:
    path = made.write(tmp_path / "line.nc")
    with h5py.File(path, "a") as file:
        numbers = np.array([float(part) for part in made.GEOTRANSFORM.split()], dtype=dtype)
        file["transverse_mercator"].attrs["GeoTransform"] = numbers
    scene = open_scene(path)
    assert transform_of(scene) == Affine(3.5, 0, 581226.5, 0, -3.5, 3762192.25)
    assert not any("GeoTransform" in line for line in scene.attrs["reading"])


@pytest.mark.parametrize("numbers", [[1.0, 2.0], [np.nan] * 6, [0.0] * 6], ids=["two", "nan", "zero"])
def test_numbers_that_are_no_map_give_none(tmp_path: Path, numbers: list[float]) -> None:
    path = made.write(tmp_path / "line.nc")
    with h5py.File(path, "a") as file:
        file["transverse_mercator"].attrs["GeoTransform"] = numbers
        del file["northing"]
    scene = open_scene(path)
    assert transform_of(scene) is None
    assert "no place on the map: no GeoTransform in the file" in scene.attrs["reading"]


def test_a_rotated_grid_and_one_at_odds_with_its_coordinates(tmp_path: Path) -> None:
    path = made.write(tmp_path / "line.nc")
    with h5py.File(path, "a") as file:
        file["transverse_mercator"].attrs["GeoTransform"] = "581226.5 3 1 3762192.25 1 -3"
        file["transverse_mercator"].attrs["spatial_ref"] = file["transverse_mercator"].attrs.pop("crs_wkt")
    scene = open_scene(path)
    assert transform_of(scene) == Affine(3, 1, 581226.5, 1, -3, 3762192.25)
    assert crs_wkt_of(scene)
    with h5py.File(path, "a") as file:
        file["transverse_mercator"].attrs["GeoTransform"] = "581226.5 3.5 0 3762192.25 0 3.5"
    assert "easting and northing differ from GeoTransform (used)" in open_scene(path).attrs["reading"]
    with h5py.File(path, "a") as file:
        del file["transverse_mercator"].attrs["GeoTransform"]
        del file["easting"]
    assert transform_of(open_scene(path)) is None


def test_without_a_geotransform_the_coordinates_of_the_pixels_are_the_map(tmp_path: Path) -> None:
    path = made.write(tmp_path / "line.nc")
    with h5py.File(path, "a") as file:
        del file["transverse_mercator"].attrs["GeoTransform"]
    scene = open_scene(path)
    assert transform_of(scene) == Affine(3.5, 0, 581226.5, 0, -3.5, 3762192.25)
    assert "place by easting and northing: no GeoTransform in the file" in scene.attrs["reading"]
    with h5py.File(path, "a") as file:
        file["northing"][2] += 1.0
    assert transform_of(open_scene(path)) is None


@pytest.mark.parametrize(("group", "what"), [("radiance", "AVIRIS L1B, radiance"), ("uncertainty", "uncertainty of a")])
def test_other_products_are_refused(tmp_path: Path, group: str, what: str) -> None:
    path = made.write(tmp_path / "line.nc", group=group)
    with pytest.raises(SceneError, match=f"{what}.*RFL_ORT"):
        open_scene(path)


def numbers(name: str, shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, shape=shape, dtype="f4", chunks=(1,) * len(shape))

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (numbers("reflectance/reflectance", (6, 5)), "3 dimensions"),
        (numbers("reflectance/reflectance", (6, 10**7, 10**7)), "claims 2.4 PB"),
        (numbers("reflectance/wavelength", (5,)), "5 numbers in 'reflectance/wavelength'"),
        (numbers("reflectance/wavelength", (2, 3)), "1 dimensions"),
        (lambda file: file.__delitem__("reflectance/reflectance"), "AVIRIS; expected the reflectance"),
        (lambda file: file["transverse_mercator"].attrs.update(crs_wkt="nowhere"), "crs_wkt and GeoTransform"),
        (lambda file: file["transverse_mercator"].attrs.update(GeoTransform="a b"), "crs_wkt and GeoTransform"),
    ],
)
def test_a_damaged_product_is_one_clear_error(
    tmp_path: Path, change: Callable[[h5py.File], None], complaint: str
) -> None:
    path = made.write(tmp_path / "line.nc")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(SceneError, match=complaint):
        aviris.read(path)


def test_what_is_no_aviris_is_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / "other.nc"
    with h5py.File(path, "w") as file:
        file["reflectance"] = np.zeros((2, 3, 4))
        file["transverse_mercator"] = 0
    assert product_of(path) is None


def test_an_envi_line_is_what_its_header_says(tmp_path: Path) -> None:
    path = made.write_envi(tmp_path, map_info=ROTATED)
    check_values(path, [True, True, False, True, True, True])
    scene = open_scene(path)
    assert CRS.from_wkt(crs_wkt_of(scene)) == CRS.from_epsg(32604)
    expected = (581226.666764, 3.86435309248245, 3.479479153066063, 7916192.56364, 3.479479153066063, -3.86435309248245)
    np.testing.assert_allclose(transform_of(scene).to_gdal(), expected, rtol=1e-15)


@pytest.mark.parametrize("blank", ["", " "])
def test_a_rotated_line_is_turned_about_its_tie_point(tmp_path: Path, blank: str) -> None:
    map_info = f"UTM, 3, 2.5, 500000.0, 4000000.0, 6.0, 4.0, 11, North, WGS-84, rotation{blank}={blank}30, units=Meters"
    transform = transform_of(open_scene(made.write_envi(tmp_path, map_info=map_info)))
    c, s = cos(radians(30)), sin(radians(30))
    for (column, row), (across, down) in {(2, 1.5): (0, 0), (3, 1.5): (6, 0), (2, 2.5): (0, 4)}.items():
        x, y = 500000 + across * c + down * s, 4000000 + across * s - down * c
        np.testing.assert_allclose(transform @ (column, row), (x, y), rtol=1e-15)


def test_turned_lines_are_written_as_they_are_or_not_at_all(tmp_path: Path) -> None:
    turned = Affine.translation(5e5, 4e6) @ Affine.rotation(-31)
    values = np.random.default_rng(0).random((4, 5, 6))
    square = make_scene(values, transform=turned @ Affine.scale(5.25, -5.25))
    write_envi(square, tmp_path / "square.img")
    back = transform_of(open_scene(tmp_path / "square.img"))
    np.testing.assert_allclose(back.to_gdal(), transform_of(square).to_gdal(), rtol=1e-14)
    with pytest.raises(OutputError, match="turned with square pixels"):
        write_envi(make_scene(values, transform=turned @ Affine.scale(6, -4)), tmp_path / "oblong.img")
    assert not (tmp_path / "oblong.img").exists()


def test_lines_without_a_turn_are_as_ever(tmp_path: Path) -> None:
    for rotation, expected in (("0", Affine(6, 0, 500000, 0, -4, 4e6)), ("180", Affine(6, 0, 500000, 0, 4, 4e6))):
        map_info = f"UTM, 1, 1, 500000.0, 4000000.0, 6.0, 4.0, 11, North, WGS-84, rotation={rotation}"
        assert transform_of(open_scene(made.write_envi(tmp_path, map_info=map_info))) == expected


@pytest.mark.parametrize("rotation", ["north", "nan", "1e400", ""])
def test_a_turn_that_is_none_is_one_clear_error(tmp_path: Path, rotation: str) -> None:
    path = made.write_envi(tmp_path, map_info=f"UTM, 1, 1, 5e5, 4e6, 6, 4, 11, North, WGS-84, rotation={rotation}")
    with pytest.raises(SceneError, match="six numbers and a rotation"):
        open_scene(path)


def test_a_map_turned_by_a_quarter_is_not_compared_with_its_coordinates(tmp_path: Path) -> None:
    path = made.write(tmp_path / "line.nc")
    with h5py.File(path, "r+") as file:
        file["transverse_mercator"].attrs["GeoTransform"] = "500000 0 30 5400000 30 0"
    assert transform_of(open_scene(path)) == Affine(0, 30, 500000, 30, 0, 5400000)
