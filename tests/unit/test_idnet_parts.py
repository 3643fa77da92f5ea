"""The parts of ID-Net, each against what it says it does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Dirichlet

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.fitted import quadrature_nodes
from unmixel.methods.idnet.generative import NOISE_FLOOR, Generative, NetworkDecoder, decoder_sizes
from unmixel.methods.idnet.inference import concentration_of
from unmixel.methods.idnet.informed_training import ABSENT, as_believed
from unmixel.methods.idnet.mixing_law import MIXING_LAWS
from unmixel.methods.idnet.pairs import (
    SHRINK,
    bilinear_part,
    inside,
    label_abundances,
    mixed_pairs,
    pure_pairs,
    stack_bundles,
)
from unmixel.methods.idnet.start import (
    N_FEATURES,
    OWN_BRIGHTNESS,
    SMALLEST_BRIGHTNESS_SD,
    VARIABILITIES,
    observe,
    start_from,
)
from unmixel.mixing import fan, linear

P, H, L = 3, 2, 11


@pytest.fixture(autouse=True)
def own_randomness():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(13)
        yield


def bundle_decoder() -> BundleDecoder:
    decoder = BundleDecoder(P, H, L).double()
    rng = np.random.default_rng(2)
    decoder.means.copy_(torch.as_tensor(rng.uniform(0.2, 0.8, size=(P, L))))
    decoder.axes.copy_(torch.as_tensor(rng.normal(scale=0.1, size=(P, H, L))))
    return decoder


def generative(decoder, mixing: str = "linear", covariance: np.ndarray | None = None) -> Generative:
    p = Generative(
        decoder, n_endmembers=P, n_latents=H, n_bands=L, mixing_gain=0.1, law=MIXING_LAWS[mixing], concentration=1.0
    )
    if covariance is not None:
        p.latent_scale.copy_(torch.linalg.cholesky(torch.as_tensor(covariance)))
    return p


def covariance() -> np.ndarray:
    """Of the latents, every two of them correlated, with ones on the diagonal."""
    return np.corrcoef(np.random.default_rng(6).normal(size=(P * H, 3 * P * H)))


# decoders and p


def test_bundle_decoders_are_affine():
    decoder = bundle_decoder()
    latents = torch.randn(4, 5, P, H).double()
    expected = decoder.means.numpy() + np.einsum("bnkh,khl->bnkl", latents, decoder.axes.numpy())
    np.testing.assert_allclose(decoder(latents), expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["bundle", "network"])
def test_normal_equations_are_those_of_the_decoded_spectra(kind):
    decoder = bundle_decoder() if kind == "bundle" else NetworkDecoder(P, H, L).double()
    latents, pixels = torch.randn(4, 5, P, H).double(), torch.rand(5, L).double()
    spectra = decoder(latents).detach().numpy()
    gram, projected = decoder.normal_equations(latents, pixels)
    np.testing.assert_allclose(gram.detach(), np.einsum("bnkl,bnjl->bnkj", spectra, spectra), atol=1e-12)
    np.testing.assert_allclose(projected.detach(), np.einsum("bnkl,nl->bnk", spectra, pixels), atol=1e-12)


def test_widths_of_the_published_decoders():
    assert decoder_sizes(2, 156) == [2, 16, 42, 193, 156]
    assert decoder_sizes(2, 198) == [2, 20, 53, 243, 198]
    assert all(width > 4 for width in decoder_sizes(4, 5)[1:]), "latents pass through no bottleneck"


def test_published_decoders_start_around_the_mean_spectra():
    decoder = NetworkDecoder(P, H, L)
    means = torch.rand(P, L)
    means[0, 0] = 0.0
    with torch.no_grad():
        decoder.begin(means)
        spectra = decoder(torch.zeros(1, P, H))[0]
        around = decoder(torch.randn(500, P, H))
    assert bool((spectra - means).abs().max() < 0.1)
    assert bool((around > 0).all() and (around < 1).all())


def test_standard_deviations_have_a_floor():
    p = generative(bundle_decoder())
    with torch.no_grad():
        p.log_noise_sd.fill_(-50)
        p.log_endmember_sd.fill_(-50)
    np.testing.assert_allclose([p.noise_sd.item(), *p.endmember_sd.tolist()], NOISE_FLOOR, rtol=1e-6)


def test_latents_are_standard_normal_unless_their_covariance_is_told():
    plain, told = generative(bundle_decoder()), generative(bundle_decoder(), covariance=covariance())
    np.testing.assert_array_equal(plain.latents().covariance_matrix, np.eye(P * H))
    np.testing.assert_allclose(told.latents().covariance_matrix, covariance(), atol=1e-6)


def test_pixels_are_not_negative():
    p = generative(bundle_decoder()).double()
    assert bool((p.pixel(-torch.ones(4, P, L).double(), torch.full((4, P), 1 / 3).double()).mean >= 0).all())


# starting values


def test_start_finds_brightness_axes_and_noise():
    rng = np.random.default_rng(8)
    n_bands, n_pure, n_mixed = 40, 400, 200
    band = np.linspace(0, 1, n_bands)
    means = np.array([0.25 + 0.35 * band, 0.6 - 0.3 * np.exp(-(((band - 0.5) / 0.15) ** 2))])
    wave = np.array([np.sin(9 * np.pi * band), np.cos(13 * np.pi * band)])
    basis = np.linalg.qr(np.concatenate([means, wave]).T)[0].T
    directions, sizes, brightness_sd = basis[2:], np.array([0.25, 0.4]), np.array([0.08, 0.16])
    noise_sd = 0.008

    def spectra(k: int, n: int) -> np.ndarray:
        own = means[k] + sizes[k] * rng.normal(size=(n, 1)) * directions[k]
        return np.exp(brightness_sd[k] * rng.normal(size=(n, 1))) * own

    pure = [spectra(k, n_pure) for k in range(2)]
    share = rng.uniform(0.1, 0.7, size=(n_mixed, 1))
    mixed = share * spectra(0, n_mixed) + (1 - share) * spectra(1, n_mixed)
    pixels = np.concatenate([*pure, mixed])
    pixels = (pixels + rng.normal(scale=noise_sd, size=pixels.shape)).astype(np.float32)
    bundles = (pixels[:30], pixels[n_pure : n_pure + 40])

    start = start_from(observe(pixels, bundles), 2, 0.1, variability="scene")
    np.testing.assert_allclose(start.means, [bundle.mean(axis=0) for bundle in bundles], atol=1e-6)
    np.testing.assert_allclose(start.noise_sd, noise_sd, rtol=0.2)
    np.testing.assert_allclose(start.offset, pixels.mean(axis=0), atol=1e-6)
    assert (start.endmember_sd < noise_sd).all(), "nothing but noise is left over"
    np.testing.assert_allclose(np.diag(start.latent_covariance), 1)
    shared = 0.1**2 / (0.1**2 * (1 + OWN_BRIGHTNESS**2) + SMALLEST_BRIGHTNESS_SD**2)
    expected = np.eye(4)
    expected[0, 2] = expected[2, 0] = shared
    np.testing.assert_allclose(start.latent_covariance, expected, atol=2e-4)
    for k in range(2):
        spread = start.axes[k, 0] @ start.means[k] / (start.means[k] @ start.means[k])
        np.testing.assert_allclose(start.axes[k, 0], spread * start.means[k], atol=1e-9)
        np.testing.assert_allclose(spread, 0.1 / np.sqrt(shared), rtol=1e-6)
        size = np.linalg.norm(start.axes[k, 1])
        assert abs(start.axes[k, 1] @ directions[k]) / size > 0.98
        np.testing.assert_allclose(size, sizes[k], rtol=0.15)


def test_latents_reproduce_how_the_spectra_in_the_bundle_vary():
    """In the span of brightness and axes, plus the brightness that all endmembers share."""
    rng = np.random.default_rng(14)
    n_bands, n_latents, shared_sd = 16, 3, 0.2
    means = rng.uniform(0.2, 0.8, size=(2, n_bands))
    bundles = []
    for k, n in enumerate((40, 60)):
        direction = rng.normal(scale=0.1, size=(1, n_bands))
        amount = rng.normal(size=(n, 1))
        spectra = (1 + 0.3 * amount) * means[k] + (0.5 * amount + rng.normal(size=(n, 1))) * direction
        bundles.append(spectra + rng.normal(scale=0.01, size=spectra.shape))
    pixels = np.concatenate(bundles).astype(np.float32)
    start = start_from(observe(pixels, tuple(bundles)), n_latents, shared_sd, variability="bundle")
    covariance = start.latent_covariance.reshape(2, n_latents, 2, n_latents)
    for k, spectra in enumerate(bundles):
        own = start.axes[k]
        span = np.linalg.qr(own.T)[0]
        found = span.T @ own.T @ covariance[k, :, k] @ own @ span
        deviations = (spectra - spectra.mean(axis=0)) @ span
        mean = start.means[k] @ span
        expected = deviations.T @ deviations / len(spectra) + (shared_sd**2 + SMALLEST_BRIGHTNESS_SD**2) * np.outer(
            mean, mean
        )
        np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
        assert abs(covariance[k, 0, k, 1]) > 0.2, "brightness and shape vary together in these bundles"
    between = start.axes[0].T @ covariance[0, :, 1] @ start.axes[1]
    np.testing.assert_allclose(between, shared_sd**2 * np.outer(*start.means), rtol=1e-3, atol=1e-7)


def test_features_are_white():
    rng = np.random.default_rng(9)
    pixels = (rng.dirichlet(np.ones(4), size=500) @ rng.uniform(0.1, 0.9, size=(4, 30))).astype(np.float32)
    pixels += rng.normal(scale=0.02, size=pixels.shape).astype(np.float32)
    start = observe(pixels, (pixels[:3], pixels[5:9], pixels[20:21]))
    assert start.features.shape == (N_FEATURES, 30)
    features = (pixels - start.offset) @ start.features.T
    covariance = np.cov(features.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.01
    np.testing.assert_allclose(np.diag(covariance)[:3], 1, atol=0.01)
    assert np.diag(covariance).max() < 1.01


@pytest.mark.parametrize("variability", VARIABILITIES)
@pytest.mark.parametrize(("n_pixels", "n_bands", "n_latents"), [(7, 20, 3), (60, 4, 5), (4, 3, 1)])
def test_start_from_few_pixels_or_bands(n_pixels, n_bands, n_latents, variability):
    rng = np.random.default_rng(n_pixels)
    pixels = rng.uniform(0.1, 0.9, size=(n_pixels, n_bands)).astype(np.float32)
    start = start_from(observe(pixels, (pixels[:1], pixels[1:3])), n_latents, 0.1, variability=variability)
    assert start.axes.shape == (2, n_latents, n_bands)
    assert all(np.isfinite(value).all() for value in start)
    assert (start.endmember_sd > 0).all()
    assert start.noise_sd > 0
    assert np.linalg.eigvalsh(start.latent_covariance).min() > 0


# labels


def bundles() -> list[torch.Tensor]:
    return [torch.rand(n, L) + k for k, n in enumerate([1, 4, 2])]


def test_pure_labels_are_spectra_of_the_bundles():
    spectra = bundles()
    stacked, sizes = stack_bundles(spectra)
    pairs = pure_pairs(stacked, sizes, 2000, 0.0)
    which = pairs.abundances.argmax(dim=1)
    torch.testing.assert_close(pairs.pixels, pairs.endmembers[torch.arange(2000), which])
    torch.testing.assert_close(pairs.abundances, inside(torch.nn.functional.one_hot(which, P).float()))
    np.testing.assert_allclose(np.bincount(which, minlength=P) / 2000, 1 / 3, atol=0.04)
    for k, own in enumerate(spectra):
        same = (pairs.endmembers[:, k, None] == own).all(dim=-1)
        assert bool((same.sum(dim=1) == 1).all()), "an endmember that is no spectrum of its bundle"
        np.testing.assert_allclose(same.float().mean(dim=0), 1 / len(own), atol=0.04)
    assert pairs.latents is None


def test_pure_labels_have_the_noise_asked_for():
    stacked, sizes = stack_bundles(bundles())
    pairs = pure_pairs(stacked, sizes, 3000, 0.25)
    noise = pairs.pixels - pairs.endmembers[torch.arange(3000), pairs.abundances.argmax(dim=1)]
    np.testing.assert_allclose(noise.std(), 0.25, rtol=0.03)


def test_labels_lie_inside_the_simplex():
    corner = inside(torch.eye(P))
    np.testing.assert_allclose(corner.sum(dim=-1), 1, atol=1e-6)
    np.testing.assert_allclose(corner.min(), SHRINK, rtol=1e-5)
    for n_endmembers in (2, 7):
        abundances = label_abundances(9000, n_endmembers, 0.5, torch.device("cpu"))
        np.testing.assert_allclose(abundances.sum(dim=-1), 1, atol=1e-5)
        assert float(abundances.min()) >= SHRINK * (1 - 1e-5)
        mean = 1 / n_endmembers
        face, near_corner, spread = abundances.reshape(3, 3000, n_endmembers).numpy()
        for part in (face, near_corner, spread):
            np.testing.assert_allclose(part.mean(axis=0), mean, atol=0.04)
        for part, concentration in ((near_corner, 0.1), (spread, 0.5)):
            variance = mean * (1 - mean) / (n_endmembers * concentration + 1)
            np.testing.assert_allclose(part.var(axis=0), variance, rtol=0.15)
        assert 0.25 < (face < 2 * SHRINK).mean() < 0.75, "a random part of the endmembers is absent"


def test_bilinear_part_is_fans_less_linear_mixing():
    rng = np.random.default_rng(1)
    endmembers, abundances = rng.uniform(0.1, 0.9, size=(8, 4, L)), rng.dirichlet(np.ones(4), size=8)
    expected = fan(abundances, endmembers) - linear(abundances, endmembers)
    found = bilinear_part(torch.as_tensor(endmembers), torch.as_tensor(abundances))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("mixing", "quantiles"), [("linear", (0, 0)), ("fan", (0.966, 1)), ("generalised bilinear", (0.08, 0.62))]
)
def test_mixed_labels_mix_as_the_law_says(mixing, quantiles):
    """γ is normal, clipped to 0 to 1: its quartiles are those of N(1, 0.05²) and N(0.35, 0.4²)."""
    p = generative(bundle_decoder().float(), mixing)
    with torch.no_grad():
        p.log_noise_sd.fill_(-20)
        p.log_endmember_sd.fill_(-20)  # both at their floor
    n = 4000
    pairs = mixed_pairs(p, label_abundances(n, P, 1.0, torch.device("cpu")))
    assert pairs.latents.shape == (n, P, H)
    np.testing.assert_allclose(pairs.abundances.sum(dim=-1), 1, atol=1e-5)
    endmembers, abundances = pairs.endmembers.numpy().astype(float), pairs.abundances.numpy().astype(float)
    light = (endmembers > 0).all(axis=(1, 2)) & (abundances.max(axis=1) < 0.9)
    plain = linear(abundances, endmembers)[light]
    twice = fan(abundances, endmembers)[light] - plain
    share = ((pairs.pixels.numpy()[light] - plain) * twice).sum(axis=1) / (twice**2).sum(axis=1)
    np.testing.assert_allclose(pairs.pixels.numpy()[light], plain + share[:, None] * twice, atol=8 * NOISE_FLOOR)
    assert (share > -0.01).all()
    assert (share < 1.01).all()
    np.testing.assert_allclose(np.quantile(share, (0.25, 0.75)), quantiles, atol=0.03)


def test_mixed_labels_come_from_p_with_its_noise():
    p = generative(bundle_decoder().float(), covariance=covariance())
    with torch.no_grad():
        p.log_noise_sd.fill_(math.log(0.3))
        p.log_endmember_sd.copy_(torch.tensor([0.1, 0.2, 0.4]).log())
    told = label_abundances(9000, P, 1.0, torch.device("cpu"))
    pairs = mixed_pairs(p, told)
    assert torch.equal(pairs.abundances, told)
    np.testing.assert_allclose(pairs.endmembers, p.decoder(pairs.latents), atol=1e-6)
    np.testing.assert_allclose(np.cov(pairs.latents.flatten(1).T), covariance(), atol=0.05)
    for k, endmember_sd in enumerate((0.1, 0.2, 0.4)):
        nearly_pure = (pairs.abundances[:, k] > 0.99) & (pairs.endmembers[:, k].min(dim=-1).values > 0)
        noise = pairs.pixels[nearly_pure] - pairs.endmembers[nearly_pure, k]
        np.testing.assert_allclose(noise.std(), np.hypot(0.3, endmember_sd), rtol=0.05)
    assert not any(part.requires_grad for part in pairs)


def test_mixed_labels_vary_along_the_hidden_axes():
    decoder = bundle_decoder().float()
    decoder.hidden_axes[1, 2] = 0.05 * torch.linspace(-1, 1, L)
    p = generative(decoder)
    with torch.no_grad():
        p.log_noise_sd.fill_(-20)
        p.log_endmember_sd.fill_(-20)
    n = 5000
    pairs = mixed_pairs(p, torch.tensor([0.1, 0.6, 0.3]).expand(n, P))
    extra = pairs.pixels.numpy() - linear(pairs.abundances.numpy(), pairs.endmembers.numpy())
    kept = (pairs.pixels.numpy() > 8 * NOISE_FLOOR).all(axis=1)
    assert kept.mean() > 0.5
    scale = 0.6 * 0.05 * np.linspace(-1, 1, L)
    amount = extra[kept] @ scale / (scale @ scale)
    np.testing.assert_allclose(amount.std(), 1, atol=0.1)
    np.testing.assert_allclose(extra[kept], amount[:, None] * scale, atol=8 * NOISE_FLOOR)


def test_labels_as_believed_lie_on_the_simplex_and_lack_some_small_abundances():
    believed = torch.tensor([[0.62, 0.34, 0.04], [0.06, 0.88, 0.06]]).repeat(4000, 1)
    labels = as_believed(believed)
    np.testing.assert_allclose(labels.sum(dim=-1), 1, atol=1e-5)
    assert float(labels.min()) >= SHRINK * (1 - 1e-5)
    torch.testing.assert_close(labels[1::2], inside(believed[1::2]))
    without = labels[::2, 2] < 2 * SHRINK
    np.testing.assert_allclose(without.float().mean(), ABSENT, atol=0.03)
    torch.testing.assert_close(labels[::2][~without], inside(believed[::2])[~without])
    rest = torch.tensor([[0.62, 0.34, 0.0]]) / 0.96
    torch.testing.assert_close(labels[::2][without], inside(rest).expand(int(without.sum()), P))


# what a fitted model stores and uses


def test_concentration_has_the_mean_and_the_total_variance():
    rng = np.random.default_rng(3)
    mean = torch.as_tensor(rng.dirichlet(np.ones(4), size=9))
    variance = torch.as_tensor(rng.uniform(0.01, 0.1, size=(9, 1))) * mean * (1 - mean) * 0.9
    dirichlet = Dirichlet(concentration_of(mean, variance))
    np.testing.assert_allclose(dirichlet.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(dirichlet.variance.sum(-1), variance.sum(-1), rtol=1e-9)


def test_concentration_is_positive_at_the_extremes():
    mean = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    found = concentration_of(mean, torch.tensor([[0.0, 0.0], [0.25, 0.25]]))
    assert bool(torch.isfinite(found).all())
    assert bool((found >= 0).all())


@pytest.mark.parametrize("n_nodes", [1, 2, 8, 16])
def test_nodes_are_centred_and_always_the_same(n_nodes):
    nodes = quadrature_nodes(n_nodes, P, H)
    assert nodes.shape == (n_nodes, P, H)
    np.testing.assert_allclose(nodes.mean(dim=0), 0, atol=1e-6)
    assert torch.equal(nodes, quadrature_nodes(n_nodes, P, H))
