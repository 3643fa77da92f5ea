"""Unmixing by tiles gives what unmixing the whole scene gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr
from tiled_scene import BANDS, COLUMNS, N_TILES, ROWS, TILE_MEMORY, content, make_folder, run_tiles, whole

from unmixel.diagnostics import diagnose
from unmixel.io import open_scene, save_scene
from unmixel.registry import load
from unmixel.result import open_result, provenance_of
from unmixel.scale import sample_pixels, unmix_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scene and a model."""
    return make_folder(tmp_path)


def assert_alike(mine: object, theirs: object) -> None:
    """Check that two records are the same up to the rounding of sums."""
    if isinstance(theirs, dict):
        assert isinstance(mine, dict) and mine.keys() == theirs.keys()
        for name in theirs:
            assert_alike(mine[name], theirs[name])
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-12)
    else:
        assert mine == theirs


@pytest.mark.parametrize("memory", [TILE_MEMORY, 20 * BANDS * 22, 10**9])
def test_tiles_give_the_files_of_the_whole(folder: Path, memory: int) -> None:
    expected, where = whole(folder)
    run = run_tiles(folder, tile_memory=memory)
    result = open_result(folder / "out")
    xr.testing.assert_equal(result, expected)
    assert {name: v.attrs for name, v in result.data_vars.items()} == {
        n: v.attrs for n, v in expected.data_vars.items()
    }
    assert result.spatial_ref.attrs == expected.spatial_ref.attrs
    assert run.n_valid == int(expected.abundance.notnull().all("endmember").sum())
    theirs, mine = content(where), content(folder / "out")
    files = [name for name in theirs if "result.zarr" not in name and name != "provenance.json"]
    assert {"abundance.tif", "outside_reach.tif", "scene.tif", "endmembers.sli", "model/model.safetensors"} < set(files)
    assert [name for name in files if mine[name] != theirs[name]] == []
    listed = [json.loads(content["provenance.json"])["files"] for content in (mine, theirs)]
    assert [name for name in listed[0] if name != "item.json"] == listed[1]
    assert result.outside_reach[33, 5:9].all() and result.outside_reach.sum() < 40
    assert_alike(provenance_of(result)["diagnosis"], provenance_of(expected)["diagnosis"])
    assert set(provenance_of(expected)) - set(provenance_of(result)) == {"unmix_s"}
    assert sorted(path.name for path in folder.iterdir() if "out" in path.name) == ["out"]


@pytest.mark.parametrize("kind", ["zarr", "tif", "nc"])
def test_other_formats_and_blocks(folder: Path, kind: str) -> None:
    scene = open_scene(folder / "scene.img")
    path = folder / f"again.{kind}"
    if kind == "tif":
        shape = {"height": ROWS, "width": COLUMNS, "count": BANDS, "dtype": "float32", "nodata": -1.0}
        blocks = {"tiled": True, "blockxsize": 16, "blockysize": 16}
        with rasterio.open(path, "w", driver="GTiff", **shape, **blocks) as file:
            file.write(np.moveaxis(scene.fillna(-1.0).values, 2, 0))
            for band, wavelength in enumerate(scene.wavelength.values):
                file.update_tags(band + 1, wavelength=wavelength, wavelength_units="nm")
    else:
        save_scene(scene, path)
    fitted = load(folder / "model")
    again = open_scene(path, keep_atmosphere=True)
    expected = diagnose(again, fitted.unmix(again), fitted=fitted)
    run = unmix_file(folder / "model", path, folder / "out", tile_memory=TILE_MEMORY)
    assert run.n_tiles > 4
    xr.testing.assert_equal(open_result(folder / "out").drop_attrs(), expected.drop_attrs())


def test_idnet_by_tiles(folder: Path) -> None:
    from unmixel.methods.idnet import IDNet

    sample = sample_pixels_of(folder)
    fitted = IDNet(n_endmembers=3, n_epochs=1, steps_per_epoch=2).fit(sample)
    expected, _ = whole(folder, fitted)
    run = unmix_file(fitted, folder / "scene.img", folder / "out", tile_memory=TILE_MEMORY)
    assert run.n_tiles == N_TILES
    result = open_result(folder / "out")
    xr.testing.assert_equal(result, expected)
    assert_alike(provenance_of(result)["diagnosis"], provenance_of(expected)["diagnosis"])
    assert {"abundance_sd", "latent_mean", "nonlinearity_degree"} < set(result)
    assert (folder / "out/nonlinearity.tif").read_bytes() == (folder / "whole/nonlinearity.tif").read_bytes()


def sample_pixels_of(folder: Path) -> xr.DataArray:
    from unmixel.io import open_lazily

    return sample_pixels(open_lazily(folder / "scene.img"), 400).scene


def test_masked_tiles_cost_nothing(folder: Path) -> None:
    run_tiles(folder)
    abundance = zarr.open_array(folder / "out/result.zarr/abundance", mode="r")
    assert abundance.shards == (7, COLUMNS, 3)
    shards = sorted(int(path.name) for path in (folder / "out/result.zarr/abundance/c").iterdir())
    assert shards == [0, 3, 4, 5, 6, 7, 8]
    result = open_result(folder / "out")
    assert result.abundance[7:21].isnull().all() and result.reconstruction_rmse[40, 3:30].isnull().all()
    assert result.abundance[21:40].notnull().all()


def test_progress_has_numbers_that_make_sense(folder: Path) -> None:
    said = []
    run = run_tiles(folder, progress=lambda stage, numbers: said.append((stage, dict(numbers))))
    for stage, unit, total in (("reading", "window", N_TILES), ("tiles", "tile", N_TILES), ("writing", "map", 4)):
        assert [numbers[unit] for one, numbers in said if one == stage] == list(range(1, total + 1))
        assert all(numbers["of"] == total for one, numbers in said if one == stage)
    tiles = [numbers for stage, numbers in said if stage == "tiles"]
    assert tiles[-1]["s left"] == 0 and tiles[0]["s left"] > 0
    assert all(numbers["px/s"] > 0 for numbers in tiles)
    assert tiles[-1]["MB"] * 1e6 <= run.peak_memory
