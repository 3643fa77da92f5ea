"""Noise and number of endmembers against simulated scenes that have a known one."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.preprocess import estimate_noise, hysime, nwhfc


def linear_scene(n_endmembers: int, n_pixels: int = 4000, n_bands: int = 70, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    materials = rng.uniform(0.05, 0.8, (n_endmembers, n_bands))
    return rng.dirichlet(np.ones(n_endmembers), n_pixels) @ materials


def test_noise_of_each_band_is_found() -> None:
    rng, sd = np.random.default_rng(1), np.linspace(0.01, 0.03, 70)
    added = sd * rng.standard_normal((4000, 70))
    noise, noise_variance = estimate_noise(linear_scene(5) + added)
    np.testing.assert_allclose(np.sqrt(noise_variance), sd, rtol=0.2)
    similar = [np.corrcoef(noise[:, band], added[:, band])[0, 1] for band in range(70)]
    assert np.mean(similar) > 0.9


def test_noise_equals_the_regressions_written_out() -> None:
    pixels = linear_scene(3, 300, 20) + 0.01 * np.random.default_rng(2).standard_normal((300, 20))
    noise, noise_variance = estimate_noise(pixels)
    for band in (0, 7, 19):
        others = np.delete(pixels, band, axis=1)
        fitted = others @ np.linalg.lstsq(others, pixels[:, band], rcond=None)[0]
        np.testing.assert_allclose(noise[:, band], pixels[:, band] - fitted, atol=1e-6)
        np.testing.assert_allclose(noise_variance[band], ((pixels[:, band] - fitted) ** 2).sum() / (300 - 19))


def test_noise_free_scenes_have_next_to_none() -> None:
    assert np.sqrt(estimate_noise(linear_scene(4))[1].max()) < 1e-4
    assert np.sqrt(estimate_noise(linear_scene(4).astype(np.float32))[1].max()) < 1e-4


def test_noise_does_not_depend_on_the_unit_of_a_band() -> None:
    pixels = linear_scene(4) + 0.01 * np.random.default_rng(3).standard_normal((4000, 70))
    unit = np.geomspace(1e-3, 1e3, 70)
    np.testing.assert_allclose(estimate_noise(pixels * unit)[1], estimate_noise(pixels)[1] * unit**2, rtol=1e-4)


def test_noise_of_few_pixels_comes_from_neighbouring_bands() -> None:
    rng = np.random.default_rng(4)
    smooth = np.sin(np.linspace(0, 3, 200)) * rng.uniform(0.3, 0.8, (30, 1))
    noise, noise_variance = estimate_noise(smooth + 0.02 * rng.standard_normal((30, 200)))
    assert noise.shape == (30, 200)
    np.testing.assert_allclose(np.sqrt(noise_variance.mean()), 0.02, rtol=0.05)
    assert np.isfinite(estimate_noise(smooth[:1])[1]).all()


def test_noise_of_many_pixels_uses_a_seeded_sample() -> None:
    pixels = linear_scene(3, 25_000, 30) + 0.01 * np.random.default_rng(5).standard_normal((25_000, 30))
    noise, noise_variance = estimate_noise(pixels.astype(np.float32), seed=1)
    assert noise.shape == (20_000, 30)
    np.testing.assert_allclose(np.sqrt(noise_variance), 0.01, rtol=0.15)
    np.testing.assert_array_equal(noise_variance, estimate_noise(pixels.astype(np.float32), seed=1)[1])


@pytest.mark.parametrize("n_endmembers", [2, 3, 5, 8])
@pytest.mark.parametrize("noise_sd", [1e-4, 0.003])
def test_the_number_of_endmembers_of_a_linear_scene(n_endmembers: int, noise_sd: float) -> None:
    rng = np.random.default_rng(n_endmembers)
    pixels = linear_scene(n_endmembers, seed=n_endmembers) + noise_sd * rng.standard_normal((4000, 70))
    assert hysime(pixels) == n_endmembers
    assert hysime(pixels.astype(np.float32)) == n_endmembers
    assert n_endmembers - 1 <= nwhfc(pixels) <= n_endmembers


def test_the_number_of_endmembers_with_coloured_noise() -> None:
    sd = np.linspace(0.0005, 0.02, 70)
    pixels = linear_scene(4) + sd * np.random.default_rng(6).standard_normal((4000, 70))
    assert 3 <= nwhfc(pixels) <= 4
    assert hysime(pixels) == 4


def test_noise_free_and_degenerate_scenes() -> None:
    assert hysime(linear_scene(4)) == 4
    assert hysime(np.full((50, 6), 0.3)) == 1
    assert nwhfc(np.full((50, 6), 0.3)) == 1
    assert hysime(np.zeros((50, 6))) == 1
    assert nwhfc(np.zeros((50, 6))) == 1
