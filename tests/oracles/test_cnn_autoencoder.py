"""The convolutional autoencoder: its decoder mixes neighbours, its loss is the angle, shade is no material."""

from __future__ import annotations

import numpy as np
import torch
from shaded_scene import materials, shaded_scene

from unmixel.methods._whole_scene import Image
from unmixel.methods.cnn_autoencoder import CNNAutoencoder, ConvolutionalAutoencoder, filled_image, mean_angle
from unmixel.methods.fcls import FCLS
from unmixel.metrics import abundance_rmse, spectral_angle
from unmixel.spectra import endmember_means


def test_the_decoder_begins_as_linear_mixing_and_mixes_neighbours_by_its_weights():
    endmembers = materials(24)
    network = ConvolutionalAutoencoder(endmembers, kernel_size=3)
    abundances = np.random.default_rng(1).dirichlet(np.ones(3), size=(6, 7)).astype(np.float32)
    tensor = torch.from_numpy(abundances.transpose(2, 0, 1)[None].copy())
    with torch.no_grad():
        np.testing.assert_allclose(
            network.mix(tensor)[0].permute(1, 2, 0).numpy(), abundances @ endmembers, rtol=1e-4, atol=1e-6
        )
        network.decoder.weight[:, :, 1, 2] = 0.5 * network.decoder.weight[:, :, 1, 1]  # half of the right neighbour
        right = abundances[:, [1, 2, 3, 4, 5, 6, 6]]
        mixed = network.mix(tensor)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(mixed, (abundances + 0.5 * right) @ endmembers, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(network.endmembers, 1.5 * endmembers, rtol=1e-5)


def test_the_loss_is_the_mean_angle_of_valid_pixels():
    rng = np.random.default_rng(2)
    one, other = (rng.uniform(0.1, 0.9, size=(1, 9, 4, 5)).astype(np.float32) for _ in range(2))
    valid = rng.random((1, 4, 5)) > 0.3
    expected = spectral_angle(*(image.transpose(0, 2, 3, 1)[valid] for image in (one, other))).mean()
    found = mean_angle(*(torch.from_numpy(array) for array in (one, 3 * other, valid)))
    np.testing.assert_allclose(float(found), expected, rtol=1e-5)


def test_holes_look_like_their_nearest_pixel():
    valid = np.array([[True, False, False, True]])
    image = filled_image(Image(np.array([[0.1, 0.2], [0.3, 0.4]], dtype=np.float32), valid))
    np.testing.assert_allclose(image[0, :, 0].numpy(), [[0.1, 0.1, 0.3, 0.3], [0.2, 0.2, 0.4, 0.4]])


def test_shade_is_no_material():
    """Where brightness varies by 30 %, it errs at least a fifth less than least squares with the true endmembers."""
    scene, truth, bundle = shaded_scene(30, 30, 30, brightness_sd=0.3, snr_db=30, seed=0)
    method = CNNAutoencoder(n_epochs=120, patch_size=10, kernel_size=5)
    found, fcls = (
        abundance_rmse(truth, m.fit(scene, bundle).unmix(scene).abundance.values.reshape(truth.shape))
        for m in (method, FCLS())
    )
    assert fcls > 0.2
    assert found < 0.8 * fcls


def test_trained_endmembers_are_as_bright_as_the_scene_and_not_negative():
    scene, _, bundle = shaded_scene(12, 12, 20, brightness_sd=0.1, snr_db=30, seed=3)
    fitted = CNNAutoencoder(n_epochs=3, patch_size=10, kernel_size=3).fit(scene, bundle)
    assert (fitted.endmembers >= 0).all()
    mixed = fitted.parts_at(scene).reconstruction
    pixels = scene.values.reshape(mixed.shape)
    np.testing.assert_allclose((mixed * pixels).sum(), (mixed**2).sum(), rtol=1e-3)
    assert endmember_means(bundle).shape == fitted.endmembers.shape
