"""Output folders that are there already: what goes on, what is finished, and what is never replaced."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.errors import OutputError
from unmixel.io import write_envi
from unmixel.io.whole_folder import Kind, check_output, write_provenance
from unmixel.result import open_result
from unmixel.scene import make_scene

KINDS = get_args(Kind)


def unmixel(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])


def content(folder: Path) -> dict[str, str]:
    """The digest of every file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two scenes, the result of one of them, and folders as other commands write them."""
    folder = tmp_path_factory.mktemp("campaign")
    rng = np.random.default_rng(0)
    spectra = rng.uniform(0.05, 0.6, (3, 12))
    values = rng.dirichlet(np.full(3, 0.5), (9, 8)) @ spectra + 0.002 * rng.standard_normal((9, 8, 12))
    for name, part in (("scene.img", values), ("other.img", values[::-1])):
        write_envi(make_scene(part, wavelength=np.linspace(450, 900, 12)), folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})
        made = unmixel("unmix", folder / "scene.img", "-p", 3, "--method", "fcls", "-o", folder / "result")
        assert made.exit_code == 0, made.stderr
        for kind in KINDS[1:]:
            a_folder(folder / kind, kind)
        yield folder


def a_folder(folder: Path, kind: Kind) -> Path:
    """A folder with what a command of this kind took hours to make."""
    folder.mkdir()
    (folder / "hours.txt").write_text("hours of work")
    write_provenance(folder, kind, {"suite": {}} if kind == "benchmark" else {})
    return folder


def command(name: str, campaign: Path, output: Path) -> tuple[object, ...]:
    made_from = {
        "unmix": (campaign / "scene.img", "-p", 3, "--method", "fcls"),
        "apply": (campaign / "result", campaign / "scene.img"),
        "benchmark": ("quick",),
        "calibrate": (campaign / "result",),
        "demo": (),
    }
    return (name, *made_from[name], "-o", output)


WRITES = {
    "unmix": "result",
    "apply": "result",
    "benchmark": "benchmark",
    "calibrate": "calibration",
    "demo": "demonstration",
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, writes in WRITES.items() for kind in KINDS if kind != writes],
)
def test_no_command_replaces_what_another_kind_of_command_wrote(name: str, kind: str, campaign: Path) -> None:
    before = content(campaign)
    refused = unmixel(*command(name, campaign, campaign / kind), "--overwrite")
    assert refused.exit_code == 2, refused.stderr
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"unmixel: the output folder {campaign / kind} holds a {kind} of unmixel")
    assert f"expected a {WRITES[name]} to replace; choose another folder" in line
    assert content(campaign) == before


@pytest.mark.parametrize("held", KINDS)
@pytest.mark.parametrize("asked", KINDS)
def test_a_folder_is_replaced_by_its_kind_only(held: Kind, asked: Kind, tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "out", held)
    with pytest.raises(OutputError, match="--overwrite"):
        check_output(folder, asked)
    if held == asked:
        check_output(folder, asked, overwrite=True)
    else:
        with pytest.raises(OutputError, match=f"holds a {held} of unmixel; expected a {asked}"):
            check_output(folder, asked, overwrite=True)


@pytest.mark.parametrize("kind", [None, "spoof", ["result"]], ids=["none", "unknown", "list"])
def test_a_folder_of_no_known_kind_is_not_replaced(kind: object, tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "out", "result")
    content = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps({**content, "kind": kind}))
    with pytest.raises(OutputError, match="holds something else of unmixel"):
        check_output(folder, "result", overwrite=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["--overwrite", "--resume"])
def test_results_of_many_scenes_are_not_put_into_another_output(how: str, kind: str, campaign: Path) -> None:
    before = content(campaign)
    scenes = campaign / "scene.img", campaign / "other.img"
    refused = unmixel("unmix", *scenes, "-p", 3, "--method", "fcls", "-o", campaign / kind, how)
    assert refused.exit_code == 2
    assert f"{campaign / kind} holds a {kind} of unmixel; expected a folder for the results of many" in refused.stderr
    assert content(campaign) == before


def test_a_finished_run_that_is_resumed_is_said_to_be_finished(campaign: Path) -> None:
    before = content(campaign)
    again = unmixel(*command("unmix", campaign, campaign / "result"), "--resume")
    assert again.exit_code == 0, again.stderr
    assert f"{campaign / 'result'} is finished: there is nothing to resume" in again.stderr
    assert "went on with" not in again.stderr
    assert "abundance [1]" in again.stdout
    assert content(campaign) == before


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        (("-p", 2), "model (n_endmembers)"),
        (("--seed", 4), "model (seed)"),
        (("--method", "scls"), "model"),
        (("--bands", "500-600"), "leave_out"),
        (("--scale", 2, "--seed", 4), "model (seed) and scale"),
    ],
    ids=["number", "seed", "method", "bands", "scale"],
)
def test_a_finished_run_of_other_settings_is_not_resumed_and_it_is_said_what_differs(
    options: tuple[object, ...], differs: str, campaign: Path
) -> None:
    before = content(campaign)
    refused = unmixel(*command("unmix", campaign, campaign / "result"), *options, "--resume")
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert f"a finished run in {campaign / 'result'} with another {differs}; expected the model and the scene" in line
    assert "choose another folder, or replace the result (--overwrite)" in line
    assert content(campaign) == before


@pytest.mark.parametrize("made_by", [None, 3, {"model": {"method": "fcls", "parameters": []}}], ids=repr)
def test_a_finished_run_that_does_not_tell_its_settings_is_not_resumed_with_others(
    made_by: object, campaign: Path, tmp_path: Path
) -> None:
    shutil.copytree(campaign / "result", tmp_path / "result")
    provenance = json.loads((tmp_path / "result/provenance.json").read_text())
    (tmp_path / "result/provenance.json").write_text(json.dumps({**provenance, "identity": made_by}))
    refused = unmixel(*command("unmix", campaign, tmp_path / "result"), "--seed", 4, "--resume")
    assert refused.exit_code == 2
    assert "with another model, scene or way of reading it; expected" in refused.stderr


def test_a_finished_run_of_other_settings_may_be_replaced(campaign: Path, tmp_path: Path) -> None:
    shutil.copytree(campaign / "result", tmp_path / "result")
    replaced = unmixel(*command("unmix", campaign, tmp_path / "result"), "-p", 2, "--resume", "--overwrite")
    assert replaced.exit_code == 0, replaced.stderr
    assert open_result(tmp_path / "result").sizes["endmember"] == 2
