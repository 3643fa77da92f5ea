"""The regression stream of ID-Net finds the most probable abundances, latents and bilinear share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.mixing_law import MIXING_LAWS
from unmixel.methods.idnet.regression import (
    FEWEST_STEPS,
    MOST_STEPS,
    STEP_TOLERANCE,
    Binned,
    Regression,
    State,
    alike_neighbours,
)
from unmixel.mixing import generalised_bilinear
from unmixel.nn.small_systems import invert_positive_definite

P, H, L, N = 3, 2, 30, 8
ALPHA = 0.6
NOISE_SD, ENDMEMBER_SD = 0.02, np.array([0.01, 0.02, 0.03])
LAW = MIXING_LAWS["generalised bilinear"]


@pytest.fixture
def decoder() -> BundleDecoder:
    rng = np.random.default_rng(3)
    band = np.linspace(0, 1, L)
    decoder = BundleDecoder(P, H, L).double()
    means = np.array([0.2 + 0.5 * band, 0.6 - 0.4 * np.exp(-(((band - 0.4) / 0.2) ** 2)), 0.3 + 0.2 * np.sin(7 * band)])
    decoder.means.copy_(torch.as_tensor(means))
    decoder.axes.copy_(torch.as_tensor(np.stack([0.15 * means, 0.03 * rng.normal(size=means.shape)], axis=1)))
    return decoder


@pytest.fixture
def precision() -> np.ndarray:
    prior = np.eye(P * H).reshape(P, H, P, H)
    prior[:, 0, :, 0] += 0.8 * (1 - np.eye(P))
    return np.linalg.inv(prior.reshape(P * H, P * H))


@pytest.fixture
def regression(decoder, precision) -> Regression:
    regression = Regression(decoder, LAW, ALPHA).double()
    regression.precision.copy_(torch.as_tensor(precision))
    regression.noise_variance.fill_(NOISE_SD**2)
    regression.endmember_variance.copy_(torch.as_tensor(ENDMEMBER_SD**2))
    return regression


def mixtures(decoder: BundleDecoder, share: float, noise_sd: float = 0.0) -> tuple[np.ndarray, ...]:
    """Return pixels, their abundances and their latents."""
    rng = np.random.default_rng(1)
    abundances, latents = rng.dirichlet(np.full(P, 2.0), size=N), rng.normal(scale=0.7, size=(N, P, H))
    endmembers = decoder(torch.as_tensor(latents)).numpy()
    shares = np.full((N, P * (P - 1) // 2), share)
    pixels = generalised_bilinear(abundances, endmembers, shares)
    return pixels + rng.normal(scale=noise_sd, size=pixels.shape), abundances, latents


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return e / e.sum()


def modelled(unknowns: np.ndarray, decoder: BundleDecoder) -> np.ndarray:
    """Return f(η, z, γ) of one pixel, pair by pair."""
    a, z, share = softmax(unknowns[:P]), unknowns[P:-1].reshape(P, H), unknowns[-1]
    m = decoder.means.numpy() + np.einsum("kh,khl->kl", z, decoder.axes.numpy())
    pairs = sum(a[j] * a[k] * m[j] * m[k] for j in range(P) for k in range(j + 1, P))
    return a @ m + share * pairs


def minus_log_posterior(unknowns, pixel, decoder, precision, variance) -> float:
    a, z, share = softmax(unknowns[:P]), unknowns[P:-1], unknowns[-1]
    misfit = ((pixel - modelled(unknowns, decoder)) ** 2).sum() / variance
    return (
        0.5 * misfit
        + 0.5 * z @ precision @ z
        - ALPHA * np.log(a).sum()
        + 0.5 * ((share - LAW.share_mean) / LAW.share_sd) ** 2
    )


def in_all_bands(decoder: BundleDecoder, pixels: torch.Tensor) -> Binned:
    return Binned(pixels.T, decoder.basis, torch.ones(L, 1).double())


def some_state(seed: int = 0) -> State:
    rng = np.random.default_rng(seed)
    logits, latents = rng.normal(size=(P, N)), rng.normal(size=(P, H, N))
    return State(*(torch.as_tensor(x) for x in (logits - logits.mean(0), latents, rng.uniform(size=N))))


def unknowns_of(state: State, pixel: int) -> np.ndarray:
    parts = [state.logits[:, pixel], state.latents[:, :, pixel].flatten(), state.share[pixel : pixel + 1]]
    return torch.cat(parts).numpy()


def numerical_gradient(function, at: np.ndarray) -> np.ndarray:
    step = 1e-6
    return np.stack([(function(at + e) - function(at - e)) / (2 * step) for e in step * np.eye(len(at))], axis=-1)


def test_equations_are_the_gradient_and_the_gauss_newton_hessian(regression, decoder, precision):
    pixels, state = torch.as_tensor(mixtures(decoder, 0.6, 0.05)[0]), some_state()
    system = regression.equations(state, in_all_bands(decoder, pixels))
    hessian, downhill = system[:, :-1], system[:, -1]
    for i in range(N):
        at = unknowns_of(state, i)
        variance = NOISE_SD**2 + (softmax(at[:P]) ** 2 * ENDMEMBER_SD**2).sum()
        gradient = numerical_gradient(
            lambda u, i=i, v=variance: minus_log_posterior(u, pixels[i].numpy(), decoder, precision, v), at
        )
        np.testing.assert_allclose(downhill[:, i], -gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())
        jacobian = numerical_gradient(lambda u: modelled(u, decoder), at)
        expected = jacobian.T @ jacobian / variance
        expected[:P, :P] += ALPHA * P / 2 * np.eye(P)
        expected[P:-1, P:-1] += precision
        expected[-1, -1] += 1 / LAW.share_sd**2
        np.testing.assert_allclose(hessian[:, :, i], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_equations_without_bilinear_light_are_those_where_it_is_none(regression, decoder, precision):
    linear = Regression(decoder, MIXING_LAWS["linear"], ALPHA).double()
    linear.load_state_dict(regression.state_dict())
    scene = in_all_bands(decoder, torch.as_tensor(mixtures(decoder, 0.0, 0.05)[0]))
    state = some_state()._replace(share=torch.zeros(N).double())
    expected, found = regression.equations(state, scene)[:-1], linear.equations(state, scene)
    kept = [*range(len(found)), len(found) + 1]
    torch.testing.assert_close(found, expected[:, kept], rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


def test_steps_end_where_a_general_minimiser_does(regression, decoder, precision):
    regression.n_steps.fill_(200)
    regression.endmember_variance.zero_()  # else the variance moves between steps, and the objective with it
    pixels, *_ = mixtures(decoder, 0.5, NOISE_SD)
    found = regression(torch.as_tensor(pixels))
    assert ((found.bilinear_share > 0.01) & (found.bilinear_share < 0.99)).sum() >= N // 2
    for i, pixel in enumerate(pixels):
        best = minimize(
            minus_log_posterior,
            torch.cat([found.abundances[i].log(), found.mean[i].flatten(), found.bilinear_share[i]]).numpy(),
            args=(pixel, decoder, precision, NOISE_SD**2),
            method="L-BFGS-B",
            bounds=[(None, None)] * (P + P * H) + [(0, 1)],
            options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 5000, "maxfun": 100000},
        )
        np.testing.assert_allclose(found.abundances[i], softmax(best.x[:P]), atol=2e-4)
        np.testing.assert_allclose(found.mean[i].flatten(), best.x[P:-1], atol=5e-3)
        np.testing.assert_allclose(found.bilinear_share[i, 0], best.x[-1], atol=5e-3)


def test_three_steps_are_almost_there(regression, decoder):
    pixels = torch.as_tensor(mixtures(decoder, 0.5, NOISE_SD)[0])
    soon = regression(pixels)
    start = regression.start(pixels).logits.softmax(0).T
    regression.n_steps.fill_(100)
    late = regression(pixels)
    assert float((soon.abundances - late.abundances).norm()) < 0.1 * float((start - late.abundances).norm())


@pytest.mark.parametrize(
    ("noise_sd", "expected"), [(0.05, FEWEST_STEPS), (0.02, FEWEST_STEPS), (0.005, FEWEST_STEPS + 1)]
)
def test_steps_are_as_many_as_pixels_need(regression, decoder, noise_sd, expected):
    """Where endmembers vary towards one another, less noise makes the way longer."""
    decoder.axes[:, 1] = 0.3 * (decoder.means.roll(-1, 0) - decoder.means)
    regression.endmember_variance.zero_()
    regression.noise_variance.fill_(noise_sd**2)
    pixels = torch.as_tensor(mixtures(decoder, 0.5, noise_sd)[0])
    regression.settle(pixels)
    n_steps = int(regression.n_steps)
    found = []
    for n in (n_steps - 1, n_steps, n_steps + 1):
        regression.n_steps.fill_(n)
        found.append(regression(pixels).abundances)
    before, after = (float((one - other).square().mean().sqrt()) for one, other in pairwise(found))
    assert n_steps == expected < MOST_STEPS
    assert after < STEP_TOLERANCE
    assert n_steps == FEWEST_STEPS or before >= STEP_TOLERANCE


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_almost_without_noise_everything_is_found(share):
    """Where no abundance can imitate the variability, nor variability the products of spectra."""
    n_bands = 32
    rng = np.random.default_rng(7)
    orthogonal = np.linalg.qr(rng.normal(size=(n_bands, P * (H + 1))))[0].T.reshape(P, H + 1, n_bands)
    decoder = BundleDecoder(P, H, n_bands).double()
    decoder.means.copy_(torch.as_tensor(0.1 + 3 * np.abs(orthogonal[:, 0])))
    decoder.axes.copy_(torch.as_tensor(0.4 * orthogonal[:, 1:]))
    regression = Regression(decoder, LAW, 1.0).double()
    regression.n_steps.fill_(50)
    regression.noise_variance.fill_(1e-8)
    regression.endmember_variance.zero_()
    pixels, abundances, latents = mixtures(decoder, share)
    found = regression(torch.as_tensor(pixels))
    np.testing.assert_allclose(found.abundances, abundances, atol=2e-3)
    np.testing.assert_allclose(found.mean, latents, atol=0.02)
    np.testing.assert_allclose(found.bilinear_share[:, 0], share, atol=0.02)
    linear = np.einsum("nk,nkl->nl", abundances, decoder(torch.as_tensor(latents)).numpy())
    np.testing.assert_allclose(found.bilinear, pixels - linear, atol=2e-3)


def test_an_absent_endmember_keeps_its_prior(regression, decoder, precision):
    state = some_state()
    state.logits[1] = -30
    system = regression.equations(state, in_all_bands(decoder, torch.as_tensor(mixtures(decoder, 0.0)[0])))
    variance = invert_positive_definite(system[:, :-1]).diagonal()[:, P:-1].reshape(N, P, H)
    np.testing.assert_allclose(variance[:, 1, 1], 1, atol=1e-9)  # the first latent, brightness, is shared
    assert bool((variance[:, [0, 2]] < 1).all())


def test_without_bilinear_light_none_is_found(decoder, precision):
    regression = Regression(decoder, MIXING_LAWS["linear"], ALPHA).double()
    regression.precision.copy_(torch.as_tensor(precision))
    regression.noise_variance.fill_(NOISE_SD**2)
    found = regression(torch.as_tensor(mixtures(decoder, 0.6)[0]))
    assert float(found.bilinear.abs().max()) == float(found.bilinear_share.max()) == 0


def test_extreme_pixels_stay_finite(regression, decoder):
    regression, _ = regression.float(), decoder.float()
    rng = np.random.default_rng(0)
    extremes = [np.zeros(L), np.full(L, 50.0), np.full(L, -5.0), rng.uniform(size=L) * 1e-8, 1e3 * rng.normal(size=L)]
    found = regression(torch.as_tensor(np.stack(extremes), dtype=torch.float32))
    assert all(bool(torch.isfinite(part).all()) for part in found)
    np.testing.assert_allclose(found.abundances.sum(-1), 1, atol=1e-5)
    assert bool((found.variance > 0).all())


def test_bands_that_are_alike_may_be_averaged(regression, decoder, precision):
    """Ten copies of every band, each with a tenth of the information, say what the bands say."""
    pixels = mixtures(decoder, 0.5, NOISE_SD)[0]
    expected = regression(torch.as_tensor(pixels))
    copies = BundleDecoder(P, H, 10 * L).double()
    copies.means.copy_(decoder.means.repeat_interleave(10, dim=-1))
    copies.axes.copy_(decoder.axes.repeat_interleave(10, dim=-1))
    wide = Regression(copies, LAW, ALPHA).double()
    wide.average = alike_neighbours(copies.basis.flatten(0, 1), L)
    np.testing.assert_allclose(wide.average, np.kron(np.eye(L), np.full(10, 0.1)), atol=1e-12)
    wide.precision.copy_(torch.as_tensor(precision))
    wide.noise_variance.fill_(10 * NOISE_SD**2)
    wide.endmember_variance.copy_(torch.as_tensor(10 * ENDMEMBER_SD**2))
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(N, L, 10))
    found = wide(torch.as_tensor((pixels[:, :, None] + noise - noise.mean(axis=2, keepdims=True)).reshape(N, -1)))
    np.testing.assert_allclose(found.abundances, expected.abundances, atol=1e-9)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-8)
