"""Without its nonlinear streams and its variability, ID-Net is non-negative least squares on the simplex."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from unmixel.methods.idnet.bundle_decoder import n_hidden_axes
from unmixel.methods.idnet.inference import EPSILON
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.start import Start
from unmixel.solvers import nnls, scaled_nnls

L, N = 12, 40


def scene_of(n_endmembers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return endmembers (P, L) and noisy pixels (N, L), of which some miss one material or more."""
    rng = np.random.default_rng(n_endmembers)
    endmembers = rng.uniform(0.1, 0.9, size=(n_endmembers, L))
    abundances = rng.dirichlet(np.full(n_endmembers, 0.5), size=N)
    brightness = rng.uniform(0.7, 1.3, size=(N, 1))
    return endmembers, brightness * abundances @ endmembers + rng.normal(scale=0.03, size=(N, L))


def abundances_of(endmembers: np.ndarray, pixels: np.ndarray, n_ista: int) -> np.ndarray:
    """Return the mean of q(a | M, y) of an untrained model with both gains 0, M decoded from its latents."""
    shape = Shape(
        n_endmembers=len(endmembers),
        n_latents=1,
        n_bands=L,
        n_features=2,
        n_ista=n_ista,
        mixing_gain=0.0,
        abundance_gain=0.0,
        shared_brightness=0.0,
        published=False,
    )
    start = Start(
        means=endmembers,
        axes=np.zeros((len(endmembers), 1, L)),
        hidden_axes=np.zeros((len(endmembers), n_hidden_axes(len(endmembers)), L)),
        endmember_sd=np.full(len(endmembers), 1e-3),
        noise_sd=0.03,
        offset=pixels.mean(axis=0),
        features=np.ones((2, L)),
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model = IDNetModel(shape)
        model.begin(start, torch.as_tensor(pixels, dtype=torch.float32))
        model.double()
        y = torch.as_tensor(pixels)
        posterior = model.q.abundances(model.p.decoder(model.q.latents(y).sample()), y)
        assert float(model.q.streams(model.p.decoder(model.q.latents(y).mean), y).nonlinearity_degree.max()) == 0
        return posterior.mean.numpy()


def with_least_concentration(endmembers: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the mean of Dirichlet(ε + K u) for the exact u, K = 110: what ε leaves of a zero."""
    concentration = EPSILON + 110 * nnls(pixels, endmembers)
    return concentration / concentration.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_endmembers", [2, 3, 5])
def test_abundances_approach_scaled_nnls_as_the_steps_grow(n_endmembers):
    endmembers, pixels = scene_of(n_endmembers)
    exact = scaled_nnls(pixels, endmembers)
    assert (exact < 1e-9).any(), "some constraints must be active"
    errors = [np.abs(abundances_of(endmembers, pixels, n) - exact).max() for n in (0, 3, 30, 300, 1000)]
    slack = n_endmembers * EPSILON / 110 / 0.5
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(errors))
    if n_endmembers > 2:  # of two, the start is right already once it is divided by its sum
        assert errors[0] > 0.01
    assert errors[-1] < 1e-3
    limit = with_least_concentration(endmembers, pixels)
    np.testing.assert_allclose(abundances_of(endmembers, pixels, 1000), limit, atol=1e-4)
