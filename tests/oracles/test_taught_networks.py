"""What networks learn before they train on reconstruction: the abundances of least squares."""

from __future__ import annotations

import numpy as np
import torch
from shaded_scene import materials
from torch import nn

from unmixel.methods._networks import taught_abundances
from unmixel.methods.egu_net import EGUNet


def test_a_network_that_can_comes_to_find_what_least_squares_finds():
    """Non-negative mixtures without noise are told apart by a linear layer, so a taught one must come to them."""
    rng = np.random.default_rng(4)
    endmembers = materials(24)
    truth = rng.dirichlet(np.ones(3), size=400).astype(np.float32)
    pixels = truth @ endmembers
    taught = taught_abundances(pixels, endmembers)
    np.testing.assert_allclose(taught.numpy(), truth, atol=1e-4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Linear(24, 3)
    inputs, before = torch.from_numpy(pixels), torch.random.get_rng_state()
    EGUNet().teach(network, lambda: (network(inputs) - taught).square().mean())
    assert bool((before == torch.random.get_rng_state()).all())
    assert float((network(inputs) - taught).detach().square().mean().sqrt()) < 0.03
