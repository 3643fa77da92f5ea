"""`unmixel calibrate`: what it counts, what it says of it, and what it leaves alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

import unmixel as ux
from unmixel.cli.main import app
from unmixel.metrics import abundance_crps, coverage_by_tercile, interval_coverage
from unmixel.testing.method_contract import example_bundle, example_scene

ENDMEMBERS = ["ash", "brine", "crust"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two saved models: idnet, trained for a moment, and fcls, which can't simulate."""
    folder = tmp_path_factory.mktemp("models")
    methods = {"idnet": ux.IDNet(n_epochs=2, steps_per_epoch=3, batch_size=32), "fcls": ux.FCLS()}
    for name, method in methods.items():
        method.fit(example_scene(), example_bundle()).save(folder / name)
    return folder


def unmixel(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(argument) for argument in arguments])


def coverage_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "coverage.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_counts_how_often_intervals_hold_what_the_model_drew(models: Path, tmp_path: Path) -> None:
    model = models / "idnet"
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    found = unmixel("calibrate", model, "-o", tmp_path / "out", "--pixels", 700, "--seed", 5)
    assert found.exit_code == 0, found.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"coverage.csv", "provenance.json", "reliability.png"}
    assert (tmp_path / "out/reliability.png").read_bytes()[:4] == b"\x89PNG"
    assert before == {path.name: path.read_bytes() for path in model.iterdir()}
    assert not list(tmp_path.glob(".*"))

    fitted = ux.load(model)
    scene, truth = fitted.simulate(700, seed=5)
    result = fitted.unmix(scene)
    true = truth["abundance"].values[:, 0]
    rows = coverage_of(tmp_path / "out")
    assert [row["endmember"] for row in rows[::19]] == ENDMEMBERS
    for row in rows:
        interval = ux.abundance_interval(result, level=float(row["level"])).sel(endmember=row["endmember"])
        known = true[:, ENDMEMBERS.index(row["endmember"])]
        share = np.mean((interval["lower"].values[:, 0] <= known) & (known <= interval["upper"].values[:, 0]))
        assert float(row["coverage"]) == pytest.approx(share, rel=1e-5)
        expected_error = np.sqrt(float(row["coverage"]) * (1 - float(row["coverage"])) / 700)
        assert float(row["standard_error"]) == pytest.approx(expected_error, rel=0.01)

    intervals = [ux.abundance_interval(result, level=level) for level in (0.5, 0.8, 0.9, 0.95)]
    ends = [(interval["lower"].values[:, 0], interval["upper"].values[:, 0]) for interval in intervals]
    overall = [100 * interval_coverage(true, *between) for between in ends]
    line = next(line for line in found.stdout.splitlines() if "│ all" in line)
    assert [float(cell.split("±")[0]) for cell in line.split("│")[2:6]] == pytest.approx(overall, abs=0.06)
    thirds = coverage_by_tercile(true, *ends[2])
    for name, share in zip(("lowest", "middle", "highest"), thirds, strict=True):
        line = next(line for line in found.stdout.splitlines() if f"{name} third" in line)
        assert float(line.split("│")[4].split("±")[0]) == pytest.approx(100 * share, abs=0.06)

    provenance = json.loads((tmp_path / "out/provenance.json").read_text())
    assert (provenance["seed"], provenance["pixels"], provenance["method"]) == (5, 700, "idnet")
    assert list(provenance["crps"]) == ENDMEMBERS
    assert all(0 < value < 0.2 for value in provenance["crps"].values())
    moments = (result[name].values[:, 0] for name in ("abundance", "abundance_sd"))
    expected = abundance_crps(true, *moments).mean(axis=0)
    assert list(provenance["crps"].values()) == pytest.approx(expected, rel=1e-5)


def test_it_says_that_it_is_not_the_ground(models: Path, tmp_path: Path) -> None:
    found = unmixel("calibrate", models / "idnet", "-o", tmp_path / "out", "--pixels", 100)
    assert "checks the model against itself, not against the ground" in found.stdout
    assert "against itself, not against the ground" in " ".join(unmixel("calibrate", "--help").stdout.split())
    assert "calibrate" in unmixel("--help").stdout


def test_the_same_seed_counts_the_same(models: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert not unmixel(
            "calibrate", models / "idnet", "-o", tmp_path / folder, "--pixels", 150, "--seed", seed
        ).exit_code
    assert coverage_of(tmp_path / "a") == coverage_of(tmp_path / "b") != coverage_of(tmp_path / "c")


def test_nothing_is_replaced_unasked(models: Path, tmp_path: Path) -> None:
    arguments = ("calibrate", models / "idnet", "-o", tmp_path / "out", "--pixels", 100)
    assert unmixel(*arguments).exit_code == 0
    again = unmixel(*arguments, "--seed", 9)
    assert again.exit_code == 2
    assert "give --overwrite" in again.stderr
    assert json.loads((tmp_path / "out/provenance.json").read_text())["seed"] == 0
    assert unmixel(*arguments, "--seed", 9, "--overwrite").exit_code == 0
    assert json.loads((tmp_path / "out/provenance.json").read_text())["seed"] == 9
    (tmp_path / "out/mine.txt").write_text("mine")
    refused = unmixel(*arguments, "--overwrite")
    assert refused.exit_code == 2
    assert "'mine.txt'" in refused.stderr
    assert (tmp_path / "out/mine.txt").read_text() == "mine"


def test_the_folder_of_the_model_is_never_the_output(models: Path) -> None:
    before = {path.name: path.read_bytes() for path in (models / "idnet").iterdir()}
    refused = unmixel("calibrate", models / "idnet", "-o", models / "idnet", "--overwrite", "--pixels", 100)
    assert refused.exit_code == 2
    assert before == {path.name: path.read_bytes() for path in (models / "idnet").iterdir()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fcls",), ("'fcls'", "no generative model")),
        (("nothing",), ("holds no readable model",)),
        (("idnet", "--pixels", 3), ("100",)),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(
    arguments: tuple[object, ...], words: tuple[str, ...], models: Path, tmp_path: Path
) -> None:
    refused = unmixel("calibrate", models / str(arguments[0]), *arguments[1:], "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert all(word in refused.stderr for word in words)
    assert "Traceback" not in refused.output
    assert list(tmp_path.iterdir()) == []
