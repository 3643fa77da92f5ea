"""What a scene tells of its noise is believed by all who would otherwise estimate it."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.diagnostics import diagnosis_of
from unmixel.methods.idnet.hypotheses import Judge
from unmixel.methods.idnet.mixing_domain import to_domain
from unmixel.preprocess import estimate_noise, noise_told, noise_variance_of
from unmixel.scene import make_scene, pixels_of
from unmixel.simulate import simulate_demo
from unmixel.unmixing import unmix


def test_only_good_bands_are_told() -> None:
    scene = make_scene(np.random.default_rng(0).random((4, 5, 3)), good_band=[True, False, True])
    assert noise_told(scene) is None
    told = noise_told(scene.assign_coords(noise_sd=("band", [0.1, np.nan, 0.3])))
    np.testing.assert_allclose(told, [0.01, 0.09])


def test_a_scene_that_tells_nothing_is_estimated() -> None:
    scene, _ = simulate_demo(rows=20, columns=30)
    pixels = pixels_of(scene)
    np.testing.assert_array_equal(noise_variance_of(scene, pixels), estimate_noise(pixels)[1])


@pytest.mark.parametrize(("sd", "share"), [(1.0, 0.0), (1e-6, 1.0)])
def test_the_diagnosis_measures_residuals_by_it(sd: float, share: float) -> None:
    scene, _ = simulate_demo(rows=20, columns=30)
    told = scene.assign_coords(noise_sd=("band", np.full(scene.sizes["band"], sd)))
    assert diagnosis_of(unmix(told, 3, method="fcls")).beyond_noise_share == share


@pytest.mark.parametrize("albedo", [False, True])
def test_noise_is_that_of_what_mixes_linearly(albedo: bool) -> None:
    rng, sd = np.random.default_rng(1), np.array([0.002, 0.004, 0.001, 0.003])
    mean = np.array([0.1, 0.25, 0.4, 0.6])
    pixels = (mean + sd * rng.standard_normal((20_000, 4))).astype(np.float32)
    scatter = to_domain(pixels, albedo=albedo).std(axis=0)
    found = Judge(pixels, (pixels[:5], pixels[5:10] * 0.5), sd**2).observe(albedo=albedo)
    assert found.noise_sd == pytest.approx(np.sqrt(np.mean(scatter**2)), rel=0.02)
