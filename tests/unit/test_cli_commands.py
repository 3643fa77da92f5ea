"""The commands on good input: what they print, what they write, and what they load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from unmixel.cli import demo as demo_command
from unmixel.cli.main import run
from unmixel.cli.progress import ProgressReport
from unmixel.errors import SceneError
from unmixel.io import open_bundle, write_envi
from unmixel.result import open_result
from unmixel.scene import make_scene

TRANSFORM = Affine(5.0, 0.0, 656_400.0, 0.0, -5.0, 5_319_250.0)
WAVELENGTH = np.linspace(450.0, 2200.0, 30)

Unmixel = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unmixel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Unmixel:
    """The program: `unmixel("unmix", path)` gives exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out where nobody looks at them: they take most of the time."""
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    """A scene of three materials on 12 x 9 pixels, one of them masked, with the bands around 1400 nm bad."""
    rng = np.random.default_rng(0)
    position = np.linspace(0, 1, 30)
    materials = np.stack([0.1 + 0.3 * position, 0.5 - 0.3 * position, 0.3 + 0.2 * np.sin(6 * position)])
    abundances = rng.dirichlet(np.full(3, 0.3), 108)
    values = (abundances @ materials + 0.002 * rng.standard_normal((108, 30))).reshape(12, 9, 30)
    values[4, 7] = np.nan
    scene = make_scene(
        values,
        wavelength=WAVELENGTH,
        fwhm=np.full(30, 60.0),
        good_band=np.abs(WAVELENGTH - 1400) > 60,
        crs_wkt=CRS.from_epsg(32632).to_wkt(),
        transform=TRANSFORM,
    )
    write_envi(scene, tmp_path / "scene.img")
    return tmp_path / "scene.img"


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from unmixel.cli.main import run\n"
        "sys.argv = ['unmixel', '--help']\n"
        "try:\n    run()\n"
        "except SystemExit as ended:\n    assert ended.code in (0, None)\n"
        "heavy = {'numpy', 'torch', 'xarray', 'rasterio', 'matplotlib', 'pydantic', 'bokeh', 'jinja2'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in (
        "info",
        "endmembers",
        "unmix",
        "apply",
        "explore",
        "report",
        "demo",
        "simulate",
        "methods",
        "datasets",
        "cite",
    ):
        assert command in done.stdout


def test_version(unmixel: Unmixel) -> None:
    import unmixel as package

    assert unmixel("--version") == (0, f"unmixel {package.__version__}\n", "")


def test_info_says_what_was_found(scene_file: Path, unmixel: Unmixel) -> None:
    status, out, err = unmixel("info", scene_file)
    assert (status, err) == (0, "")
    for text in (
        "12 rows x 9 columns x 30 bands",
        "EPSG:32632",
        "x 656400, y 5319250",
        "5 x 5 map units",
        "1 of 108",
        "450.0 to 2200.0 nm",
        "60 nm",
        "2: 16-17",
        "dB",
        "by HySime",
        "the values look like reflectance",
        "declared bad",
    ):
        assert text in out


def test_info_reports_the_noise_that_is_there(scene_file: Path, unmixel: Unmixel) -> None:
    out = unmixel("info", scene_file)[1]
    line = next(line for line in out.splitlines() if "noise per band" in line)
    median = float(line.split("median")[1].split(",")[0])
    assert median == pytest.approx(0.002, rel=0.25)


def test_info_warns_of_counts_and_scale_cures_it(tmp_path: Path, unmixel: Unmixel) -> None:
    values = np.random.default_rng(0).uniform(500, 6000, (12, 9, 30))
    np.savez(tmp_path / "counts.npz", reflectance=values, wavelength=WAVELENGTH)
    assert "warning" in unmixel("info", tmp_path / "counts.npz")[1]
    out = unmixel("info", tmp_path / "counts.npz", "--scale", 10000)[1]
    assert "warning" not in out
    assert "divided by 10000" in out


def test_bands_are_left_out(scene_file: Path, unmixel: Unmixel) -> None:
    assert "5: 1-3, 16-17" in unmixel("info", scene_file, "--bands", "440-575")[1]


def test_unmix_writes_maps_where_the_scene_lies(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    out_folder = tmp_path / "out"
    status, out, err = unmixel("unmix", scene_file, "-p", 3, "--method", "fcls", "-o", out_folder, "--seed", 5)
    assert status == 0, err
    with rasterio.open(out_folder / "abundance.tif") as file:
        maps = file.read()
        assert file.crs.to_epsg() == 32632
        assert file.transform == TRANSFORM
    assert np.isnan(maps[:, 4, 7]).all()
    assert np.isnan(maps).sum() == 3
    valid = ~np.isnan(maps[0])
    np.testing.assert_allclose(maps.sum(axis=0)[valid], 1, atol=1e-5)
    for text in ("endmember 3", "reconstruction rmse", "masked pixels: 1 of 108", str(out_folder)):
        assert text in out
    assert "2 bands left out" in err
    assert {"abundance.png", "endmembers.png", "reconstruction_rmse.png", "scene.png"} <= {
        path.name for path in out_folder.iterdir()
    }
    assert not list(tmp_path.glob(".*"))


@pytest.mark.usefixtures("no_figures")
def test_provenance_can_repeat_the_run(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    import hashlib

    unmixel("unmix", scene_file, "-p", 3, "--method", "fcls", "-o", tmp_path / "out", "--seed", 5)
    found = json.loads((tmp_path / "out/provenance.json").read_text())
    assert found["method"] == "fcls"
    assert found["parameters"]["seed"] == 5
    assert found["command"][:2] == ["unmixel", "unmix"]
    assert found["input"]["sha256"] == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("scene.img", "scene.hdr")
    }
    assert {"read_s", "extraction_s", "fit_s", "unmix_s"} <= set(found)
    assert found["environment"]["numpy"] == np.__version__
    again = found["command"][1:]
    again[again.index("-o") + 1] = str(tmp_path / "again")
    unmixel(*again)
    xr.testing.assert_equal(
        open_result(tmp_path / "again").drop_attrs().load(), open_result(tmp_path / "out").drop_attrs().load()
    )


@pytest.mark.usefixtures("no_figures")
def test_a_run_file_is_read_and_options_win(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    (tmp_path / "run.toml").write_text(
        'method = "fcls"\nn_endmembers = 4\nseed = 7\nbands = "440-575"\n[parameters]\nextraction = "clusters"\n'
    )
    status, _, err = unmixel("unmix", scene_file, "--config", tmp_path / "run.toml", "-p", 3, "-o", tmp_path / "out")
    assert status == 0, err
    parameters = json.loads((tmp_path / "out/provenance.json").read_text())["parameters"]
    assert parameters == {"n_endmembers": 3, "seed": 7, "extraction": "clusters"}
    assert int(open_result(tmp_path / "out").good_band.sum()) == 25


@pytest.mark.usefixtures("no_figures")
def test_a_bundle_in_a_run_file_lies_beside_it(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    unmixel("endmembers", scene_file, "-p", 3, "-o", folder / "found.csv")
    (folder / "run.toml").write_text('method = "fcls"\nbundle = "found.csv"\n')
    status, _, err = unmixel("unmix", scene_file, "--config", folder / "run.toml", "-o", tmp_path / "out")
    assert status == 0, err
    found = json.loads((tmp_path / "out/provenance.json").read_text())
    assert list(found["bundle"]["sha256"]) == ["found.csv"]


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("suffix", ["csv", "sli", "nc"])
def test_endmembers_written_are_endmembers_read(
    suffix: str, scene_file: Path, tmp_path: Path, unmixel: Unmixel
) -> None:
    path = tmp_path / f"found.{suffix}"
    status, out, err = unmixel("endmembers", scene_file, "-p", 3, "-o", path, "--bundle-kind", "none")
    assert status == 0, err
    assert "3 spectra of 3 endmembers" in out
    assert open_bundle(path).shape == (3, 30)
    given = tmp_path / "given"
    status, _, err = unmixel("unmix", scene_file, "--endmembers", path, "--method", "fcls", "-o", given)
    assert status == 0, err
    spectra = open_bundle(path)
    good = open_result(given).good_band.values
    np.testing.assert_allclose(
        open_result(given).endmember_spectrum.values[:, good], spectra.values[:, good], rtol=1e-5
    )


@pytest.mark.usefixtures("no_figures")
def test_the_spectra_of_a_result_can_be_given_back(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    unmixel("unmix", scene_file, "-p", 3, "--method", "fcls", "-o", tmp_path / "first")
    first = open_result(tmp_path / "first").abundance.load()
    for name in ("endmembers.csv", "endmembers.sli"):
        target = tmp_path / name.replace(".", "-")
        status, _, err = unmixel(
            "unmix", scene_file, "--endmembers", tmp_path / "first" / name, "--method", "fcls", "-o", target
        )
        assert status == 0, err
        np.testing.assert_allclose(open_result(target).abundance.values, first.values, atol=2e-4)


@pytest.mark.usefixtures("no_figures")
def test_apply_to_the_same_scene_gives_the_same_maps(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    unmixel("unmix", scene_file, "-p", 3, "--method", "fcls", "-o", tmp_path / "first")
    status, out, err = unmixel("apply", tmp_path / "first", scene_file, "-o", tmp_path / "second")
    assert status == 0, err
    assert "endmember 3" in out
    for name in ("abundance.tif", "reconstruction_rmse.tif", "model/model.safetensors"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


@pytest.mark.usefixtures("no_figures")
def test_overwrite_replaces_a_result(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    arguments = ("unmix", scene_file, "-p", 3, "--method", "fcls", "-o", tmp_path / "out")
    unmixel(*arguments)
    assert unmixel(*arguments)[0] == 2
    assert unmixel(*arguments, "--overwrite", "--seed", 9)[0] == 0
    assert json.loads((tmp_path / "out/provenance.json").read_text())["parameters"]["seed"] == 9


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, "unmixel: interrupted; nothing was written\n"),
        (MemoryError("8 GiB"), 2, "out of memory (8 GiB)"),
        (
            OSError(5, "Input/output error", "/mnt/stick/scene.img"),
            2,
            "/mnt/stick/scene.img: Input/output error",
        ),
        (SceneError("a thing", "another", "do\nthis"), 2, "unmixel: a thing; expected another; do this\n"),
    ],
)
def test_what_goes_wrong_outside_is_one_line(
    error: BaseException, status: int, line: str, unmixel: Unmixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("unmixel.io.open_lazily", fail)
    found = unmixel("info", "scene.img")
    assert found[0] == status
    assert found[2].count("\n") == 1
    assert line in found[2]


def test_a_bug_is_not_hidden(unmixel: Unmixel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmixel.io.open_lazily", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["unmixel", "info", "scene.img"])
    with pytest.raises(ZeroDivisionError):
        run()


def test_progress_without_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport(every_s=0.0) as report:
        report("train", {"epoch": 2, "of": 30, "loss": -1.25})
    with ProgressReport(every_s=60.0) as report:
        for done in (10, 20, 30):
            report("unmix", {"pixel": done, "of": 30})
    assert capsys.readouterr().err.splitlines() == [
        "train: epoch 2 of 30  loss -1.25",
        "unmix: pixel 30 of 30",
    ]


def test_methods_and_cite_name_every_method(unmixel: Unmixel) -> None:
    for command in ("methods", "cite"):
        status, out, _ = unmixel(command)
        assert status == 0
        assert "Heinz & Chang 2001" in out
        for name in ("fcls", "idnet", "scls"):
            assert name in out


def test_datasets_say_what_their_truth_is(unmixel: Unmixel) -> None:
    status, out, _ = unmixel("datasets")
    assert status == 0
    for text in ("samson", "jasper_ridge", "dlr_hysu", "derived", "independent"):
        assert text in out


def test_demo_goes_from_a_file_to_a_comparison(
    tmp_path: Path, unmixel: Unmixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_command, "METHODS", ("fcls", "scls"))
    status, out, err = unmixel("demo", "--output", tmp_path / "demo")
    assert status == 0, err
    for text in ("EPSG:32632", "unmixel unmix", "rmse [1]", "angle [rad]", "fcls", "scls"):
        assert text in out
    assert ".partial" not in out + err
    for name in ("scene.img", "scene.hdr", "comparison.png", "fcls/abundance.tif", "scls/result.zarr"):
        assert (tmp_path / "demo" / name).exists()
    assert ".partial" not in (tmp_path / "demo/fcls/provenance.json").read_text()
    assert open_result(tmp_path / "demo/truth.zarr").sizes["endmember"] == 3
    assert unmixel("demo", "--output", tmp_path / "demo")[0] == 2
    monkeypatch.setattr(demo_command, "METHODS", ("fcls",))
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})
    assert unmixel("demo", "--output", tmp_path / "demo", "--overwrite")[0] == 0
    assert not (tmp_path / "demo/scls").exists()


def test_demo_on_the_real_scene(
    data_dir: Path, tmp_path: Path, unmixel: Unmixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_command, "METHODS", ("scls",))
    status, out, err = unmixel("demo", "samson", "--output", tmp_path / "demo")
    assert status == 0, err
    assert "in the truth's" in out
    assert "derived truth" in out


@pytest.mark.usefixtures("no_figures")
def test_idnet_gives_uncertainty_and_nonlinearity_and_apply_takes_threads(
    scene_file: Path, tmp_path: Path, unmixel: Unmixel
) -> None:
    status, out, err = unmixel("unmix", scene_file, "-p", 3, "--epochs", 1, "-o", tmp_path / "out")
    assert status == 0, err
    assert "mean uncertainty (sd)" in out
    assert "training stopped" in out
    with rasterio.open(tmp_path / "out/nonlinearity.tif") as file:
        assert file.descriptions == ("mixing", "abundance")
    with rasterio.open(tmp_path / "out/abundance_sd.tif") as file:
        spread = file.read()
        assert file.transform == TRANSFORM
    assert np.isnan(spread[:, 4, 7]).all()
    assert (spread[:, 0, 0] > 0).all()
    status, _, err = unmixel("apply", tmp_path / "out", scene_file, "-o", tmp_path / "again")
    assert status == 0, err
    for name in ("abundance.tif", "abundance_sd.tif", "nonlinearity.tif"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    threaded = tmp_path / "threaded"
    status, _, err = unmixel("apply", tmp_path / "out", scene_file, "-o", threaded, "--threads", 2)
    assert status == 0, err
    assert json.loads((threaded / "provenance.json").read_text())["parameters"]["threads"] == 2


def test_a_negative_seed_is_refused(scene_file: Path, tmp_path: Path, unmixel: Unmixel) -> None:
    for command in (("unmix", scene_file), ("endmembers", scene_file), ("demo",)):
        status, _, err = unmixel(*command, "-o", tmp_path / "out", "--seed", -1)
        assert status == 2
        assert "--seed" in err
