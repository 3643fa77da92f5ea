"""Total variation against another solver, its limits, and what it is for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import nnls

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.sunsal_tv import SUnSALTV
from unmixel.mixing import linear
from unmixel.scene import make_scene
from unmixel.simulate.features import material
from unmixel.solvers import SparseRegression, total_variation_regression
from unmixel.spectra import make_bundle

RNG = np.random.default_rng(0)
SPECTRA = RNG.uniform(0.1, 0.8, (2, 6))
PIXELS = RNG.dirichlet(np.ones(2), (4, 5)) @ SPECTRA + 0.05 * RNG.standard_normal((4, 5, 6))
HOLES = np.zeros((4, 5), dtype=bool)
HOLES[[1, 2, 2], [2, 2, 3]] = True


def pairs(valid: np.ndarray) -> list[tuple[int, int]]:
    """Numbers of the valid pixels that are neighbours."""
    number = np.where(valid, np.cumsum(valid).reshape(valid.shape) - 1, -1)
    both = itertools.chain(
        zip(number[1:].ravel(), number[:-1].ravel(), strict=True),
        zip(number[:, 1:].ravel(), number[:, :-1].ravel(), strict=True),
    )
    return [(int(one), int(other)) for one, other in both if one >= 0 and other >= 0]


def by_least_squares(pixels: np.ndarray, valid: np.ndarray, sparsity: float, smoothness: float) -> np.ndarray:
    """One large non-negative least-squares problem: differences are what is above less what is below zero."""
    linked, n, p, weak, strong = pairs(valid), len(pixels), len(SPECTRA), 1e-4, 1e3
    difference = np.zeros((len(linked), n))
    for row, (one, other) in enumerate(linked):
        difference[row, [one, other]] = 1, -1
    difference = np.kron(difference, np.eye(p))
    parts = np.eye(len(difference))
    costs = np.concatenate([np.full(n * p, sparsity), np.full(2 * len(parts), smoothness)])
    system = np.vstack(
        [
            np.hstack([np.kron(np.eye(n), SPECTRA.T), np.zeros((n * SPECTRA.shape[1], 2 * len(parts)))]),
            strong * np.hstack([difference, -parts, parts]),
            weak * costs,
        ]
    )
    target = np.concatenate([pixels.ravel(), np.zeros(len(parts)), [-1 / weak]])
    return nnls(system, target, maxiter=20_000)[0][: n * p].reshape(n, p)


@pytest.mark.parametrize("valid", [np.ones((4, 5), dtype=bool), ~HOLES], ids=["whole", "with holes"])
def test_agrees_with_another_solver(valid):
    found = total_variation_regression(PIXELS[valid], valid, SPECTRA, sparsity=0.01, smoothness=0.05).abundances
    np.testing.assert_allclose(found, by_least_squares(PIXELS[valid], valid, 0.01, 0.05), atol=2e-4)
    equal = np.mean([np.abs(found[one] - found[other]) < 1e-4 for one, other in pairs(valid)])
    assert 0.1 < equal < 0.9


def test_without_total_variation_it_is_sparse_regression():
    found = total_variation_regression(PIXELS[~HOLES], ~HOLES, SPECTRA, sparsity=0.02, smoothness=0.0).abundances
    np.testing.assert_allclose(found, SparseRegression(SPECTRA, 0.02).solve(PIXELS[~HOLES]), atol=1e-4)


def test_patches_in_noise_are_found_better_than_by_fcls():
    rng = np.random.default_rng(1)
    wavelength = np.linspace(400, 2500, 60)
    spectra = np.stack([material(name, wavelength) for name in ("vegetation", "soil", "limestone", "gypsum")])
    truth = rng.dirichlet(np.full(4, 0.5), (4, 3)).repeat(8, axis=0).repeat(9, axis=1)
    clean = linear(truth.reshape(-1, 4), spectra).reshape(32, 27, 60)
    noisy = clean + np.sqrt((clean**2).mean() / 10**1.5) * rng.standard_normal(clean.shape)
    noisy[5:9, 3] = np.nan
    scene = make_scene(noisy, wavelength=wavelength)
    bundle = make_bundle(spectra, list("abcd"), wavelength=wavelength)
    error = [
        np.sqrt(np.nanmean((method.fit(scene, bundle).unmix(scene)["abundance"].values - truth) ** 2))
        for method in (SUnSALTV(), FCLS())
    ]
    assert error[0] < 0.75 * error[1]


def test_a_penalty_that_is_no_weight_is_refused():
    with pytest.raises(ParameterError, match="smoothness = nan"):
        SUnSALTV(smoothness=float("nan"))
