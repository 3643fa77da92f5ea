"""PLMM: its objective falls, its endmembers are optimal, and it beats FCLS where spectra are perturbed."""

from __future__ import annotations

import numpy as np
import pytest
from varying_scene import errors, varying_scene

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.plmm import PLMM
from unmixel.solvers import fcls
from unmixel.solvers.perturbed_mixture import PerturbedMixture


def test_the_objective_falls_and_endmembers_are_where_it_is_smallest():
    scene, _, bundle = varying_scene("own", sd=0.05, noise_sd=0.05, seed=3, size=8)
    pixels, endmembers = scene.values.reshape(64, -1), bundle.values.astype(np.float64)
    endmembers[0, :5] = 1e-3
    settings = {"noise": 0.05, "perturbation": 0.03, "abundance_step": 0.1, "reference": 0.05}
    problem = PerturbedMixture(pixels, np.ones((8, 8), dtype=bool), endmembers, **settings)
    told = []
    abundances, _ = problem.solve(fcls(pixels, endmembers), lambda numbers: told.append(numbers["objective"])).state
    assert (np.diff(told) <= 0).all()
    best = problem.best_endmembers(abundances)
    assert (best >= 0).all()
    lowest, step = problem.objective(abundances, best), 1e-4
    for k, band in [(0, 0), (0, 30), (1, 12), (2, 39)]:
        for change in (step, -min(step, best[k, band])):
            other = best.copy()
            other[k, band] += change
            assert problem.objective(abundances, other) >= lowest


@pytest.mark.parametrize("seed", [1, 2])
def test_it_beats_fcls_where_spectra_are_perturbed_and_noisy(seed):
    plmm, alone = errors(*varying_scene("own", sd=0.05, noise_sd=0.05, seed=seed), PLMM(), FCLS())
    assert plmm < 0.85 * alone


@pytest.mark.parametrize("name", ["perturbation", "abundance_step", "reference_spread"])
def test_wrong_parameters_are_refused(name):
    with pytest.raises(ParameterError, match=name):
        PLMM(**{name: -1.0})
