"""Network blocks against what they stand for, written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from torch import nn
from torch.distributions import Independent, Normal

from unmixel.nn.dense import Dense, EndmemberwiseDense
from unmixel.nn.isotropic_normal import IsotropicNormal
from unmixel.nn.narrow_product import NARROW, narrow_product
from unmixel.nn.simplex_newton import newton_on_simplex
from unmixel.nn.small_systems import invert_positive_definite, solve_positive_definite, solve_with_variances
from unmixel.nn.two_stream import TwoStream
from unmixel.nn.unrolled_ista import UnrolledISTA
from unmixel.solvers import fcls, nnls


@pytest.fixture(autouse=True)
def own_randomness():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        yield


def test_endmemberwise_networks_are_separate_networks():
    sizes = [2, 5, 7, 4]
    together = EndmemberwiseDense(3, sizes)
    alone = [Dense(sizes) for _ in range(3)]
    with torch.no_grad():
        for k, network in enumerate(alone):
            linear = [layer for layer in network if isinstance(layer, nn.Linear)]
            for layer, weight, bias in zip(linear, together.weights, together.biases, strict=True):
                layer.weight.copy_(weight[k].T)
                layer.bias.copy_(bias[k, 0])
        for batch in [(), (6,), (4, 6)]:
            inputs = torch.randn(*batch, 3, 2)
            expected = torch.stack([network(inputs[..., k, :]) for k, network in enumerate(alone)], dim=-2)
            np.testing.assert_allclose(together(inputs), expected, atol=1e-6)


def test_endmemberwise_networks_start_like_linear_layers():
    network = EndmemberwiseDense(40, [25, 60, 3])
    for (fan_in, _), weight, bias in zip(itertools.pairwise([25, 60, 3]), network.weights, network.biases, strict=True):
        for parameter in (weight.detach(), bias.detach()):
            assert float(parameter.abs().max()) <= fan_in**-0.5
            assert abs(float(parameter.std()) - (fan_in**-0.5) / 3**0.5) < 0.1 * fan_in**-0.5


@pytest.mark.parametrize("network", [Dense([4, 6, 2]), EndmemberwiseDense(3, [4, 6, 2])])
def test_a_zeroed_network_gives_zero_and_can_still_learn(network):
    network.zero_last_layer()
    output = network(torch.randn(5, 3, 4))
    assert torch.equal(output, torch.zeros(5, 3, 2))
    (output - 1).square().sum().backward()
    assert any(bool(parameter.grad.abs().max() > 0) for parameter in network.parameters())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=0, max_size=2),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_isotropic_normal_is_an_independent_normal(batch, n, one_sd_for_all, seed):
    rng = np.random.default_rng(seed)
    mean = torch.as_tensor(rng.normal(size=(*batch, n)))
    sd = torch.as_tensor(rng.uniform(0.01, 3.0, size=() if one_sd_for_all else tuple(batch)))
    value = mean + torch.as_tensor(rng.normal(size=(4, *batch, n)))
    fast = IsotropicNormal(mean, sd)
    plain = Independent(Normal(mean, sd[..., None].expand_as(mean)), 1)
    np.testing.assert_allclose(fast.log_prob(value), plain.log_prob(value), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fast.mean, plain.mean)
    np.testing.assert_allclose(fast.variance, plain.variance)
    assert (fast.batch_shape, fast.event_shape) == (plain.batch_shape, plain.event_shape)
    assert fast.rsample((2, 3)).shape == plain.rsample((2, 3)).shape


def test_draws_of_an_isotropic_normal_have_its_moments_and_carry_gradients():
    mean = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], requires_grad=True)
    sd = torch.tensor([0.5, 2.0], requires_grad=True)
    draws = IsotropicNormal(mean, sd).rsample((20_000,))
    draws.sum().backward()
    np.testing.assert_allclose(mean.grad, np.full((2, 3), 20_000.0))
    assert sd.grad is not None
    drawn = draws.detach().numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), mean.detach(), atol=0.06)
    np.testing.assert_allclose(drawn.std(axis=0), np.repeat([[0.5], [2.0]], 3, axis=1), rtol=0.03)


def test_nonlinearity_degree_is_the_nonlinear_share_of_the_norms():
    linear, nonlinear = torch.randn(4, 2, 6), torch.randn(4, 2, 6)
    streams = TwoStream(linear, nonlinear)
    sizes = np.linalg.norm(linear, axis=-1), np.linalg.norm(nonlinear, axis=-1)
    np.testing.assert_allclose(streams.nonlinearity_degree, sizes[1] / (sizes[0] + sizes[1]), rtol=1e-6)
    zero = torch.zeros_like(linear)
    assert torch.equal(TwoStream(linear, zero).nonlinearity_degree, torch.zeros(4, 2))
    assert torch.equal(TwoStream(zero, nonlinear).nonlinearity_degree, torch.ones(4, 2))
    assert torch.equal(TwoStream(zero, zero).nonlinearity_degree, torch.zeros(4, 2))


def problem(n_pixels: int = 30, n_endmembers: int = 4, n_bands: int = 15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(12)
    endmembers = rng.uniform(0.1, 0.9, size=(n_endmembers, n_bands))
    abundances = rng.dirichlet(np.full(n_endmembers, 0.4), size=n_pixels)
    return endmembers, abundances @ endmembers + rng.normal(scale=0.05, size=(n_pixels, n_bands))


def test_unrolled_steps_end_in_non_negative_least_squares():
    endmembers, pixels = problem()
    exact = nnls(pixels, endmembers)
    assert (exact == 0).any()
    M, y = torch.as_tensor(endmembers).expand(len(pixels), -1, -1), torch.as_tensor(pixels)
    with torch.no_grad():
        errors = [np.abs(UnrolledISTA(n)(M, y).numpy() - exact).max() for n in (0, 10, 100, 3000)]
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[-1] < 1e-6


def test_every_step_lowers_the_misfit():
    endmembers, pixels = problem()
    M, y = torch.as_tensor(endmembers), torch.as_tensor(pixels)
    with torch.no_grad():
        fits = [UnrolledISTA(n)(M, y).numpy() @ endmembers for n in range(8)]
    misfits = np.array([((pixels - fit) ** 2).sum(axis=1) for fit in fits])
    assert (np.diff(misfits, axis=0) <= 1e-12).all()


def test_thresholds_make_the_lasso():
    """With threshold θ at every step, the limit has the optimality of ½‖y − Mᵀa‖² + ρθ‖a‖₁ over a ≥ 0."""
    endmembers, pixels = problem()
    network = UnrolledISTA(4000).double()
    with torch.no_grad():
        network.thresholds.fill_(0.004)
        found = network(torch.as_tensor(endmembers), torch.as_tensor(pixels)).numpy()
    gram = endmembers @ endmembers.T
    rho = np.abs(gram).sum(axis=1).max()
    gradient = found @ gram - pixels @ endmembers.T + rho * 0.004
    assert (gradient > -1e-6).all()
    np.testing.assert_allclose(gradient * found, 0, atol=1e-6)
    assert found.sum() < nnls(pixels, endmembers).sum()


def test_each_pixel_has_its_own_endmembers_and_its_own_result():
    rng = np.random.default_rng(4)
    endmembers = torch.as_tensor(rng.uniform(0.1, 0.9, size=(2, 6, 3, 8)))
    pixels = torch.as_tensor(rng.uniform(0.1, 0.9, size=(6, 8)))
    with torch.no_grad():
        together = UnrolledISTA(20)(endmembers, pixels)
        assert together.shape == (2, 6, 3)
        for i, j in itertools.product(range(2), range(6)):
            alone = UnrolledISTA(20)(endmembers[i, j], pixels[j])
            np.testing.assert_allclose(together[i, j], alone, atol=1e-12)


def test_equal_endmembers_and_black_pixels_stay_finite():
    spectrum = torch.linspace(0.2, 0.6, 9)
    endmembers = torch.stack([spectrum, spectrum, spectrum.flip(0)])
    with torch.no_grad():
        found = UnrolledISTA(50)(endmembers, torch.stack([spectrum, torch.zeros(9)]))
        black = UnrolledISTA(5)(torch.zeros(3, 9), spectrum)
    np.testing.assert_allclose(found[0, :2].sum(), 1, atol=1e-3)
    assert torch.equal(found[1], torch.zeros(3))
    assert bool(torch.isfinite(black).all())


def test_the_gradient_of_all_steps_is_that_of_each():
    generator = torch.Generator().manual_seed(0)
    endmembers = torch.rand(5, 3, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    pixels = torch.rand(5, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    network = UnrolledISTA(4).double()
    with torch.no_grad():
        network.log_steps.copy_(torch.tensor([0.3, -0.2, 0.1, 0.0]))
        network.thresholds.copy_(torch.tensor([0.01, -0.02, 0.0, 0.03]))
    found = network(endmembers, pixels).detach()
    assert bool((found == 0).any()) and bool((found > 0).any())

    def unmixed(endmembers, pixels, log_steps, thresholds):
        return torch.func.functional_call(
            network, {"log_steps": log_steps, "thresholds": thresholds}, (endmembers, pixels)
        )

    assert torch.autograd.gradcheck(unmixed, (endmembers, pixels, network.log_steps, network.thresholds))


def test_one_gram_for_all_pixels_is_that_of_each():
    endmembers, pixels = (torch.as_tensor(values) for values in problem())
    network, gram = UnrolledISTA(4).double(), (endmembers @ endmembers.T).requires_grad_()
    projected = pixels @ endmembers.T
    of_all = network.solve(gram, projected)
    of_each = network.solve(gram.expand(len(pixels), -1, -1), projected)
    torch.testing.assert_close(of_all, of_each)
    for one, other in zip(*(torch.autograd.grad(out.square().sum(), gram) for out in (of_all, of_each)), strict=True):
        torch.testing.assert_close(one, other)


def test_many_small_systems_are_solved_as_by_lapack():
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(7, 6, 6))
    matrices = factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(6)
    found = invert_positive_definite(torch.as_tensor(matrices).permute(1, 2, 0)).permute(2, 0, 1)
    np.testing.assert_allclose(found, np.linalg.inv(matrices), rtol=1e-9, atol=1e-9)
    targets = rng.normal(size=(7, 6))
    systems = torch.as_tensor(np.concatenate([matrices, targets[:, :, None]], axis=2)).permute(1, 2, 0)
    solved = solve_positive_definite(systems.clone()).T
    np.testing.assert_allclose(solved, np.linalg.solve(matrices, targets[:, :, None])[:, :, 0], rtol=1e-9, atol=1e-9)
    again, variances = solve_with_variances(systems.clone())
    np.testing.assert_allclose(again.T, solved, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(variances.T, np.diagonal(np.linalg.inv(matrices), axis1=1, axis2=2), rtol=1e-9)


# Newton on the simplex


def minus_log_density(
    logits: np.ndarray, endmembers: np.ndarray, pixel: np.ndarray, noise_variance: float, alpha: float
) -> float:
    a = softmax(logits)
    return ((pixel - a @ endmembers) ** 2).sum() / (2 * noise_variance) - alpha * log_softmax(logits).sum()


def simplex_problem(n_endmembers: int, noise_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return endmembers (P, 13) and noisy pixels (8, 13), of which some miss materials."""
    rng = np.random.default_rng(n_endmembers)
    endmembers = rng.uniform(0.1, 0.9, size=(n_endmembers, 13))
    abundances = rng.dirichlet(np.full(n_endmembers, 0.6), size=8)
    return endmembers, abundances @ endmembers + rng.normal(scale=noise_sd, size=(8, 13))


def newton(
    endmembers: np.ndarray, pixels: np.ndarray, noise_variance: np.ndarray, n_steps: int, alpha: float
) -> np.ndarray:
    n_pixels, n_endmembers = len(pixels), len(endmembers)
    spectra, y = torch.as_tensor(endmembers), torch.as_tensor(pixels)
    gram, middle = (
        (spectra @ spectra.T).expand(n_pixels, -1, -1),
        torch.full((n_pixels, n_endmembers), 1 / n_endmembers),
    )
    return newton_on_simplex(
        gram, y @ spectra.T, middle.double(), torch.as_tensor(noise_variance), n_steps, alpha
    ).numpy()


@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("n_endmembers", [2, 3, 5])
def test_newton_on_the_simplex_reaches_the_minimum_that_a_general_minimiser_finds(n_endmembers, alpha):
    endmembers, pixels = simplex_problem(n_endmembers, 0.05)
    noise_variance = np.linspace(0.03, 0.1, len(pixels)) ** 2
    found = newton(endmembers, pixels, noise_variance, 300, alpha)
    for pixel, variance, abundances in zip(pixels, noise_variance, found, strict=True):
        best = minimize(
            minus_log_density,
            np.zeros(n_endmembers),
            args=(endmembers, pixel, variance, alpha),
            options={"gtol": 1e-9, "maxiter": 5000},
        )
        np.testing.assert_allclose(abundances, softmax(best.x), atol=2e-6)


@pytest.mark.parametrize("n_endmembers", [2, 3, 5])
def test_newton_on_the_simplex_approaches_fcls_as_noise_falls(n_endmembers):
    endmembers, pixels = simplex_problem(n_endmembers, 0.15)
    exact = fcls(pixels, endmembers)
    assert (exact < 1e-9).any(), "some constraints must be active"
    errors = [
        np.abs(newton(endmembers, pixels, np.full(len(pixels), sd**2), 1000, 1.0) - exact).max()
        for sd in (0.1, 1e-2, 1e-4)
    ]
    assert errors[0] > 0.02
    assert errors[1] < 0.3 * errors[0]
    assert errors[2] < 1e-4


def test_newton_on_the_simplex_starts_where_it_is_told_and_broadcasts():
    endmembers, pixels = simplex_problem(3, 0.02)
    spectra, y = torch.as_tensor(endmembers), torch.as_tensor(pixels)
    gram, start = (spectra @ spectra.T).expand(2, 8, 3, 3), torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    projected = (y @ spectra.T).expand(2, 8, 3)
    np.testing.assert_allclose(
        newton_on_simplex(gram, projected, start, torch.tensor(0.01).double(), 0), start.expand(2, 8, 3), rtol=1e-9
    )
    both = newton_on_simplex(gram, projected, start, torch.tensor(0.01).double(), 3)
    torch.testing.assert_close(both[0], both[1])
    alone = newton_on_simplex(gram[0, 5], projected[0, 5], start, torch.tensor(0.01).double(), 3)
    torch.testing.assert_close(both[1, 5], alone)


@pytest.mark.parametrize("n_bands", [6, 24, 143])
def test_a_row_of_a_product_is_the_same_wherever_it_stands(n_bands):
    pixels = torch.randn(1024, n_bands)
    for n_columns in (*range(1, NARROW + 2), 24, 48):
        weights = torch.randn(n_columns, n_bands)
        product = narrow_product(pixels, weights)
        torch.testing.assert_close(product, pixels @ weights.T, rtol=1e-5, atol=1e-4)
        for places in (1, 2, 3):
            moved = narrow_product(pixels.roll(places, 0), weights).roll(-places, 0)
            assert torch.equal(moved, product), f"{n_columns} columns, moved by {places}"


def test_a_network_sees_a_pixel_alike_wherever_it_stands():
    network = Dense([143, 20, 5, 3])
    with torch.no_grad():
        pixels = torch.randn(2, 512, 143)
        assert torch.equal(network(pixels.roll(1, 1)).roll(-1, 1), network(pixels))
        expected = pixels
        for layer in network:
            weighs = isinstance(layer, nn.Linear)
            expected = expected @ layer.weight.T + layer.bias if weighs else expected.clamp_min(0)
        torch.testing.assert_close(network(pixels), expected)
