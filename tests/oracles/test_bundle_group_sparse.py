"""Penalties on groups: optimality, an objective that falls, and spectra that vary by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.bundle_group_sparse import BundleGroupSparse
from unmixel.methods.fcls import FCLS
from unmixel.metrics import abundance_rmse
from unmixel.result import provenance_of
from unmixel.scene import make_scene
from unmixel.simulate.features import material
from unmixel.solvers import GroupSparseRegression, fcls
from unmixel.solvers.group_sparse_regression import FRACTION, SMALLEST
from unmixel.spectra import make_bundle

SIZES = [3, 2, 4]
MEMBER = np.repeat(np.eye(3), SIZES, axis=0)
RNG = np.random.default_rng(5)
SPECTRA = RNG.uniform(0.1, 0.8, (3, 30)).repeat(SIZES, axis=0) + 0.05 * RNG.standard_normal((9, 30))
PIXELS = RNG.dirichlet(np.full(9, 0.4), 80) @ SPECTRA + 0.03 * RNG.standard_normal((80, 30))


def penalty_slope(penalty: str, found: np.ndarray) -> np.ndarray:
    total = (found @ MEMBER) @ MEMBER.T
    return total if penalty == "elitist" else found / np.maximum(np.sqrt((found**2) @ MEMBER @ MEMBER.T), 1e-300)


@pytest.mark.parametrize("penalty", ["elitist", "group"])
def test_the_optimality_conditions_on_the_simplex(penalty):
    """Where an abundance is positive the slope is the pixel's multiplier; groups that are absent have no slope."""
    weight = 0.02
    found = GroupSparseRegression(SPECTRA, SIZES, penalty, weight).solve(PIXELS)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    slope = (found @ SPECTRA - PIXELS) @ SPECTRA.T + weight * penalty_slope(penalty, found)
    multiplier = (found * slope).sum(axis=1, keepdims=True)
    present = found > 1e-5
    in_group = (found @ MEMBER > 1e-5) @ MEMBER.T > 0
    assert np.abs(slope - multiplier)[present].max() < 1e-4
    assert (slope - multiplier)[in_group if penalty == "group" else found >= 0].min() > -1e-4
    assert 0.02 < (found < 1e-5).mean() < 0.9


def test_no_weight_is_least_squares_on_the_simplex():
    expected = fcls(PIXELS, SPECTRA)
    for penalty in ("elitist", "group"):
        found = GroupSparseRegression(SPECTRA, SIZES, penalty, 0.0).solve(PIXELS)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_results_say_how_many_pixels_did_not_settle(monkeypatch):
    scene = make_scene(PIXELS.reshape(8, 10, 30))
    bundle = make_bundle(SPECTRA, np.repeat(["ash", "brine", "crust"], SIZES).tolist())
    fitted = {penalty: BundleGroupSparse(penalty=penalty).fit(scene, bundle) for penalty in ("group", "elitist")}
    assert provenance_of(fitted["group"].unmix(scene))["unsettled_pixels"] == 0
    assert "unsettled_pixels" not in provenance_of(fitted["elitist"].unmix(scene))
    monkeypatch.setattr("unmixel.solvers.proximal_least_squares.MAX_STEPS", 10)
    assert 0 < provenance_of(fitted["group"].unmix(scene))["unsettled_pixels"] <= 80


def test_the_objective_of_the_fractional_penalty_falls():
    weight = 0.05
    rounds = GroupSparseRegression(SPECTRA, SIZES, "fractional", weight).rounds(PIXELS)
    objective = [
        ((PIXELS - found @ SPECTRA) ** 2).sum(axis=1) / 2
        + weight * ((found @ MEMBER + SMALLEST) ** FRACTION).sum(axis=1)
        for found in rounds
    ]
    assert (np.diff(objective, axis=0) <= 1e-9).all()
    assert objective[-1].mean() < objective[0].mean() - 0.002
    assert (rounds[-1] @ MEMBER > 1e-4).sum() < (rounds[0] @ MEMBER > 1e-4).sum()


def test_endmembers_that_vary_are_unmixed_better_than_by_their_means():
    rng = np.random.default_rng(6)
    wavelength = np.linspace(400, 2500, 50)
    names = ("vegetation", "soil", "gypsum")

    def varied(n_spectra: int) -> np.ndarray:
        """Each material brighter or darker, and tilted."""
        tilt = rng.normal(0, 0.15, (n_spectra, 3, 1)) * np.linspace(-1, 1, 50)
        scale = rng.lognormal(0, 0.2, (n_spectra, 3, 1))
        return np.stack([material(name, wavelength) for name in names]) * scale * (1 + tilt)

    truth = rng.dirichlet(np.full(3, 0.5), 400)
    pixels = np.einsum("nk,nkl->nl", truth, varied(400)) + 0.005 * rng.standard_normal((400, 50))
    scene = make_scene(pixels.reshape(20, 20, 50), wavelength=wavelength)
    bundle = make_bundle(np.concatenate(list(varied(15))), names * 15, wavelength=wavelength)
    error = [
        abundance_rmse(truth, method.fit(scene, bundle).unmix(scene)["abundance"].values.reshape(-1, 3))
        for method in (BundleGroupSparse(), FCLS())
    ]
    assert error[0] < 0.8 * error[1]


def test_hyperparameters_out_of_range_are_refused():
    with pytest.raises(ParameterError, match="penalty 'lasso'"):
        BundleGroupSparse(penalty="lasso")
    with pytest.raises(ParameterError, match="n_spectra = 0"):
        BundleGroupSparse(n_spectra=0)
