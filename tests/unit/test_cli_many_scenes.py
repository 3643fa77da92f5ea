"""`unmixel unmix` and `apply` with many scenes: a folder for each, one model or many, and a collection."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tiled_scene import make_folder
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.io import open_scene, write_envi
from unmixel.registry import load
from unmixel.result import open_result

Unmixel = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unmixel(monkeypatch: pytest.MonkeyPatch) -> Unmixel:
    """The program: status, what it printed, and what it said beside."""
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A folder with the upper and the lower part of a scene, of other sizes."""
    make_folder(tmp_path)
    scene = open_scene(tmp_path / "scene.img")
    write_envi(scene[:26], tmp_path / "upper.img")
    write_envi(scene[26:], tmp_path / "lower.img")
    return tmp_path


def test_many_scenes_share_a_model(campaign: Path, unmixel: Unmixel) -> None:
    out = campaign / "out"
    status, shown, err = unmixel("unmix", campaign / "*er.img", "-p", 3, "--method", "fcls", "-o", out)
    assert status == 0, err
    assert {path.name for path in out.iterdir()} == {"collection.json", "model", "upper", "lower"}
    assert "one model for 2 scenes" in err and "scene 2 of 2: upper" in err and shown.count("written to") == 2
    models = [load(out / name / "model") for name in ("upper", "lower")]
    assert models[0].digest() == models[1].digest() == load(out / "model").digest()
    collection = json.loads((out / "collection.json").read_text())
    links = [link["href"] for link in collection["links"] if link["rel"] == "item"]
    assert sorted(links) == ["./lower/item.json", "./upper/item.json"]
    whole = campaign / "whole"
    assert unmixel("apply", out, campaign / "scene.img", "-o", whole)[0] == 0
    joined = np.concatenate([open_result(out / name).abundance for name in ("upper", "lower")])
    np.testing.assert_array_equal(joined, open_result(whole).abundance)


def test_each_scene_may_have_its_own_model(campaign: Path, unmixel: Unmixel) -> None:
    scenes = campaign / "upper.img", campaign / "lower.hdr"
    status, _, err = unmixel("unmix", *scenes, "-p", 3, "--method", "fcls", "--each", "-o", campaign / "out")
    assert status == 0, err
    assert not (campaign / "out/model").exists()
    alone = campaign / "alone"
    assert unmixel("unmix", scenes[0], "-p", 3, "--method", "fcls", "-o", alone)[0] == 0
    xr.testing.assert_equal(open_result(alone), open_result(campaign / "out/upper"))


def test_a_manifest_names_scenes_and_says_how_each_is_read(campaign: Path, unmixel: Unmixel) -> None:
    manifest = campaign / "days.toml"
    manifest.write_text(
        '[[scene]]\npath = "upper.img"\nname = "one"\nbands = "800-1000"\n[[scene]]\npath = "lower.img"\nname = "two"\n'
    )
    out = campaign / "out"
    status, _, err = unmixel("unmix", "--manifest", manifest, "-p", 3, "--method", "fcls", "--each", "-o", out)
    assert status == 0, err
    assert int(open_result(out / "one").good_band.sum()) < int(open_result(out / "two").good_band.sum()) == 11
    assert json.loads((out / "two/item.json").read_text())["id"] == "two"


def test_a_scene_that_cannot_be_unmixed_does_not_stop_the_others(campaign: Path, unmixel: Unmixel) -> None:
    np.save(campaign / "few.npy", np.random.default_rng(0).random((4, 5, 3)))
    model, out = campaign / "model", campaign / "out"
    scenes = [campaign / name for name in ("upper.img", "few.npy", "lower.img")]
    status, _, err = unmixel("apply", model, *scenes, "-o", out)
    assert status == 2
    assert "1 of 3 scenes were not unmixed: few (the first: a scene of 3 bands for a model of 12" in err
    assert {path.name for path in out.iterdir()} == {"collection.json", "upper", "lower"}
    before = (out / "lower/abundance.tif").stat().st_mtime_ns
    write_envi(open_scene(campaign / "scene.img")[3:9], campaign / "mended.img")
    again = ["apply", model, scenes[0], campaign / "mended.img", scenes[2], "-o", out]
    assert "exists" in unmixel(*again)[2]
    (out / "theirs").mkdir()
    status, _, err = unmixel(*again, "--resume")
    assert status == 0, err
    assert (out / "lower/abundance.tif").stat().st_mtime_ns == before
    assert len(json.loads((out / "collection.json").read_text())["links"]) >= 3


@contextmanager
def interrupted_in(stage_to_end: str) -> Iterator[None]:
    """Let the user press Ctrl-C when a stage has begun."""
    from unmixel.cli.progress import ProgressReport

    call = ProgressReport.__call__

    def interrupt(self: ProgressReport, stage: str, numbers: dict[str, float]) -> None:
        if stage == stage_to_end:
            raise KeyboardInterrupt
        call(self, stage, numbers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProgressReport, "__call__", interrupt)
        yield


def test_an_interrupted_command_goes_on(campaign: Path, unmixel: Unmixel) -> None:
    command = ["unmix", campaign / "scene.img", "-p", 3, "--method", "fcls", "-o", campaign / "out"]
    with interrupted_in("writing"):
        status, _, err = unmixel(*command)
    assert status == 130 and "--resume goes on with it" in err and "nothing was written" not in err
    assert not (campaign / "out").exists()
    status, _, err = unmixel(*command)
    assert status == 2 and "unfinished run" in err and "--resume" in err
    status, _, err = unmixel(*command, "--resume")
    assert status == 0 and "went on with 1 of 1 tiles" in err
    command = json.loads((campaign / "out/provenance.json").read_text())["command"]
    assert command[:2] == ["unmixel", "unmix"] and "--resume" not in command
    assert not list(campaign.glob(".out*"))


def test_what_is_asked_of_many_scenes_must_make_sense(campaign: Path, unmixel: Unmixel) -> None:
    for arguments, expected in (
        (["-p", 3], "scene"),
        ([campaign / "upper.img", "--manifest", campaign / "days.toml"], "manifest"),
        ([campaign / "nothing*.img"], "nothing"),
        ([campaign / "upper.img", "--workers", 2, "--scheduler", "tcp://127.0.0.1:9"], "workers and a scheduler"),
        ([campaign / "upper.img", "--scheduler", "tcp://127.0.0.1:9"], "does not answer"),
    ):
        status, _, err = unmixel("unmix", *arguments, "-o", campaign / "out")
        assert status == 2 and expected in err and len(err.splitlines()) == 1, err
    assert not (campaign / "out").exists()


def test_what_lies_in_the_output_folder_is_safe(campaign: Path, unmixel: Unmixel) -> None:
    scenes = [campaign / "upper.img", campaign / "lower.img"]
    out = campaign / "out"
    out.mkdir()
    (out / "collection.json").write_text('{"mine": 1}')
    status, _, err = unmixel("apply", campaign / "model", *scenes, "-o", out)
    assert status == 2 and "collection.json exists" in err
    assert [path.name for path in out.iterdir()] == ["collection.json"]
    (out / "collection.json").unlink()
    (out / "upper").mkdir()
    (out / "upper/thesis.txt").write_text("years of work")
    status, _, err = unmixel("apply", campaign / "model", *scenes, "-o", out, "--overwrite")
    assert status == 2 and "did not write" in err
    assert (out / "upper/thesis.txt").read_text() == "years of work"


def test_a_collection_lists_all_that_is_there(campaign: Path, unmixel: Unmixel) -> None:
    out = campaign / "out"
    for pattern in ("upp*.img", "low*.img"):
        status, _, err = unmixel("apply", campaign / "model", campaign / pattern, "-o", out, "--resume")
        assert status == 0, err
    links = json.loads((out / "collection.json").read_text())["links"]
    assert sorted(link["href"] for link in links if link["rel"] == "item") == ["./lower/item.json", "./upper/item.json"]
    status, _, err = unmixel("apply", campaign / "model", campaign / "**/*.tif", "-o", out, "--resume")
    assert status == 2 and "matches no scene" in err


def test_names_that_are_taken(campaign: Path, unmixel: Unmixel) -> None:
    write_envi(open_scene(campaign / "upper.img"), campaign / "Model.img")
    scenes = campaign / "upper.img", campaign / "Model.img"
    status, _, err = unmixel("unmix", *scenes, "-p", 3, "--method", "fcls", "-o", campaign / "out")
    assert status == 2 and "a scene named 'model'" in err
    assert not (campaign / "out").exists()


def test_a_run_goes_on_with_other_threads_and_names_what_else_differs(campaign: Path, unmixel: Unmixel) -> None:
    command = ["unmix", campaign / "scene.img", "-p", 3, "--epochs", 1, "-o", campaign / "out"]
    with interrupted_in("tiles"):
        assert unmixel(*command)[0] == 130
    status, _, err = unmixel(*command, "--resume", "--seed", 3)
    assert status == 2 and "another model (seed)" in err
    status, _, err = unmixel(*command, "--resume", "--threads", 2)
    assert status == 0, err
