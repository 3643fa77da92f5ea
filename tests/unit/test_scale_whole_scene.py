"""A method in which pixels depend on their neighbours gives the same from disk to disk as in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tiled_scene import TILE_MEMORY, make_folder

from unmixel import plot
from unmixel.diagnostics import diagnose
from unmixel.errors import ParameterError, SceneError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_grid import pixel_grid
from unmixel.explorer.pixel_story import tell
from unmixel.io import open_lazily, open_scene
from unmixel.methods.sunsal_tv import SUnSALTV
from unmixel.result import open_result, provenance_of
from unmixel.scale import fit_to_all, unmix_file

METHOD = SUnSALTV(n_endmembers=3, smoothness=0.02, sparsity=0.0)
PIXEL = (33, 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, and its result made by tiles, were the method one for tiles."""
    made = make_folder(tmp_path_factory.mktemp("whole"))
    run = unmix_file(METHOD, made / "scene.img", made / "out", tile_memory=TILE_MEMORY)
    assert run.n_tiles == 1
    return made


def test_the_result_is_that_of_the_whole_scene(folder: Path) -> None:
    scene = open_scene(folder / "scene.img")
    fitted = METHOD.fit(scene)
    expected = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    result = open_result(folder / "out")
    xr.testing.assert_equal(result.drop_attrs(), expected.drop_attrs())
    assert provenance_of(result)["diagnosis"] == provenance_of(expected)["diagnosis"]


def test_the_neighbours_matter(folder: Path) -> None:
    scene = open_scene(folder / "scene.img")
    fitted = METHOD.fit(scene)
    part = {"y": slice(30, 40), "x": slice(0, 20)}
    alone = fitted.unmix(scene.isel(part)).abundance
    assert float(np.abs(alone - fitted.unmix(scene).abundance.isel(part)).max()) > 1e-3


def test_the_story_of_a_pixel_is_that_of_the_map(folder: Path) -> None:
    result = open_result(folder / "out")
    story = tell(OpenedResult(folder / "out"), *PIXEL)
    assert story.spectra is not None, story.without_spectra
    parts = story.spectra.parts
    expected = result.abundance.values[PIXEL][:, None] * result.endmember_spectrum.values[:, result.good_band.values]
    np.testing.assert_allclose(parts.shares, expected, atol=1e-6)
    np.testing.assert_allclose(
        np.sqrt(((parts.observed - parts.shares.sum(axis=0)) ** 2).mean()),
        result.reconstruction_rmse.values[PIXEL],
        rtol=1e-4,
    )


def test_the_pixels_of_a_report_are_those_of_the_map(folder: Path) -> None:
    result, step = open_result(folder / "out"), 3
    grid = pixel_grid(OpenedResult(folder / "out"), step, with_spectra=True)
    story = next(one for one in grid.stories if (one.row, one.column) == PIXEL)
    assert story.spectra is not None
    misfit = story.spectra.parts.observed - story.spectra.parts.shares.sum(axis=0)
    expected = result.reconstruction_rmse.values[PIXEL]
    np.testing.assert_allclose(np.sqrt((misfit**2).mean()), expected, rtol=1e-4)


def test_a_figure_of_a_pixel_sees_the_whole_scene(folder: Path) -> None:
    scene = open_scene(folder / "scene.img")
    fitted = METHOD.fit(scene)
    figure = plot.pixel(fitted.unmix(scene), scene, fitted, *PIXEL)
    observed = next(line for line in figure.axes[0].lines if line.get_label() == "observed")
    good = scene.good_band.values
    np.testing.assert_allclose(np.asarray(observed.get_ydata())[good], scene.values[PIXEL][good], rtol=1e-6)


def test_a_scene_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmixel.scale.whole.LARGEST", 100_000)
    with pytest.raises(SceneError, match=r"61 x 43 pixels and 12 bands.*cut the scene"):
        unmix_file(METHOD, folder / "scene.img", folder / "not_made")
    assert not (folder / "not_made").exists()


def test_one_model_for_many_scenes_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="--each"):
        fit_to_all(METHOD, [open_lazily(folder / "scene.img")] * 2, tmp_path / "model")
