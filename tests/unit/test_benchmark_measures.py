"""What a benchmark measures of a result: exact where the result is the truth, or off by a known factor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from unmixel.benchmark.measures import measures_of, order_of
from unmixel.benchmark.scenes import TrueScene, endmembers_of, open_entry
from unmixel.benchmark.suite import SceneEntry
from unmixel.errors import ParameterError, SceneError
from unmixel.io import write_envi
from unmixel.methods._least_squares import FittedLeastSquares
from unmixel.methods.fcls import FCLS
from unmixel.metrics import abundance_crps, area_errors, nrmse
from unmixel.result import save_result
from unmixel.scene import good_bands, to_maps
from unmixel.simulate import simulate_preset

DC2 = SceneEntry(preset="dc2", rows=8, columns=9, endmembers="true")


class Oracle(FittedLeastSquares):
    """A model that knows the spectra of every pixel, but for a factor."""

    known: TrueScene
    factor = 1.0

    def endmembers_at(self, scene, pixel=None):
        spectra = self.known.truth["endmembers"].values[pixel[:, 0], pixel[:, 1]][..., good_bands(scene)]
        return self.factor * spectra, np.zeros_like(spectra)


@pytest.fixture
def known() -> TrueScene:
    return open_entry(DC2, 3)


def oracle(known: TrueScene, factor: float) -> tuple[Oracle, xr.Dataset]:
    """A model that is right but for its endmembers, and its result: the truth, give or take a third of the way out."""
    fitted = FCLS().fit(known.scene, endmembers_of(DC2, known, 3))
    right = Oracle(fitted.method, known.scene, fitted.endmember, fitted.endmembers)
    right.known, right.factor = known, factor
    abundance = known.truth["abundance"]
    rmse = to_maps(known.scene, {"reconstruction_rmse": np.full(72, 0.02)})["reconstruction_rmse"]
    return right, known.truth[["abundance", "endmember_spectrum"]].assign(
        abundance_sd=0.3 * np.minimum(abundance, 1 - abundance), reconstruction_rmse=(("y", "x"), rmse)
    )


def test_a_result_that_is_the_truth_has_no_error_and_intervals_that_hold_it(known: TrueScene) -> None:
    fitted, result = oracle(known, 1.0)
    order, by = order_of(known.truth, result, given=True)
    assert (order.tolist(), by) == ([0, 1, 2], "name")
    found = measures_of(known, fitted, result, order)
    for name in ("abundance_rmse", "abundance_rmse_as_truth", "nrmse_abundances", "nrmse_endmembers"):
        assert found[name] == 0, name
    for name in ("spectral_angle", "sam_endmembers"):
        assert found[name] == pytest.approx(0, abs=1e-6), name
    abundances = known.truth["abundance"].values.reshape(-1, 3)
    assert found["coverage_90"] == found["coverage_50"] == 1
    sd = result["abundance_sd"].values.reshape(-1, 3)
    assert found["crps"] == pytest.approx(abundance_crps(abundances, abundances, sd).mean(), rel=1e-5)
    assert found["reconstruction_rmse"] == pytest.approx(0.02)
    pixels = known.scene.values.astype(float)
    assert found["nrmse_pixels"] == pytest.approx(nrmse(pixels, pixels + 0.02), rel=1e-6)


def test_spectra_that_are_a_tenth_too_bright_in_every_pixel_are_off_by_a_tenth(known: TrueScene) -> None:
    fitted, result = oracle(known, 1.1)
    found = measures_of(known, fitted, result, np.arange(3))
    assert found["nrmse_endmembers"] == pytest.approx(0.1, rel=1e-4)
    assert found["sam_endmembers"] == pytest.approx(0, abs=1e-6)


def test_a_method_without_a_posterior_has_neither_coverage_nor_crps(known: TrueScene) -> None:
    fitted, result = oracle(known, 1.0)
    found = measures_of(known, fitted, result.drop_vars("abundance_sd"), np.arange(3))
    assert not {"crps", "coverage_50", "coverage_90"} & set(found)


def test_endmembers_under_other_names_are_matched_by_their_angles(known: TrueScene) -> None:
    _, result = oracle(known, 1.0)
    shuffled = result.isel(endmember=[2, 0, 1]).assign_coords(endmember=["e1", "e2", "e3"])
    order, by = order_of(known.truth, shuffled, given=True)
    assert (order.tolist(), by) == ([1, 2, 0], "spectral angle")


def test_nrmse_is_relative() -> None:
    truth = np.random.default_rng(0).normal(size=(4, 5, 6))
    assert nrmse(truth, 0.75 * truth) == pytest.approx(0.25)
    assert nrmse(1e6 * truth, 0.75e6 * truth) == pytest.approx(0.25)
    assert np.isnan(nrmse(np.zeros(3), np.ones(3)))
    with pytest.raises(ParameterError, match="the same shape"):
        nrmse(np.zeros(3), np.zeros(4))


def test_areas_of_squares_that_are_half_found_are_off_by_a_half() -> None:
    squares = np.zeros((2, 2, 6, 6), dtype=bool)
    squares[0, 0, :3, :3] = squares[0, 1, :1, 4:] = squares[1, 0, 3:, :3] = squares[1, 1, 5:, 4:] = True
    abundances = np.stack([squares[0].any(axis=0), 0.5 * squares[1].any(axis=0)], axis=-1).reshape(36, 2)
    found = area_errors(abundances, squares.reshape(2, 2, 36), np.array([9.0, 2.0]) * 0.49, 0.49)
    np.testing.assert_allclose(found, [[0, 0], [0.5, 0.5]], atol=1e-12)


def test_areas_of_targets_on_grass_are_those_known_of_fcls(data_dir: Path) -> None:
    entry = SceneEntry(dataset="dlr_hysu", endmembers="image")
    known = open_entry(entry, 0)
    fitted = FCLS().fit(known.scene, endmembers_of(entry, known, 0))
    result = fitted.unmix(known.scene)
    found = measures_of(known, fitted, result, order_of(known.truth, result, given=True)[0])
    np.testing.assert_allclose(found["area_error_by_target"], [0.037, 0.053, 0.096, 0.211, 0.513], atol=6e-4)
    assert found["target_area"] == [9.0, 4.0, 1.0, 0.25, 0.0625]
    assert "abundance_rmse" not in found


def test_a_scene_of_ones_own_comes_with_its_truth(tmp_path: Path) -> None:
    scene, truth = simulate_preset("dc1", rows=5, columns=4)
    write_envi(scene, tmp_path / "scene.img")
    save_result(truth, tmp_path / "truth.zarr")
    save_result(truth.isel(x=slice(0, 3)), tmp_path / "other.zarr")
    entry = SceneEntry(file=tmp_path / "scene.img", truth=tmp_path / "truth.zarr", endmembers="true")
    opened = open_entry(entry, 0)
    assert (opened.truth.attrs["truth_kind"], opened.truth.attrs["truth"]) == ("exact", "simulated")
    np.testing.assert_array_equal(opened.truth["abundance"].values, truth["abundance"].values)
    assert endmembers_of(entry, opened, 0)["endmember"].values.tolist() == truth["endmember"].values.tolist()
    with pytest.raises(SceneError, match=r"other\.zarr with 3 along x; expected 4"):
        open_entry(entry.model_copy(update={"truth": tmp_path / "other.zarr"}), 0)
