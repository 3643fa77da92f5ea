"""Bands in which the air absorbs are left out of what is read from files, unless they are asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unmixel.cli.main import run
from unmixel.cli.run_config import read_run_config
from unmixel.cli.scene_runs import Settings, _as_set, _open
from unmixel.cli.scenes import SceneJob
from unmixel.errors import ModelError, OutputError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io import open_lazily, open_scene, save_scene, write_envi
from unmixel.methods._fitted import Fitted
from unmixel.methods.fcls import FCLS
from unmixel.result import open_result
from unmixel.scale import unmix_file
from unmixel.scene import good_bands, make_scene

WAVELENGTH = [1300.0, 1349.9, 1350.0, 1400.0, 1450.0, 1450.1, 1799.0, 1800.0, 1950.0, 1951.0, 2200.0]
OUTSIDE = [True, True, False, False, False, True, True, False, False, True, True]


def write_foreign(path: Path, wavelength: Sequence[float] = WAVELENGTH, *, seed: int = 0, more: str = "") -> Path:
    """An ENVI scene of 6 x 5 pixels that another program wrote."""
    rng = np.random.default_rng(seed)
    materials = rng.uniform(0.1, 0.6, (3, len(wavelength)))
    values = rng.dirichlet(np.ones(3), (6, 5)) @ materials + rng.normal(0, 1e-3, (6, 5, len(wavelength)))
    values.astype("<f4").transpose(0, 2, 1).tofile(path)
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = 5\nlines = 6\nbands = {len(wavelength)}\ndata type = 4\ninterleave = bil\nbyte order = 0\n"
        f"wavelength units = Nanometers\nwavelength = {{{', '.join(map(str, wavelength))}}}\n{more}"
    )
    return path


def test_bands_in_the_air_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    scene = open_scene(write_foreign(tmp_path / "s.img"))
    assert good_bands(scene).tolist() == OUTSIDE
    assert "3 bands within 1350 to 1450 nm left out: the air absorbs there" in scene.attrs["reading"]
    assert "2 bands within 1800 to 1950 nm left out: the air absorbs there" in scene.attrs["reading"]
    lazy = open_lazily(tmp_path / "s.img")
    assert lazy.good_band.tolist() == OUTSIDE
    assert lazy.outline.attrs["reading"] == scene.attrs["reading"]


def test_they_are_kept_if_asked_for(tmp_path: Path) -> None:
    path = write_foreign(tmp_path / "s.img")
    scene = open_scene(path, keep_atmosphere=True)
    assert good_bands(scene).all()
    assert not any("air" in line for line in scene.attrs["reading"])
    assert open_lazily(path, keep_atmosphere=True).good_band.all()


def test_bands_that_are_bad_anyway_are_not_counted(tmp_path: Path) -> None:
    path = write_foreign(tmp_path / "s.img", more="bbl = {1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1}\n")
    scene = open_scene(path, leave_out=[(2000, 2500)])
    assert good_bands(scene).tolist() == [*OUTSIDE[:-1], False]
    said = [line for line in scene.attrs["reading"] if "left out" in line]
    assert said == [
        "4 bands left out: declared bad",
        "1 band within 2000 to 2500 left out as asked",
        "1 band within 1800 to 1950 nm left out: the air absorbs there",
    ]
    assert [
        line for line in open_lazily(path, leave_out=[(2000, 2500)]).outline.attrs["reading"] if "left out" in line
    ] == said


def test_a_scene_with_nothing_else_keeps_them(tmp_path: Path) -> None:
    scene = open_scene(write_foreign(tmp_path / "s.img", [1360.0, 1400.0, 1440.0]))
    assert good_bands(scene).all()
    assert not any("air" in line for line in scene.attrs["reading"])


def test_scenes_made_in_memory_and_written_by_unmixel_stay_as_they_are(tmp_path: Path) -> None:
    kept = make_scene(np.random.default_rng(0).random((4, 3, 11)), wavelength=WAVELENGTH)
    assert good_bands(kept).all()
    save_scene(kept, tmp_path / "s.nc")
    save_scene(kept, tmp_path / "s.zarr")
    write_envi(kept, tmp_path / "s.img")
    for name in ("s.nc", "s.zarr", "s.img"):
        assert good_bands(open_scene(tmp_path / name)).all(), name
    save_scene(open_scene(write_foreign(tmp_path / "foreign.img")), tmp_path / "foreign.nc")
    again = open_scene(tmp_path / "foreign.nc")
    assert good_bands(again).tolist() == OUTSIDE
    assert sum("air absorbs" in line for line in again.attrs["reading"]) == 2


def fitted(path: Path, *, keep_atmosphere: bool) -> Fitted:
    return FCLS(n_endmembers=3).fit(open_scene(path, keep_atmosphere=keep_atmosphere))


@pytest.mark.parametrize("kept", [False, True])
def test_a_model_has_scenes_read_as_it_was_told(tmp_path: Path, kept: bool) -> None:
    model = fitted(write_foreign(tmp_path / "first.img"), keep_atmosphere=kept)
    other = write_foreign(tmp_path / "other.img", seed=1)
    unmix_file(model, other, tmp_path / "out")
    told = json.loads((tmp_path / "out/provenance.json").read_text())["scene"]
    assert told["keep_atmosphere"] is kept
    opened = OpenedResult(tmp_path / "out")
    assert opened.scene is not None
    assert opened.scene.keep_atmosphere is kept
    assert good_bands(opened.result).all() == kept


def test_a_model_that_needs_them_says_how_to_read_them(tmp_path: Path) -> None:
    model = fitted(write_foreign(tmp_path / "first.img"), keep_atmosphere=True)
    with pytest.raises(ModelError, match=r"5 of the model's bands are bad.*keep_atmosphere"):
        model.unmix(open_scene(tmp_path / "first.img"))


def test_a_run_goes_on_only_as_it_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_foreign(tmp_path / "s.img")

    def broken(*arguments: object) -> None:
        raise OutputError("a disk that is full", "space")

    with monkeypatch.context() as patched:
        patched.setattr("unmixel.scale.stages.finish_result", broken)
        with pytest.raises(OutputError, match="disk"):
            unmix_file(FCLS(n_endmembers=3), path, tmp_path / "out", keep_atmosphere=True)
    with pytest.raises(OutputError, match="another keep_atmosphere"):
        unmix_file(FCLS(n_endmembers=3), path, tmp_path / "out", resume=True)
    unmix_file(FCLS(n_endmembers=3), path, tmp_path / "out", resume=True, keep_atmosphere=True)


def test_a_run_file_can_keep_them(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('method = "fcls"\nn_endmembers = 3\nkeep_atmosphere = true\n')
    assert read_run_config(tmp_path / "run.toml").keep_atmosphere
    assert not read_run_config(None).keep_atmosphere


def test_a_manifest_decides_before_the_command_line(tmp_path: Path) -> None:
    path = write_foreign(tmp_path / "s.img")
    settings = Settings(
        scenes=[], manifest=None, output=tmp_path, bands=None, scale=None, keep_atmosphere=True, workers=None,
        scheduler=None, resume=False, overwrite=False,
    )  # fmt: skip
    jobs = [_as_set(SceneJob(path, "s", keep_atmosphere=kept), settings) for kept in (None, True, False)]
    used = [int(_open(job).good_band.sum()) for job in jobs]
    assert used == [11, 11, 6]


def test_commands_take_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_foreign(tmp_path / "s.img")
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})
    monkeypatch.setenv("COLUMNS", "200")

    def unmixel(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run()
        assert not ended.value.code
        return capsys.readouterr().out

    assert "bands left out      │ 5: 3-5, 8-9" in unmixel("info", path)
    assert "bands left out      │ 0" in unmixel("info", path, "--keep-atmosphere")
    unmixel("unmix", path, "--method", "fcls", "-p", 3, "--keep-atmosphere", "-o", tmp_path / "kept")
    unmixel("apply", tmp_path / "kept", write_foreign(tmp_path / "other.img", seed=2), "-o", tmp_path / "applied")
    unmixel("endmembers", path, "-p", 3, "--keep-atmosphere", "-o", tmp_path / "found.nc")
    for name in ("kept", "applied"):
        assert good_bands(open_result(tmp_path / name)).all()
        assert json.loads((tmp_path / name / "provenance.json").read_text())["scene"]["keep_atmosphere"] is True
