"""DeepGUn: slopes are derivatives, the bound is that of a normal likelihood, and bundles teach how spectra vary."""

from __future__ import annotations

import numpy as np
import torch
from shaded_scene import NAMES, materials, shaded_scene, varied, wavelengths
from torch.distributions import Normal, kl_divergence

from unmixel.methods.deepgun import LEAST_SD, DeepGUn, EndmemberAutoencoders, lower_bound
from unmixel.methods.fcls import FCLS
from unmixel.metrics import abundance_rmse
from unmixel.spectra import make_bundle


def untrained() -> EndmemberAutoencoders:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EndmemberAutoencoders(materials(24), 2).double().requires_grad_(False)


def test_slopes_are_the_derivatives_of_the_decoder():
    network = untrained()
    latents = torch.randn(1, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    spectra, slopes = network.float().slopes(latents.float())
    network.double()
    exact = torch.autograd.functional.jacobian(network.decode, latents)[0, :, :, 0]
    torch.testing.assert_close(spectra.double(), network.decode(latents), rtol=1e-4, atol=1e-6)
    for k in range(3):
        torch.testing.assert_close(slopes[0, k].double(), exact[k, :, k].T, rtol=1e-3, atol=1e-5)


def test_the_bound_is_likelihood_less_divergence():
    network = untrained()
    spectra = torch.as_tensor(varied(materials(24), 7, 0.1, np.random.default_rng(2)))
    counts = torch.ones(7, 3, dtype=torch.float64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        found = lower_bound(network, spectra, counts)
        torch.manual_seed(3)
        mean, log_variance = network.encode(spectra)
        posterior = Normal(mean, (0.5 * log_variance).exp())
        decoded = network.decode(posterior.mean + posterior.stddev * torch.randn_like(mean))
    variance = ((decoded - spectra) ** 2).mean((0, 2)) + (LEAST_SD * network.scale) ** 2
    likelihood = Normal(decoded, variance.sqrt()[:, None]).log_prob(spectra).sum(2).mean(0)
    expected = likelihood - kl_divergence(posterior, Normal(0.0, 1.0)).sum(2).mean(0)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0.02)


def test_spectra_that_vary_as_in_their_bundles_are_unmixed_better_than_with_their_means():
    """With bundles of spectra that vary as those of the scene, it errs a tenth less than FCLS with their means."""
    scene, truth, _ = shaded_scene(30, 30, 24, own_sd=0.15, snr_db=30, seed=0)
    bundle = make_bundle(
        varied(materials(24), 60, 0.15, np.random.default_rng(9)).transpose(1, 0, 2).reshape(180, 24),
        np.repeat(NAMES, 60).tolist(),
        wavelength=wavelengths(24),
    )
    found, fcls = (
        abundance_rmse(truth, m.fit(scene, bundle).unmix(scene).abundance.values.reshape(truth.shape))
        for m in (DeepGUn(), FCLS())
    )
    assert found < 0.9 * fcls
