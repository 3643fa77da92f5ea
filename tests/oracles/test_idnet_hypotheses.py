"""The mixing law of a scene is told by evidence, and the evidence is an integral."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.evidence import log_evidence
from unmixel.methods.idnet.hypotheses import choose
from unmixel.methods.idnet.mixing_domain import BRIGHTEST, DARKEST, albedo_slope, to_domain, to_reflectance
from unmixel.methods.idnet.mixing_law import MIXING_LAWS
from unmixel.methods.idnet.regression import Regression
from unmixel.mixing import fan, generalised_bilinear, intimate, linear

MIX = {
    "linear": linear,
    "fan": fan,
    "generalised bilinear": lambda a, m: generalised_bilinear(
        a, m, np.linspace(0, 1, len(a))[:, None].repeat(3, axis=1)
    ),
    "intimate": intimate,
}


def spectra(n_bands: int) -> np.ndarray:
    """Return three smooth spectra with an absorption feature each."""
    band = np.linspace(0, 1, n_bands)
    level, slope, centre = np.array([[0.25, 0.4, 0.3], [0.6, -0.2, 0.55], [0.45, 0.1, 0.75]]).T[:, :, None]
    return level + slope * band - 0.2 * np.exp(-(((band - centre) / 0.08) ** 2))


@pytest.mark.parametrize("law", MIX)
@pytest.mark.parametrize("snr_db", [25.0, 35.0])
def test_the_law_that_mixed_a_scene_is_the_most_probable(law, snr_db):
    rng = np.random.default_rng(0)
    endmembers = spectra(50)
    pixels = MIX[law](rng.dirichlet(np.ones(3), size=600), endmembers)
    pixels = pixels + rng.normal(scale=np.sqrt((pixels**2).mean() / 10 ** (snr_db / 10)), size=pixels.shape)
    bundles = tuple(endmembers[:, None].astype(np.float32))
    chosen, observed, judged = choose(pixels.astype(np.float32), bundles, None, only_linear=False)
    assert chosen.mixing == law
    assert (chosen.variability, chosen.brightness_sd, chosen.n_latents) == ("none", 0.001, 1), "spectra are fixed"
    assert chosen.concentration >= 0.5, "abundances are anywhere on the simplex"
    best = {name: max(j.log_evidence for j in judged if j.hypothesis.mixing == name) for name in MIX}
    assert all(best[law] > best[other] + 0.2 for other in MIX if other != law), best
    expected = to_domain(endmembers.astype(np.float32), albedo=law == "intimate")
    np.testing.assert_allclose(observed.means, expected, atol=1e-6)


def test_no_law_but_linear_is_considered_if_none_is_asked_for():
    rng = np.random.default_rng(1)
    endmembers = spectra(20)
    pixels = fan(rng.dirichlet(np.ones(3), size=80), endmembers) + rng.normal(scale=0.01, size=(80, 20))
    bundles = tuple(endmembers[:, None].astype(np.float32))
    chosen, _, judged = choose(pixels.astype(np.float32), bundles, 2, only_linear=True)
    assert chosen.mixing == "linear"
    assert {j.hypothesis.mixing for j in judged} == {"linear"}


P, L, N, NOISE_SD = 2, 12, 24, 0.02
CORRELATION = 0.6


def exact_evidence(
    pixels: np.ndarray, means: np.ndarray, axes: np.ndarray, covariance: np.ndarray, alpha: float
) -> np.ndarray:
    """log ∫ p(y | a, Z) p(Z) p(a) dZ da of each pixel: by hand over Z, by quadrature over the first abundance."""
    points, lengths = np.polynomial.legendre.leggauss(600)
    values = []
    for first in (points + 1) / 2:
        a = np.array([first, 1 - first])
        directions = a[:, None] * axes
        spread = NOISE_SD**2 * np.eye(L) + directions.T @ covariance @ directions
        prior = stats.beta(alpha, alpha).logpdf(first)
        values.append(prior + stats.multivariate_normal(a @ means, spread).logpdf(pixels))
    return logsumexp(np.array(values) + np.log(lengths / 2)[:, None], axis=0)


def misfit_at_the_best(
    pixel: np.ndarray, means: np.ndarray, axes: np.ndarray, precision: np.ndarray, alpha: float
) -> float:
    """Mean squared residual of the most probable η and Z, found by a general minimiser."""

    def residual(x):
        return pixel - softmax(x[:P]) @ (means + x[P:, None] * axes)

    def minus_log_posterior(x):
        prior = 0.5 * x[P:] @ precision @ x[P:] - alpha * log_softmax(x[:P]).sum()
        return 0.5 * (residual(x) ** 2).sum() / NOISE_SD**2 + prior

    best = minimize(minus_log_posterior, np.zeros(2 * P), options={"gtol": 1e-8, "maxiter": 2000})
    return float((residual(best.x) ** 2).mean())


@pytest.mark.parametrize("alpha", [1.0, 0.5, 2.0])
def test_the_evidence_is_the_integral_over_abundances_and_latents(alpha):
    """Where noise is small, and so Laplace's approximation good."""
    rng = np.random.default_rng(2)
    means = spectra(L)[:P]
    axes = 0.2 * means
    covariance = np.array([[1.0, CORRELATION], [CORRELATION, 1.0]])
    latents = rng.multivariate_normal(np.zeros(P), covariance, size=N)
    abundances = rng.dirichlet(np.full(P, 4.0), size=N)
    pixels = np.einsum("nk,nkl->nl", abundances, means + latents[:, :, None] * axes)
    pixels = pixels + rng.normal(scale=NOISE_SD, size=pixels.shape)

    decoder = BundleDecoder(P, 1, L).double()
    decoder.means.copy_(torch.as_tensor(means))
    decoder.axes.copy_(torch.as_tensor(axes[:, None]))
    regression = Regression(decoder, MIXING_LAWS["linear"], alpha).double()
    regression.precision.copy_(torch.as_tensor(np.linalg.inv(covariance)))
    regression.noise_variance.fill_(NOISE_SD**2)
    regression.endmember_variance.zero_()
    misfit = np.median([misfit_at_the_best(y, means, axes, np.linalg.inv(covariance), alpha) for y in pixels])
    model_error = np.sqrt(NOISE_SD**2 - misfit)  # the variance of the pixels is then that of the noise
    found = log_evidence(regression, torch.as_tensor(pixels), pixels, model_error=float(model_error))

    exact = exact_evidence(pixels, means, axes, covariance, alpha)
    assert exact.shape == (N,)
    assert exact.std() > 1
    np.testing.assert_allclose(found, exact, atol=0.15)
    np.testing.assert_allclose(found.mean(), exact.mean(), atol=0.05)


def test_albedo_and_back_is_the_reflectance():
    reflectance = np.random.default_rng(3).uniform(0.001, 0.99, size=(7, 5)).astype(np.float32)
    albedo = to_domain(reflectance, albedo=True)
    assert albedo.dtype == np.float32
    assert (albedo > reflectance).all(), "grains scatter more than the layer that they make"
    np.testing.assert_allclose(to_reflectance(albedo, albedo=True), reflectance, rtol=1e-4)
    np.testing.assert_array_equal(to_domain(reflectance, albedo=False), reflectance)
    np.testing.assert_array_equal(to_reflectance(reflectance, albedo=False), reflectance)


def test_the_slope_of_albedo_is_its_derivative():
    reflectance = np.linspace(0.01, 0.95, 40)
    rise = to_domain(reflectance + 1e-6, albedo=True) - to_domain(reflectance - 1e-6, albedo=True)
    slope = albedo_slope(torch.as_tensor(to_domain(reflectance, albedo=True)))
    np.testing.assert_allclose(slope, rise / 2e-6, rtol=1e-5)


def scene_with(concentration: float, variability_sd: float, n_latents: int, seed: int) -> tuple[np.ndarray, tuple]:
    """Return pixels and bundles of endmembers that vary along so many directions of their own."""
    rng = np.random.default_rng(seed)
    n_bands, n_pixels = 60, 4000
    endmembers, band = spectra(n_bands), np.linspace(0, 1, n_bands)
    waves = np.stack([[np.sin((2 + 3 * i + k) * np.pi * band) for i in range(n_latents)] for k in range(3)])
    units = endmembers / np.linalg.norm(endmembers, axis=1, keepdims=True)
    axes = waves - np.einsum("kil,kl,km->kim", waves, units, units)

    def drawn(n: int) -> np.ndarray:
        amounts = variability_sd * rng.normal(size=(n, 3, n_latents))
        return endmembers + np.einsum("nki,kil->nkl", amounts, axes)

    abundances = rng.dirichlet(np.full(3, concentration), size=n_pixels)
    pixels = np.einsum("nk,nkl->nl", abundances, drawn(n_pixels)) + rng.normal(scale=0.004, size=(n_pixels, n_bands))
    bundles = tuple(drawn(200).transpose(1, 0, 2).astype(np.float32))
    return pixels.astype(np.float32), bundles


@pytest.mark.parametrize(("concentration", "at_most"), [(1.0, 1.0), (0.3, 0.5), (0.1, 0.25)])
def test_how_sparse_abundances_are_is_told(concentration, at_most):
    pixels, bundles = scene_with(concentration, 0.02, 2, seed=5)
    chosen, *_ = choose(pixels, bundles, 4, only_linear=True)
    assert at_most / 2.5 <= chosen.concentration <= at_most


@pytest.mark.parametrize(("n_latents", "expected"), [(1, 2), (3, 4)])
def test_as_many_latents_are_asked_for_as_the_bundle_shows(n_latents, expected):
    """One of them is brightness."""
    chosen, *_ = choose(*scene_with(1.0, 0.03, n_latents, seed=6), None, only_linear=True)
    assert chosen.variability == "bundle"
    assert chosen.n_latents == expected


def test_a_law_that_nothing_decides_stays_open():
    """Where the bilinear share is another in every pixel, neither none nor all of it is taken for it."""
    rng = np.random.default_rng(8)
    endmembers = spectra(50)
    shares = rng.uniform(0, 1, size=(600, 3))
    pixels = generalised_bilinear(rng.dirichlet(np.ones(3), size=600), endmembers, shares)
    pixels = pixels + rng.normal(scale=0.05, size=pixels.shape)
    chosen, *_ = choose(pixels.astype(np.float32), tuple(endmembers[:, None].astype(np.float32)), 2, only_linear=False)
    assert chosen.mixing == "generalised bilinear"


def test_intimate_mixtures_are_linear_in_albedo():
    rng = np.random.default_rng(4)
    abundances, endmembers = rng.dirichlet(np.ones(3), size=9), spectra(11)
    mixed = linear(abundances, to_domain(endmembers, albedo=True))
    np.testing.assert_allclose(to_domain(intimate(abundances, endmembers), albedo=True), mixed, atol=1e-9)
    np.testing.assert_allclose(to_reflectance(mixed, albedo=True), intimate(abundances, endmembers), atol=1e-9)


def test_what_noise_makes_of_dark_and_bright_pixels_has_an_albedo():
    wild = np.array([-0.3, 0.0, 1e-6, 1.0, 1.7])
    albedo = to_domain(wild, albedo=True)
    assert ((albedo > 0) & (albedo < 1)).all()
    ends = to_domain(np.array([DARKEST, BRIGHTEST]), albedo=True)
    np.testing.assert_allclose(albedo, ends[[0, 0, 0, 1, 1]])
    np.testing.assert_allclose(to_reflectance(np.array([-0.2, 1.3]), albedo=True), [0, 1], atol=1e-12)
