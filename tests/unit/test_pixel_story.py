"""The story of a pixel is told with the numbers of the result file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_story import ANOTHER_SCENE, PixelStory, tell
from unmixel.intervals import abundance_interval
from unmixel.io import open_scene, write_envi
from unmixel.methods._method import Method
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.methods.scls import SCLS
from unmixel.result import open_result
from unmixel.scale import unmix_file
from unmixel.scene import good_bands
from unmixel.simulate import simulate_demo
from unmixel.solvers import kkt_residual

ROWS, COLUMNS = 20, 30
PIXEL = (12, 5)
MASKED = (3, 7)
METHODS: dict[str, Method] = {
    "idnet": IDNet(n_endmembers=3, extraction="clusters", n_epochs=2, steps_per_epoch=3, batch_size=32),
    "fcls": FCLS(n_endmembers=3),
    "scls": SCLS(n_endmembers=3),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, and a result of each method under its name."""
    folder = tmp_path_factory.mktemp("made")
    scene, _ = simulate_demo(rows=ROWS, columns=COLUMNS)
    write_envi(scene, folder / "scene.img")
    for name, method in METHODS.items():
        unmix_file(method, folder / "scene.img", folder / name)
    return folder


@pytest.fixture(params=list(METHODS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def story_of(made: Path, name: str, pixel: tuple[int, int] = PIXEL) -> PixelStory:
    return tell(OpenedResult(made / name), *pixel)


def test_what_it_says_is_what_the_file_says(made: Path, name: str) -> None:
    story, result = story_of(made, name), open_result(made / name)
    np.testing.assert_array_equal(story.abundance, result["abundance"].values[PIXEL])
    assert story.names == list(result["endmember"].values)
    assert story.valid
    assert (story.row, story.column) == PIXEL
    if name == "idnet":
        interval = abundance_interval(result)
        np.testing.assert_allclose(story.lower, interval["lower"].values[PIXEL], atol=1e-6)
        np.testing.assert_allclose(story.upper, interval["upper"].values[PIXEL], atol=1e-6)
    else:
        assert np.isnan(story.lower).all() and np.isnan(story.upper).all()


def test_its_parts_add_up_to_the_observed_pixel(made: Path, name: str) -> None:
    story, result, scene = story_of(made, name), open_result(made / name), open_scene(made / "scene.img")
    assert story.spectra is not None
    parts, good = story.spectra.parts, good_bands(scene)
    np.testing.assert_array_equal(parts.observed, scene.values[PIXEL][good])
    left = parts.observed - parts.shares.sum(axis=0) - parts.nonlinear
    assert np.sqrt((left**2).mean()) == pytest.approx(result["reconstruction_rmse"].values[PIXEL], abs=1e-5)
    assert (parts.sd > 0).all() if name == "idnet" else np.isnan(parts.sd).all()
    brightness = 1 if name != "scls" else parts.shares.sum() / (story.abundance @ story.spectra.endmembers).sum()
    expected = brightness * story.abundance[:, None] * story.spectra.endmembers
    np.testing.assert_allclose(parts.shares, expected, atol=1e-4 if name == "idnet" else 1e-6)


def test_fcls_is_optimal_for_the_mean_spectra_of_the_result(made: Path, name: str) -> None:
    story, result, scene = story_of(made, name), open_result(made / name), open_scene(made / "scene.img")
    assert story.spectra is not None
    good = good_bands(scene)
    means = result["endmember_spectrum"].values[:, good].astype(float)
    observed = scene.values[PIXEL][good].astype(float)
    assert story.spectra.fcls.sum() == pytest.approx(1)
    assert kkt_residual(observed[None], means, story.spectra.fcls[None], sum_to_one=True).max() < 1e-5
    if name == "fcls":
        np.testing.assert_allclose(story.spectra.fcls, story.abundance, atol=1e-5)


def test_sentences_have_the_numbers_of_the_file(made: Path, name: str) -> None:
    story, result = story_of(made, name), open_result(made / name)
    first, of_fcls, *rest = story.sentences()
    assert first.startswith("Pixel in row 13, column 6 is ")
    for k, share in enumerate(result["abundance"].values[PIXEL]):
        assert f"{100 * share:.0f} % {story.names[k]}" in first
    order = [first.index(f" % {story.names[k]}") for k in np.argsort(-story.abundance)]
    assert order == sorted(order), "the largest comes first"
    assert ("90 % interval" in first) == (name == "idnet")
    assert of_fcls.startswith("Fully constrained least squares with the mean spectra says ")
    rmse = result["reconstruction_rmse"].values[PIXEL]
    assert f"The reconstruction is {rmse:.4f} away from the pixel" in " ".join(rest)
    if name == "idnet":
        share = 100 * result["nonlinearity_degree"].sel(stream="mixing").values[PIXEL]
        assert rest[0] == f"{share:.1f} % of what the model mixes here is nonlinear."


def test_a_masked_pixel_is_said_to_be_masked(made: Path, name: str) -> None:
    story = story_of(made, name, MASKED)
    assert not story.valid
    assert story.spectra is None
    assert story.sentences() == ["Pixel in row 4, column 8 is masked: it has no valid value in some band that is used."]


@pytest.mark.parametrize("pixel", [(-1, 0), (0, -1), (ROWS, 0), (0, COLUMNS)])
def test_a_pixel_outside_is_refused(made: Path, pixel: tuple[int, int]) -> None:
    with pytest.raises(ParameterError, match=r"a row below 20 and a column below 30, counted from 0"):
        story_of(made, "fcls", pixel)


def test_without_its_scene_the_story_is_shorter(made: Path, tmp_path: Path) -> None:
    whole = story_of(made, "fcls")
    shutil.copytree(made / "fcls", tmp_path / "fcls")
    shutil.copy(made / "scene.hdr", tmp_path / "scene.hdr")
    provenance = (tmp_path / "fcls/provenance.json").read_text()
    (tmp_path / "fcls/provenance.json").write_text(provenance.replace(str(made), str(tmp_path)))
    story = story_of(tmp_path, "fcls")
    np.testing.assert_array_equal(story.abundance, whole.abundance)
    assert story.spectra is None
    first, *others = whole.sentences()
    assert story.sentences()[:-1] == [first, *others[1:]]
    assert story.sentences()[-1].startswith("Its spectra are not shown: ")
    assert "scene.img" in story.sentences()[-1]


def test_without_its_model_it_has_no_spectra(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "fcls", tmp_path / "fcls")
    shutil.rmtree(tmp_path / "fcls/model")
    assert story_of(tmp_path, "fcls").without_spectra == "the model is not in the folder"


@pytest.mark.parametrize("change", ["mirrored", "masked"])
def test_another_scene_of_the_same_size_is_noticed(made: Path, tmp_path: Path, change: str) -> None:
    scene = open_scene(made / "scene.img")
    if change == "mirrored":
        scene = scene.copy(data=scene.values[:, ::-1])
    else:
        scene[PIXEL] = np.nan
    write_envi(scene, tmp_path / "other.img")
    story = tell(OpenedResult(made / "fcls", scene=tmp_path / "other.img"), *PIXEL)
    assert story.spectra is None
    assert story.without_spectra == ANOTHER_SCENE
