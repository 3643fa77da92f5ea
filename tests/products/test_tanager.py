"""Tanager surface reflectance: what its file says comes out exactly, and damaged files and radiance are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tanager_scene as made
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import SceneError
from unmixel.io import open_scene
from unmixel.io.products import product_of, tanager
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels

ORTHO, BASIC = "HDFEOS/GRIDS/HYP", "HDFEOS/SWATHS/HYP"
CUBE = f"{ORTHO}/Data Fields/surface_reflectance"


@pytest.mark.parametrize("basic", [False, True])
def test_a_tanager_scene_is_what_the_product_says(tmp_path: Path, basic: bool) -> None:
    scene = open_scene(made.write(tmp_path / "scene.h5", basic=basic))
    valid = np.ones((made.ROWS, made.COLUMNS), dtype=bool)
    valid[made.FILLED] = valid[made.NO_DATA] = False
    np.testing.assert_array_equal(valid_pixels(scene), valid)
    np.testing.assert_array_equal(scene["good_band"].values, made.GOOD == 1)
    np.testing.assert_array_equal(scene.values[valid], made.reflectance().transpose(1, 2, 0)[valid])
    np.testing.assert_array_equal(scene["wavelength"].values, made.WAVELENGTH.astype(float))
    np.testing.assert_array_equal(scene["fwhm"].values, made.FWHM.astype(float))
    reading = scene.attrs["reading"]
    kind = "basic, in the geometry of the sensor" if basic else "ortho"
    assert reading[:2] == [f"Tanager surface reflectance ({kind})", "acquired 2024-09-25T18:55:04Z"]
    assert "masks of cloud and cirrus in the file not applied (beta)" in reading
    assert f"{made.BANDS} values equal to the fill value -9999 made invalid" in reading
    assert f"{made.BANDS} values made invalid: unusable by the product's quality layers" in reading


@pytest.mark.parametrize("basic", [False, True], ids=["ortho", "basic"])
def test_groups_may_be_named_with_underscores(tmp_path: Path, basic: bool) -> None:
    as_usual = open_scene(made.write(tmp_path / "scene.h5", basic=basic))
    path = made.write(tmp_path / "renamed.h5", basic=basic)
    with h5py.File(path, "a") as file:
        fields = file[BASIC if basic else ORTHO]
        for name in list(fields):
            fields.move(name, name.replace(" ", "_"))
    assert product_of(path) is tanager
    assert open_scene(path).identical(as_usual)


def test_an_ortho_scene_is_on_its_map_and_a_basic_one_on_none(tmp_path: Path) -> None:
    scene = open_scene(made.write(tmp_path / "ortho.h5"))
    assert transform_of(scene) == Affine(30, 0, 312960, 0, -30, 6624060)
    assert CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == 32750
    basic = open_scene(made.write(tmp_path / "basic.h5", basic=True))
    assert transform_of(basic) is None
    assert any(line.startswith("no map: latitude and longitude") for line in basic.attrs["reading"])


def structure(text: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["HDFEOS INFORMATION/StructMetadata.0"]
        file["HDFEOS INFORMATION/StructMetadata.0"] = text

    return change


def test_the_zone_of_the_grid_stands_in_for_a_code(tmp_path: Path) -> None:
    path = made.write(tmp_path / "scene.h5")
    with h5py.File(path, "a") as file:
        del file[ORTHO].attrs["epsg_code"]
    assert CRS.from_wkt(crs_wkt_of(open_scene(path))).to_epsg() == 32750
    with h5py.File(path, "a") as file:
        structure(made.STRUCTURE.replace("ZoneCode=-50", "ZoneCode=13"))(file)
    assert CRS.from_wkt(crs_wkt_of(open_scene(path))).to_epsg() == 32613


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GD_UL", "GD_LL"),
        ("(312960.000000,6624060.000000)", "(here)"),
        ("(313170.000000,", "(312960.000000,"),
        ('"HYP"', '"ANOTHER"'),
    ],
)
def test_a_place_that_cannot_be_is_not_used(tmp_path: Path, old: str, new: str) -> None:
    path = made.write(tmp_path / "scene.h5")
    with h5py.File(path, "a") as file:
        structure(made.STRUCTURE.replace(old, new))(file)
    scene = open_scene(path)
    assert transform_of(scene) is None
    assert any(line.startswith("no place on the map") for line in scene.attrs["reading"])


def test_scaled_numbers_are_unscaled(tmp_path: Path) -> None:
    path = made.write(tmp_path / "scene.h5")
    stored = np.where(made.reflectance() == -9999, -9999, np.round(made.reflectance() * 10_000)).astype(np.int16)
    with h5py.File(path, "a") as file:
        attributes = dict(file[CUBE].attrs)
        del file[CUBE]
        file[CUBE] = stored
        file[CUBE].attrs.update(attributes | {"scale_factor": 1e-4, "_FillValue": np.int16(-9999)})
    scene = open_scene(path)
    valid = valid_pixels(scene)
    np.testing.assert_allclose(scene.values[valid], (stored / 10_000).transpose(1, 2, 0)[valid], rtol=1e-6)


def numbers(name: str, shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, shape=shape, dtype="f4", chunks=(1,) * len(shape))

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda file: file[CUBE].attrs.__delitem__("wavelengths"), "no numbers in 'wavelengths'"),
        (lambda file: file[CUBE].attrs.update(fwhm=[5.0]), "1 numbers in 'fwhm'"),
        (lambda file: file[CUBE].attrs.update(good_wavelengths=[1, 0]), "2 numbers in 'good_wavelengths'"),
        (lambda file: file.__delitem__(f"{ORTHO}/Data Fields/surface_reflectance"), "no dataset"),
        (numbers(CUBE, (5, 4)), "3 dimensions"),
        (numbers(CUBE, (5, 10**7, 10**7)), "claims 2 PB"),
        (numbers(f"{ORTHO}/Data Fields/nodata_pixels", (4, 6)), "nodata_pixels of another shape"),
        (structure(made.STRUCTURE.replace("XDim=7", "XDim=9")), "a grid of 4 x 9 for 4 x 7 pixels"),
    ],
)
def test_a_damaged_product_is_one_clear_error(
    tmp_path: Path, change: Callable[[h5py.File], None], complaint: str
) -> None:
    path = made.write(tmp_path / "scene.h5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(SceneError, match=complaint):
        tanager.read(path)


@pytest.mark.parametrize("basic", [False, True])
def test_radiance_is_refused(tmp_path: Path, basic: bool) -> None:
    path = made.write(tmp_path / "scene.h5", radiance=True, basic=basic)
    with pytest.raises(SceneError, match=r"Tanager radiance.*ortho_sr_hdf5"):
        open_scene(path)


def test_what_is_no_tanager_is_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.create_group("HDFEOS/GRIDS/HYP/Data Fields/surface_temperature")
    assert product_of(path) is None


def test_a_structure_of_blank_lines_comes_to_an_end(tmp_path: Path) -> None:
    path = made.write(tmp_path / "scene.h5")
    with h5py.File(path, "r+") as file:
        text = file["HDFEOS INFORMATION/StructMetadata.0"][()]
        del file["HDFEOS INFORMATION/StructMetadata.0"]
        file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(b"GROUP=GRID_0\n" + b"\n" * 300_000 + b"x\n" + text)
    assert transform_of(open_scene(path)) is not None


def test_times_of_more_columns_than_a_scene_has_are_not_read(tmp_path: Path) -> None:
    path = made.write(tmp_path / "scene.h5")
    with h5py.File(path, "r+") as file:
        fields = file[f"{ORTHO}/Data Fields"]
        fields.pop("Time", None)
        fields.pop("time", None)
        fields.create_dataset("Time", (1, 10_000_000), "u1", chunks=(1, 10_000))
    assert "acquired" not in open_scene(path).attrs
