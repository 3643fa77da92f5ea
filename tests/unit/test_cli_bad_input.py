"""Bad input through the command line: exit status 2, one line that says what to do, nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
import scipy.io
import xarray as xr

from unmixel.cli.main import run
from unmixel.io import open_bundle, save_scene, write_bundle_csv, write_envi
from unmixel.result import open_result
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle

WAVELENGTH = np.linspace(450.0, 2200.0, 30)

Unmixel = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unmixel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Unmixel:
    """The program without its figures: `unmixel("unmix", path)` gives exit status, stdout and stderr."""
    monkeypatch.setattr("unmixel.cli.figures.figures_of", lambda scene, result: {})

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def mixtures(*, noise: float = 0.002, n_bands: int = 30) -> np.ndarray:
    """Mixtures of three materials on 12 x 9 pixels."""
    rng = np.random.default_rng(0)
    position = np.linspace(0, 1, n_bands)
    materials = np.stack([0.1 + 0.3 * position, 0.5 - 0.3 * position, 0.3 + 0.2 * np.sin(6 * position)])
    abundances = rng.dirichlet(np.full(3, 0.5), 108)
    return (abundances @ materials + noise * rng.standard_normal((108, n_bands))).reshape(12, 9, n_bands)


def scene_of(values: np.ndarray) -> xr.DataArray:
    return make_scene(values, wavelength=WAVELENGTH[: values.shape[2]])


def good_scene(folder: Path) -> Path:
    write_envi(scene_of(mixtures()), folder / "scene.img")
    return folder / "scene.img"


def missing(folder: Path) -> Path:
    return folder / "nowhere.hdr"


def a_folder(folder: Path) -> Path:
    (folder / "photos").mkdir()
    return folder / "photos"


def a_text_named_hdr(folder: Path) -> Path:
    (folder / "notes.hdr").write_text("Dear diary,\ntoday I flew over a field.\n")
    return folder / "notes.hdr"


def a_header_of_another_size(folder: Path) -> Path:
    path = good_scene(folder)
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("lines   = 12", "lines   = 13"))
    assert "13" in header.read_text()
    return header


def a_truncated_tiff(folder: Path) -> Path:
    path = folder / "scene.tif"
    profile = {"driver": "GTiff", "width": 9, "height": 12, "count": 30, "dtype": "float32"}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path, "w", **profile) as file:
        file.write(np.moveaxis(mixtures(), 2, 0).astype(np.float32))
    return truncated(path)


def a_truncated_mat(folder: Path) -> Path:
    scipy.io.savemat(folder / "scene.mat", {"cube": mixtures()})
    return truncated(folder / "scene.mat")


def a_truncated_netcdf(folder: Path) -> Path:
    save_scene(scene_of(mixtures()), folder / "scene.nc")
    return truncated(folder / "scene.nc")


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def fewer_wavelengths_than_bands(folder: Path) -> Path:
    np.savez(folder / "scene.npz", reflectance=mixtures(), wavelength=WAVELENGTH[:-2])
    return folder / "scene.npz"


def a_picture(folder: Path) -> Path:
    profile = {
        "driver": "GTiff",
        "width": 9,
        "height": 12,
        "count": 3,
        "dtype": "uint8",
        "photometric": "rgb",
    }
    path = folder / "photo.tif"
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path, "w", **profile) as file:
        file.write(np.random.default_rng(0).integers(0, 255, (3, 12, 9), dtype=np.uint8))
    return path


def nothing_valid(folder: Path) -> Path:
    np.save(folder / "scene.npy", np.full((12, 9, 30), np.nan))
    return folder / "scene.npy"


def no_pixel_valid_in_all_bands(folder: Path) -> Path:
    values = mixtures()
    rows, columns = np.indices((12, 9))
    values[rows, columns, (rows + columns) % 30] = np.nan
    np.save(folder / "scene.npy", values)
    return folder / "scene.npy"


def one_band(folder: Path) -> Path:
    np.save(folder / "scene.npy", mixtures()[:, :, :1])
    return folder / "scene.npy"


BAD_SCENES = {
    missing: "exist",
    a_folder: "folder",
    a_text_named_hdr: "ENVI header",
    a_header_of_another_size: "bytes",
    a_truncated_tiff: "complete",
    a_truncated_mat: "truncated",
    a_truncated_netcdf: "truncated",
    fewer_wavelengths_than_bands: "28 wavelengths",
    a_picture: "picture",
    nothing_valid: "valid pixel",
    no_pixel_valid_in_all_bands: "valid pixel",
    one_band: "band",
}


def assert_one_line(status: int, err: str, *words: str) -> None:
    """Exit status 2, and one last line that says what was given and what was expected."""
    lines = err.strip().splitlines()
    assert status == 2, err
    assert "Traceback" not in err
    assert [line.startswith("unmixel: ") for line in lines].count(True) == 1
    assert lines[-1].startswith("unmixel: ")
    assert "expected" in lines[-1]
    for word in words:
        assert word in lines[-1]


@pytest.mark.parametrize("command", ["unmix", "info"])
@pytest.mark.parametrize("make", BAD_SCENES, ids=lambda make: make.__name__)
def test_a_bad_scene_is_one_line(make: Callable[[Path], Path], command: str, unmixel: Unmixel, tmp_path: Path) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    options = ("-p", 3, "-o", tmp_path / "out", "--method", "fcls") if command == "unmix" else ()
    status, _, err = unmixel(command, path, *options)
    assert_one_line(status, err, path.stem, BAD_SCENES[make])
    assert len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("number", [0, 1, -3])
def test_too_few_endmembers(number: int, unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    for command in ("unmix", "endmembers"):
        method = ("--method", "fcls") if command == "unmix" else ()
        status, _, err = unmixel(command, scene, "-p", number, "-o", tmp_path / "out.csv", *method)
        assert_one_line(status, err, f"n_endmembers = {number}", "at least 2")
        assert not (tmp_path / "out.csv").exists()


def test_more_endmembers_than_the_rank(unmixel: Unmixel, tmp_path: Path) -> None:
    np.save(tmp_path / "scene.npy", mixtures(noise=0.0))
    status, _, err = unmixel("unmix", tmp_path / "scene.npy", "-p", 5, "-o", tmp_path / "out", "--method", "fcls")
    assert_one_line(status, err, "5", "3")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--endmembers", "--bundle"])
def test_endmembers_that_do_not_cover_the_bands(option: str, unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    spectra = make_bundle(
        np.random.default_rng(0).uniform(size=(2, 10)), ["a", "b"], wavelength=np.linspace(450, 900, 10)
    )
    write_bundle_csv(spectra, tmp_path / "short.csv")
    status, _, err = unmixel("unmix", scene, option, tmp_path / "short.csv", "-o", tmp_path / "out", "--method", "fcls")
    assert_one_line(status, err, "short.csv", "nm")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("divisor", [100, 10_000])
def test_endmembers_in_counts_are_divided_for_a_scene_in_reflectance(
    divisor: int, unmixel: Unmixel, tmp_path: Path
) -> None:
    scene = good_scene(tmp_path)
    unmixel("endmembers", scene, "-p", 3, "-o", tmp_path / "found.csv", "--bundle-kind", "none")
    found = open_bundle(tmp_path / "found.csv")
    write_bundle_csv(found * divisor, tmp_path / "counts.csv")
    status, out, err = unmixel(
        "unmix", scene, "--endmembers", tmp_path / "counts.csv", "-o", tmp_path / "out", "--method", "fcls"
    )
    assert status == 0, err
    assert f"divided by {divisor}" in " ".join((out + err).split())
    result = open_result(tmp_path / "out")
    np.testing.assert_allclose(result.endmember_spectrum.values, found.values, rtol=1e-5)
    told = json.loads((tmp_path / "out" / "provenance.json").read_text())["endmembers"]["reading"]
    assert f"divided by {divisor}" in told[0]
    write_envi(scene_of(mixtures() * divisor), tmp_path / "counts.img")
    status, _, err = unmixel(
        *("unmix", tmp_path / "counts.img", "--endmembers", tmp_path / "counts.csv"),
        *("-o", tmp_path / "as_is", "--method", "fcls"),
    )
    assert status == 0, err
    as_is = open_result(tmp_path / "as_is").endmember_spectrum.values
    np.testing.assert_allclose(as_is, found.values * divisor, rtol=1e-5)


def test_endmembers_that_do_not_exist(unmixel: Unmixel, tmp_path: Path) -> None:
    scene, missing = good_scene(tmp_path), tmp_path / "missing.csv"
    status, _, err = unmixel("unmix", scene, "--bundle", missing, "-o", tmp_path / "out", "--method", "fcls")
    assert_one_line(status, err, "missing.csv, which does not exist", "endmember spectra")


def test_a_bundle_given_as_endmembers(unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    unmixel("endmembers", scene, "-p", 3, "-o", tmp_path / "many.csv")
    status, _, err = unmixel(
        "unmix", scene, "--endmembers", tmp_path / "many.csv", "-o", tmp_path / "out", "--method", "fcls"
    )
    assert_one_line(status, err, "many.csv", "--bundle")


def test_a_model_for_other_bands(unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    status, _, err = unmixel("unmix", scene, "-p", 3, "-o", tmp_path / "first", "--method", "fcls")
    assert status == 0, err
    np.save(tmp_path / "other.npy", mixtures(n_bands=25))
    write_envi(
        make_scene(mixtures(), wavelength=WAVELENGTH + 40.0),
        tmp_path / "shifted.img",
    )
    for other, word in ((tmp_path / "other.npy", "25 bands"), (tmp_path / "shifted.img", " nm for a model")):
        status, _, err = unmixel("apply", tmp_path / "first", other, "-o", tmp_path / "second")
        assert_one_line(status, err, word)
        assert not (tmp_path / "second").exists()


def test_a_model_of_reflectance_for_a_scene_of_counts(unmixel: Unmixel, tmp_path: Path) -> None:
    status, _, err = unmixel("unmix", good_scene(tmp_path), "-p", 3, "-o", tmp_path / "first", "--method", "fcls")
    assert status == 0, err
    write_envi(scene_of(mixtures() * 10_000), tmp_path / "counts.img")
    apply = ("apply", tmp_path / "first", tmp_path / "counts.img", "-o", tmp_path / "second")
    status, _, err = unmixel(*apply)
    assert_one_line(status, err, "counts.img", "was fitted to reflectance", "--scale", "fit a model")
    assert not (tmp_path / "second").exists()
    assert not list(tmp_path.glob(".second*"))
    status, _, err = unmixel(*apply, "--scale", 10_000)
    assert status == 0, err
    first, second = (open_result(tmp_path / name).abundance.values for name in ("first", "second"))
    np.testing.assert_allclose(second, first, atol=1e-4)


def test_a_folder_without_a_model(unmixel: Unmixel, tmp_path: Path) -> None:
    status, _, err = unmixel("apply", tmp_path, good_scene(tmp_path), "-o", tmp_path / "out")
    assert_one_line(status, err, "no readable model")


def test_a_scene_in_the_place_of_the_model(unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    status, _, err = unmixel("apply", scene, tmp_path, "-o", tmp_path / "out")
    assert_one_line(status, err, f"the file {scene} as a model; expected the folder of one; give the model first")


def test_an_output_that_exists(unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    arguments = ("unmix", scene, "-p", 3, "-o", tmp_path / "out", "--method", "fcls")
    status, _, err = unmixel(*arguments)
    assert_one_line(status, err, "out", "--overwrite")
    status, _, err = unmixel(*arguments, "--overwrite")
    assert_one_line(status, err, "did not write")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_an_endmember_file_that_exists(unmixel: Unmixel, tmp_path: Path) -> None:
    (tmp_path / "spectra.csv").write_text("mine")
    status, _, err = unmixel("endmembers", good_scene(tmp_path), "-p", 3, "-o", tmp_path / "spectra.csv")
    assert_one_line(status, err, "exists")
    status, _, err = unmixel("endmembers", good_scene(tmp_path / ".."), "-p", 3, "-o", tmp_path / "spectra.xls")
    assert_one_line(status, err, ".csv, .sli, .nc")
    assert (tmp_path / "spectra.csv").read_text() == "mine"


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A disk of its own, or a skip where this user may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_disk(unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    with small_disk(tmp_path / "disk", "ro") as disk:
        status, _, err = unmixel("unmix", scene, "-p", 3, "-o", disk / "out", "--method", "fcls")
        assert_one_line(status, err, "Read-only", "writable disk")
        assert len(err.strip().splitlines()) == 1, "refused before the work"
        status, _, err = unmixel("endmembers", scene, "-p", 3, "-o", disk / "spectra.csv")
        assert_one_line(status, err, "Read-only")


def test_a_full_disk(unmixel: Unmixel, tmp_path: Path) -> None:
    scene = good_scene(tmp_path)
    with small_disk(tmp_path / "disk", "size=2000k") as disk:
        (disk / "ballast").write_bytes(bytes(1_940_000))
        status, _, err = unmixel("unmix", scene, "-p", 3, "-o", disk / "out", "--method", "fcls")
        assert_one_line(status, err, "No space left", "free")
        assert not (disk / "out").exists()
        (disk / "ballast").unlink()
        status, _, err = unmixel("unmix", scene, "-p", 3, "-o", disk / "out", "--method", "fcls", "--resume")
        assert status == 0, err
        assert [path.name for path in disk.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "magic"), ("method 'magic'", "fcls")),
        (("--method", "fcls", "--epochs", 3), ("--epochs for method 'fcls'", "idnet", "undip", "leave it out")),
        (("--method", "fcls", "--device", "cpu"), ("--device for method 'fcls'", "idnet", "leave it out")),
        (("--method", "fcls", "--bands", "400-2300"), ("leave 0 of the 30 bands from 450 to 2200 nm", "--bands")),
        (("--method", "fcls", "--bands", "450-1000,1001-2199"), ("leave 1 of the 30 bands", "at least 2", "--bands")),
        (("--bands", "green"), ("--bands 'green'", "1350-1450")),
        (("--bands", "900-800"), ("low to high",)),
        (("--endmembers", "a.csv", "--bundle", "b.csv", "--method", "fcls"), ("one of them",)),
    ],
)
def test_options_that_cannot_be_meant(
    options: tuple[object, ...], words: tuple[str, ...], unmixel: Unmixel, tmp_path: Path
) -> None:
    status, _, err = unmixel("unmix", good_scene(tmp_path), "-p", 3, "-o", tmp_path / "out", *options)
    assert_one_line(status, err, *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("methd = 'fcls'", ("'methd'", "n_endmembers")),
        ("n_endmembers = 'three'", ("n_endmembers = 'three'", "integer")),
        ("method = 'fcls'\n[parameters]\nsped = 1", ("'sped'", "extraction")),
        ("method = 'fcls'\n[parameters]\nextraction = 4", ("extraction = 4", "string")),
        ("method = 'fcls'\n[parameters]\nseed = 4", ("seed", "outside [parameters]")),
        ("method = 'nmf_l12'\n[parameters]\nn_steps = 2.5", ("n_steps = 2.5", "a whole number", "500")),
        ("method = 'nmf_l12'\n[parameters]\nn_steps = true", ("n_steps = True", "a whole number")),
        ("seed = 2147483648", ("seed = 2147483648", "2147483647")),
        ("seed = true", ("seed = True", "integer")),
        ("method = ", ("run.toml", "TOML")),
    ],
)
def test_a_bad_run_file(text: str, words: tuple[str, ...], unmixel: Unmixel, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)
    status, _, err = unmixel("unmix", good_scene(tmp_path), "-o", tmp_path / "out", "--config", tmp_path / "run.toml")
    assert_one_line(status, err, *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["unmix", "endmembers", "simulate", "calibrate", "demo"])
def test_a_seed_out_of_its_range_ends_with_2(command: str, unmixel: Unmixel, tmp_path: Path) -> None:
    given = () if command == "demo" else ("dc1",)
    status, _, err = unmixel(command, *given, "-o", tmp_path / "out.nc", "--seed", 2**31)
    assert status == 2
    assert "--seed" in err and "2147483647" in err


def test_an_unknown_command_or_option_ends_with_2(unmixel: Unmixel) -> None:
    assert unmixel("unmx")[0] == 2
    assert unmixel("info", "--frobnicate")[0] == 2
    assert unmixel("unmix")[0] == 2


NOT_ERRORS = {
    "negative reflectance": (lambda values: values - 0.15, "of the values are negative (kept)"),
    "a few NaN pixels": (
        lambda values: put(values, (slice(2, 4), 3, slice(5, 6)), np.nan),
        "2 pixels masked",
    ),
    "dead bands": (lambda values: put(values, (..., slice(4, 7)), np.nan), "3 bands left out"),
    "constant bands": (lambda values: put(values, (..., 8), 0.25), "1 band left out"),
    "a constant patch": (
        lambda values: put(values, (slice(0, 5), slice(0, 4)), 0.3),
        "15 pixels repeat the spectrum of their left neighbour",
    ),
}


def put(values: np.ndarray, where: tuple[object, ...], value: float) -> np.ndarray:
    values[where] = value
    return values


@pytest.mark.parametrize("case", NOT_ERRORS)
def test_awkward_scenes_are_unmixed_and_it_is_said_what_was_masked(case: str, unmixel: Unmixel, tmp_path: Path) -> None:
    spoil, line = NOT_ERRORS[case]
    write_envi(scene_of(mixtures()), tmp_path / "scene.img")
    values = spoil(mixtures())
    np.savez(tmp_path / "scene.npz", reflectance=values, wavelength=WAVELENGTH)
    status, _, err = unmixel("unmix", tmp_path / "scene.npz", "-p", 3, "-o", tmp_path / "out", "--method", "fcls")
    assert status == 0, err
    assert line in err
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / "out/abundance.tif") as file,
    ):
        total = file.read().sum(axis=0)
    invalid = np.isnan(values).any(axis=2) if case == "a few NaN pixels" else np.zeros((12, 9), bool)
    np.testing.assert_array_equal(np.isnan(total), invalid)
    np.testing.assert_allclose(total[~invalid], 1, atol=1e-5)
