"""Every term of the objective against its formula, one pixel at a time, in numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import softmax
from torch.distributions import Beta

from unmixel.methods.idnet import IDNet, objective
from unmixel.methods.idnet.bundle_decoder import n_hidden_axes
from unmixel.methods.idnet.informed_training import InformedTraining, Labels, log_score
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.objective import Draw, Posterior, Weights
from unmixel.methods.idnet.pairs import Pairs, inside
from unmixel.methods.idnet.start import Start
from unmixel.nn.unrolled_ista import normal_equations

P, H, L, N, J = 3, 2, 7, 5, 4
ALPHA = 0.6
SCALE = np.random.default_rng(12).normal(size=(P * H, 2 * P * H))
COVARIANCE = np.corrcoef(SCALE)
"""Of the latents: every two are correlated."""


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
        albedo=False,
        share_mean=0.35,
        share_sd=0.4,
        concentration=1.0 if published else ALPHA,
        published=published,
    )
    model = IDNetModel(shape)
    rng = np.random.default_rng(1)
    start = Start(
        means=rng.uniform(0.2, 0.7, size=(P, L)),
        axes=rng.normal(scale=0.1, size=(P, H, L)),
        latent_covariance=COVARIANCE,
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


def random_model(published: bool) -> IDNetModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return model_of(published)


@pytest.fixture(params=[False, True], ids=["default", "published"])
def model(request) -> IDNetModel:
    return random_model(request.param)


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
    """log p(Z) of one pixel: independent standard normals as published, correlated by default."""
    covariance = np.eye(P * H) if model.shape.published else COVARIANCE
    return stats.multivariate_normal(np.zeros(P * H), covariance).logpdf(z.ravel())


def log_pixel(model, y, m, a):
    """log p(y | M, a) of one pixel."""
    nonlinear = dense(model.p.mixing, np.concatenate([m.ravel(), a]))
    location = np.maximum(a @ m + model.shape.mixing_gain * nonlinear, 0)
    return log_isotropic(y, location, model.p.noise_sd.item())


def published_linear_stream(model, y, m):
    """Unrolled non-negative least squares of one pixel."""
    gram, projected = m @ m.T, m @ y
    bound = np.abs(gram).sum(axis=1).max()
    linear = np.maximum(np.linalg.solve(gram + 1e-5 * bound * np.eye(P), projected), 0)
    for log_step, threshold in zip(model.q.linear.log_steps.tolist(), model.q.linear.thresholds.tolist(), strict=True):
        linear = np.maximum(linear - np.exp(log_step) * (gram @ linear - projected) / bound - threshold, 0)
    return linear


def newton_stream(y, m, a, noise_variance):
    """Two steps on ‖y − Mᵀa‖²/2s² − α Σ log a_k over a = softmax(η), of one pixel; steps of η are at most 2."""
    logits = np.log(a)
    for _ in range(2):
        a = softmax(logits)
        jacobian = np.diag(a) - np.outer(a, a)
        gradient = jacobian @ (m @ (a @ m - y)) / noise_variance - ALPHA * (1 - P * a)
        hessian = jacobian @ m @ m.T @ jacobian / noise_variance + ALPHA * P / 2 * np.eye(P)
        logits = logits - np.clip(np.linalg.solve(hessian, gradient), -2, 2)
        logits = np.clip(logits - logits.mean(), -12, 12)
    return softmax(logits)


def marginals(model, y, m):
    """Mean and variance of each abundance of one pixel under the default q(a | M, y)."""
    found = model.q.regression(torch.as_tensor(y)[None])  # which has an oracle of its own
    abundances, logit_variance, noise_variance, latents, _, share, bilinear = (part.numpy().ravel() for part in found)
    whitened = np.clip(model.q.features.axes.numpy() @ (y - model.q.features.offset.numpy()), -5, 5)
    seen = np.concatenate([whitened, abundances, np.log(logit_variance) / 2, share, np.clip(latents, -5, 5)])
    linear = newton_stream(y - bilinear, m, abundances, noise_variance)
    streams = 1e-3 + np.maximum(linear + model.shape.abundance_gain * dense(model.q.nonlinear, seen), 0)
    mean = streams / streams.sum()
    curvature = mean * (1 - mean) * logit_variance
    precision = np.exp(np.clip(dense(model.q.log_precision, seen) - np.log(curvature), 0, 12))
    return mean, mean * (1 - mean) / (precision + 1)


def concentration(model, y, m):
    """Of q(a | M, y) for one pixel, for one and the same y alone."""
    if not model.shape.published:
        mean, variance = marginals(model, y, m)
        return mean * ((mean * (1 - mean)).sum() / variance.sum() - 1)
    streams = published_linear_stream(model, y, m) + model.shape.abundance_gain * dense(model.q.nonlinear, y)
    return 1e-3 + (10 + 100 * np.exp(model.q.log_precision.item())) * np.maximum(streams, 0)


def log_posterior(model, y, z):
    """log q(Z | y) of one pixel, from the moments that q gives for it."""
    posterior = model.q.latents(y[None])
    return log_isotropic(z, posterior.mean[0].detach().numpy(), posterior.stddev[0].detach().numpy())


def rows(*tensors):
    return zip(*(tensor.numpy() for tensor in tensors), strict=True)


def log_prior_of_abundances(model, a):
    """log p(a) of one pixel."""
    return stats.dirichlet(np.full(P, 1.0 if model.shape.published else ALPHA)).logpdf(a)


def posterior_of(model: IDNetModel, pixels: torch.Tensor, hidden: Draw) -> Posterior:
    return Posterior(model.q.latents(pixels), model.q.abundances(hidden.endmembers, pixels))


def test_the_bound_of_scene_pixels_is_its_formula(model, pixels, hidden):
    likelihood, divergence = objective.scene_terms(model.p, posterior_of(model, pixels, hidden), pixels, hidden)
    for i, (y, z, m, a) in enumerate(rows(pixels, *hidden)):
        expected = (
            log_prior_of_abundances(model, a)
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
        expected = log_pixel(model, y, m, a) + log_prior_of_abundances(model, a) - log_a + softmax(log_m) @ gaps
        np.testing.assert_allclose(bound[i].item(), expected, rtol=1e-5)
        np.testing.assert_allclose(abundances[i].item(), log_a, rtol=1e-5)
        np.testing.assert_allclose(endmembers[i].item(), np.mean(log_m), rtol=1e-5)


def test_each_abundance_of_the_default_has_its_own_beta_distribution(pixels, hidden):
    """As sure as the regression and a network say; the Dirichlet has the same means and total variance."""
    model = random_model(published=False)
    look = model.q.look(pixels)
    linear = model.q.linear_stream(*normal_equations(hidden.endmembers, look.linear), look)
    found = model.q.marginals_around(linear, look)
    dirichlet = model.q.abundances(hidden.endmembers, pixels)
    for i, (y, m) in enumerate(rows(pixels, hidden.endmembers)):
        mean, variance = marginals(model, y, m)
        np.testing.assert_allclose(found.mean[i].detach(), mean, rtol=1e-6)
        np.testing.assert_allclose(found.variance[i].detach(), variance, rtol=1e-6)
        np.testing.assert_allclose(dirichlet.mean[i].detach(), mean, rtol=1e-6)
        np.testing.assert_allclose(dirichlet.variance[i].sum().item(), variance.sum(), rtol=1e-6)
    assert len(np.unique((found.concentration1 + found.concentration0)[0].detach().numpy().round(6))) == P


def test_a_label_scores_as_its_density_with_a_chance_of_a_wider_one():
    """S_a of the default: each abundance's density, of which 2 % is ten times less precise."""
    rng = np.random.default_rng(4)
    first, second, label = (
        rng.uniform(0.5, 40, size=(N, P)),
        rng.uniform(0.5, 40, size=(N, P)),
        rng.uniform(size=(N, P)),
    )
    found = log_score(Beta(torch.as_tensor(first), torch.as_tensor(second)), torch.as_tensor(label))
    density = 0.98 * stats.beta(first, second).pdf(label) + 0.02 * stats.beta(first / 10, second / 10).pdf(label)
    np.testing.assert_allclose(found, np.log(density), rtol=1e-9)


def test_what_labels_teach_the_default_is_its_formula(pixels):
    """S_a at M = μ(E[Z | y]), and S_z = log q(Z | y), of labels that the model makes."""
    model = random_model(published=False).float()
    with torch.random.fork_rng(devices=[]):
        weights = Weights(abundances=1.0, latents=1.0)
        training = InformedTraining(model, pixels.float(), weights=weights, batch_size=2, steps_per_epoch=1, seed=3)
        labels = Labels(*(part.double() for part in training.labels(training.anywhere(9))))
    model.double()
    terms = training.taught(labels)
    posterior = model.q.latents_from(labels.look)
    latent_mean, spread = posterior.mean.detach(), posterior.stddev.detach()
    spectra = model.p.decoder(latent_mean)
    for i, label in enumerate(labels.abundances.numpy()):
        linear = newton_stream(
            *(part[i].numpy() for part in (labels.linear, spectra, labels.found, labels.noise_variance))
        )
        np.testing.assert_allclose(labels.linear_stream[i], linear, rtol=1e-3, atol=1e-5)
        linear, seen = labels.linear_stream[i].numpy(), labels.seen[i].numpy()
        streams = 1e-3 + np.maximum(linear + model.shape.abundance_gain * dense(model.q.nonlinear, seen), 0)
        mean = streams / streams.sum()
        log_precision = dense(model.q.log_precision, seen) - np.log(
            mean * (1 - mean) * labels.logit_variance[i].numpy()
        )
        precision = np.exp(np.clip(log_precision, 0, 12))
        usual, wider = (stats.beta(k * mean, k * (1 - mean)).pdf(label) for k in (precision, precision / 10))
        np.testing.assert_allclose(terms["abundances"][i].item(), np.log(0.98 * usual + 0.02 * wider).sum(), rtol=1e-5)
        log_latents = log_isotropic(labels.latents[i].numpy(), latent_mean[i].numpy(), spread[i].numpy())
        np.testing.assert_allclose(terms["latents"][i].item(), log_latents, rtol=1e-6)


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
