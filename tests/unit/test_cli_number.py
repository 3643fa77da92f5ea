"""`-p auto` and the diagnosis on the screen and in the files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from unmixel.cli.main import run
from unmixel.diagnostics import diagnosis_of
from unmixel.io import open_bundle, write_envi
from unmixel.result import open_result
from unmixel.scene import make_scene
from unmixel.spectra import endmember_names

Unmixel = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unmixel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Unmixel:
    """The program: `unmixel("unmix", path)` gives exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    """A scene of four materials on 24 x 25 pixels, one of them masked."""
    rng = np.random.default_rng(0)
    values = (rng.dirichlet(np.full(4, 0.4), 600) @ rng.uniform(0.1, 0.8, (4, 30))).reshape(24, 25, 30)
    values += 0.002 * rng.standard_normal(values.shape)
    values[2, 3] = np.nan
    place = Affine(5.0, 0.0, 656_400.0, 0.0, -5.0, 5_319_250.0)
    write_envi(make_scene(values, wavelength=np.linspace(450, 2200, 30), transform=place), tmp_path / "scene.img")
    return tmp_path / "scene.img"


@pytest.mark.parametrize("options", [("-p", "auto"), ()])
def test_unmix_says_why_it_takes_that_many(
    scene_file: Path, tmp_path: Path, unmixel: Unmixel, options: tuple[str, ...]
) -> None:
    status, out, err = unmixel("unmix", scene_file, *options, "--method", "fcls", "-o", tmp_path / "out")
    assert status == 0, err
    for text in ("what speaks for each", "4 <-", "held-out residual", "4 estimated", "by HySime"):
        assert text in err
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["number_of_endmembers"]["suggested"] == 4
    assert len(provenance["number_of_endmembers"]["rows"]) == 7
    assert provenance["parameters"]["n_endmembers"] == 4
    result = open_result(tmp_path / "out")
    assert result.sizes["endmember"] == 4
    for sentence in diagnosis_of(result).sentences():
        assert sentence in out
    with rasterio.open(tmp_path / "out" / "outside_reach.tif") as file:
        outside = file.read(1)
    assert np.isnan(outside[2, 3])
    assert np.nansum(outside) == result.outside_reach.values.sum()


def test_a_number_that_is_given_is_taken_without_a_table(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    status, _, err = unmixel("unmix", scene_file, "-p", 3, "--method", "fcls", "-o", tmp_path / "out")
    assert status == 0, err
    assert "what speaks" not in err
    assert "number_of_endmembers" not in json.loads((tmp_path / "out" / "provenance.json").read_text())


def test_auto_wins_over_the_run_file(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    (tmp_path / "run.toml").write_text('n_endmembers = 2\nmethod = "fcls"\n')
    options = ("--config", tmp_path / "run.toml", "-o", tmp_path / "out")
    assert "4 estimated" in unmixel("unmix", scene_file, "-p", "auto", *options)[2]
    (tmp_path / "auto.toml").write_text('n_endmembers = "auto"\nmethod = "fcls"\n')
    err = unmixel("unmix", scene_file, "--config", tmp_path / "auto.toml", "-o", tmp_path / "other")[2]
    assert "4 estimated" in err


def test_endmembers_and_info_show_the_same_evidence(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    status, out, err = unmixel("endmembers", scene_file, "-p", "auto", "-o", tmp_path / "spectra.nc")
    assert status == 0, err
    assert "4 estimated" in out
    assert len(endmember_names(open_bundle(tmp_path / "spectra.nc"))) == 4
    info = unmixel("info", scene_file)[1]
    assert "4 estimated" in info
    assert "4 <-" in info


@pytest.mark.parametrize("command", ["unmix", "endmembers"])
def test_a_number_that_is_none_is_one_line(scene_file: Path, tmp_path: Path, unmixel: Unmixel, command: str) -> None:
    status, _, err = unmixel(command, scene_file, "-p", "many", "-o", tmp_path / "out.csv")
    assert status == 2
    assert "-p 'many'" in err
    assert '"auto"' in err
    assert len(err.strip().splitlines()) == 1
