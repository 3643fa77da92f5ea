"""EMIT L2A: what its files say comes out exactly, and damaged ones are refused."""

from __future__ import annotations

from pathlib import Path

import aviris_scene
import emit_granule as granule
import h5py
import numpy as np
import pytest
from affine import Affine

from unmixel.cli.scenes import scenes_of
from unmixel.errors import ParameterError, SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.io.opening import read_raw
from unmixel.io.products import emit, product_of
from unmixel.lookup import lookup_of
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels


def test_an_emit_scene_is_what_the_product_says(tmp_path: Path) -> None:
    path = granule.write_scene(tmp_path)
    scene = open_scene(path)
    stored = granule.reflectance()
    expected = np.ones(stored.shape[:2], dtype=bool)
    for place in granule.FILLED:
        expected[place] = False
    np.testing.assert_array_equal(valid_pixels(scene), expected)
    good = granule.GOOD == 1
    np.testing.assert_array_equal(scene.values[expected][:, good], stored[expected][:, good])
    assert np.isnan(scene.values[:, :, ~good]).all()
    np.testing.assert_array_equal(scene["wavelength"].values, granule.WAVELENGTH.astype(float))
    np.testing.assert_array_equal(scene["fwhm"].values, granule.FWHM.astype(float))
    np.testing.assert_array_equal(scene["good_band"].values, good)
    assert transform_of(scene) is None
    assert crs_wkt_of(scene) is None
    reading = scene.attrs["reading"]
    assert reading[:2] == ["EMIT L2A reflectance", "acquired 2022-09-03T16:31:29Z"]
    assert "3 bands hold no retrieval and become invalid (good_wavelengths of the file)" in reading
    assert f"{3 * granule.BANDS} values equal to the fill value -9999 made invalid" in reading


def test_the_lookup_table_is_that_of_the_file(tmp_path: Path) -> None:
    lookup = lookup_of(open_scene(granule.write_scene(tmp_path)))
    assert lookup is not None
    x, y = granule.lookup()
    rows, columns = lookup.whole()
    np.testing.assert_array_equal(rows, y - 1)
    np.testing.assert_array_equal(columns, x - 1)
    part = lookup.read(slice(3, 9), slice(2, 20))
    np.testing.assert_array_equal(part, (rows[3:9, 2:20], columns[3:9, 2:20]))
    assert lookup.shape == granule.MAP
    assert lookup.transform == Affine.from_gdal(*granule.GEOTRANSFORM)
    assert lookup.crs_wkt == granule.WKT


def test_a_mask_beside_the_scene_is_applied_but_for_water(tmp_path: Path) -> None:
    path = granule.write_scene(tmp_path)
    unmasked = open_scene(path)
    without = valid_pixels(unmasked)
    assert "no MASK file of the granule beside it: clouds not masked" in unmasked.attrs["reading"]
    mask = granule.write_mask(tmp_path)
    assert emit.read(path).companions == (mask,)
    scene = open_scene(path)
    masked = without & ~valid_pixels(scene)
    assert np.argwhere(masked).tolist() == [[10, 0], [10, 1], [10, 3], [10, 4]]
    (said,) = (line for line in scene.attrs["reading"] if mask.name in line)
    assert said.endswith(
        "pixels with Cloud flag, Cirrus flag, Spacecraft Flag, Dilated Cloud Flag masked (water is kept)"
    )


def test_interpolated_values_are_kept_and_it_is_said(tmp_path: Path) -> None:
    path = granule.write_scene(tmp_path)
    mask = granule.write_mask(tmp_path)
    said = "values that its band_mask calls interpolated (bad or saturated detector pixels) are kept"
    with_it = open_scene(path)
    assert said in with_it.attrs["reading"]
    with h5py.File(mask, "a") as file:
        del file["band_mask"]
    without = open_scene(path)
    assert said not in without.attrs["reading"]
    np.testing.assert_array_equal(with_it.values, without.values)


def test_a_mask_has_a_version_of_its_own(tmp_path: Path) -> None:
    path = granule.write_scene(tmp_path)
    first = granule.write_mask(tmp_path)
    second = tmp_path / first.name.replace("_001_2022", "_002_2022")
    other = tmp_path / second.name.replace("T163129", "T163141")
    second.write_bytes(first.read_bytes())
    other.write_bytes(b"of another granule")
    assert emit.read(path).companions == (second,)
    first.unlink()
    assert emit.read(path).companions == (second,)
    short = path.rename(tmp_path / "EMIT_L2A_RFL_002_20220903T163129.nc")
    assert emit.read(short).companions == (second,)
    second.unlink()
    assert emit.read(short).companions == ()


def test_older_files_without_a_list_of_good_bands_have_that_of_the_data_system(tmp_path: Path) -> None:
    def drop(file: h5py.File) -> None:
        del file["sensor_band_parameters/good_wavelengths"]

    np.testing.assert_array_equal(read_raw(granule.write_scene(tmp_path, drop)).good_band, granule.GOOD == 1)


def test_a_scene_without_lookup_tables_is_read_and_says_so(tmp_path: Path) -> None:
    def drop(file: h5py.File) -> None:
        del file["location"]

    raw = read_raw(granule.write_scene(tmp_path, drop))
    assert raw.lookup is None
    assert "no lookup table in the file: maps stay in the geometry of the sensor" in raw.notes


def test_other_files_of_the_mission_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="uncertainty of EMIT reflectance"):
        open_scene(granule.write_uncertainty(tmp_path))
    with pytest.raises(SceneError, match="an EMIT mask"):
        open_scene(granule.write_mask(tmp_path))


def test_a_pattern_means_scenes_and_not_what_comes_beside_them(tmp_path: Path) -> None:
    scenes = [granule.write_scene(tmp_path), aviris_scene.write(tmp_path / "line_RFL_ORT.nc")]
    beside = [
        granule.write_mask(tmp_path),
        granule.write_uncertainty(tmp_path),
        aviris_scene.write(tmp_path / "line_UNC_ORT.nc", group="uncertainty"),
    ]
    assert sorted(job.path for job in scenes_of([tmp_path / "**" / "*.nc"], None)) == sorted(scenes)
    for path in beside:
        with pytest.raises(ParameterError, match="matches no scene"):
            scenes_of([path.with_name(f"*{path.name[1:]}")], None)
        assert [job.path for job in scenes_of([path], None)] == [path]  # to be refused by what it is


def test_other_netcdf_files_are_not_taken_for_emit(tmp_path: Path) -> None:
    path = tmp_path / "other.nc"
    with h5py.File(path, "w") as file:
        file["reflectance"] = np.zeros((2, 3, 4))
    assert product_of(path) is None
    path.write_bytes(path.read_bytes()[:200])
    assert not emit.is_mine(path)
    assert not emit.is_mine(tmp_path)
    assert not emit.is_mine(tmp_path / "nothing")


def without(name: str) -> granule.Change:
    def drop(file: h5py.File) -> None:
        del file[name]

    return drop


def instead(name: str, values: object) -> granule.Change:
    def put(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return put


def never_written(file: h5py.File) -> None:
    del file["reflectance"]
    file.create_dataset("reflectance", shape=(10**6, 10**6, 285), dtype="f4", chunks=(10, 10, 285))


def one_large_chunk(file: h5py.File) -> None:
    del file["reflectance"]
    shape = (6000, 6000, granule.BANDS)
    values = file.create_dataset("reflectance", shape, "f4", chunks=(3000, 3000, granule.BANDS), compression="gzip")
    values.id.write_direct_chunk((0, 0, 0), bytes(2_000_000))


def elsewhere(file: h5py.File) -> None:
    del file["reflectance"]
    file["reflectance"] = h5py.ExternalLink("other.nc", "/reflectance")


def far_table(file: h5py.File) -> None:
    file["location/glt_x"][0, 0] = granule.CROSSTRACK + 1
    file["location/glt_y"][0, 0] = 1


def no_place(file: h5py.File) -> None:
    file.attrs["geotransform"] = np.zeros(6)


@pytest.mark.parametrize(
    "damage",
    [
        without("reflectance"),
        without("sensor_band_parameters/wavelengths"),
        without("location/glt_y"),
        instead("reflectance", np.zeros((4, 5))),
        instead("reflectance", np.zeros((0, 5, granule.BANDS))),
        instead("reflectance", "text"),
        instead("sensor_band_parameters/wavelengths", np.arange(5.0)),
        instead("sensor_band_parameters/good_wavelengths", np.ones(3)),
        instead("location/glt_x", np.ones((3, 4), dtype=np.int32)),
        never_written,
        one_large_chunk,
        elsewhere,
        far_table,
        no_place,
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: granule.Change) -> None:
    with h5py.File(tmp_path / "other.nc", "w") as other:
        other["reflectance"] = granule.reflectance()
    path = granule.write_scene(tmp_path, damage)
    for refusing in (emit.read, open_lazily):
        with pytest.raises(SceneError):
            refusing(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = granule.write_scene(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SceneError):
        open_scene(path)


def test_the_mask_of_another_granule_is_refused(tmp_path: Path) -> None:
    path = granule.write_scene(tmp_path)
    granule.write_mask(tmp_path, instead("mask", np.zeros((3, 4, 8), dtype=np.float32)))
    with pytest.raises(SceneError, match="mask of the scene beside it"):
        open_lazily(path)
