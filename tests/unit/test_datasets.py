"""Public scenes: found or downloaded, verified, the right way round, and honest about their truth."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import nnls

from unmixel.datasets import (
    catalogue,
    describe,
    dlr_hysu_library,
    dlr_hysu_targets,
    fetch,
    list_datasets,
    open_dataset,
)
from unmixel.errors import DatasetError, ParameterError
from unmixel.metrics import match_endmembers
from unmixel.result import check_result
from unmixel.scene import check_scene, pixels_of, valid_pixels
from unmixel.spectra import endmember_means


def fractions(pixels: np.ndarray, endmembers: np.ndarray, *, sum_to_one: float = 0.0) -> np.ndarray:
    """Return NNLS abundances divided by their sum; a heavy row of ones makes them FCLS."""
    heavy = np.vstack([endmembers.T, np.full(len(endmembers), sum_to_one)]).astype(float)
    found = np.array([nnls(heavy, np.append(pixel, sum_to_one))[0] for pixel in pixels])
    return found / found.sum(axis=1, keepdims=True)


def rmse(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))


# ---------------------------------------------------------------------- what is known


@pytest.mark.parametrize("name", list_datasets())
def test_every_file_has_a_fixed_address_and_a_checksum(name: str) -> None:
    about = describe(name)
    for file in about.files:
        parts = about.url(file).split("/")
        assert parts[:3] == ["https:", "", "raw.githubusercontent.com"]
        assert len(parts[5]) == 40
        assert int(parts[5], 16)
        assert " " not in about.url(file)
        assert len(about.sha256(file)) == 64
        assert int(about.sha256(file), 16)
    assert len({about.sha256(file) for file in about.files}) == len(about.files)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    for call in (describe, fetch, open_dataset):
        with pytest.raises(DatasetError, match=r"'pavia'.*samson, samson_alternative"):
            call("pavia")


# ---------------------------------------------------------------------- getting the files


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve files and say nothing."""

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP and give its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalogue.PublicScene:
    """Know a scene of two small files that lie in tmp_path/web, and an empty cache."""
    web = tmp_path / "web" / "some data"
    web.mkdir(parents=True)
    (web / "a.bin").write_bytes(b"first")
    (web / "b.bin").write_bytes(b"second")
    files = {
        f"{kind}.bin": (f"some data/{kind}.bin", hashlib.sha256(content).hexdigest())
        for kind, content in (("a", b"first"), ("b", b"second"))
    }
    scene = dataclasses.replace(
        describe("emit_jpl"), name="tiny", address="http://127.0.0.1:9", files=files, folder="tiny"
    )
    monkeypatch.setitem(catalogue.CATALOGUE, "tiny", scene)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("UNMIXEL_DATA_DIR", raising=False)
    return scene


def serve_tiny(scene: catalogue.PublicScene, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.CATALOGUE, "tiny", dataclasses.replace(scene, address=address))


def test_files_are_downloaded_once_and_silently(
    tiny: catalogue.PublicScene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with served(tmp_path / "web") as address:
        serve_tiny(tiny, address, monkeypatch)
        folder = fetch("tiny")
    assert (folder / "a.bin").read_bytes() == b"first"
    assert (folder / "b.bin").read_bytes() == b"second"
    assert fetch("tiny") == folder
    assert capfd.readouterr() == ("", "")


def test_a_changed_file_on_the_web_is_refused_and_not_kept(
    tiny: catalogue.PublicScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "some data" / "b.bin").write_bytes(b"other")
    with served(tmp_path / "web") as address:
        serve_tiny(tiny, address, monkeypatch)
        with pytest.raises(DatasetError, match=r"b\.bin.*expected a file with SHA-256"):
            fetch("tiny")
    assert sorted(file.name for file in (tmp_path / "cache").rglob("*") if file.is_file()) == ["a.bin"]


def test_without_a_connection_the_error_says_what_to_do(tiny: catalogue.PublicScene) -> None:
    with pytest.raises(DatasetError, match=r"could not be downloaded.*connection.*UNMIXEL_DATA_DIR") as caught:
        fetch("tiny")
    assert "\n" not in str(caught.value)


def test_a_missing_file_on_the_web_is_an_error(
    tiny: catalogue.PublicScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "some data" / "a.bin").unlink()
    with served(tmp_path / "web") as address:
        serve_tiny(tiny, address, monkeypatch)
        with pytest.raises(DatasetError, match="HTTPError"):
            fetch("tiny")


def test_own_files_are_used_and_verified(
    tiny: catalogue.PublicScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "tiny"
    own.mkdir(parents=True)
    monkeypatch.setenv("UNMIXEL_DATA_DIR", str(tmp_path / "own"))
    (own / "a.bin").write_bytes(b"first")
    with pytest.raises(DatasetError, match="could not be downloaded"):
        fetch("tiny")
    (own / "b.bin").write_bytes(b"second")
    assert fetch("tiny") == own
    (own / "b.bin").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=r"b\.bin with SHA-256.*damaged"):
        fetch("tiny")


# ---------------------------------------------------------------------- the real scenes


@pytest.mark.parametrize("name", list_datasets())
def test_every_scene_opens_with_its_truth(name: str, data_dir: Path) -> None:
    scene, truth = open_dataset(name)
    check_scene(scene)
    assert 0.2 < float(np.nanmax(scene)) < 1.2
    about = describe(name)
    assert (truth is None) == (about.truth_kind in ("none", "independent"))
    if truth is None:
        return
    check_result(truth)
    assert (truth.attrs["truth_kind"], truth.attrs["convention"]) == (about.truth_kind, about.convention)
    np.testing.assert_allclose(truth.abundance.sum("endmember"), 1.0, atol=1e-3)
    assert float(truth.abundance.min()) >= 0


def at(truth: xr.Dataset, endmember: str, wavelength: float) -> float:
    band = int(np.argmin(np.abs(truth.wavelength.values - wavelength)))
    return float(truth.endmember_spectrum.sel(endmember=endmember)[band])


@pytest.mark.parametrize("name", ["samson", "samson_alternative", "jasper_ridge"])
def test_endmembers_bear_the_right_names(name: str, data_dir: Path) -> None:
    _, truth = open_dataset(name)
    assert truth is not None
    assert at(truth, "tree", 850.0) > 4 * at(truth, "tree", 670.0)
    assert at(truth, "water", 850.0) < at(truth, "water", 550.0)
    soil = "soil" if name != "jasper_ridge" else "dirt"
    assert at(truth, soil, 470.0) < at(truth, soil, 650.0) < at(truth, soil, 850.0)


@pytest.mark.parametrize(
    ("name", "sum_to_one", "bound"),
    [("samson", 0.0, 0.003), ("jasper_ridge", 0.0, 0.006), ("samson_alternative", 100.0, 1e-3)],
)
def test_maps_of_the_truth_lie_on_their_scene(name: str, sum_to_one: float, bound: float, data_dir: Path) -> None:
    scene, truth = open_dataset(name)
    assert truth is not None
    part = (slice(10, 40), slice(5, 70))
    pixels = scene.values[part].reshape(-1, scene.sizes["band"])
    endmembers = truth.endmember_spectrum.values
    if truth.attrs["convention"] == "max-normalised endmembers":
        endmembers = endmembers / endmembers.max(axis=1, keepdims=True)
    found = fractions(pixels, endmembers, sum_to_one=sum_to_one)
    n = len(endmembers)
    assert rmse(found, truth.abundance.values[part].reshape(-1, n)) < bound
    transposed = truth.abundance.values.transpose(1, 0, 2)[part].reshape(-1, n)
    assert rmse(found, transposed) > 0.2


def test_the_two_truths_of_samson_are_of_one_scene_and_differ(data_dir: Path) -> None:
    scene, truth = open_dataset("samson")
    same, other = open_dataset("samson_alternative")
    assert truth is not None
    assert other is not None
    np.testing.assert_array_equal(scene.values, same.values)
    np.testing.assert_array_equal(
        match_endmembers(truth.endmember_spectrum.values, other.endmember_spectrum.values), [0, 1, 2]
    )
    assert rmse(truth.abundance.values, other.abundance.values) == pytest.approx(0.231, abs=0.002)


def test_pure_pixels_of_the_intimate_mixture_are_its_minerals(data_dir: Path) -> None:
    scene, truth = open_dataset("hapke_sim1")
    assert truth is not None
    spectra = truth.endmember_spectrum.values
    for k in range(6):
        pure = truth.abundance.values[:, :, k] > 1 - 1e-6
        assert pure.sum() > 10
        np.testing.assert_allclose(scene.values[pure], np.broadcast_to(spectra[k], (pure.sum(), 224)), atol=1e-4)


def test_jasper_ridge_has_gaps_where_bands_were_removed(data_dir: Path) -> None:
    scene, _ = open_dataset("jasper_ridge")
    steps = np.diff(scene.wavelength.values)
    assert (steps > 0).all()
    np.testing.assert_array_equal(np.flatnonzero(steps > 20), [103, 144])
    assert scene.wavelength.values[[0, -1]].tolist() == [399.0, 2457.0]
    assert any("approximate" in line for line in scene.attrs["reading"])


# ---------------------------------------------------------------------- DLR HySU


def test_targets_lie_on_the_scene_and_shrink(data_dir: Path) -> None:
    scene, _ = open_dataset("dlr_hysu")
    targets = dlr_hysu_targets()
    assert targets.region.shape == (5, 5, 86, 123)
    assert float(targets.pixel_area) == pytest.approx(0.49)
    pixels = targets.region.sum(("y", "x")).values
    assert (pixels * 0.49 > targets.area.values - 1.0).all()
    assert (pixels[:, 0] > pixels[:, 1]).all()
    assert (pixels[:, 1] > pixels[:, 2]).all()
    assert (valid_pixels(scene) | ~targets.region.any(("material", "target")).values).all()


def test_libraries_carry_the_names_of_the_targets(data_dir: Path) -> None:
    scene, _ = open_dataset("dlr_hysu")
    image, field = dlr_hysu_library("image"), dlr_hysu_library("field")
    assert image.endmember.values.tolist() == [*dlr_hysu_targets().material.values, "grass"]
    np.testing.assert_allclose(image.wavelength, scene.wavelength, atol=0.01)
    np.testing.assert_array_equal(match_endmembers(endmember_means(image), endmember_means(field)), np.arange(6))
    nearest = {
        name: int(np.argmin(np.abs(image.wavelength.values - nm)))
        for name, nm in (("blue", 460.0), ("green", 540.0), ("red", 650.0))
    }
    for fabric in ("blue", "green", "red"):
        spectrum = image.sel(spectrum=image.endmember == f"{fabric} fabric").values[0]
        assert max(nearest, key=lambda colour: spectrum[nearest[colour]]) == fabric
    with pytest.raises(ParameterError, match="lab"):
        dlr_hysu_library("lab")


def test_unmixing_with_the_image_library_finds_the_known_areas(data_dir: Path) -> None:
    scene, _ = open_dataset("dlr_hysu")
    targets = dlr_hysu_targets()
    endmembers = endmember_means(dlr_hysu_library("image"))
    anywhere = targets.region.any(("material", "target")).values
    abundance = np.zeros((*scene.shape[:2], 6))
    abundance[anywhere] = fractions(scene.values[anywhere], endmembers, sum_to_one=100.0)
    area = (targets.region.values * np.moveaxis(abundance[:, :, :5], 2, 0)[:, None]).sum((2, 3)) * 0.49
    error = np.abs(area / targets.area.values - 1).mean(axis=0)
    assert error[0] < 0.05
    assert (error[:4] < 0.25).all()
    assert pixels_of(scene).shape == (86 * 123, 135)
