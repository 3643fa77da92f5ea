"""The evidence bound against the evidence itself: with two endmembers it is an integral over three numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from unmixel.methods.idnet.bundle_decoder import n_hidden_axes
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.objective import draw, scene_terms
from unmixel.methods.idnet.start import Start

P, H, L = 2, 1, 5
NOISE_SD = 0.06
PIXEL = np.array([0.37, 0.52, 0.45, 0.61, 0.41])
MEANS = np.array([[0.20, 0.35, 0.50, 0.70, 0.30], [0.60, 0.65, 0.40, 0.35, 0.55]])
AXES = 0.15 * MEANS[:, None, :] + np.array([[[0.0, 0.02, 0.0, -0.02, 0.01]], [[0.01, 0.0, -0.03, 0.0, 0.02]]])
HIDDEN_AXES = np.zeros((P, n_hidden_axes(P), L))
LEVEL, SURER = -6.0, -0.5
"""log κ as published, and κ by default: proposals wider than the posterior, as importance sampling wants them."""


class Truth(NamedTuple):
    """By quadrature: log p(y), and mean and standard deviation of the first abundance given y."""

    evidence: float
    mean: float
    sd: float


def model_of(published: bool, correlation: float, endmember_sd: tuple[float, float]) -> IDNetModel:
    """Return a small model in double precision: with linear decoders and mixing, or everything published."""
    torch.manual_seed(5)
    shape = Shape(
        n_endmembers=P,
        n_latents=H,
        n_bands=L,
        n_features=3,
        n_ista=10,
        mixing_gain=0.5 if published else 0.0,
        abundance_gain=0.1,
        albedo=False,
        share_mean=0.0,
        share_sd=0.0,
        concentration=1.0,
        published=published,
    )
    model = IDNetModel(shape)
    start = Start(
        means=MEANS,
        axes=AXES,
        latent_covariance=np.array([[1.0, correlation], [correlation, 1.0]]),
        hidden_axes=HIDDEN_AXES,
        endmember_sd=np.array(endmember_sd),
        noise_sd=NOISE_SD,
        offset=MEANS.mean(axis=0),
        features=np.zeros((3, L)),
    )
    model.begin(start, torch.as_tensor(PIXEL[None], dtype=torch.float32))
    with torch.no_grad():
        model.p.log_noise_sd.fill_(np.log(NOISE_SD))
        if published:
            model.q.log_precision.fill_(LEVEL)
        else:
            model.q.log_precision[-1].bias.fill_(SURER)
            model.q.latent_log_variance.biases[-1].fill_(0.7)
    return model.double()


def dense(network: torch.nn.Sequential, inputs: np.ndarray) -> np.ndarray:
    """Return what a fully connected network gives, in numpy."""
    layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    for i, layer in enumerate(layers):
        inputs = np.maximum(inputs, 0) if i else inputs
        inputs = inputs @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    return inputs


def decode(model: IDNetModel, latents: np.ndarray) -> np.ndarray:
    """Return the mean spectra (node, endmember, band) of latents (node, endmember), in numpy."""
    if not model.shape.published:
        return MEANS + latents[:, :, None] * AXES[:, 0]
    spectra = []
    for k in range(P):
        hidden = latents[:, k, None]
        weights = zip(model.p.decoder.networks.weights, model.p.decoder.networks.biases, strict=True)
        for i, (weight, bias) in enumerate(weights):
            hidden = np.maximum(hidden, 0) if i else hidden
            hidden = hidden @ weight[k].detach().numpy() + bias[k].detach().numpy()
        spectra.append(1 / (1 + np.exp(-hidden)))
    return np.stack(spectra, axis=1)


def integrate(
    model: IDNetModel, correlation: float, endmember_sd: tuple[float, float], n_latent: int = 48, n_abundance: int = 160
) -> Truth:
    """Integrate p(y, Z, a) over latents (Gauss–Hermite) and abundances (Gauss–Legendre); M is integrated by hand.

    By hand: y | Z, a ~ N(M(Z)ᵀa + g f(M(Z), a), (s_y² + Σ a_k² s_k²) I), exact for linear mixing, and for
    nonlinear mixing as s_k vanishes. p(a) = 1 on 0 to 1.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_latent)
    covariance = np.array([[1.0, correlation], [correlation, 1.0]])
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    latents = grid @ np.linalg.cholesky(covariance).T
    log_latent = np.log(np.outer(weights, weights).ravel() / weights.sum() ** 2)
    spectra = decode(model, latents)

    points, lengths = np.polynomial.legendre.leggauss(n_abundance)
    first, log_length = (points + 1) / 2, np.log(lengths / 2)
    log_joint = np.empty((n_abundance, len(latents)))
    for i, a in enumerate(first):
        abundances = np.array([a, 1 - a])
        location = abundances @ spectra
        if model.shape.mixing_gain:
            inputs = np.concatenate([spectra.reshape(len(spectra), -1), np.tile(abundances, (len(spectra), 1))], axis=1)
            location = location + model.shape.mixing_gain * dense(model.p.mixing, inputs)
        variance = NOISE_SD**2 + (abundances**2 * np.square(endmember_sd)).sum()
        misfit = ((PIXEL - np.maximum(location, 0)) ** 2).sum(axis=1) / variance
        log_joint[i] = -0.5 * misfit - 0.5 * L * np.log(2 * np.pi * variance) + log_latent + log_length[i]
    log_abundance = logsumexp(log_joint, axis=1)
    evidence = float(logsumexp(log_abundance))
    posterior = np.exp(log_abundance - evidence)
    mean = float(posterior @ first)
    return Truth(evidence, mean, float(np.sqrt(posterior @ (first - mean) ** 2)))


CASES = {
    "linear, independent latents": (False, 0.0, (0.03, 0.05)),
    "linear, shared brightness": (False, 0.8, (0.03, 0.05)),
    "published networks, nonlinear mixing": (True, 0.0, (1e-4, 1e-4)),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def case(request) -> tuple[Truth, np.ndarray, np.ndarray]:
    """The truth, and log p(y, Z, M, a) − log q(Z, M, a | y) with the first abundance of many draws."""
    published, correlation, endmember_sd = request.param
    with torch.random.fork_rng(devices=[]):
        model = model_of(published, correlation, endmember_sd)
        torch.manual_seed(8)
        pixels = torch.as_tensor(PIXEL).expand(80_000, L)
        with torch.no_grad():
            hidden, posterior = draw(model.q, pixels)
            likelihood, divergence = scene_terms(model.p, posterior, pixels, hidden)
    return (
        integrate(model, correlation, endmember_sd),
        (likelihood + divergence).numpy(),
        hidden.abundances[:, 0].numpy(),
    )


def importance_bound(ratios: np.ndarray, n_draws: int) -> tuple[float, float]:
    """Return the mean of log-mean-exp over groups of draws, and its standard error."""
    bounds = logsumexp(ratios[: len(ratios) // n_draws * n_draws].reshape(-1, n_draws), axis=1) - np.log(n_draws)
    return float(bounds.mean()), float(bounds.std() / np.sqrt(len(bounds)))


def test_the_quadrature_has_converged():
    model = model_of(False, 0.8, (0.03, 0.05))
    coarse, fine = (integrate(model, 0.8, (0.03, 0.05), n, 4 * n) for n in (32, 56))
    np.testing.assert_allclose(coarse, fine, atol=1e-7)


def test_the_bound_lies_below_the_evidence(case):
    truth, ratios, _ = case
    bound, error = importance_bound(ratios, 1)
    assert bound + 6 * error < truth.evidence


def test_more_draws_tighten_the_bound_and_close_the_gap(case):
    truth, ratios, _ = case
    bounds, errors = zip(*(importance_bound(ratios, k) for k in (1, 8, 64, 2000)), strict=True)
    assert all(np.diff(bounds) > 0)
    assert all(bound < truth.evidence + 4 * error for bound, error in zip(bounds, errors, strict=True))
    gap = truth.evidence - bounds[0]
    assert abs(truth.evidence - bounds[-1]) < min(0.02, 0.1 * gap) + 4 * errors[-1]


def test_weighted_draws_have_the_posterior_of_the_abundance(case):
    truth, ratios, first = case
    weights = np.exp(ratios - logsumexp(ratios))
    effective = 1 / (weights**2).sum()
    assert effective > 1000
    mean = weights @ first
    sd = np.sqrt(weights @ (first - mean) ** 2)
    assert abs(mean - truth.mean) < 5 * truth.sd / np.sqrt(effective)
    assert abs(sd - truth.sd) < 5 * truth.sd / np.sqrt(effective)
