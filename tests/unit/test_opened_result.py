"""A result folder opens with its model and the scene it was made from, or says why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from unmixel.errors import SceneError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io import open_scene, write_envi
from unmixel.io.windows import Window
from unmixel.methods.fcls import FCLS
from unmixel.registry import load
from unmixel.result import open_result
from unmixel.scale import unmix_file
from unmixel.simulate import simulate_demo

ROWS, COLUMNS = 20, 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene and its result, some bands left out."""
    folder = tmp_path_factory.mktemp("made")
    scene, _ = simulate_demo(rows=ROWS, columns=COLUMNS)
    write_envi(scene, folder / "scene.img")
    unmix_file(FCLS(n_endmembers=3), folder / "scene.img", folder / "out", leave_out=[(400, 430)])
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to do with as one likes; the result still says where the first scene is."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def tell(folder: Path, **changes: object) -> None:
    """Change what the provenance of the result says."""
    path = folder / "out/provenance.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_it_holds_the_result_the_model_and_the_scene(made: Path) -> None:
    opened = OpenedResult(made / "out")
    xr.testing.assert_identical(opened.result.load(), open_result(made / "out").load())
    assert opened.fitted is not None and opened.scene is not None
    assert opened.fitted.digest() == load(made / "out").digest()
    assert opened.provenance["method"] == "fcls"
    assert opened.without_scene == ""


def test_a_window_of_the_scene_is_on_the_bands_of_the_model(made: Path) -> None:
    scene = open_scene(made / "scene.img", leave_out=[(400, 430)])
    found = OpenedResult(made / "out").scene_at(Window(2, 7, 4, 19))
    assert found is not None
    np.testing.assert_array_equal(found.values, scene.values[2:7, 4:19])
    np.testing.assert_array_equal(found["y"], scene["y"][2:7])
    np.testing.assert_array_equal(found["good_band"], open_result(made / "out")["good_band"])
    assert np.isnan(found.values).any(), "some pixels are masked there"


def test_a_pixel_is_that_of_the_file(made: Path) -> None:
    result, said = open_result(made / "out"), OpenedResult(made / "out").pixel(3, 17)
    for name in ("abundance", "reconstruction_rmse", "outside_reach"):
        np.testing.assert_array_equal(said[name].values, result[name].values[3, 17])


def test_its_axis_has_the_good_bands_in_nanometres(made: Path) -> None:
    opened = OpenedResult(made / "out")
    scene = open_scene(made / "scene.img", leave_out=[(400, 430)])
    at_bands = opened.axis.x[~opened.axis.gap]
    np.testing.assert_allclose(at_bands, scene["wavelength"].values[scene["good_band"].values])
    assert at_bands.min() > 430
    assert opened.axis.label == "wavelength [nm]"


def test_without_wavelengths_bands_are_counted(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.6, (12, 9, 7))
    values[:, :, 2] = 0.5
    np.save(tmp_path / "scene.npy", values)
    unmix_file(FCLS(n_endmembers=2), tmp_path / "scene.npy", tmp_path / "out")
    opened = OpenedResult(tmp_path / "out")
    assert opened.axis.label == "band"
    assert opened.axis.x.tolist() == [1, 2, 2, 4, 4, 5, 6, 7]


def test_a_scene_that_moved_is_missed_and_can_be_given(folder: Path) -> None:
    tell(folder, scene={"path": str(folder / "scene.img"), "variable": None, "leave_out": [[400, 430]], "scale": None})
    for name in ("scene.img", "scene.hdr"):
        (folder / name).rename(folder / name.replace("scene", "moved"))
    opened = OpenedResult(folder / "out")
    assert opened.scene is None
    assert opened.scene_at(Window(0, 1, 0, 1)) is None
    assert "scene.img" in opened.without_scene
    np.testing.assert_array_equal(opened.pixel(0, 0)["abundance"].isnull(), False)
    given = OpenedResult(folder / "out", scene=folder / "moved.img")
    found = given.scene_at(Window(5, 6, 0, COLUMNS))
    assert found is not None
    np.testing.assert_array_equal(found.values, open_scene(folder / "moved.img").values[5:6])


def test_another_scene_is_refused(folder: Path) -> None:
    write_envi(open_scene(folder / "scene.img")[1:], folder / "other.img")
    with pytest.raises(SceneError, match=r"19 x 30 x 165 rows, columns and bands now, not 20 x 30 x 165"):
        OpenedResult(folder / "out", scene=folder / "other.img")
    with pytest.raises(SceneError, match=r"nothing\.img"):
        OpenedResult(folder / "out", scene=folder / "nothing.img")
    tell(folder, scene={"path": str(folder / "other.img")})
    opened = OpenedResult(folder / "out")
    assert opened.scene is None
    assert "19 x 30 x 165" in opened.without_scene


def test_a_result_that_does_not_know_its_scene(folder: Path) -> None:
    tell(folder, scene=None, input=None)
    opened = OpenedResult(folder / "out")
    assert opened.scene is None
    assert opened.without_scene == "the result does not say which scene it was made from"


def test_without_a_model_there_is_no_scene_on_its_bands(folder: Path) -> None:
    shutil.rmtree(folder / "out/model")
    opened = OpenedResult(folder / "out")
    assert opened.fitted is None
    assert opened.scene is not None
    assert opened.scene_at(Window(0, 1, 0, 1)) is None


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="holds no result"):
        OpenedResult(tmp_path)
