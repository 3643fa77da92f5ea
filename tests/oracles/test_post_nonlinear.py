"""Polynomial and multilinear mixing: their own mixtures, their conditions of optimality, and linear unmixing."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.methods.fcls import FCLS
from unmixel.methods.mlm import MLM
from unmixel.methods.ppnm import PPNM
from unmixel.metrics import abundance_rmse
from unmixel.mixing import multilinear, postnonlinear
from unmixel.scene import make_scene
from unmixel.simulate.features import material
from unmixel.solvers import project_to_simplex
from unmixel.spectra import make_bundle

NAMES = ("vegetation", "soil", "limestone", "gypsum")
SPECTRA = np.stack([material(name, np.linspace(400, 2500, 60)) for name in NAMES])
BUNDLE = make_bundle(SPECTRA, list(NAMES))
LAWS = {PPNM: (postnonlinear, -0.3, 0.3), MLM: (multilinear, 0.0, 0.8)}


def mixtures(kind: type, n_pixels: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    law, low, high = LAWS[kind]
    rng = np.random.default_rng(6)
    abundances, bends = rng.dirichlet(np.full(4, 0.6), n_pixels), rng.uniform(low, high, n_pixels)
    pixels = law(abundances, SPECTRA, bends)
    return abundances, bends, pixels + noise * rng.standard_normal(pixels.shape)


@pytest.mark.parametrize("kind", LAWS)
def test_finds_its_own_mixtures(kind):
    abundances, bends, pixels = mixtures(kind, 200, 0.0)
    fitted = kind().fit(scene := make_scene(pixels[None]), BUNDLE)
    np.testing.assert_allclose(fitted.unmix(scene).abundance.values[0], abundances, atol=1e-5)
    np.testing.assert_allclose(fitted.unmix_bent(pixels)[1], bends, atol=1e-4)
    np.testing.assert_allclose(fitted.parts_at(scene).nonlinear, pixels - abundances @ SPECTRA, atol=1e-5)


@pytest.mark.parametrize("kind", LAWS)
def test_no_step_from_the_solution_lowers_the_residual(kind):
    """By differences of the law in the package: the projected gradient is zero."""
    law = LAWS[kind][0]
    _, _, pixels = mixtures(kind, 100, 0.03)
    abundances, bends, settled = kind().fit(make_scene(pixels[None]), BUNDLE).unmix_bent(pixels)
    assert settled.all()
    spectra = SPECTRA.astype(np.float32).astype(np.float64)

    def squared(unknowns: np.ndarray) -> np.ndarray:
        return ((pixels - law(unknowns[:, :4], spectra, unknowns[:, 4])) ** 2).sum(axis=1)

    at = np.column_stack([abundances, bends])
    steps = 1e-6 * np.eye(5)
    gradient = np.stack([(squared(at + step) - squared(at - step)) / 2e-6 for step in steps], axis=1)
    np.testing.assert_allclose(project_to_simplex(abundances - gradient[:, :4]), abundances, atol=1e-4)
    inside = (bends > kind.least_bend) & (bends < kind.greatest_bend)
    assert inside.mean() > 0.5
    assert np.abs(gradient[inside, 4]).max() < 1e-4
    assert (gradient[bends == kind.least_bend, 4] > 0).all()


@pytest.mark.parametrize("kind", LAWS)
def test_better_than_linear_in_its_own_mixtures(kind):
    abundances, _, pixels = mixtures(kind, 400, 0.005)
    scene = make_scene(pixels[None])
    errors = {
        method: abundance_rmse(abundances, method().fit(scene, BUNDLE).unmix(scene).abundance.values[0])
        for method in (FCLS, kind)
    }
    assert errors[kind] < 0.2 * errors[FCLS]


def test_reflectance_above_one_leaves_the_multilinear_law_finite():
    spectra = 2.5 * SPECTRA
    pixels = np.random.default_rng(7).uniform(0, 3, (50, 60))
    found = MLM().fit(scene := make_scene(pixels[None]), make_bundle(spectra, list(NAMES))).unmix(scene)
    assert np.isfinite(found.abundance.values).all()
    assert np.isfinite(found.reconstruction_rmse.values).all()
