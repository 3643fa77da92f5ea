"""A model is applied to scenes in the unit that it was fitted in, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from unmixel import plot
from unmixel.errors import SceneError
from unmixel.explorer.report import write_report
from unmixel.io import write_envi
from unmixel.methods.fcls import FCLS
from unmixel.methods.gbm import GBM
from unmixel.registry import load
from unmixel.result import open_result
from unmixel.scale import unmix_file
from unmixel.testing.method_contract import example_scene

COUNTS = 10_000.0
TOLD = (
    r"^values up to \d+ for a model of 'fcls' that was fitted to reflectance \(values up to 0\.\d+\); expected "
    r"reflectance, .*; divide by the scale of the file \(--scale\), or fit a model to scenes in this unit$"
)


def counts() -> xr.DataArray:
    return example_scene() * COUNTS


def saved(fitted: object, folder: Path) -> Path:
    fitted.save(folder / "model")
    return folder / "model"


def test_a_model_of_reflectance_refuses_counts(tmp_path: Path) -> None:
    fitted = FCLS(n_endmembers=3).fit(example_scene())
    for model in (fitted, load(saved(fitted, tmp_path))):
        with pytest.raises(SceneError, match=TOLD):
            model.unmix(counts())
        abundance = model.unmix(counts() / COUNTS)["abundance"]
        np.testing.assert_allclose(abundance, fitted.unmix(example_scene())["abundance"], atol=1e-5)


def test_a_model_of_counts_unmixes_counts(tmp_path: Path) -> None:
    fitted = FCLS(n_endmembers=3).fit(counts())
    abundance = load(saved(fitted, tmp_path)).unmix(counts())["abundance"]
    expected = FCLS(n_endmembers=3).fit(example_scene()).unmix(example_scene())["abundance"]
    np.testing.assert_allclose(abundance, expected, atol=1e-4)


def test_a_model_of_counts_refuses_reflectance_but_no_dark_scene() -> None:
    fitted = FCLS(n_endmembers=3).fit(counts())
    with pytest.raises(
        SceneError, match=r"^values up to 0\.\d+ for a model of 'fcls' that was fitted to values up to \d"
    ):
        fitted.unmix(example_scene())
    for dark in (0.01, 0.0):
        assert np.isfinite(fitted.unmix(counts() * dark)["abundance"]).any()
    percent = FCLS(n_endmembers=3).fit(example_scene() * 100)
    assert np.isfinite(percent.unmix(example_scene())["abundance"]).any()


def test_results_are_in_the_unit_of_their_scene(tmp_path: Path) -> None:
    for scene, unit, label in (
        (example_scene(), "reflectance", "reflectance [1]"),
        (counts(), "unit of the scene", "value [unit of the scene]"),
    ):
        path = tmp_path / unit
        write_envi(scene, tmp_path / f"{unit}.img")
        fitted = load(saved(FCLS(n_endmembers=3).fit(scene), path))
        unmix_file(fitted, tmp_path / f"{unit}.img", path / "out")
        for result in (fitted.unmix(scene), open_result(path / "out")):
            assert {result[name].attrs["units"] for name in ("reconstruction_rmse", "endmember_spectrum")} == {unit}
            assert result["abundance"].attrs["units"] == "1"
            assert plot.endmembers(result).axes[0].get_ylabel() == label
        for name in ("reconstruction_rmse.tif", "scene.tif"):
            with rasterio.open(path / "out" / name) as file:
                assert set(file.units) == {unit}
        page = write_report(path / "out").read_text()
        assert f"root mean square over the bands [{unit}]" in page and f">{label}<" in page
        assert f"(root mean square over the bands, {unit})." in page
        assert ("reflectance [1]" in page) == (unit == "reflectance")


def test_snow_and_glint_are_reflectance() -> None:
    fitted = FCLS(n_endmembers=3).fit(example_scene())
    snow = example_scene() * (1.6 / float(example_scene().max()))
    assert np.isfinite(fitted.unmix(snow)["abundance"]).any()
    glint = example_scene().copy()
    glint[0, 0] = 40.0
    assert glint[0, 0].size < 0.01 * glint.size
    assert np.isfinite(fitted.unmix(glint)["abundance"]).any()


def test_a_model_that_does_not_say_its_unit_is_applied_unless_its_method_needs_reflectance() -> None:
    silent = FCLS(n_endmembers=3).fit(example_scene())
    needing = GBM(n_endmembers=3).fit(example_scene())
    for fitted in (silent, needing):
        fitted.record = {}
    assert silent.unmix(counts())["abundance"].notnull().any()
    with pytest.raises(SceneError, match=r"for a model of 'gbm' that was fitted to reflectance; expected"):
        needing.unmix(counts())


def test_a_scene_without_a_valid_pixel_has_no_unit() -> None:
    fitted = FCLS(n_endmembers=3).fit(example_scene())
    fitted.check_unit(example_scene() * np.nan)


def test_files_of_counts_are_refused_before_they_are_unmixed(tmp_path: Path) -> None:
    write_envi(counts(), tmp_path / "counts.img")
    reflectance, of_counts = (FCLS(n_endmembers=3).fit(scene) for scene in (example_scene(), counts()))
    with pytest.raises(SceneError, match=r"counts\.img: values up to \d+ for a model of 'fcls'"):
        unmix_file(reflectance, tmp_path / "counts.img", tmp_path / "out")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["counts.hdr", "counts.img"]
    unmix_file(reflectance, tmp_path / "counts.img", tmp_path / "scaled", scale=COUNTS)
    unmix_file(of_counts, tmp_path / "counts.img", tmp_path / "as_it_is")
    scaled, as_it_is = (open_result(tmp_path / name)["abundance"] for name in ("scaled", "as_it_is"))
    np.testing.assert_allclose(scaled, as_it_is, atol=1e-4)
