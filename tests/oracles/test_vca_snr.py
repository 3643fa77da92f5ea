"""Vertex component analysis divides brightness out where the signal-to-noise ratio is high, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from unmixel.extraction.vca import snr_db, vca
from unmixel.metrics import spectral_angle

N_BANDS, N_PIXELS = 60, 1500


def clean_scene(n_endmembers: int, seed: int, brightness_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels without noise, the first of them pure, and their smooth materials."""
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 1, N_BANDS)
    waves = np.sin(2 * np.pi * np.arange(1, 6)[:, None] * at + rng.uniform(0, 6, (n_endmembers, 5, 1)))
    materials = np.clip(0.4 + (rng.uniform(-0.2, 0.2, (n_endmembers, 5, 1)) * waves).sum(axis=1), 0.03, 0.95)
    materials *= rng.uniform(0.3, 1, (n_endmembers, 1))
    abundances = np.concatenate([np.eye(n_endmembers), rng.dirichlet(np.full(n_endmembers, 0.5), N_PIXELS)])
    return abundances @ materials * rng.lognormal(0, brightness_sd, (len(abundances), 1)), materials


def noisy(pixels: np.ndarray, ratio_db: float, seed: int) -> np.ndarray:
    sd = np.sqrt((pixels**2).mean() / 10 ** (ratio_db / 10))
    return pixels + sd * np.random.default_rng(seed).standard_normal(pixels.shape)


def mean_angle(materials: np.ndarray, found: np.ndarray) -> float:
    """Mean angle of materials to the endmembers that are theirs [rad]."""
    angles = np.stack([spectral_angle(found, material) for material in materials])
    return float(angles[linear_sum_assignment(angles)].mean())


@pytest.mark.parametrize("ratio_db", [10, 20, 30, 40])
@pytest.mark.parametrize("n_endmembers", [3, 6])
def test_the_ratio_is_that_of_the_simulation(n_endmembers: int, ratio_db: int) -> None:
    pixels = clean_scene(n_endmembers, ratio_db, 0.1)[0]
    assert snr_db(noisy(pixels, ratio_db, 1), n_endmembers) == pytest.approx(ratio_db, abs=0.3)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_without_noise_the_ratio_is_beyond_any_sensor(kind: type) -> None:
    pixels = clean_scene(4, 0, 0.3)[0].astype(kind)
    assert snr_db(pixels, 4) > 100


@pytest.mark.parametrize("ratio_db", [np.inf, 60.0])
def test_brightness_of_pixels_does_not_matter_where_the_ratio_is_high(ratio_db: float) -> None:
    pixels = noisy(clean_scene(4, 5, 0.0)[0], ratio_db, 2)
    scaled = pixels * np.random.default_rng(3).uniform(0.5, 2.0, (len(pixels), 1))
    assert sorted(vca(pixels, 4)) == sorted(vca(scaled, 4)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("ratio_db", "brightness_sd"), [(10, 0.0), (10, 0.3), (15, 0.1), (40, 0.1)], ids=str)
def test_endmembers_are_no_farther_than_with_brightness_always_divided_out(
    monkeypatch: pytest.MonkeyPatch, ratio_db: float, brightness_sd: float
) -> None:
    errors = {}
    for least in (None, -np.inf):
        if least is not None:
            monkeypatch.setattr("unmixel.extraction.vca.LEAST_SNR_DB", least)
        errors[least] = []
        for seed in range(20):
            pixels, materials = clean_scene(3 + seed % 4, seed, brightness_sd)
            pixels = noisy(pixels, ratio_db, seed)
            errors[least].append(mean_angle(materials, pixels[vca(pixels, len(materials), seed=seed)]))
    switched, always = np.array(errors[None]), np.array(errors[-np.inf])
    if ratio_db > 30:
        np.testing.assert_array_equal(switched, always)
    else:
        assert switched.mean() < always.mean()
