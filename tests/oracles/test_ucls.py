"""Unconstrained least squares against another solver, and against the bias that constraints bring."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.methods.fcls import FCLS
from unmixel.methods.ucls import UCLS
from unmixel.scene import make_scene
from unmixel.solvers import ucls
from unmixel.spectra import make_bundle


@pytest.mark.parametrize(("n_endmembers", "n_bands"), [(2, 9), (5, 40), (9, 6)])
def test_agrees_with_another_solver(n_endmembers, n_bands):
    rng = np.random.default_rng(n_bands)
    endmembers, pixels = rng.random((n_endmembers, n_bands)), rng.random((300, n_bands))
    expected = np.linalg.lstsq(endmembers.T, pixels.T, rcond=None)[0].T
    np.testing.assert_allclose(ucls(pixels, endmembers), expected, atol=1e-9)


def test_noise_averages_out_at_the_edge_of_the_simplex_where_fcls_is_biased():
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.1, 0.6, (3, 20))
    truth = np.array([0.5, 0.0, 0.5])
    scene = make_scene(truth @ endmembers + 0.02 * rng.standard_normal((60, 50, 20)))
    bundle = make_bundle(endmembers, ["grass", "moss", "soil"])
    free, constrained = (
        method.fit(scene, bundle).unmix(scene)["abundance"].values.reshape(-1, 3) for method in (UCLS(), FCLS())
    )
    standard_error = free.std(axis=0) / np.sqrt(len(free))
    assert (np.abs(free.mean(axis=0) - truth) < 4 * standard_error).all()
    assert constrained.mean(axis=0)[1] > 10 * standard_error[1], "at an abundance of 0, it can err upwards only"
