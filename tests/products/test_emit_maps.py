"""From an EMIT granule to maps: unmixed as the sensor saw it, put on the map by the lookup table."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import emit_granule as granule
import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.crs import CRS

from unmixel import plot
from unmixel.cli.main import run
from unmixel.errors import ParameterError, SceneError
from unmixel.explorer.exploration import Exploration
from unmixel.explorer.pixel_story import tell
from unmixel.io import open_lazily, open_scene, save_scene
from unmixel.io.result_folder import MAPS, write_maps, write_result_folder
from unmixel.lookup import lookup_of
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.preprocess import noise_told
from unmixel.regions import region_summary
from unmixel.result import open_result, provenance_of
from unmixel.scale import unmix_file
from unmixel.scene import crs_wkt_of, transform_of
from unmixel.unmixing import unmix

TILE_MEMORY = 5 * granule.CROSSTRACK * granule.BANDS * 22


def on_map(values: np.ndarray) -> np.ndarray:
    """Return maps (y, x, ...) in the geometry of the sensor as the table of the granule puts them on the map."""
    x, y = granule.lookup()
    there = (x > 0) & (y > 0)
    found = np.full((*granule.MAP, *values.shape[2:]), np.nan, dtype=np.float32)
    found[there] = values[y[there] - 1, x[there] - 1]
    return found


def check_maps(folder: Path, result: xr.Dataset) -> None:
    """Check that every map of a folder is that of the result, on the map."""
    names = [name for name in MAPS if name in result]
    assert {"abundance", "reconstruction_rmse", "outside_reach"} <= set(names)
    for name in names:
        with rasterio.open(folder / MAPS[name][0]) as file:
            assert file.transform == granule.TO_MAP
            assert file.crs == CRS.from_epsg(4326)
            assert np.isnan(file.nodata)
            values = result[name].values.astype(np.float32)
            values[np.isnan(result["abundance"].values).any(axis=2)] = np.nan
            expected = on_map(values.reshape(*values.shape[:2], -1))
            np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), expected, err_msg=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("emit")
    path = granule.write_scene(made)
    unmix_file(FCLS(n_endmembers=3), path, made / "out", tile_memory=TILE_MEMORY)
    return made


def test_the_table_of_the_granule_repeats_and_skips_pixels() -> None:
    x, y = granule.lookup()
    used, counts = np.unique(np.stack([x, y])[:, (x > 0) & (y > 0)], axis=1, return_counts=True)
    assert counts.max() > 1
    assert used.shape[1] < granule.DOWNTRACK * granule.CROSSTRACK
    assert (x == 0).sum() > 20


def test_maps_of_a_run_by_tiles_are_on_the_map(folder: Path) -> None:
    result = open_result(folder / "out")
    assert result["abundance"].shape == (granule.DOWNTRACK, granule.CROSSTRACK, 3)
    for row, column in granule.FILLED:
        assert np.isnan(result["abundance"].values[row, column]).all()
    check_maps(folder / "out", result)
    with rasterio.open(folder / "out" / "scene.tif") as file:
        bands = [list(granule.WAVELENGTH).index(int(name.split()[0])) for name in file.descriptions]
        values = granule.reflectance()[:, :, bands]
        values[values == -9999] = np.nan
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), on_map(values))


def test_the_result_keeps_the_table_and_maps_can_be_written_again(folder: Path, tmp_path: Path) -> None:
    result = open_result(folder / "out")
    x, y = granule.lookup()
    np.testing.assert_array_equal(result["lookup_row"].values, y - 1)
    np.testing.assert_array_equal(result["lookup_column"].values, x - 1)
    write_maps(result, tmp_path)
    check_maps(tmp_path, result)


def test_a_crop_of_the_result_keeps_its_place(folder: Path, tmp_path: Path) -> None:
    result = open_result(folder / "out")
    write_maps(result.isel(y=slice(4, 11), x=slice(2, 7)), tmp_path)
    cut = result["abundance"].values.copy()
    cut[:4] = cut[11:] = np.nan
    cut[:, :2] = cut[:, 7:] = np.nan
    with rasterio.open(tmp_path / "abundance.tif") as file:
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), on_map(cut))


def test_maps_of_a_scene_in_memory_are_the_same(folder: Path, tmp_path: Path) -> None:
    scene = open_scene(next(folder.glob("*.nc")))
    result = unmix(scene, 3, method="fcls")
    write_result_folder(result, tmp_path / "out", scene=scene)
    check_maps(tmp_path / "out", open_result(tmp_path / "out"))


def test_a_saved_scene_keeps_its_table_and_its_noise_also_a_crop(folder: Path, tmp_path: Path) -> None:
    scene = open_scene(next(folder.glob("*.nc")), uncertainty=granule.write_uncertainty(tmp_path))
    for suffix in ("nc", "zarr"):
        save_scene(scene[2:12, 1:], tmp_path / f"crop.{suffix}")
        again = open_scene(tmp_path / f"crop.{suffix}")
        np.testing.assert_array_equal(again["noise_sd"], scene["noise_sd"])
        lookup = lookup_of(again)
        assert lookup is not None
        assert (lookup.crs_wkt, lookup.transform) == (granule.WKT, granule.TO_MAP)
        rows, columns = lookup.whole()
        x, y = granule.lookup()
        inside = (y > 2) & (y <= 12) & (x > 1)
        np.testing.assert_array_equal(rows, np.where(inside, y - 3, -1))
        np.testing.assert_array_equal(columns, np.where(inside, x - 2, -1))


@pytest.mark.parametrize("suffix", ["tif", "img", "nc", "zarr"])
def test_a_scene_can_be_written_on_the_map(folder: Path, tmp_path: Path, suffix: str) -> None:
    path = next(folder.glob("*.nc"))
    scene = open_scene(path)
    save_scene(open_lazily(path), tmp_path / f"mapped.{suffix}", orthorectify=True)
    mapped = open_scene(tmp_path / f"mapped.{suffix}")
    np.testing.assert_array_equal(mapped.values, on_map(scene.values))
    assert transform_of(mapped) == granule.TO_MAP
    assert CRS.from_wkt(crs_wkt_of(mapped)) == CRS.from_epsg(4326)
    assert mapped["good_band"].values.tolist() == scene["good_band"].values.tolist()
    assert lookup_of(mapped) is None
    with pytest.raises(ParameterError, match="without a lookup table"):
        save_scene(mapped, tmp_path / "again.nc", orthorectify=True)


def test_convert_says_what_has_no_place_for_the_table(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def convert(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["unmixel", "convert", str(next(folder.glob("*.nc"))), *map(str, arguments)])
        with pytest.raises(SystemExit):
            run()
        return "".join(capsys.readouterr())

    assert "s.tif has no place on the map" in convert(tmp_path / "s.tif")
    assert "no place on the map" not in convert(tmp_path / "s.nc")
    said = convert(tmp_path / "mapped.tif", "--orthorectify")
    assert "no place on the map" not in said
    assert f"mapped.tif: {granule.MAP[0]} x {granule.MAP[1]} x {granule.BANDS}" in said


def test_areas_of_a_region_are_those_on_the_map(folder: Path) -> None:
    result = open_result(folder / "out")
    known = np.isfinite(result["abundance"].values).all(axis=2)
    on_the_map = on_map(known[:, :, None].astype(np.float32))[:, :, 0] == 1
    side = granule.GEOTRANSFORM[1] * np.pi / 180 * 6_371_000
    cell = side**2 * np.cos(np.radians(34.5 + granule.GEOTRANSFORM[5] * granule.MAP[0] / 2))
    whole = [(0, 0), (granule.CROSSTRACK, 0), (granule.CROSSTRACK, granule.DOWNTRACK), (0, granule.DOWNTRACK)]
    summary = region_summary(result, whole)
    assert summary.attrs["region_area"] == pytest.approx(on_the_map.sum() * cell, rel=3e-3)
    assert summary["area"].sum() == pytest.approx(summary.attrs["region_area"])
    part = region_summary(result, [(2, 3), (7, 3), (7, 9), (2, 9)])
    inside = np.zeros_like(known)
    inside[3:9, 2:7] = True
    shown = on_map((inside & known)[:, :, None].astype(np.float32))[:, :, 0] == 1
    assert part.attrs["region_area"] == pytest.approx(shown.sum() * cell, rel=3e-3)


def test_the_item_lies_where_the_map_lies(folder: Path) -> None:
    item = json.loads((folder / "out" / "item.json").read_text())
    west, north = granule.GEOTRANSFORM[0], granule.GEOTRANSFORM[3]
    east, south = granule.TO_MAP @ granule.MAP[::-1]
    np.testing.assert_allclose(item["bbox"], [west, south, east, north], atol=1e-7)
    assert item["properties"]["proj:shape"] == list(granule.MAP)


def told_sd() -> np.ndarray:
    """Return the root mean square of the uncertainty over the pixels that were measured; NaN in bad bands."""
    values = granule.uncertainty().astype(float)
    values[values <= 0] = np.nan
    sd = np.sqrt(np.nanmean(np.where(granule.GOOD == 1, values, 1) ** 2, axis=(0, 1)))
    return np.where(granule.GOOD == 1, sd, np.nan)


def test_the_uncertainty_file_becomes_the_noise_of_the_scene(folder: Path, tmp_path: Path) -> None:
    path, file = next(folder.glob("*.nc")), granule.write_uncertainty(tmp_path)
    scene = open_scene(path, uncertainty=file)
    np.testing.assert_allclose(scene["noise_sd"].values, told_sd(), rtol=1e-6)
    np.testing.assert_array_equal(open_lazily(path, uncertainty=file).outline["noise_sd"], scene["noise_sd"])
    np.testing.assert_allclose(noise_told(scene), told_sd()[granule.GOOD == 1] ** 2, rtol=1e-6)
    n_pixels = granule.DOWNTRACK * granule.CROSSTRACK - len(granule.FILLED)
    said = f"noise of each band by {file.name}: root mean square over {n_pixels} pixels"
    assert said in scene.attrs["reading"]


def test_methods_and_diagnosis_go_by_the_noise_that_is_told(folder: Path, tmp_path: Path) -> None:
    path, file = next(folder.glob("*.nc")), granule.write_uncertainty(tmp_path)
    method = replace(IDNet.paper("samson"), n_endmembers=2, n_epochs=1)
    fitted = method.fit(open_scene(path, uncertainty=file))
    assert fitted.record["noise"] == "told by the scene (noise_sd)"
    expected = float(np.sqrt(np.mean(told_sd()[granule.GOOD == 1] ** 2)))
    assert fitted.record["sensor_noise_sd"] == pytest.approx(expected, abs=1e-6)
    unmix_file(FCLS(n_endmembers=3), path, tmp_path / "out", uncertainty=file, tile_memory=TILE_MEMORY)
    result = open_result(tmp_path / "out")
    np.testing.assert_allclose(result["noise_sd"].values, told_sd(), rtol=1e-6)
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["scene"]["uncertainty"] == str(file.resolve())
    assert provenance["noise"] == "told by the scene (noise_sd)"
    assert provenance_of(open_result(folder / "out"))["noise"] == "estimated from the scene"
    assert not result["outside_reach"].values.any()


def test_the_uncertainty_of_another_scene_is_refused(folder: Path, tmp_path: Path) -> None:
    path = next(folder.glob("*.nc"))
    with pytest.raises(SceneError, match="EMIT reflectance; expected an EMIT L2A file with 'reflectance_unc"):
        open_scene(path, uncertainty=path)
    save_scene(open_scene(path)[2:], tmp_path / "other.nc")
    with pytest.raises(SceneError, match="an uncertainty of 12 x 9 x 12"):
        open_scene(path, uncertainty=tmp_path / "other.nc")
    with pytest.raises(SceneError, match="does not exist"):
        open_lazily(path, uncertainty=tmp_path / "nothing.nc")


def test_the_explorer_shows_what_the_sensor_saw_and_says_where_it_lies(folder: Path) -> None:
    exploration = Exploration(folder / "out")
    assert exploration.where.x_label == "column [pixel]"
    assert "14 x 9 pixels" in exploration.subtitle and "as the sensor saw it" in exploration.subtitle
    result = exploration.opened.result
    layer = exploration.layers[0]
    np.testing.assert_array_equal(layer.overview.values, result["abundance"].values[:, :, 0])
    whole = exploration.where.whole
    assert exploration.layers[-1].colours(whole, 1).values.shape == (granule.DOWNTRACK, granule.CROSSTRACK)
    x, y = granule.lookup()
    row, column = 6, 4
    places = np.argwhere((y == row + 1) & (x == column + 1))
    longitude, latitude = granule.TO_MAP @ tuple(places.mean(axis=0)[::-1] + 0.5)
    said = tell(exploration.opened, row, column).sentences()[0]
    assert said.startswith(f"Pixel in row 7, column 5, longitude [°] {longitude:.9g}, latitude [°] {latitude:.9g} is ")
    skipped = next(
        place
        for place in np.ndindex(granule.DOWNTRACK, granule.CROSSTRACK)
        if not ((y == place[0] + 1) & (x == place[1] + 1)).any()
    )
    assert "on no pixel of the map" in tell(exploration.opened, *skipped).sentences()[0]


def test_figures_say_that_they_are_not_on_the_map(folder: Path) -> None:
    figure = plot.abundances(open_result(folder / "out"))
    assert figure.get_suptitle() == "as the sensor saw it, not on the map"
    assert figure.axes[0].get_ylabel() == "row [pixel]"


def test_the_command_takes_the_uncertainty_of_one_scene(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = next(folder.glob("*.nc")), granule.write_uncertainty(tmp_path)
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run()
        return int(ended.value.code or 0), "".join(capsys.readouterr())

    unmixing = ("unmix", "-p", 3, "--method", "fcls", "--uncertainty", file)
    status, said = call(*unmixing, path, "-o", tmp_path / "out")
    assert status == 0, said
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert list(provenance["uncertainty"]["sha256"]) == [file.name]
    again = granule.write_scene(tmp_path)
    status, said = call(*unmixing, path, again, "-o", tmp_path / "many")
    assert status == 2 and "expected one scene" in said, said
    (tmp_path / "day.csv").write_text(f"path,uncertainty\n{path},nothing.nc\n")
    status, said = call("unmix", "--method", "fcls", "--manifest", tmp_path / "day.csv", "-o", tmp_path / "day")
    assert status == 2 and f"{tmp_path}/nothing.nc, which does not exist" in said, said


@pytest.mark.parametrize(
    ("kind", "value"), [("f4", np.inf), ("f8", 1e300), ("i8", 2**32 + 2), ("u8", 2**64 - 1), ("f4", np.nan)]
)
def test_a_table_beyond_whole_numbers(tmp_path: Path, kind: str, value: float) -> None:
    def change(file: h5py.File) -> None:
        for name in ("location/glt_x", "location/glt_y"):
            stored = file[name][()].astype(kind)
            del file[name]
            stored[0, 0] = value
            file[name] = stored

    path = granule.write_scene(tmp_path, change)
    if np.isnan(value):
        open_scene(path)
    else:
        with pytest.raises(SceneError, match="a lookup table that names row 1073741824"):
            open_scene(path)
