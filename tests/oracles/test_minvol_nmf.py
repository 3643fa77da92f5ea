"""Minimum-volume factorisation: its derivatives, its objective, and scenes without pure pixels."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.minvol_nmf import MinimumVolume, MinVolNMF
from unmixel.metrics import abundance_rmse, match_endmembers
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.spectra import make_bundle


def pixels_without_corners(noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    spectra = rng.uniform(0.1, 0.8, (3, 12))
    abundances = rng.dirichlet(np.ones(3), 900)
    abundances = abundances[abundances.max(axis=1) < 0.8]
    return spectra, abundances @ spectra + noise * rng.standard_normal((len(abundances), 12))


def test_derivatives_are_those_of_the_objective():
    spectra, pixels = pixels_without_corners(0.02)
    objective = MinimumVolume(pixels, 3, 2.0)
    at = spectra + 0.05 * np.random.default_rng(10).standard_normal(spectra.shape)
    slopes = objective(at)[1]
    for k, band in [(0, 0), (1, 5), (2, 11)]:
        step = np.zeros_like(at)
        step[k, band] = 1e-6
        difference = (objective(at + step)[0] - objective(at - step)[0]) / 2e-6
        assert slopes[k, band] == pytest.approx(difference, rel=1e-4)


def test_noise_is_what_lies_outside_the_simplex():
    _, pixels = pixels_without_corners(0.02)
    assert np.sqrt(MinimumVolume(pixels, 3, 1.0).noise_variance) == pytest.approx(0.02, rel=0.05)


def test_the_objective_falls_below_that_of_the_truth_and_of_the_start():
    spectra, pixels = pixels_without_corners(0.01)
    start = (0.5 * spectra + 0.5 * spectra.mean(axis=0)).astype(np.float32)
    fitted = MinVolNMF().fit(make_scene(pixels[None]), make_bundle(start, ["a", "b", "c"]))
    objective = MinimumVolume(pixels, 3, 1.0)
    found, truth, first = (objective(one.astype(np.float64))[0] for one in (fitted.endmembers, spectra, start))
    assert found < truth < first
    np.testing.assert_allclose(fitted.endmembers, spectra, atol=0.03)


def test_better_than_the_purest_pixels_where_none_is_pure():
    scene, truth = simulate_preset("no_pure_pixels", rows=30, columns=30, seed=2)
    errors = {}
    for method in (FCLS(n_endmembers=3, extraction="vca"), MinVolNMF(n_endmembers=3)):
        result = method.fit(scene).unmix(scene)
        order = match_endmembers(truth.endmember_spectrum.values, result.endmember_spectrum.values)
        estimate = result.abundance.values.reshape(-1, 3)[:, order]
        errors[method.name] = abundance_rmse(truth.abundance.values.reshape(-1, 3), estimate)
    assert errors["minvol_nmf"] < 0.3 * errors["fcls"]


@pytest.mark.parametrize(
    ("n_steps", "settled", "stopped"),
    [(300, True, "the objective no longer falls"), (3, False, "all steps done")],
    ids=["settled", "cut short"],
)
def test_the_record_says_whether_it_settled(n_steps, settled, stopped):
    spectra, pixels = pixels_without_corners(0.01)
    start = (0.5 * spectra + 0.5 * spectra.mean(axis=0)).astype(np.float32)
    record = MinVolNMF(n_steps=n_steps).fit(make_scene(pixels[None]), make_bundle(start, ["a", "b", "c"])).record
    assert (record["settled"], record["stopped"]) == (settled, stopped)
    assert record["steps"] == 3 if n_steps == 3 else 3 < record["steps"] < 300


@pytest.mark.parametrize("wrong", [{"volume_weight": -1.0}, {"volume_weight": np.nan}, {"n_steps": 0}])
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        MinVolNMF(**wrong)
