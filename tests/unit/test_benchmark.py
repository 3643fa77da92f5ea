"""`unmixel benchmark`: the quick suite as users run it, its table beside metrics by hand, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

from unmixel.benchmark.columns import COLUMNS
from unmixel.benchmark.isolation import run_isolated
from unmixel.benchmark.measures import order_of
from unmixel.benchmark.running import run_suite
from unmixel.benchmark.suite import Limits, MethodEntry, Run, SceneEntry, Suite, read_suite
from unmixel.benchmark.table import read_table
from unmixel.cli.main import run as program
from unmixel.errors import OutputError, ParameterError, SceneError
from unmixel.extraction import extract
from unmixel.io import write_envi
from unmixel.methods.fcls import FCLS
from unmixel.metrics import abundance_rmse, match_endmembers, nrmse, spectral_angle
from unmixel.result import save_result
from unmixel.scene import good_bands, pixels_of
from unmixel.simulate import simulate_preset

SCENE = SceneEntry(preset="dc1", rows=6, columns=8, endmembers="vca")
STRANGERS = """
import os
import subprocess
import sys
from unmixel.methods.fcls import FCLS

class Raises(FCLS):
    name = "raises"
    def _fit(self, *given):
        raise ZeroDivisionError("<b>by design</b>")

class Exits(FCLS):
    name = "exits"
    def _fit(self, *given):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("last words:", child.pid, flush=True)
        os._exit(3)
"""
ENTRY_POINTS = "[unmixel.methods]\nraises = strange_methods:Raises\nexits = strange_methods:Exits\n"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the quick suite."""
    folder = tmp_path_factory.mktemp("benchmark") / "quick"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["unmixel", "benchmark", "quick", "-o", str(folder)])
        with pytest.raises(SystemExit) as ended:
            program()
    assert not ended.value.code
    return folder


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods of another package, also for the processes of runs."""
    about = tmp_path / "package" / "strange_methods-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-methods\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (about.parent / "strange_methods.py").write_text(STRANGERS)
    monkeypatch.syspath_prepend(str(about.parent))
    monkeypatch.setenv("PYTHONPATH", str(about.parent), prepend=":")


def test_the_quick_suite_has_a_row_for_every_run_and_a_page(quick: Path) -> None:
    rows = read_table(quick / "table.parquet")
    assert [(row["method"], row["seed"]) for row in rows] == [
        (method, seed) for seed in (0, 1) for method in ("fcls", "scls", "idnet, barely trained")
    ]
    for row in rows:
        assert row["status"] == "ok", row["error"]
        assert 0 < row["abundance_rmse"] == row["abundance_rmse_as_truth"] < 0.5
        assert row["peak_memory_mb"] > 30 and row["seconds"] > 0 and row["unmixel"]
        assert (row["crps"] is None) == (row["coverage_90"] is None) == (row["registered"] != "idnet")
    page = (quick / "benchmark.html").read_text()
    assert "idnet, barely trained" in page
    assert page.count("data:image/png") == 1 + 3 * 4
    assert set(json.loads((quick / "provenance.json").read_text())["files"]) == {path.name for path in quick.iterdir()}


def test_the_table_has_the_numbers_that_metrics_give_by_hand(quick: Path) -> None:
    (row,) = (row for row in read_table(quick / "table.parquet") if (row["method"], row["seed"]) == ("fcls", 1))
    scene, truth = simulate_preset("dc1", rows=16, columns=20, seed=1)
    bundle = extract(scene, 3, extractor="vca", seed=1)
    fitted = FCLS().fit(scene, bundle)
    result = fitted.unmix(scene)
    good = good_bands(scene)
    true_spectra, spectra = truth["endmember_spectrum"].values[:, good], fitted.endmembers
    order = match_endmembers(true_spectra, spectra)
    true_abundances = truth["abundance"].values.reshape(-1, 3)
    abundances = result["abundance"].values.reshape(-1, 3)[:, order]
    pixels = pixels_of(scene)
    by_endmember = np.sqrt(np.mean((abundances - true_abundances) ** 2, axis=0))
    fixed = np.repeat(spectra[order][None], 320, axis=0)
    expected = {
        "abundance_rmse": abundance_rmse(true_abundances, abundances),
        "nrmse_abundances": nrmse(true_abundances, abundances),
        "nrmse_endmembers": nrmse(truth["endmembers"].values[..., good].reshape(fixed.shape), fixed),
        "nrmse_pixels": nrmse(pixels, fitted.parts_at(scene).reconstruction),
        "spectral_angle": spectral_angle(true_spectra, spectra[order]).mean(),
        "abundance_rmse_by_endmember": by_endmember,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(row[name], value, rtol=1e-4, err_msg=name)
    assert row["matched"] == order.tolist()
    assert row["matched_by"] == "spectral angle"
    assert row["endmember"] == truth["endmember"].values.tolist()


def test_going_on_does_only_what_is_missing(quick: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_text() for path in (quick / "runs").glob("*.json")}
    (missing,) = (name for name in before if "fcls--0" in name)
    (quick / "runs" / missing).unlink()
    done = []
    rows = run_suite(read_suite("quick"), quick, resume=True, told=lambda *told: done.append(told))
    assert [(count, total, row["method"]) for count, total, row in done] == [(6, 6, "fcls")]
    after = {path.name: path.read_text() for path in (quick / "runs").glob("*.json")}
    assert {name: text for name, text in after.items() if name != missing} == {
        name: text for name, text in before.items() if name != missing
    }
    again = json.loads(after[missing])
    assert again["abundance_rmse"] == json.loads(before[missing])["abundance_rmse"]
    assert len(rows) == len(read_table(quick / "table.parquet")) == 6
    with pytest.raises(OutputError, match="exists"):
        run_suite(read_suite("quick"), quick)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        run_suite(read_suite("quick"), tmp_path, resume=True, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_table_and_provenance_are_enough_to_go_on(quick: Path, tmp_path: Path) -> None:
    for name in ("table.parquet", "provenance.json"):
        shutil.copy(quick / name, tmp_path)
    suite = read_suite("quick").model_copy(update={"seeds": [0, 1, 2], "method": [MethodEntry(name="fcls")]})
    done = []
    rows = run_suite(suite, tmp_path, resume=True, told=lambda *told: done.append(told))
    assert [(count, total, row["seed"]) for count, total, row in done] == [(3, 3, 2)]
    before = {row["run"]: row for row in read_table(quick / "table.parquet")}
    assert [row == before.get(row["run"]) for row in rows] == [True, True, False]


def test_methods_that_fail_are_rows_and_stop_nothing(strangers: None, tmp_path: Path) -> None:
    methods = [MethodEntry(name=name) for name in ("raises", "exits", "fcls")]
    suite = Suite(title="Strange", seeds=1, scene=[SCENE], method=methods)
    rows = run_suite(suite, tmp_path / "out", workers=2)
    assert [row["status"] for row in rows] == ["error", "crash", "ok"]
    assert rows[0]["error"] == "ZeroDivisionError: <b>by design</b>"
    assert "exit status 3" in rows[1]["error"] and "last words" in rows[1]["error"]
    assert [row["abundance_rmse"] is None for row in read_table(tmp_path / "out" / "table.parquet")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("limits", "status", "error"),
    [
        (Limits(seconds=0.01), "time limit", "not finished after 0.01 s"),
        (Limits(memory_gb=0.001), "memory limit", "more than 0.001 GB"),
    ],
)
def test_a_run_beyond_its_limits_is_ended_and_told(limits: Limits, status: str, error: str, tmp_path: Path) -> None:
    run = Run(scene=SCENE, method=MethodEntry(name="fcls"), seed=0, limits=limits)
    row = run_isolated(run, tmp_path, threads=1, stopping=threading.Event())
    assert row is not None
    assert (row["status"], row["error"]) == (status, error)
    assert list(tmp_path.iterdir()) == []


def test_a_method_with_own_endmembers_extracts_by_its_default(tmp_path: Path) -> None:
    own = MethodEntry(name="fcls", label="own", endmembers="own")
    given = [SCENE.model_copy(update={"endmembers": source}) for source in ("vca", FCLS.extraction, "true")]
    suite = Suite(title="Own", seeds=1, scene=given, method=[MethodEntry(name="fcls"), own])
    rows = run_suite(suite, tmp_path / "out", workers=2)
    assert [(row["endmembers"], row["method"]) for row in rows] == [
        ("vca", "fcls"),
        ("vca", "own"),
        (FCLS.extraction, "fcls"),
        (FCLS.extraction, "own"),
        ("true", "fcls"),
    ]
    assert [row["method_endmembers"] for row in rows] == ["shared", "own", "shared", "own", "shared"]
    by_vca, own_beside_vca, by_default, own_beside_default, _ = (row["abundance_rmse"] for row in rows)
    assert own_beside_vca == own_beside_default == by_default != by_vca


def test_what_a_method_started_ends_with_its_run(strangers: None, tmp_path: Path) -> None:
    run = Run(scene=SCENE, method=MethodEntry(name="exits"), seed=0, limits=Limits())
    row = run_isolated(run, tmp_path, threads=1, stopping=threading.Event())
    assert row is not None
    child = int(row["error"].split()[-1])
    deadline = time.monotonic() + 60
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_ended_by_a_limit_is_done_again_when_the_limit_is_higher(tmp_path: Path) -> None:
    suite = Suite(
        title="Limits", seeds=1, scene=[SCENE], method=[MethodEntry(name="fcls")], limits=Limits(seconds=0.01)
    )
    statuses = []
    for seconds in (0.01, 0.01, 300):
        done = []
        again = suite.model_copy(update={"limits": Limits(seconds=seconds)})
        (row,) = run_suite(again, tmp_path / "out", resume=True, told=lambda *told, done=done: done.append(told))
        statuses.append((row["status"], row["limit_s"], len(done)))
    assert statuses == [("time limit", 0.01, 1), ("time limit", 0.01, 0), ("ok", 300, 1)]


def test_the_name_of_a_run_is_that_of_what_the_suite_says_of_it() -> None:
    run = Run(scene=SCENE, method=MethodEntry(name="fcls"), seed=0, limits=Limits())
    same = run.model_copy(update={"limits": Limits(seconds=1), "method": MethodEntry(name="fcls", endmembers="shared")})
    assert run.name == same.name
    others = [
        {"seed": 1},
        {"method": MethodEntry(name="fcls", endmembers="own")},
        {"scene": SCENE.model_copy(update={"snr_db": 20.0})},
    ]
    names = {run.model_copy(update=other).name for other in others}
    assert len(names | {run.name}) == 4


def test_an_older_table_is_read(tmp_path: Path) -> None:
    older = {"scene": "a", "endmembers": "vca", "method": "fcls", "seed": 0, "status": "ok", "run": "a-0"}
    pq.write_table(pa.Table.from_pylist([older]), tmp_path / "table.parquet")
    (row,) = read_table(tmp_path / "table.parquet")
    assert {name: value for name, value in row.items() if value is not None} == older
    assert set(row) == {column.name for column in COLUMNS}
    pq.write_table(pa.Table.from_pylist([{**older, "run": None}]), tmp_path / "table.parquet")
    with pytest.raises(SceneError, match="without run; expected a table that"):
        read_table(tmp_path / "table.parquet")


def test_names_that_an_extraction_gave_match_nothing() -> None:
    spectra = np.array([[0.1, 0.9], [0.9, 0.1]])
    truth, result = (
        xr.Dataset({"endmember_spectrum": (("endmember", "band"), one)}, {"endmember": ["one", "two"]})
        for one in (spectra, spectra[::-1])
    )
    for given, expected in ((True, ([0, 1], "name")), (False, ([1, 0], "spectral angle"))):
        order, matched_by = order_of(truth, result, given=given)
        assert (order.tolist(), matched_by) == expected


def test_a_benchmark_that_is_stopped_ends_its_runs(tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()
    run = Run(scene=SCENE, method=MethodEntry(name="fcls"), seed=0, limits=Limits())
    assert run_isolated(run, tmp_path, threads=1, stopping=stopping) is None
    assert list(tmp_path.iterdir()) == []


SCENES = '[[scene]]\npreset = "dc1"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('title = "x"\n', "scene"),
        (f'title = "x"\nseed = 3\n{SCENES}', "'seed'; expected some of title, seeds, limits, scene, method"),
        (f'title = "x"\nseeds = 0\n{SCENES}', "at least one seed"),
        (f'title = "x"\nseeds = [1, 1]\n{SCENES}', "at least one seed, each from 0 to 2147483647 and once"),
        (f'title = "x"\nseeds = [2147483648]\n{SCENES}', "each from 0 to 2147483647 and once"),
        (f'title = "x"\nlimits = {{ seconds = -1 }}\n{SCENES}', "limits.seconds"),
        (f'title = "x"\n{SCENES}\n[[method]]\nname = "fclss"\n', "one of .*fcls"),
        (f'title = "x"\n{SCENES}\n[[method]]\nname = "fcls"\nparameters = {{ n_epochs = 2 }}\n', "'n_epochs'"),
        (f'title = "x"\n{SCENES}\n[[method]]\nname = "fcls"\nparameters = {{ seed = 2 }}\n', "without seed"),
        (f'title = "x"\n{SCENES}\n[[method]]\nname = "fcls"\n\n[[method]]\nname = "fcls"\n', "twice: give .* label"),
        (f'title = "x"\n{SCENES}\n[[method]]\nname = "*"\nendmembers = "own"\n', "without label, parameters"),
        (f'title = "x"\n{SCENES}\n[[method]]\nname = "*"\n\n[[method]]\nname = "fcls"\n', "fcls twice"),
        (f'title = "x"\n{SCENES}{SCENES}', r"dc1 \(clusters\) twice"),
        ('title = "x"\n[[scene]]\npreset = "dc9"\n', "a preset that is one of dc1"),
        ('title = "x"\n[[scene]]\npreset = "dc1"\nrow = 9\n', "'scene.0.row'; expected some of name, dataset"),
        ('title = "x"\n[[scene]]\ndataset = "samsung"\n', "one of samson"),
        ('title = "x"\n[[scene]]\ndataset = "samson"\nrows = 9\n', "with a preset only"),
        ('title = "x"\n[[scene]]\ndataset = "samson"\nendmembers = "true"\n', "aren't known exactly"),
        ('title = "x"\n[[scene]]\ndataset = "samson"\nendmembers = "field"\n', "dlr_hysu only"),
        ('title = "x"\n[[scene]]\ndataset = "emit_jpl"\n', "a truth, which emit_jpl doesn't have"),
        ('title = "x"\n[[scene]]\ndataset = "samson"\npreset = "dc1"\n', "not dataset and preset"),
        ('title = "x"\n[[scene]]\nfile = "a.img"\n', "file and truth together"),
        ('title = "x"\n[[scene]]\nfile = "a.img"\ntruth = "a.zarr"\n', "a.img, which does not exist"),
        (SCENES, r"suite\.toml without 'title'; .*; add it$"),
        (f"title = 4\n{SCENES}", "title = 4; expected a valid string"),
        ('title = "x"\n', r"suite\.toml without 'scene'"),
        ('title = "x"\n[[scene]]\ndataset = "samsung"\n', r"scene\.0 with dataset = 'samsung'; expected a dataset"),
        (f'title = "x"\n{SCENES}{SCENES}', r"suite\.toml; expected scenes that differ"),
        ("title = ", "readable TOML"),
        (f'title = "x"\nseeds = {10**12}\n{SCENES}', "at most 1000 seeds"),
        ('title = "x"\n[[scene]]\nfile = "a\\u0000"\ntruth = "a"\n', "a path|the path"),
        (f'title = "x"\n[[scene]]\nfile = "{"a" * 5000}"\ntruth = "a"\n', "which does not exist|the path"),
        ("a." * 50_000 + "a = 1", "more than 100 dots"),
        ("a = [1, {b = 0x" + "1" * 5000 + "}]", "a number of 19997 bits; expected at most 64"),
    ],
)
def test_what_is_wrong_with_a_suite_is_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(text)
    with pytest.raises(ParameterError, match=told):
        read_suite(tmp_path / "suite.toml")


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        ("empty", r"field\.toml: .*empty holds no result; expected a folder written by .*; correct its path"),
        ("field.img", r"field\.toml: .*field\.img holds no result"),
        ("silent.zarr", r"field\.toml: the truth .*silent\.zarr without endmember_spectrum; expected true abundances"),
    ],
)
def test_a_truth_that_is_none_is_told_before_any_run(truth: str, told: str, tmp_path: Path) -> None:
    scene, known = simulate_preset("dc1", rows=8, columns=9)
    write_envi(scene, tmp_path / "field.img")
    (tmp_path / "empty").mkdir()
    save_result(known, tmp_path / "known.zarr")
    save_result(known.drop_vars("endmember_spectrum"), tmp_path / "silent.zarr")
    suite = tmp_path / "field.toml"
    suite.write_text('title = "x"\n[[scene]]\nfile = "field.img"\ntruth = "known.zarr"\n')
    assert [scene.truth for scene in read_suite(suite).scene] == [tmp_path / "known.zarr"]
    suite.write_text(suite.read_text().replace("known.zarr", truth))
    with pytest.raises(ParameterError, match=told):
        read_suite(suite)


def test_unknown_suites_and_missing_files_are_told() -> None:
    with pytest.raises(ParameterError, match="one of independent, paper, quick, simulated"):
        read_suite("papers")
    with pytest.raises(ParameterError, match="No such file"):
        read_suite("nowhere/suite.toml")


def test_shipped_suites_run_all_methods_with_five_seeds_and_both_truths_of_samson() -> None:
    for name in ("paper", "independent", "simulated"):
        suite = read_suite(name)
        assert suite.seeds == [0, 1, 2, 3, 4]
        assert {"fcls", "idnet", "scls"} <= {method.name for method in suite.method}
    assert {"samson", "samson_alternative"} <= {scene.dataset for scene in read_suite("paper").scene}


def test_every_column_has_a_name_of_its_own() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
