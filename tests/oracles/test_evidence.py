"""Evidence of endmembers against numerical integration, and what it is for: finding the right ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel.extraction.choosing import choose_by_evidence
from unmixel.extraction.evidence import Hypothesis, SubspacePixels, log_density, posterior
from unmixel.extraction.orthant import orthant_moments
from unmixel.extraction.refinement import _gradient, fit_noise, refine
from unmixel.extraction.variability import fit_variability
from unmixel.metrics import match_endmembers, spectral_angle


def subspace(pixels: np.ndarray, axes: np.ndarray) -> SubspacePixels:
    """Pixels in axes, with a far and flat background."""
    products = np.einsum("la,lb,lc->abc", axes, axes, axes, optimize=True)
    return SubspacePixels(pixels @ axes, products, np.full(len(pixels), -30.0))


def axes_of(pixels: np.ndarray, n_axes: int) -> np.ndarray:
    return np.linalg.svd(pixels, full_matrices=False)[2][:n_axes].T


def scene_of(
    abundances: np.ndarray, materials: np.ndarray, noise: float, seed: int, bilinear: float = 0.0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pixels = abundances @ materials
    for j in range(len(materials)):
        for k in range(j):
            pixels = pixels + bilinear * abundances[:, [j]] * abundances[:, [k]] * materials[j] * materials[k]
    return pixels + noise * rng.standard_normal(pixels.shape)


def integrated(hypothesis: Hypothesis, products: np.ndarray, pixel: np.ndarray) -> float:
    """The evidence of a pixel of two materials, as a sum over a grid of abundance and brightness."""
    t, m = hypothesis.brightness_sd, hypothesis.endmembers
    share = (np.arange(600) + 0.5) / 600
    brightness = np.linspace(max(1 - 7 * t, 1e-3), 1 + 7 * t, 301)
    law = brightness * np.exp(-((brightness - 1) ** 2) / (2 * t**2))
    x = (brightness[:, None, None] * np.stack([share, 1 - share], axis=1)).reshape(-1, 2)
    bent = hypothesis.bilinear * (x[:, [0]] * x[:, [1]]) * np.einsum("abc,a,b->c", products, m[0], m[1])
    noise = np.repeat(hypothesis.noise_sd**2 * np.eye(len(pixel))[None], len(x), axis=0)
    if hypothesis.covariances is not None:
        noise = noise + np.tensordot(x**2, hypothesis.covariances, axes=1)
    residual = pixel - x @ m - bent
    distance = np.einsum("na,nab,nb->n", residual, np.linalg.inv(noise), residual)
    density = np.exp(-distance / 2) / np.sqrt(np.linalg.det(2 * np.pi * noise))
    return float(np.log(law / law.sum() @ density.reshape(301, 600).mean(axis=1)))


PIXELS = np.array([[0.31, 0.42, 0.12], [0.24, 0.64, 0.05], [0.52, 0.2, 0.22], [0.36, 0.44, 0.16]])


@pytest.mark.parametrize(("bilinear", "spread", "tolerance"), [(0.0, 0.0, 0.01), (0.8, 0.0, 0.1), (0.0, 0.05, 0.15)])
@pytest.mark.parametrize("brightness_sd", [0.05, 0.2])
def test_evidence_is_the_integral(bilinear: float, spread: float, tolerance: float, brightness_sd: float) -> None:
    rng = np.random.default_rng(2)
    products = rng.uniform(0, 0.5, (3, 3, 3))
    products = (products + products.transpose(1, 0, 2)) / 2
    covariances = None if not spread else spread**2 * np.stack([np.diag([1.0, 0.5, 0.2]), np.diag([0.1, 1.0, 0.4])])
    endmembers = np.array([[0.2, 0.6, 0.05], [0.5, 0.2, 0.25]])
    hypothesis = Hypothesis(endmembers, 0.05, brightness_sd, bilinear, covariances)
    found = posterior(hypothesis, SubspacePixels(PIXELS, products, np.zeros(4)))
    for pixel, log_evidence in zip(PIXELS, found.log_evidence, strict=True):
        assert abs(log_evidence - integrated(hypothesis, products, pixel)) < tolerance


def test_orthant_of_three_correlated_variables() -> None:
    """Plackett's formula for zero means, and a million draws for others."""
    correlation = np.array([[1.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 1.0]])
    angles = np.arcsin(correlation[[0, 0, 1], [1, 2, 2]]).sum()
    log_probability, _, _ = orthant_moments(np.zeros((1, 3)), correlation[None])
    assert np.exp(log_probability[0]) == pytest.approx(1 / 8 + angles / (4 * np.pi), rel=0.01)

    mean = np.array([0.5, -0.3, 1.2])
    draws = np.random.default_rng(0).multivariate_normal(mean, correlation, 1_000_000)
    inside = draws[(draws >= 0).all(axis=1)]
    log_probability, found, covariance = orthant_moments(mean[None], correlation[None])
    assert np.exp(log_probability[0]) == pytest.approx(len(inside) / len(draws), rel=0.01)
    np.testing.assert_allclose(found[0], inside.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(covariance[0], np.cov(inside.T), atol=0.02)


def test_orthant_far_outside_stays_finite() -> None:
    log_probability, mean, covariance = orthant_moments(np.array([[-1e6, 3.0]]), np.array([[[1.0, 0.9], [0.9, 1.0]]]))
    assert np.isfinite(log_probability).all()
    assert (mean >= 0).all()
    assert np.isfinite(covariance).all()


@pytest.mark.parametrize("bilinear", [0.0, 0.6])
def test_gradient_is_that_of_finite_differences(bilinear: float) -> None:
    rng = np.random.default_rng(3)
    materials = rng.uniform(0.05, 0.7, (3, 20))
    pixels = scene_of(rng.dirichlet(np.full(3, 0.5), 60), materials, 0.03, 4)
    axes = axes_of(pixels, 5)
    scene = replace(subspace(pixels, axes), background=np.full(60, 2.0))
    hypothesis = Hypothesis((1.05 * materials) @ axes, 0.05, 0.1, bilinear)
    _, by_scalars, by_endmembers = _gradient(hypothesis, scene)

    def value(**changes: object) -> float:
        changed = replace(hypothesis, **changes)
        return float(log_density(posterior(changed, scene).log_evidence, scene).mean())

    def slope(name: str, plus: object, minus: object, step: float) -> float:
        return (value(**{name: plus}) - value(**{name: minus})) / (2 * step)

    step, up, down = 1e-4, np.exp(1e-4), np.exp(-1e-4)
    assert by_scalars[0] == pytest.approx(slope("noise_sd", 0.05 * up, 0.05 * down, step), rel=0.02)
    assert by_scalars[1] == pytest.approx(slope("brightness_sd", 0.1 * up, 0.1 * down, step), rel=0.05, abs=1e-3)
    if bilinear:
        expected = slope("bilinear", bilinear + step, bilinear - step, step)
        assert by_scalars[2] == pytest.approx(expected, rel=0.05, abs=0.01)
    expected_moves = np.zeros_like(by_endmembers)
    for place in np.ndindex(3, 5):
        move = np.zeros((3, 5))
        move[place] = step
        plus, minus = hypothesis.endmembers + move, hypothesis.endmembers - move
        expected_moves[place] = slope("endmembers", plus, minus, step)
    np.testing.assert_allclose(by_endmembers, expected_moves, atol=0.03 * np.abs(expected_moves).max())


def truncated(n_pixels: int, largest: float, seed: int) -> np.ndarray:
    """Abundances of which none is above the largest."""
    draws = np.random.default_rng(seed).dirichlet(np.ones(3), 8 * n_pixels)
    return draws[(draws <= largest).all(axis=1)][:n_pixels]


def test_refinement_recovers_the_corners_of_a_truncated_simplex() -> None:
    materials = np.random.default_rng(5).uniform(0.05, 0.7, (3, 40))
    abundances = truncated(700, 0.75, 6)
    pixels = scene_of(abundances, materials, 0.004, 7)
    axes = axes_of(pixels, 6)
    start = Hypothesis(pixels[abundances.argmax(axis=0)] @ axes, 0.02, 0.05)
    found, settled = refine(start, subspace(pixels, axes))
    assert settled
    assert spectral_angle(materials, start.endmembers @ axes.T).mean() > 0.1
    assert spectral_angle(materials, found.endmembers @ axes.T).max() < 0.03
    np.testing.assert_allclose(found.endmembers @ axes.T, materials, atol=0.03)
    assert found.noise_sd == pytest.approx(0.004, rel=0.15)
    assert found.brightness_sd < 0.01


def test_refinement_says_when_its_steps_ran_out() -> None:
    materials = np.random.default_rng(5).uniform(0.05, 0.7, (3, 40))
    pixels = scene_of(truncated(300, 0.75, 6), materials, 0.004, 7)
    axes = axes_of(pixels, 6)
    assert not refine(Hypothesis(pixels[:3] @ axes, 0.02, 0.05), subspace(pixels, axes), n_steps=2).settled


@pytest.mark.parametrize("bilinear", [0.0, 1.0])
def test_refinement_finds_whether_mixing_is_bilinear(bilinear: float) -> None:
    materials = np.random.default_rng(8).uniform(0.05, 0.7, (3, 40))
    pixels = scene_of(np.random.default_rng(9).dirichlet(np.ones(3), 500), materials, 0.004, 10, bilinear)
    axes = axes_of(pixels, 8)
    found = refine(Hypothesis(1.02 * materials @ axes, 0.02, 0.02, 0.5), subspace(pixels, axes)).hypothesis
    assert found.bilinear == pytest.approx(bilinear, abs=0.05)
    assert spectral_angle(materials, found.endmembers @ axes.T).max() < 0.03


@pytest.mark.parametrize("brightness_sd", [0.0, 0.15])
def test_the_scene_tells_whether_brightness_is_free(brightness_sd: float) -> None:
    rng = np.random.default_rng(11)
    materials = rng.uniform(0.05, 0.7, (3, 40))
    abundances = rng.dirichlet(np.ones(3), 500) * (1 + brightness_sd * rng.standard_normal((500, 1)))
    pixels = scene_of(abundances, materials, 0.004, 12)
    axes = axes_of(pixels, 6)
    found = fit_noise(Hypothesis(materials @ axes, 0.02, 0.05), subspace(pixels, axes), n_steps=50)
    if brightness_sd:
        assert found.brightness_sd == pytest.approx(brightness_sd, rel=0.15)
    else:
        assert found.brightness_sd < 0.005


def test_evidence_prefers_the_truth_and_does_not_mind_the_order() -> None:
    rng = np.random.default_rng(13)
    materials = rng.uniform(0.05, 0.7, (3, 40))
    pixels = scene_of(rng.dirichlet(np.ones(3), 500), materials, 0.004, 14)
    axes = axes_of(pixels, 6)
    scene = subspace(pixels, axes)

    def evidence(spectra: np.ndarray) -> float:
        hypothesis = fit_noise(Hypothesis(spectra @ axes, 0.02, 0.05), scene, n_steps=50)
        return float(log_density(posterior(hypothesis, scene).log_evidence, scene).mean())

    best = evidence(materials)
    assert evidence(materials[[2, 0, 1]]) == pytest.approx(best, abs=0.01)
    middle = materials.mean(axis=0)
    for wrong in (
        middle + 1.15 * (materials - middle),
        middle + 0.85 * (materials - middle),
        materials * rng.uniform(0.9, 1.1, materials.shape),
        materials[[0, 1, 1]] + np.array([[0.0], [0.0], [0.02]]),
    ):
        assert evidence(wrong) < best - 0.05


def test_variability_is_found_and_makes_the_pixels_more_probable() -> None:
    rng = np.random.default_rng(15)
    materials = rng.uniform(0.1, 0.7, (2, 30))
    abundances = rng.dirichlet(np.full(2, 0.3), 800)
    direction = np.sin(np.linspace(0, 5, 30))
    pixels = scene_of(abundances, materials, 0.003, 16)
    pixels += 0.04 * abundances[:, [0]] * rng.standard_normal((800, 1)) * direction
    axes = axes_of(pixels, 5)
    scene = subspace(pixels, axes)
    fixed = fit_noise(Hypothesis(materials @ axes, 0.02, 0.05), scene, n_steps=50)
    found = fit_variability(fixed, scene)
    along = direction @ axes
    along /= np.linalg.norm(along)
    assert found.covariances is not None
    sd = np.sqrt(np.einsum("a,kab,b->k", along, found.covariances, along))
    assert sd[0] == pytest.approx(0.04 * np.linalg.norm(direction @ axes), rel=0.25)
    assert sd[1] < 0.3 * sd[0]
    gain = posterior(found, scene).log_evidence.mean() - posterior(fixed, scene).log_evidence.mean()
    assert gain > 0.5


def test_choice_in_scenes_without_pure_pixels() -> None:
    materials = np.random.default_rng(17).uniform(0.05, 0.7, (3, 40))
    pixels = scene_of(truncated(1500, 0.8, 18), materials, 0.004, 19).astype(np.float32)
    judged = choose_by_evidence(pixels, 3, seed=20)
    assert judged[0].is_refined
    found = judged[0].spectra[match_endmembers(materials, judged[0].spectra)]
    unrefined = next(one.spectra for one in judged if not one.is_refined)
    assert spectral_angle(materials, found).max() < 0.05
    assert spectral_angle(materials, unrefined[match_endmembers(materials, unrefined)]).mean() > 0.08


def test_choice_is_the_same_again() -> None:
    rng = np.random.default_rng(23)
    pixels = scene_of(rng.dirichlet(np.ones(2), 300), rng.uniform(0.1, 0.6, (2, 15)), 0.004, 24)
    judged, again = (choose_by_evidence(pixels, 2, seed=25) for _ in range(2))
    assert [one.as_record() for one in judged] == [one.as_record() for one in again]
    np.testing.assert_array_equal(judged[0].spectra, again[0].spectra)


def test_choice_where_materials_vary_stays_with_pixels() -> None:
    rng = np.random.default_rng(21)
    materials = rng.uniform(0.1, 0.7, (3, 40))
    abundances = rng.dirichlet(np.full(3, 0.3), 1500)
    shapes = np.sin(np.outer([2.0, 3.0, 5.0], np.linspace(0, 3, 40)))
    varied = materials + 0.05 * rng.standard_normal((1500, 3, 1)) * shapes
    pixels = np.einsum("nk,nkl->nl", abundances, varied) * rng.lognormal(0, 0.1, (1500, 1))
    best = choose_by_evidence(pixels + 0.003 * rng.standard_normal(pixels.shape), 3, seed=22)[0]
    found = best.spectra[match_endmembers(materials, best.spectra)]
    assert not best.is_refined
    assert best.hypothesis.brightness_sd > 0.05
    assert spectral_angle(materials, found).max() < 0.12
