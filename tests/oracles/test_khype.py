"""K-Hype against its own problem with the function written out, and against linear unmixing."""

from __future__ import annotations

import numpy as np
import pytest
import quadprog

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.khype import KHype, polynomial_kernel
from unmixel.metrics import abundance_rmse
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.spectra import make_bundle


def by_quadprog(pixel: np.ndarray, endmembers: np.ndarray, mu: float) -> tuple[np.ndarray, np.ndarray]:
    """Solve for abundances and for the coefficients of psi = sum_m beta_m k(., m) together."""
    kernel = polynomial_kernel(endmembers)
    design = np.concatenate([endmembers.T, kernel], axis=1)
    n = len(endmembers)
    hessian = design.T @ design / mu
    hessian[:n, :n] += np.eye(n)
    hessian[n:, n:] += kernel
    hessian += 1e-9 * np.eye(len(hessian))
    constraints = np.zeros((len(hessian), n + 1))
    constraints[:n, 0], constraints[:n, 1:] = 1, np.eye(n)
    found = quadprog.solve_qp(hessian, design.T @ pixel / mu, constraints, np.r_[1.0, np.zeros(n)], 1)[0]
    return found[:n], kernel @ found[n:]


@pytest.mark.parametrize("mu", [1e-3, 0.1])
def test_agrees_with_the_problem_written_out(mu):
    rng = np.random.default_rng(8)
    endmembers = rng.uniform(0, 1, (3, 9)).astype(np.float32)
    pixels = (rng.dirichlet(np.full(3, 0.3), 40) @ endmembers + 0.1 * rng.standard_normal((40, 9))).astype(np.float32)
    scene = make_scene(pixels[None])
    fitted = KHype(regularisation=mu).fit(scene, make_bundle(endmembers, ["a", "b", "c"]))
    found, nonlinear = fitted.unmix(scene).abundance.values[0], fitted.parts_at(scene).nonlinear
    for n, pixel in enumerate(pixels.astype(np.float64)):
        abundances, psi = by_quadprog(pixel, endmembers.astype(np.float64), mu)
        np.testing.assert_allclose(found[n], abundances, atol=1e-4)
        np.testing.assert_allclose(nonlinear[n], psi, atol=1e-4)
    assert 0.02 < (found == 0).mean() < 0.9, "some constraints should be active, and some not"


def test_better_than_linear_where_materials_interact():
    scene, truth = simulate_preset("dc1", rows=20, columns=20, seed=3)
    bundle = make_bundle(truth.endmember_spectrum.values, truth.endmember.values.tolist())
    true = truth.abundance.values.reshape(-1, 3)
    errors = {
        kind: abundance_rmse(true, kind().fit(scene, bundle).unmix(scene).abundance.values.reshape(-1, 3))
        for kind in (FCLS, KHype)
    }
    assert errors[KHype] < 0.5 * errors[FCLS]


@pytest.mark.parametrize("mu", [0.0, -1.0, np.nan, np.inf])
def test_impossible_regularisation_is_refused(mu):
    with pytest.raises(ParameterError, match="regularisation = "):
        KHype(regularisation=mu)
