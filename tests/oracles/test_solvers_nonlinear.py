"""Quadratic programs of many pixels against quadprog, and nonlinear least squares against its own conditions."""

from __future__ import annotations

import numpy as np
import pytest
import quadprog

from unmixel.solvers import fcls
from unmixel.solvers.box_simplex_program import solve_box_simplex_program
from unmixel.solvers.nonlinear_least_squares import nonlinear_least_squares

P, MORE = 4, 3
LOWER, UPPER = np.r_[np.zeros(P), -0.5, -np.inf, 0.0], np.r_[np.ones(P), 0.5, np.inf, 1.0]


def programs(n_pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    factors = rng.standard_normal((n_pixels, 9, P + MORE))
    start = np.concatenate([rng.dirichlet(np.full(P, 0.3), n_pixels), rng.uniform(0, 0.5, (n_pixels, MORE))], axis=1)
    return np.einsum("nij,nik->njk", factors, factors), 5 * rng.standard_normal(start.shape), start


def by_quadprog(hessian: np.ndarray, gradient: np.ndarray, start: np.ndarray) -> np.ndarray:
    summed = (np.arange(P + MORE) < P).astype(float)
    low, high = np.isfinite(LOWER), np.isfinite(UPPER)
    constraints = np.column_stack([summed, np.eye(P + MORE)[:, low], -np.eye(P + MORE)[:, high]])
    limits = np.r_[1.0, LOWER[low], -UPPER[high]]
    return quadprog.solve_qp(hessian, hessian @ start - gradient, constraints, limits, 1)[0]


def test_programs_agree_with_quadprog():
    hessian, gradient, start = programs(200)
    found = solve_box_simplex_program(hessian, gradient, start, LOWER, UPPER, P)
    expected = np.stack([by_quadprog(*one) for one in zip(hessian, gradient, start, strict=True)])
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert 0.1 < ((found == LOWER) | (found == UPPER)).mean() < 0.9, "some bounds should be active, and some not"


@pytest.mark.parametrize("part", [slice(0, 1), slice(57, 58), slice(3, 90)])
def test_a_program_does_not_depend_on_the_others(part):
    every = programs(100)
    whole = solve_box_simplex_program(*every, LOWER, UPPER, P)
    alone = solve_box_simplex_program(*(array[part] for array in every), LOWER, UPPER, P)
    np.testing.assert_array_equal(alone, whole[part])


def test_linear_mixing_is_solved_as_by_fcls():
    rng = np.random.default_rng(5)
    endmembers = rng.random((P, 12))
    pixels = rng.dirichlet(np.ones(P), 60) @ endmembers + 0.2 * rng.standard_normal((60, 12))

    def law(unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return unknowns @ endmembers, np.broadcast_to(endmembers, (len(unknowns), P, 12))

    start = np.full((60, P), 1 / P)
    found, squared, settled = nonlinear_least_squares(law, pixels, start, np.zeros(P), np.ones(P), P)
    np.testing.assert_allclose(found, fcls(pixels, endmembers), atol=1e-6)
    np.testing.assert_allclose(squared, ((pixels - found @ endmembers) ** 2).sum(axis=1))
    assert settled.all()


def test_a_search_that_is_cut_off_says_so(monkeypatch):
    monkeypatch.setattr("unmixel.solvers.nonlinear_least_squares.MOST_STEPS", 2)

    def law(unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return unknowns[:, :1] ** 9, np.stack([9 * unknowns[:, :1] ** 8, np.zeros((len(unknowns), 1))], axis=1)

    start = np.array([[0.9, 0.1], [0.5, 0.5]])
    found = nonlinear_least_squares(law, np.array([[1e-3], [0.5**9]]), start, np.zeros(2), np.ones(2), 2)
    assert found.settled.tolist() == [False, True]


def test_unknowns_on_which_nothing_depends_stay_and_change_nothing():
    """As the strengths of pairs of which one is absent."""
    rng = np.random.default_rng(6)
    endmembers = rng.random((P, 12))
    pixels = rng.dirichlet(np.ones(P), 60) @ endmembers + 0.2 * rng.standard_normal((60, 12))

    def law(unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = np.zeros((len(unknowns), P + 40, 12))
        slopes[:, :P] = endmembers
        return np.einsum("nk,kl->nl", unknowns[:, :P], endmembers), slopes

    start = np.full((60, P + 40), 1 / P)
    found, _, _ = nonlinear_least_squares(law, pixels, start, np.zeros(P + 40), np.ones(P + 40), P)
    np.testing.assert_array_equal(found[:, P:], 1 / P)
    np.testing.assert_allclose(found[:, :P], fcls(pixels, endmembers), atol=1e-6)


def test_each_pixel_may_have_bounds_of_its_own():
    hessian, gradient, start = programs(30)
    wide = np.where(np.arange(30)[:, None] % 2, UPPER, np.where(np.isfinite(UPPER), UPPER + 1, UPPER))
    found = solve_box_simplex_program(hessian, gradient, start, np.broadcast_to(LOWER, start.shape), wide, P)
    for rows, upper in ((slice(0, None, 2), wide[0]), (slice(1, None, 2), UPPER)):
        alone = solve_box_simplex_program(hessian[rows], gradient[rows], start[rows], LOWER, upper, P)
        np.testing.assert_array_equal(found[rows], alone)
