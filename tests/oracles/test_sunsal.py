"""Sparse regression: the optimality conditions of the lasso, and what sparsity is for."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.nnls import NNLS
from unmixel.methods.sunsal import SUnSAL
from unmixel.scene import make_scene
from unmixel.solvers import SparseRegression, nnls
from unmixel.spectra import make_bundle


def library(n_spectra: int, n_bands: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth spectra with absorptions, alike as those of a library are."""
    band = np.linspace(0, 1, n_bands)
    spectra = rng.uniform(0.2, 0.6, (n_spectra, 1)) + rng.uniform(-0.15, 0.3, (n_spectra, 1)) * band
    for _ in range(4):
        depth, centre = rng.uniform(0, 0.6, (n_spectra, 1)), rng.uniform(0, 1, (n_spectra, 1))
        spectra *= 1 - depth * np.exp(-(((band - centre) / rng.uniform(0.02, 0.2, (n_spectra, 1))) ** 2))
    return spectra


@pytest.mark.parametrize(("n_spectra", "n_bands"), [(3, 30), (12, 40), (50, 30)])
def test_the_optimality_conditions_of_the_lasso(n_spectra, n_bands):
    rng = np.random.default_rng(n_spectra)
    spectra, sparsity = library(n_spectra, n_bands, rng), 0.01
    pixels = rng.dirichlet(np.full(n_spectra, 0.3), 60) @ spectra + 0.02 * rng.standard_normal((60, n_bands))
    found = SparseRegression(spectra, sparsity).solve(pixels)
    slope = (found @ spectra - pixels) @ spectra.T + sparsity
    assert (found >= 0).all()
    assert slope.min() > -1e-5 * sparsity
    assert np.abs(slope[found > 0]).max() < 1e-5 * sparsity
    assert (found == 0).mean() > (nnls(pixels, spectra) == 0).mean()


def test_without_the_penalty_it_is_non_negative_least_squares():
    rng = np.random.default_rng(2)
    spectra = library(4, 30, rng)
    scene = make_scene(rng.dirichlet(np.ones(4), (6, 7)) @ spectra + 0.01 * rng.standard_normal((6, 7, 30)))
    bundle = make_bundle(spectra, list("abcd"))
    sparse, plain = (method.fit(scene, bundle).unmix(scene) for method in (SUnSAL(sparsity=0.0), NNLS()))
    np.testing.assert_allclose(sparse["abundance"], plain["abundance"], atol=1e-6)


def test_few_of_a_large_library_are_found_better_than_by_least_squares_in_noise():
    rng = np.random.default_rng(3)
    spectra, truth = library(60, 100, rng), np.zeros((10, 12, 60))
    for pixel in truth.reshape(-1, 60):
        pixel[rng.choice(60, 3, replace=False)] = rng.dirichlet(np.ones(3))
    clean = truth @ spectra
    noise = np.sqrt((clean**2).mean()) * 10 ** (-20 / 20)
    scene = make_scene(clean + noise * rng.standard_normal(clean.shape)).assign_coords(
        noise_sd=("band", np.full(100, noise))
    )
    bundle = make_bundle(spectra, [f"mineral {k}" for k in range(60)])
    sparse, plain = (method.fit(scene, bundle).unmix(scene)["abundance"].values for method in (SUnSAL(), NNLS()))
    assert np.sqrt(((sparse - truth) ** 2).mean()) < 0.97 * np.sqrt(((plain - truth) ** 2).mean())


def test_a_penalty_that_is_no_weight_is_refused():
    with pytest.raises(ParameterError, match="sparsity = -1"):
        SUnSAL(sparsity=-1.0)
