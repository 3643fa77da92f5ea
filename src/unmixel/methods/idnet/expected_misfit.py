r"""How far the model expects a pixel from its reconstruction at the posterior means.

.. math:: \sigma^2 = s_y^2 + \sum_k a_k^2 (s_k^2 + h_k^2) + (f - \hat y)^2

in every band, with what endmember k varies by along its hidden axes, :math:`h_k`, the regression's fit f and the
reconstruction :math:`\hat y` by p. The last term is what the two ways in which the model mixes disagree by. Hidden axes
towards other endmembers are left out: what varies along them counts as an abundance, and no residual shows it. As
published there are neither hidden axes nor a regression.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unmixel.methods.idnet.bundle_decoder import N_LEFT_OVER, BundleDecoder
from unmixel.methods.idnet.generative import Generative, linear_mixture
from unmixel.methods.idnet.inference import Look
from unmixel.methods.idnet.mixing_domain import albedo_slope


def expected_variance(
    p: Generative,
    look: Look,
    pixels: Float[Tensor, "pixel band"],
    abundances: Float[Tensor, "pixel endmember"],
    reconstruction: Float[Tensor, "pixel band"],
) -> Float[Tensor, "pixel band"]:
    """Return σ² of what mixes linearly.

    Parameters
    ----------
    p : Generative
    look : Look
        At the pixels.
    pixels : tensor, shape (pixel, band)
    abundances : tensor, shape (pixel, endmember)
        Posterior means.
    reconstruction : tensor, shape (pixel, band)
        By p, at the posterior means.
    """
    squares = abundances.square()
    variance = (p.noise_sd.square() + squares @ p.endmember_sd.square()).unsqueeze(-1).expand_as(pixels)
    if p.law.albedo:  # what sensors are noisy in is reflectance
        variance = variance * (albedo_slope(reconstruction) / p.typical_slope).square()
    if isinstance(p.decoder, BundleDecoder):
        variance = variance + squares @ p.decoder.hidden_axes[:, :N_LEFT_OVER].square().sum(1)
    if look.latent_mean is not None and look.abundances is not None:
        regressed = linear_mixture(p.decoder(look.latent_mean), look.abundances) + (pixels - look.linear)
        variance = variance + (torch.relu(regressed) - reconstruction).square()
    return variance
