"""NCM: its posterior against quadrature, its intervals on its own pixels, and its error where bundles vary."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.ncm import NCM
from unmixel.metrics import abundance_rmse
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset, true_bundle
from unmixel.solvers import fcls
from unmixel.solvers.normal_mixture import NormalMixture
from unmixel.solvers.pixel_random import PixelRandom
from unmixel.solvers.simplex_chain import SimplexChain
from unmixel.spectra import make_bundle


def two_classes():
    """Return a bundle of two classes that vary in brightness and slope, and the noise."""
    rng = np.random.default_rng(5)
    band = np.linspace(0, 1, 15)
    means = np.stack([0.2 + 0.2 * band, 0.6 - 0.3 * band])
    modes = np.stack([means, np.stack([band - 0.5, 0.5 - band**2])], axis=1)
    scores = 0.1 * rng.standard_normal((2, 20, 2))
    spectra = means[:, None] + scores @ modes
    return make_bundle(spectra.reshape(40, 15), ["a"] * 20 + ["b"] * 20), np.full(15, 0.02)


def test_mean_and_sd_are_those_of_quadrature():
    """With dense covariances in all bands and a fine grid, for mixed pixels and some near a corner."""
    bundle, noise_sd = two_classes()
    groups = bundle.values.astype(np.float64).reshape(2, 20, 15)
    means, covariances = groups.mean(axis=1), np.stack([np.cov(group.T) for group in groups])
    rng = np.random.default_rng(1)
    truth = np.array([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.5])
    pixels = truth[:, None] * groups[0, :8] + (1 - truth)[:, None] * groups[1, :8] + 0.02 * rng.standard_normal((8, 15))
    scene = make_scene(pixels[None]).assign_coords(noise_sd=("band", noise_sd))
    found = NCM(n_draws=2000).fit(scene, bundle).unmix(scene)

    grid = (np.arange(2000) + 0.5) / 2000
    shares = np.stack([grid, 1 - grid], axis=1)
    covariance = np.einsum("gk,kij->gij", shares**2, covariances) + np.diag(noise_sd**2)
    left = pixels[:, None] - shares @ means
    away = np.einsum("ngi,gij,ngj->ng", left, np.linalg.inv(covariance), left, optimize=True)
    weight = np.exp(-(away - away.min(axis=1, keepdims=True) + np.linalg.slogdet(covariance)[1]) / 2)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ grid
    sd = np.sqrt(weight @ grid**2 - mean**2)
    np.testing.assert_allclose(found.abundance.values[0, :, 0], mean, atol=0.15 * sd.max())
    np.testing.assert_allclose(found.abundance_sd.values[0, :, 0], sd, rtol=0.15)


@pytest.mark.parametrize("n_endmembers", [2, 6, 20])
@pytest.mark.parametrize("noise_sd", [1e-2, 1e-3, 1e-5])
def test_without_variability_pixels_at_corners_stay_there_however_small_the_noise(n_endmembers: int, noise_sd: float):
    """Then the posterior is as narrow as the noise, and its mean is that of least squares."""
    means = np.random.default_rng(0).uniform(0.05, 0.9, (n_endmembers, 100))
    pixels = np.concatenate([means, 2 * means[:1], 0 * means[:1]])
    mixture = NormalMixture(means, np.zeros((n_endmembers, 1, 100)), np.full(100, noise_sd**2))
    coordinates, least_squares = mixture.coordinates(pixels), fcls(pixels, means)
    chain = SimplexChain(
        lambda abundances: mixture.log_density(coordinates, abundances),
        lambda abundances: mixture.slope(coordinates, abundances),
        0.98 * least_squares + 0.02 / n_endmembers,
    )
    mean = np.mean(list(chain.draws(200, PixelRandom(pixels, seed=0))), axis=0)
    np.testing.assert_allclose(mean, least_squares, atol=3 * noise_sd)


def test_intervals_of_its_own_pixels_hold_the_truth_as_often_as_they_say():
    bundle, noise_sd = two_classes()
    scene = make_scene(bundle.values[None]).assign_coords(noise_sd=("band", noise_sd))
    fitted = NCM().fit(scene, bundle)
    own, truth = fitted.simulate(400, seed=3)
    low, high = np.quantile(fitted.sample(own, 100, seed=1).abundance.values[:, :, 0, 0], [0.1, 0.9], axis=0)
    inside = (low <= truth.abundance.values[:, 0, 0]) & (truth.abundance.values[:, 0, 0] <= high)
    assert 0.72 < inside.mean() < 0.88


def test_draws_of_pixels_are_independent():
    """So the mean over a scene is as sure as the central limit says: as over draws that were put in another order."""
    bundle, noise_sd = two_classes()
    scene = make_scene(bundle.values[None]).assign_coords(noise_sd=("band", noise_sd))
    fitted = NCM().fit(scene, bundle)
    own, _ = fitted.simulate(400, seed=3)
    draws = fitted.sample(own, 100, seed=1).abundance.values[:, :, 0, 0]
    expected = np.sqrt(draws.var(axis=0).sum()) / draws.shape[1]
    assert 0.75 * expected < draws.mean(axis=1).std() < 1.3 * expected


def test_draws_of_a_pixel_are_the_same_whatever_other_pixels_there_are():
    bundle, noise_sd = two_classes()
    scene = make_scene(bundle.values[None]).assign_coords(noise_sd=("band", noise_sd))
    fitted = NCM().fit(scene, bundle)
    among = fitted.sample(scene, 3, seed=1).abundance.values[:, 0, 25]
    np.testing.assert_array_equal(fitted.sample(scene[:, 25:26], 3, seed=1).abundance.values[:, 0, 0], among)
    assert (fitted.sample(scene, 3, seed=2).abundance.values[:, 0, 25] != among).all()


def test_it_beats_fcls_where_bundles_vary():
    scene, truth = simulate_preset("dc2", rows=10, columns=10)
    bundle, abundances = true_bundle(truth), truth.abundance.values.reshape(-1, 3)
    methods = NCM(n_draws=100), FCLS()
    ncm, fcls = (method.fit(scene, bundle).unmix(scene).abundance.values.reshape(-1, 3) for method in methods)
    assert abundance_rmse(abundances, ncm) < 0.7 * abundance_rmse(abundances, fcls)


@pytest.mark.parametrize("name", ["n_draws", "n_factors"])
def test_wrong_parameters_are_refused(name):
    with pytest.raises(ParameterError, match=name):
        NCM(**{name: 0})
