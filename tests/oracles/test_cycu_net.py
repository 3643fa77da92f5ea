"""CyCU-Net: its loss is the sum of its terms, and its cycle makes abundances come back."""

from __future__ import annotations

import numpy as np
import torch
from shaded_scene import materials, shaded_scene

from unmixel.methods.cycu_net import CAUTION, CycleNetwork, CyCUNet


def test_the_loss_is_that_of_both_reconstructions():
    endmembers = materials(24)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CycleNetwork(endmembers).eval()
    method = CyCUNet(first_weight=0.3, consistency=0.2, sum_weight=0.7, nuclear_weight=0.4)
    y = np.random.default_rng(1).uniform(0.1, 0.9, size=(16, 24)).astype(np.float32)
    with torch.no_grad():
        loss, terms = method.loss(network, torch.from_numpy(y))
        b = network.coefficients(torch.from_numpy(y)).numpy()
        again = b @ (endmembers / endmembers.max())
        c = network.coefficients(torch.from_numpy(again)).numpy()
    last = c @ (endmembers / endmembers.max())
    expected = {
        "spectra": 0.3 * ((again - y) ** 2).mean() + 0.7 * ((last - y) ** 2).mean(),
        "abundances": 0.2 * ((b - c) ** 2).mean(),
        "sum": 0.7 * (np.abs(b.sum(1) - 1).mean() + np.abs(c.sum(1) - 1).mean()),
        "rank": 0.4 * (np.linalg.norm(b, "nuc") + np.linalg.norm(c, "nuc")) / 4,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(float(loss), sum(expected.values()), rtol=1e-3)
    np.testing.assert_allclose(CAUTION * network.first.detach().numpy(), endmembers / endmembers.max(), rtol=1e-5)


def test_the_cycle_makes_abundances_come_back():
    """What it finds in its own reconstruction is nearer to what it found in the scene than without a cycle."""
    scene, truth, bundle = shaded_scene(16, 16, 24, snr_db=20, seed=0)

    def returned(**weights: float) -> float:
        network = CyCUNet(n_epochs=60, **weights).fit(scene, bundle).network
        with torch.no_grad():
            first = network.coefficients(torch.from_numpy(scene.values.reshape(len(truth), -1)) / network.scale)
            second = network.coefficients(first @ (CAUTION * network.first))
        return float((first - second).square().mean().sqrt())

    assert returned(consistency=1.0) < 0.75 * returned(first_weight=1.0, consistency=0.0)
