"""Least squares with total variation: exact where the answer is known, and no smaller objective is near."""

from __future__ import annotations

import numpy as np

from unmixel.solvers import fcls, project_to_simplex
from unmixel.solvers.total_variation import smooth_abundances, total_variation


def problem(seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    endmembers = rng.uniform(0.1, 0.9, size=(3, 10))
    valid = rng.random((7, 8)) > 0.15
    truth = project_to_simplex(rng.normal(0.4, 0.4, size=(valid.sum(), 3)))
    pixels = truth @ endmembers + rng.normal(scale=0.05, size=(len(truth), 10))
    gram = np.repeat((endmembers @ endmembers.T)[None], len(pixels), axis=0)
    return endmembers, valid, pixels, gram, pixels @ endmembers.T


def test_without_weight_it_is_least_squares_on_the_simplex():
    endmembers, valid, pixels, gram, projected = problem()
    exact = fcls(pixels, endmembers)
    np.testing.assert_allclose(smooth_abundances(gram, projected, exact, valid, 0.0), exact, atol=5e-3)


def test_with_a_large_weight_all_connected_pixels_are_alike():
    endmembers, _, pixels, gram, projected = problem()
    valid = np.array([[True, True, False], [True, True, False]])
    found = smooth_abundances(gram[:4], projected[:4], fcls(pixels[:4], endmembers), valid, 1.0)
    exact = fcls(pixels[:4].mean(axis=0, keepdims=True), endmembers)
    np.testing.assert_allclose(found, np.repeat(exact, 4, axis=0), atol=0.02)


def test_no_smaller_objective_is_near():
    endmembers, valid, pixels, gram, projected = problem(1)
    weight = 0.01

    def objective(abundances: np.ndarray) -> float:
        image = np.zeros((*valid.shape, 3))
        image[valid] = abundances
        return 0.5 * ((pixels - abundances @ endmembers) ** 2).sum() + weight * total_variation(image, valid)

    start = fcls(pixels, endmembers)
    found = smooth_abundances(gram, projected, start, valid, weight)
    assert objective(found) < objective(start)
    rng = np.random.default_rng(2)
    near = [project_to_simplex(found + size * rng.normal(size=found.shape)) for size in (0.003, 0.01, 0.03) * 10]
    assert min(map(objective, near)) > objective(found)
