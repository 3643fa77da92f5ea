"""Scaled mixtures: the smallest objective of a few pixels is the one that a general solver finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from unmixel.solvers.scaled_mixture import ScaledMixture, Spreads

N_BANDS = 12
MODES = np.stack([np.ones(N_BANDS), np.sqrt(2) * np.cos(np.pi * (np.arange(N_BANDS) + 0.5) / N_BANDS)])
SPREADS = Spreads(
    noise=0.01,
    spectrum=0.02,
    abundance_step=0.2,
    scaling_step=np.array([0.1, 0.05]),
    scaling=np.array([0.2, 0.1]),
    brightness=1.0,
)


def problem_of(n_pixels: int, seed: int) -> tuple[ScaledMixture, np.ndarray]:
    """Pixels in a row, and the start: equal abundances, references as they are."""
    rng = np.random.default_rng(seed)
    endmembers = rng.uniform(0.1, 0.7, (3, N_BANDS))
    abundances = rng.dirichlet(np.ones(3), n_pixels)
    scalings = 1 + 0.2 * rng.standard_normal((n_pixels, 3, 1))
    pixels = np.einsum("nk,nkl->nl", abundances, scalings * endmembers) + 0.01 * rng.standard_normal(
        (n_pixels, N_BANDS)
    )
    problem = ScaledMixture(pixels, np.ones((1, n_pixels), dtype=bool), endmembers, MODES, SPREADS)
    return problem, np.full((n_pixels, 3), 1 / 3)


@pytest.mark.parametrize("n_pixels", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_objective_ends_where_a_general_solver_ends(n_pixels: int, seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("unmixel.solvers.scaled_mixture.SETTLED", 1e-10)
    problem, start = problem_of(n_pixels, seed)
    scalings = problem.scaled_alike(np.ones(n_pixels))
    ended = problem.solve(start, scalings)
    reached = problem.objective(*ended.state)
    cut = start.size

    def objective(some: np.ndarray) -> float:
        return problem.objective(some[:cut].reshape(start.shape), some[cut:].reshape(scalings.shape))

    sums = [{"type": "eq", "fun": lambda some, n=n: some[3 * n : 3 * n + 3].sum() - 1} for n in range(n_pixels)]
    found = minimize(
        objective,
        np.concatenate([value.ravel() for value in ended.state]),
        method="SLSQP",
        bounds=[(0, None)] * cut + [(None, None)] * scalings.size,
        constraints=sums,
        options={"maxiter": 1000, "ftol": 1e-12},
    )
    assert reached < problem.objective(start, scalings) - 1
    assert reached == pytest.approx(found.fun, abs=1e-4)
    np.testing.assert_allclose(ended.state[0].sum(axis=1), 1, atol=1e-9)
    assert (ended.state[0] >= 0).all()
