"""`unmixel simulate`: scene and truth are written both or not at all, and nothing of anybody else's is replaced."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unmixel.cli.main import run
from unmixel.io import open_scene, save_scene
from unmixel.result import open_result, provenance_of
from unmixel.scene import make_scene
from unmixel.simulate import PRESETS, simulate_preset

Unmixel = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unmixel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Unmixel:
    """The program: `unmixel("simulate", "dc1")` gives exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def digest(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


SMALL = ("--rows", 7, "--columns", 9)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("scene.img", {"scene.img", "scene.hdr", "scene.truth.zarr"}),
        ("scene.hdr", {"scene.img", "scene.hdr", "scene.truth.zarr"}),
        ("scene.nc", {"scene.nc", "scene.truth.zarr"}),
        ("scene.zarr", {"scene.zarr", "scene.truth.zarr"}),
    ],
)
def test_scene_and_truth_come_back(name: str, written: set[str], tmp_path: Path, unmixel: Unmixel) -> None:
    status, out, err = unmixel("simulate", "mixed", *SMALL, "--snr", 25, "--seed", 4, "-o", tmp_path / name)
    assert (status, err) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == written
    scene, truth = simulate_preset("mixed", rows=7, columns=9, snr_db=25.0, seed=4)
    np.testing.assert_array_equal(open_scene(tmp_path / name).values, scene.values)
    found = open_result(tmp_path / "scene.truth.zarr")
    for variable in truth.data_vars:
        np.testing.assert_array_equal(found[variable], truth[variable])
    assert found.attrs["laws"] == truth.attrs["laws"]
    assert provenance_of(found)["command"][:2] == ["unmixel", "simulate"]
    for text in ("7 x 9 x 180", "25 dB", "scene.truth.zarr", "limestone"):
        assert text in out


def test_sizes_and_noise_are_the_presets_where_nothing_is_asked(tmp_path: Path, unmixel: Unmixel) -> None:
    assert unmixel("simulate", "dc1", "-o", tmp_path / "scene.nc")[0] == 0
    truth = open_result(tmp_path / "scene.truth.zarr")
    assert (truth.sizes["y"], truth.sizes["x"], truth.attrs["snr_db"]) == (50, 50, 30.0)


def test_help_names_every_preset(unmixel: Unmixel) -> None:
    out = " ".join(unmixel("simulate", "--help")[1].split())
    assert ", ".join(PRESETS) in out


def test_nothing_is_replaced_unless_asked(tmp_path: Path, unmixel: Unmixel) -> None:
    arguments = ("simulate", "dc1", *SMALL, "-o", tmp_path / "scene.img")
    unmixel(*arguments)
    before = digest(tmp_path)
    status, _, err = unmixel(*arguments, "--seed", 1)
    assert status == 2
    assert "scene.img exists" in err
    assert "--overwrite" in err
    assert len(err.splitlines()) == 1
    assert digest(tmp_path) == before
    assert unmixel(*arguments, "--seed", 1, "--overwrite")[0] == 0
    expected = simulate_preset("dc1", rows=7, columns=9, seed=1)[0]
    np.testing.assert_array_equal(open_scene(tmp_path / "scene.img").values, expected.values)
    assert {path.name for path in tmp_path.iterdir()} == {"scene.img", "scene.hdr", "scene.truth.zarr"}


@pytest.mark.parametrize("truth_of_another", [False, True])
def test_a_scene_of_somebody_else_is_never_replaced(truth_of_another: bool, tmp_path: Path, unmixel: Unmixel) -> None:
    if truth_of_another:
        unmixel("simulate", "dc1", *SMALL, "-o", tmp_path / "scene.nc")
        (tmp_path / "scene.nc").unlink()
    mine = make_scene(np.random.default_rng(0).random((4, 5, 6)))
    save_scene(mine, tmp_path / "scene.zarr")
    before = digest(tmp_path)
    status, _, err = unmixel("simulate", "dc1", *SMALL, "-o", tmp_path / "scene.zarr", "--overwrite")
    assert status == 2
    assert "was not written by" in err
    assert digest(tmp_path) == before


def test_what_was_there_stays_if_the_new_cannot_be_put_in_place(
    tmp_path: Path, unmixel: Unmixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("simulate", "dc1", *SMALL, "-o", tmp_path / "scene.img")
    unmixel(*arguments)
    before = digest(tmp_path)
    real = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if Path(target) == tmp_path / "scene.img" and ".partial" in str(self):
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    status, _, err = unmixel(*arguments, "--seed", 1, "--overwrite")
    assert status == 2
    assert "No space left" in err
    monkeypatch.setattr(Path, "rename", real)
    assert digest(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dc3", "-o", "scene.nc"), "dc1, dc2, intimate"),
        (("dc1", "-o", "scene.png"), ".img, .nc or .zarr"),
        (("dc1", "-o", "nowhere/scene.nc"), "nowhere"),
        (("dc1", "--snr", "nan", "-o", "scene.nc"), "finite"),
        (("dc1", "--rows", "1", "--columns", "1", "-o", "scene.nc"), "two pixels"),
        (("dc1", "--rows", "0", "-o", "scene.nc"), "--rows"),
        (("dc1", "--columns", "0", "-o", "scene.nc"), "--columns"),
    ],
)
def test_bad_requests_end_in_one_line_and_leave_nothing(
    arguments: tuple[str, ...], message: str, tmp_path: Path, unmixel: Unmixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = unmixel("simulate", *arguments)
    assert status == 2
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
    assert os.listdir(tmp_path) == []  # noqa: PTH208
