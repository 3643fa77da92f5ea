r"""How probable pixels are under a starting model, whatever their abundances, latents and bilinear share.

With x = (η, z, γ) of `unmixel.methods.idnet.regression`, its most probable value :math:`\hat x` and the Hessian H
there, Laplace's approximation is

.. math:: \log p(y) \approx \log p(y \mid \hat x) + \log p(\hat x) - \tfrac12 \log \det \tfrac{H}{2\pi}

The pixel is compared with its reconstruction in reflectance, so that models that mix in different quantities can be
compared with each other; constants that they share are left out.

References
----------
MacKay, Bayesian interpolation, Neural Computation, 1992, doi 10.1162/neco.1992.4.3.415.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unmixel.methods.idnet.mixing_domain import to_reflectance
from unmixel.methods.idnet.regression import Mixed, Regression, State
from unmixel.nn.small_systems import solve_positive_definite

N_STEPS = 5
IMPOSSIBLE = -1e6
"""Log evidence where there is none."""


def log_evidence(
    regression: Regression,
    pixels: Float[Tensor, "pixel band"],
    reflectance: Float[np.ndarray, "pixel band"],
    *,
    model_error: float,
) -> Float[np.ndarray, "pixel"]:
    """Return log p(y) of every pixel, less a constant of the scene.

    Parameters
    ----------
    regression : Regression
        Begun from a starting model.
    pixels : tensor, shape (pixel, band)
        In what mixes linearly.
    reflectance : array, shape (pixel, band)
        The same pixels.
    model_error : float
        Standard deviation, besides the noise, that is granted to every model [reflectance].
    """
    (decoder,) = regression.decoder
    scene = regression.binned(pixels)
    state = regression.start(pixels)
    for _ in range(N_STEPS):
        state = regression.move(state, solve_positive_definite(regression.equations(state, scene)))
    hessian = regression.equations(state, scene)[:, :-1]
    curvature = torch.logdet(hessian.permute(2, 0, 1).double()) - len(hessian) * math.log(2 * math.pi)
    mixed = regression.mix(state, decoder.basis)
    reconstructed = mixed.linear if mixed.products is None else mixed.linear + state.share * mixed.products
    misfit = reflectance - to_reflectance(reconstructed.T.numpy(), albedo=regression.law.albedo)
    squared = (misfit.astype(np.float64) ** 2).mean(axis=1)
    variance = float(np.median(squared)) + model_error**2
    likelihood = -0.5 * misfit.shape[1] * (squared / variance + math.log(2 * math.pi * variance))
    found = likelihood + (log_prior(regression, state, mixed) - 0.5 * curvature).numpy()
    return np.nan_to_num(found, nan=IMPOSSIBLE)


def log_prior(regression: Regression, state: State, mixed: Mixed) -> Float[Tensor, "pixel"]:
    """Return log p(η) + log p(z) + log p(γ).

    η has one direction too many, along which all grow alike and the precision of the regression is αP/2; the prior is
    normal with that precision there, so that it leaves no trace in the evidence.
    """
    latents, precision = state.latents.flatten(0, 1), regression.precision
    normal = (
        torch.logdet(precision.double())
        - len(precision) * math.log(2 * math.pi)
        - (latents * (precision @ latents)).sum(0)
    )
    law, alpha, n_endmembers = regression.law, regression.concentration, len(mixed.abundances)
    constant = math.lgamma(n_endmembers * alpha) - n_endmembers * math.lgamma(alpha)
    constant += 0.5 * math.log(alpha * n_endmembers**2 / (4 * math.pi))
    log_density = alpha * mixed.abundances.clamp_min(1e-6).log().sum(0) + 0.5 * normal + constant
    if law.bilinear:
        share = (state.share - law.share_mean) / law.share_sd
        log_density = log_density - 0.5 * (share.square() + math.log(2 * math.pi * law.share_sd**2))
    return log_density
