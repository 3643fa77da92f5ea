"""Without its nonlinear streams and its variability, ID-Net is non-negative least squares on the simplex."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from unmixel.methods.idnet import inference
from unmixel.methods.idnet.bundle_decoder import n_hidden_axes
from unmixel.methods.idnet.inference import EPSILON
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.start import Start
from unmixel.solvers import fcls, nnls, scaled_nnls

L, N = 12, 40


def scene_of(n_endmembers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return endmembers (P, L) and noisy pixels (N, L), of which some miss one material or more."""
    rng = np.random.default_rng(n_endmembers)
    endmembers = rng.uniform(0.1, 0.9, size=(n_endmembers, L))
    abundances = rng.dirichlet(np.full(n_endmembers, 0.5), size=N)
    brightness = rng.uniform(0.7, 1.3, size=(N, 1))
    return endmembers, brightness * abundances @ endmembers + rng.normal(scale=0.03, size=(N, L))


def model_of(endmembers: np.ndarray, pixels: np.ndarray, n_ista: int, *, published: bool) -> IDNetModel:
    """Return an untrained model with both gains 0 and without variability."""
    n_endmembers = len(endmembers)
    shape = Shape(
        n_endmembers=n_endmembers,
        n_latents=1,
        n_bands=L,
        n_features=2,
        n_ista=n_ista,
        mixing_gain=0.0,
        abundance_gain=0.0,
        albedo=False,
        share_mean=0.0,
        share_sd=0.0,
        concentration=1.0,
        published=published,
    )
    start = Start(
        means=endmembers,
        axes=np.zeros((n_endmembers, 1, L)),
        latent_covariance=np.eye(n_endmembers),
        hidden_axes=np.zeros((n_endmembers, n_hidden_axes(n_endmembers), L)),
        endmember_sd=np.full(n_endmembers, 1e-3),
        noise_sd=0.03,
        offset=pixels.mean(axis=0),
        features=np.ones((2, L)),
    )
    with torch.random.fork_rng(devices=[]):
        model = IDNetModel(shape)
        model.begin(start, torch.as_tensor(pixels, dtype=torch.float32))
    return model.double()


@torch.no_grad()
def mean_of(model: IDNetModel, endmembers: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the mean of q(a | M, y) for the same M in all pixels."""
    spectra, y = torch.as_tensor(endmembers).expand(len(pixels), -1, -1), torch.as_tensor(pixels)
    assert float(model.q.streams(spectra, y).nonlinearity_degree.max()) == 0
    return model.q.abundances(spectra, y).mean.numpy()


def with_least_concentration(endmembers: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the mean of Dirichlet(ε + K u) for the exact u, K = 110: what ε leaves of a zero."""
    concentration = EPSILON + 110 * nnls(pixels, endmembers)
    return concentration / concentration.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_endmembers", [2, 3, 5])
def test_published_abundances_approach_scaled_nnls_as_the_steps_grow(n_endmembers):
    endmembers, pixels = scene_of(n_endmembers)
    exact = scaled_nnls(pixels, endmembers)
    assert (exact < 1e-9).any(), "some constraints must be active"

    def error(n_ista: int) -> float:
        model = model_of(endmembers, pixels, n_ista, published=True)
        return np.abs(mean_of(model, endmembers, pixels) - exact).max()

    errors = [error(n) for n in (0, 3, 30, 300, 1000)]
    slack = n_endmembers * EPSILON / 110 / 0.5
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(errors))
    if n_endmembers > 2:  # of two, the start is right already once it is divided by its sum
        assert errors[0] > 0.01
    assert errors[-1] < 1e-3
    limit = with_least_concentration(endmembers, pixels)
    model = model_of(endmembers, pixels, 1000, published=True)
    np.testing.assert_allclose(mean_of(model, endmembers, pixels), limit, atol=1e-4)


@pytest.mark.parametrize("n_endmembers", [2, 3, 5])
def test_default_abundances_approach_least_squares_on_the_simplex_as_steps_grow_and_noise_falls(
    n_endmembers, monkeypatch
):
    endmembers, pixels = scene_of(n_endmembers)
    exact = fcls(pixels, endmembers)
    assert (exact < 1e-9).any(), "some constraints must be active"
    model = model_of(endmembers, pixels, 0, published=False)
    model.q.regression.endmember_variance.zero_()
    errors = []
    for n_steps, noise_sd in ((1, 0.03), (10, 3e-3), (100, 3e-4), (1000, 3e-5)):
        monkeypatch.setattr(inference, "N_NEWTON", n_steps)
        model.q.regression.noise_variance.fill_(noise_sd**2)
        errors.append(np.abs(mean_of(model, endmembers, pixels) - exact).max())
    slack = n_endmembers * EPSILON
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(errors))
    assert errors[0] > 0.01
    limit = (EPSILON + exact) / (1 + n_endmembers * EPSILON)
    np.testing.assert_allclose(mean_of(model, endmembers, pixels), limit, atol=1e-4)
