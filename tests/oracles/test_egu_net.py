"""EGU-Net: pseudo-pure pixels are nearly pure, parts are those of its decoder, and guidance keeps endmembers apart."""

from __future__ import annotations

import numpy as np
import torch
from shaded_scene import materials, shaded_scene

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods.egu_net import EGUNet, GuidedNetwork, pseudo_pure
from unmixel.metrics import abundance_rmse


def test_pseudo_pure_pixels_are_the_purest():
    scene, truth, bundle = shaded_scene(30, 30, 24, snr_db=40, seed=0)
    spectra = tuple(row[None] for row in bundle.values.astype(np.float32))
    pure, labels = pseudo_pure(scene.values.reshape(len(truth), -1), EndmemberSpectra(("a", "b", "c"), spectra))
    assert len(pure) == 3 + 90
    np.testing.assert_allclose(labels[:3], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    assert labels.max(axis=1).mean() > 0.9 > truth.max(axis=1).mean()


def test_reconstruction_is_linear_mixture_and_what_the_decoder_adds():
    endmembers = materials(24)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GuidedNetwork(endmembers).eval()
    pixels = torch.rand(7, 24)
    with torch.no_grad():
        abundances, nonlinear = network(pixels)
        mixed = network.mix(abundances)
    np.testing.assert_allclose(abundances.numpy() @ endmembers + nonlinear.numpy(), mixed.numpy(), atol=1e-6)


def test_guidance_by_pseudo_pure_pixels_gives_endmembers_their_names():
    """Without the guide an autoencoder's abundances are of anything; with it they are of the endmembers."""
    scene, truth, bundle = shaded_scene(30, 30, 24, snr_db=30, seed=0)
    found = EGUNet(n_epochs=40).fit(scene, bundle).unmix(scene).abundance.values.reshape(truth.shape)
    constant = abundance_rmse(truth, np.broadcast_to(truth.mean(axis=0), truth.shape).copy())
    assert abundance_rmse(truth, found) < 0.5 * constant
    assert (found.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.85
