"""Every term of the objective against its formula, one pixel at a time, in numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import softmax

from unmixel.methods.idnet import IDNet, objective
from unmixel.methods.idnet.bundle_decoder import n_hidden_axes
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.objective import Draw, Posterior, Weights
from unmixel.methods.idnet.pairs import Pairs, inside
from unmixel.methods.idnet.start import Start

P, H, L, N, J = 3, 2, 7, 5, 4


def model_of(published: bool) -> IDNetModel:
    """Return a model in double precision with a value everywhere and spreads that differ by endmember."""
    shape = Shape(
        n_endmembers=P,
        n_latents=H,
        n_bands=L,
        n_features=3,
        n_ista=4,
        mixing_gain=0.4,
        abundance_gain=0.3,
        shared_brightness=0.6,
        published=published,
    )
    model = IDNetModel(shape)
    rng = np.random.default_rng(1)
    start = Start(
        means=rng.uniform(0.2, 0.7, size=(P, L)),
        axes=rng.normal(scale=0.1, size=(P, H, L)),
        hidden_axes=np.zeros((P, n_hidden_axes(P), L)),
        endmember_sd=np.array([0.03, 0.06, 0.1]),
        noise_sd=0.05,
        offset=rng.uniform(0.2, 0.7, size=L),
        features=rng.normal(size=(3, L)),
    )
    model.begin(start, torch.as_tensor(start.means, dtype=torch.float32))
    with torch.no_grad():
        q = model.q
        networks = [model.p.mixing, q.nonlinear, q.latent_mean, q.latent_log_variance]
        for network in networks if published else [*networks, q.log_precision]:
            for parameter in network.parameters():
                parameter.normal_(0, 0.3)
        q.linear.log_steps.normal_(0, 0.2)
        q.linear.thresholds.uniform_(0, 0.02)
        if published:
            q.log_precision.fill_(-0.7)
    return model.double()


@pytest.fixture(params=[False, True], ids=["default", "published"])
def model(request) -> IDNetModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return model_of(request.param)


@pytest.fixture
def pixels() -> torch.Tensor:
    return 0.2 + 0.4 * torch.rand(N, L, generator=torch.Generator().manual_seed(4)).double()


@pytest.fixture
def hidden() -> Draw:
    rng = np.random.default_rng(6)
    return Draw(
        torch.as_tensor(rng.normal(size=(N, P, H))),
        torch.as_tensor(rng.uniform(0.1, 0.8, size=(N, P, L))),
        torch.as_tensor(rng.dirichlet(np.ones(P), size=N)),
    )


@pytest.fixture
def pairs() -> Pairs:
    rng = np.random.default_rng(7)
    endmembers = rng.uniform(0.1, 0.8, size=(N, P, L))
    abundances = np.concatenate([np.eye(P), rng.dirichlet(np.ones(P), size=N - P)])
    mixed = np.einsum("nk,nkl->nl", abundances, endmembers) + rng.normal(scale=0.05, size=(N, L))
    return Pairs(torch.as_tensor(mixed), torch.as_tensor(endmembers), inside(torch.as_tensor(abundances)), None)


def dense(network, inputs):
    layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    for i, layer in enumerate(layers):
        inputs = np.maximum(inputs, 0) if i else inputs
        inputs = layer.weight.detach().numpy() @ inputs + layer.bias.detach().numpy()
    return inputs


def log_isotropic(value, mean, sd):
    return float(stats.norm.logpdf(value, mean, sd).sum())


def log_prior(model, z):
    """log p(Z) of one pixel: independent standard normals, the first of each endmember correlated."""
    correlation = np.eye(P * H)
    shared = 0.0 if model.shape.published else model.shape.shared_brightness
    for j in range(P):
        for k in range(P):
            if j != k:
                correlation[j * H, k * H] = shared
    return stats.multivariate_normal(np.zeros(P * H), correlation).logpdf(z.ravel())


def log_pixel(model, y, m, a):
    """log p(y | M, a) of one pixel."""
    nonlinear = dense(model.p.mixing, np.concatenate([m.ravel(), a]))
    location = np.maximum(a @ m + model.shape.mixing_gain * nonlinear, 0)
    return log_isotropic(y, location, model.p.noise_sd.item())


def concentration(model, y, m):
    """ε + K max(0, l + g f) of one pixel, for one and the same y alone."""
    seen = y
    if not model.shape.published:  # the regression has an oracle of its own
        seen = np.clip(model.q.features.axes.numpy() @ (y - model.q.features.offset.numpy()), -5, 5)
        found = [part.numpy().ravel() for part in model.q.regression(torch.as_tensor(y)[None])]
        abundances, logit_variance, latents, _, share, bilinear = found
        seen = np.concatenate([seen, abundances, np.log(logit_variance) / 2, share, np.clip(latents, -5, 5)])
        y = y - bilinear
    gram, projected = m @ m.T, m @ y
    bound = np.abs(gram).sum(axis=1).max()
    linear = np.maximum(np.linalg.solve(gram + 1e-5 * bound * np.eye(P), projected), 0)
    for log_step, threshold in zip(model.q.linear.log_steps.tolist(), model.q.linear.thresholds.tolist(), strict=True):
        linear = np.maximum(linear - np.exp(log_step) * (gram @ linear - projected) / bound - threshold, 0)
    streams = linear + model.shape.abundance_gain * dense(model.q.nonlinear, seen)
    if model.shape.published:
        precision = 10 + 100 * np.exp(model.q.log_precision.item())
    else:
        precision = np.exp(np.clip(4.7 + dense(model.q.log_precision, seen), 0, 9))
    return 1e-3 + precision * np.maximum(streams, 0)


def log_posterior(model, y, z):
    """log q(Z | y) of one pixel, from the moments that q gives for it."""
    posterior = model.q.latents(y[None])
    return log_isotropic(z, posterior.mean[0].detach().numpy(), posterior.stddev[0].detach().numpy())


def rows(*tensors):
    return zip(*(tensor.numpy() for tensor in tensors), strict=True)


LOG_UNIFORM = stats.dirichlet(np.ones(P)).logpdf(np.full(P, 1 / P))


def posterior_of(model: IDNetModel, pixels: torch.Tensor, hidden: Draw) -> Posterior:
    return Posterior(model.q.latents(pixels), model.q.abundances(hidden.endmembers, pixels))


def test_the_bound_of_scene_pixels_is_its_formula(model, pixels, hidden):
    likelihood, divergence = objective.scene_terms(model.p, posterior_of(model, pixels, hidden), pixels, hidden)
    for i, (y, z, m, a) in enumerate(rows(pixels, *hidden)):
        expected = (
            LOG_UNIFORM
            - stats.dirichlet(concentration(model, y, m)).logpdf(a)
            + log_prior(model, z)
            - log_posterior(model, pixels[i], z)
        )
        np.testing.assert_allclose(likelihood[i].item(), log_pixel(model, y, m, a), rtol=1e-6)
        np.testing.assert_allclose(divergence[i].item(), expected, rtol=1e-5)


def test_the_labelled_terms_are_their_formulas(model, pairs):
    latents = torch.as_tensor(np.random.default_rng(9).normal(size=(J, N, P, H)))
    bound, abundances, endmembers, _ = objective.labelled_terms(
        model.p, model.q, pairs, model.q.latents(pairs.pixels), latents
    )
    spread = model.p.endmember_sd.detach().numpy()
    for i, (y, m, a) in enumerate(rows(*pairs[:3])):
        decoded = model.p.decoder(latents[:, i]).detach().numpy()
        log_m = [sum(log_isotropic(m[k], decoded[j, k], spread[k]) for k in range(P)) for j in range(J)]
        gaps = [log_prior(model, z) - log_posterior(model, pairs.pixels[i], z) for z in latents[:, i].numpy()]
        log_a = stats.dirichlet(concentration(model, y, m)).logpdf(a)
        expected = log_pixel(model, y, m, a) + LOG_UNIFORM - log_a + softmax(log_m) @ gaps
        np.testing.assert_allclose(bound[i].item(), expected, rtol=1e-5)
        np.testing.assert_allclose(abundances[i].item(), log_a, rtol=1e-5)
        np.testing.assert_allclose(endmembers[i].item(), np.mean(log_m), rtol=1e-5)


def test_the_objective_of_a_batch_is_the_sum_over_its_pixels(model, pixels, hidden, pairs):
    """With latents and penalties too; the norms, which belong to no pixel, count once."""
    weights = Weights(
        scene_likelihood=1.0,
        scene_divergence=0.7,
        labelled=3.0,
        abundances=11.0,
        endmembers=2.0,
        sparsity=0.2,
        abundance_decay=0.05,
        mixing_decay=0.3,
    )
    latents = torch.as_tensor(np.random.default_rng(9).normal(size=(J, N, P, H)))
    norms = {
        "abundance_decay": objective.frobenius_norm(model.q.nonlinear),
        "mixing_decay": objective.frobenius_norm(model.p.mixing),
    }

    def terms_of(which: slice) -> objective.Terms:
        some = Draw(*(value[which] for value in hidden))
        labels = Pairs(*(value[which] for value in pairs[:3]), None)
        likelihood, divergence = objective.scene_terms(
            model.p, posterior_of(model, pixels[which], some), pixels[which], some
        )
        labelled, abundances, endmembers, _ = objective.labelled_terms(
            model.p, model.q, labels, model.q.latents(labels.pixels), latents[:, which]
        )
        return {
            "scene_likelihood": likelihood,
            "scene_divergence": divergence,
            "labelled": labelled,
            "abundances": abundances,
            "endmembers": endmembers,
            "sparsity": objective.quasi_norm(model.q.abundances(some.endmembers, pixels[which]).concentration),
        }

    whole = objective.total({**terms_of(slice(0, N)), **norms}, weights)
    alone = sum(objective.total(terms_of(slice(i, i + 1)), weights).item() for i in range(N))
    penalty = 0.05 * norms["abundance_decay"].item() + 0.3 * norms["mixing_decay"].item()
    np.testing.assert_allclose(N * whole.item(), alone - N * penalty, rtol=1e-9)


def test_published_weights_turn_means_into_the_published_sum_over_sixteen_pixels():
    """Sixteen times the total of per-pixel means = the published loss: sums over the batch, less λ_e and λ_d norms."""
    rng = np.random.default_rng(3)
    terms = {
        name: torch.as_tensor(rng.normal(size=16))
        for name in ("scene_likelihood", "scene_divergence", "labelled", "abundances", "endmembers", "sparsity")
    }
    norms = {"abundance_decay": torch.tensor(3.7), "mixing_decay": torch.tensor(9.1)}
    total = objective.total({**terms, **norms}, IDNet.paper("cuprite").weights)
    sums = {name: float(values.sum()) for name, values in terms.items()}
    published = (
        sums["scene_likelihood"]
        + sums["scene_divergence"]
        + 10 * sums["labelled"]
        + (1 + 10) * (sums["abundances"] + sums["endmembers"])
        - 0.1 * sums["sparsity"]
        - 0.05 * 3.7
        - 5 * 9.1
    )
    np.testing.assert_allclose(16 * total.item(), published, rtol=1e-6)


PAPER = {
    "dc1": (10, 0, 1e4, 0.001),
    "dc2": (1, 0.005, 0.01, 0.1),
    "samson": (1, 0.005, 0.01, 0.1),
    "jasper_ridge": (1, 0, 0.01, 0.1),
    "cuprite": (10, 0.1, 0.05, 5),
}


@pytest.mark.parametrize("scene", PAPER)
def test_published_settings_are_those_of_the_paper(scene):
    method = IDNet.paper(scene)
    labelled, sparsity, abundance_decay, mixing_decay = PAPER[scene]
    assert (method.labelled_weight, method.sparsity, method.supervision) == (labelled, sparsity, 10)
    np.testing.assert_allclose([16 * method.abundance_decay, 16 * method.mixing_decay], [abundance_decay, mixing_decay])
    assert (method.batch_size, method.learning_rate, method.n_epochs, method.decay) == (16, 1e-3, 30, 0.9)
    assert (method.n_latents, method.n_ista, method.mixing_gain, method.abundance_gain) == (2, 10, 0.1, 0.1)
    assert (method.tolerance, method.patience, method.n_draws) == (0.01, 1, 5)
    assert method.weights.scene_likelihood == method.weights.scene_divergence == 1
    assert method.weights.latents == 0


def test_importance_weights_sum_to_one_and_carry_no_gradient():
    log_likelihood = torch.tensor([[0.0, -3.0], [np.log(3.0), -3.0], [-1e4, -3.0]], requires_grad=True)
    weights = objective.importance_weights(log_likelihood)
    assert not weights.requires_grad
    expected = [[0.25, 1 / 3], [0.75, 1 / 3], [0.0, 1 / 3]]
    np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_effective_sample_size_is_between_one_and_the_number_of_draws():
    weights = torch.tensor([[1.0, 0.25, 0.5], [0.0, 0.25, 0.5], [0.0, 0.25, 0.0], [0.0, 0.25, 0.0]])
    np.testing.assert_allclose(objective.effective_sample_size(weights), [1, 4, 2])


def test_no_gradient_goes_through_the_weights_of_the_draws(model, pairs):
    """The gradient of B_l is that of its formula with constant weights."""
    latents = torch.as_tensor(np.random.default_rng(9).normal(size=(J, N, P, H))).requires_grad_()
    bound, *_ = objective.labelled_terms(model.p, model.q, pairs, model.q.latents(pairs.pixels), latents)
    (found,) = torch.autograd.grad(bound.sum(), latents)
    log_m = model.q.endmembers(latents).log_prob(pairs.endmembers).sum(-1).detach()
    posterior = model.q.latents(pairs.pixels)
    gap = model.p.latents().log_prob(latents.flatten(-2)) - posterior.log_prob(latents)
    (expected,) = torch.autograd.grad((torch.softmax(log_m, 0) * gap).sum(), latents)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_draws_are_differentiable_and_of_the_right_shapes(model, pixels):
    with torch.random.fork_rng(devices=[]):
        drawn, posterior = objective.draw(model.q, pixels)
    assert [tuple(part.shape) for part in drawn] == [(N, P, H), (N, P, L), (N, P)]
    assert all(part.requires_grad for part in drawn)
    for from_draw, from_q in zip(posterior, posterior_of(model, pixels, drawn), strict=True):
        np.testing.assert_array_equal(from_draw.mean.detach(), from_q.mean.detach())
    np.testing.assert_allclose(drawn.abundances.detach().sum(-1), 1, rtol=1e-9)
