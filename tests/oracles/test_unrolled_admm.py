"""Unrolled ADMM: untrained and long, it is least squares; trained and short, it reconstructs better than untrained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shaded_scene import materials, shaded_scene

from unmixel.methods.scls import SCLS
from unmixel.methods.sunsal import SUnSAL
from unmixel.methods.unrolled_admm import UnrolledADMM, UnrolledADMMNetwork
from unmixel.metrics import abundance_rmse
from unmixel.solvers import scaled_nnls


@pytest.mark.parametrize("n_endmembers", [2, 3])
def test_untrained_layers_approach_scaled_least_squares(n_endmembers):
    endmembers = materials(24)[:n_endmembers]
    rng = np.random.default_rng(n_endmembers)
    pixels = rng.dirichlet(np.full(n_endmembers, 0.5), size=50) @ endmembers * rng.uniform(0.7, 1.3, size=(50, 1))
    pixels = (pixels + rng.normal(scale=0.02, size=pixels.shape)).astype(np.float32)
    exact = scaled_nnls(pixels, endmembers)
    assert (exact < 1e-9).any(), "some constraints must be active"
    with torch.no_grad():
        errors = [
            np.abs(UnrolledADMM(endmembers, n, sparsity=0.0)(torch.from_numpy(pixels))[0].numpy() - exact).max()
            for n in (1, 10, 300)
        ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_the_decoder_mixes_linearly():
    endmembers = materials(24)
    abundances = np.random.default_rng(0).dirichlet(np.ones(3), size=9).astype(np.float32)
    mixed = UnrolledADMM(endmembers, 1).mix(torch.from_numpy(abundances)).detach().numpy()
    np.testing.assert_allclose(mixed, abundances @ endmembers, rtol=1e-5)


def test_training_makes_few_layers_do_what_many_do():
    """Two layers, trained on the scene, err at most two thirds as much as the same layers untrained."""
    scene, truth, bundle = shaded_scene(30, 30, 30, snr_db=30, seed=0)
    fitted = UnrolledADMMNetwork(n_layers=2, n_epochs=100).fit(scene, bundle)
    trained = fitted.unmix(scene).abundance.values.reshape(truth.shape)
    with torch.no_grad():
        pixels = torch.from_numpy(scene.values.reshape(len(truth), -1).astype(np.float32))
        untrained = UnrolledADMM(bundle.values.astype(np.float32), 2)(pixels)[0].numpy()
    assert abundance_rmse(truth, trained) < 0.67 * abundance_rmse(truth, untrained)


@pytest.mark.parametrize("seed", [0, 1])
def test_trained_layers_err_less_than_the_iteration_that_they_unroll(seed):
    """In much noise, it errs at least a quarter less than sparse or scaled least squares, which many layers solve."""
    scene, truth, bundle = shaded_scene(30, 30, 30, snr_db=15, seed=seed)
    found, sparse, scaled = (
        abundance_rmse(truth, m.fit(scene, bundle).unmix(scene).abundance.values.reshape(truth.shape))
        for m in (UnrolledADMMNetwork(), SUnSAL(), SCLS())
    )
    assert found < 0.75 * min(sparse, scaled)
