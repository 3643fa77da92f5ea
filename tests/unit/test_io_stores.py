"""Scenes written by unmixel, and plain NumPy, come back as they were."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import OutputError, SceneError
from unmixel.io import open_scene, save_scene
from unmixel.io.netcdf import read_netcdf
from unmixel.io.zarr_store import read_zarr
from unmixel.scene import crs_wkt_of, make_scene, transform_of


def a_scene(**more: object) -> xr.DataArray:
    values = np.random.default_rng(1).uniform(0.02, 0.6, (5, 7, 4)).astype(np.float32)
    values[1, 2, 3] = np.nan
    values[:, :, 1] = 0.5
    kind = {
        "wavelength": [450.25, 550, 650, 750.125],
        "fwhm": [5, 6, 7, 8.5],
        "crs_wkt": CRS.from_epsg(32632).to_wkt(),
        "transform": Affine(0.7, 0, 669639.6, 0, -0.7, 5328106.0),
        "reading": ("made for a test",),
    }
    return make_scene(values, **(kind | more))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"transform": Affine(2, 1, 10, 1, -2, 20)},
        {"crs_wkt": None, "transform": None},
        {"wavelength": None, "fwhm": None},
    ],
    ids=["map", "rotated map", "no map", "no wavelengths"],
)
def test_round_trip(tmp_path: Path, suffix: str, more: dict[str, object]) -> None:
    scene = a_scene(**more)
    path = tmp_path / f"scene{suffix}"
    save_scene(scene, path)
    back = open_scene(path)
    xr.testing.assert_identical(back.drop_attrs(deep=False), scene.drop_attrs(deep=False))
    assert crs_wkt_of(back) == crs_wkt_of(scene)
    assert transform_of(back) == transform_of(scene)
    assert back.attrs["reading"][: len(scene.attrs["reading"])] == scene.attrs["reading"]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_crop_is_written_with_its_own_place(tmp_path: Path, suffix: str) -> None:
    crop = a_scene()[2:, 3:]
    save_scene(crop, tmp_path / f"crop{suffix}")
    back = open_scene(tmp_path / f"crop{suffix}")
    np.testing.assert_array_equal(back.values, crop.values)
    assert transform_of(back) == transform_of(crop) != transform_of(a_scene())


def test_the_grid_mapping_is_in_the_file(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.nc")
    with xr.open_dataset(tmp_path / "scene.nc", engine="h5netcdf", decode_coords=False) as plain:
        assert plain["reflectance"].attrs["grid_mapping"] == "spatial_ref"
        assert CRS.from_wkt(plain["spatial_ref"].attrs["crs_wkt"]).to_epsg() == 32632


@pytest.mark.parametrize(("suffix", "read"), [(".nc", read_netcdf), (".zarr", read_zarr)])
def test_rows_are_read_alone(tmp_path: Path, suffix: str, read: object) -> None:
    save_scene(a_scene(), tmp_path / f"scene{suffix}")
    raw = read(tmp_path / f"scene{suffix}")
    np.testing.assert_array_equal(raw.read(1, 4), a_scene().values[1:4])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(raw)).read(4, 5), a_scene().values[4:5])


def test_nothing_is_overwritten_or_half_written(tmp_path: Path) -> None:
    for name in ("scene.nc", "scene.zarr"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            save_scene(a_scene(), tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(OutputError, match=r"ends in \.tif, \.img, \.nc or \.zarr"):
        save_scene(a_scene(), tmp_path / "scene.jpg")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["scene.nc", "scene.zarr"]


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_netcdf(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "scene.nc"
    save_scene(a_scene(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(SceneError, match=r"scene\.nc"):
        open_scene(path)


def test_other_netcdf_and_results(tmp_path: Path) -> None:
    xr.Dataset({"radiance": (("down", "cross"), np.zeros((3, 4)))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(SceneError, match="radiance"):
        open_scene(tmp_path / "a.nc")
    xr.Dataset({"abundance": (("y", "x", "endmember"), np.zeros((3, 4, 2)))}).to_zarr(
        tmp_path / "r.zarr", zarr_format=3, consolidated=False
    )
    with pytest.raises(SceneError, match="open_result"):
        open_scene(tmp_path / "r.zarr")


def test_npy_scene_and_table_of_pixels(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 6, 5))
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(open_scene(tmp_path / "a.npy").values, values.astype(np.float32))
    np.save(tmp_path / "b.npy", np.asfortranarray(values[0]))
    table = open_scene(tmp_path / "b.npy")
    np.testing.assert_array_equal(table.values[:, 0], values[0].astype(np.float32))


def test_npz_with_what_is_known_of_its_bands(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 6, 3))
    known = {"wavelength": [700.0, 600, 500], "fwhm": [7.0, 6, 5], "good_band": [True, False, True]}
    np.savez(tmp_path / "a.npz", whatever=values, mask=np.ones((4, 6)), **known)
    scene = open_scene(tmp_path / "a.npz")
    np.testing.assert_array_equal(scene.values, values[:, :, ::-1].astype(np.float32))
    assert scene.fwhm.values.tolist() == [5, 6, 7]
    assert scene.good_band.values.tolist() == [True, False, True]
    np.savez(tmp_path / "b.npz", one=values, two=values)
    with pytest.raises(SceneError, match=r"one \(4, 6, 3\), two \(4, 6, 3\)"):
        open_scene(tmp_path / "b.npz")
    np.testing.assert_array_equal(open_scene(f"{tmp_path}/b.npz::two").values, values.astype(np.float32))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    objects = np.array([[{"a": 1}, 2], [3, 4]], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", scene=objects)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(SceneError, match=name):
            open_scene(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_truncated_numpy(tmp_path: Path, name: str) -> None:
    values = np.random.default_rng(0).random((4, 6, 5))
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", values)
    whole = (tmp_path / name).read_bytes()
    for kept in (7, 20, 100, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:kept])
        with pytest.raises(SceneError, match=name):
            open_scene(tmp_path / name)


def test_gdal_finds_the_place_in_our_netcdf(tmp_path: Path) -> None:
    with rasterio.Env() as env:
        if "netCDF" not in env.drivers():
            pytest.skip("this GDAL has no netCDF driver")
    save_scene(a_scene(), tmp_path / "scene.nc")
    with rasterio.open(f"netcdf:{tmp_path}/scene.nc:reflectance") as file:
        assert file.crs.to_epsg() == 32632
