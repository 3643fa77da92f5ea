"""PGMSU: its terms are those of the bound, its decoder begins at the endmembers, and spectra follow the pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shaded_scene import materials, shaded_scene
from torch.distributions import Normal, kl_divergence

from unmixel.methods.fcls import FCLS
from unmixel.methods.pgmsu import PGMSU, GenerativeNetwork, mix, spread, volume
from unmixel.metrics import abundance_rmse, spectral_angle
from unmixel.nn.standard_normal import divergence_from_standard


def test_the_divergence_is_that_of_normal_distributions():
    rng = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 9, 4, generator=rng)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence_from_standard(mean, log_variance), expected)


def test_mixtures_volume_and_spread_are_what_they_say():
    rng = np.random.default_rng(1)
    spectra = rng.uniform(0.1, 0.9, size=(5, 3, 8)).astype(np.float32)
    abundances = rng.dirichlet(np.ones(3), size=5).astype(np.float32)
    tensor = torch.from_numpy(spectra)
    expected = np.einsum("nk,nkl->nl", abundances, spectra)
    np.testing.assert_allclose(mix(torch.from_numpy(abundances), tensor).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(float(volume(tensor)), spectra.var(axis=1).mean(), rtol=1e-4)
    mean = np.broadcast_to(spectra.mean(axis=0), spectra.shape)
    np.testing.assert_allclose(float(spread(tensor)), spectral_angle(spectra, mean.copy()).mean(), rtol=1e-4)


def test_the_decoder_begins_near_the_endmembers():
    endmembers = materials(24)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GenerativeNetwork(endmembers, 4).eval()
        spectra = network.spectra(torch.randn(50, 4)).detach().numpy()
    assert np.abs(spectra.mean(axis=0) - endmembers).max() < 0.1 * endmembers.max()


@pytest.mark.parametrize("seed", [0, 1])
def test_variability_is_explained(seed):
    """Where brightness varies by 30 %, its abundances and its spectra are nearer the truth than those of FCLS."""
    scene, truth, bundle = shaded_scene(24, 24, 24, brightness_sd=0.3, snr_db=30, seed=seed)
    fitted = PGMSU(n_epochs=25).fit(scene, bundle)
    found, fcls = fitted.unmix(scene), FCLS().fit(scene, bundle).unmix(scene)
    assert float(found.reconstruction_rmse.mean()) < 0.75 * float(fcls.reconstruction_rmse.mean())
    errors = [abundance_rmse(truth, result.abundance.values.reshape(truth.shape)) for result in (found, fcls)]
    assert errors[0] < 0.6 * errors[1]
    spectra, sd = fitted.endmembers_at(scene)
    mixed = truth @ bundle.values
    pixels = scene.values.reshape(mixed.shape)
    brightness = (pixels * mixed).sum(axis=1) / (mixed**2).sum(axis=1)
    true_spectra = brightness[:, None, None] * bundle.values
    distances = [np.sqrt(np.mean((guess - true_spectra) ** 2)) for guess in (spectra, bundle.values)]
    assert distances[0] < 0.67 * distances[1]
    assert (sd >= 0).all() and sd.mean() > 0
