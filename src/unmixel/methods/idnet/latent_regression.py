r"""The linear stream of q(Z | y): latents by Bayesian linear regression on a pixel, abundances by least squares.

With decoders :math:`m_k = \bar m_k + W_k^\top z_k` and known abundances a, a pixel is linear in its latents,

.. math:: y = \bar M^\top a + \sum_k a_k W_k^\top z_k + n, \quad n \sim \mathcal N(0, s^2 I), \quad
          s^2 = s_y^2 + \sum_k a_k^2 s_k^2,

so that with the prior :math:`Z \sim \mathcal N(0, \Lambda^{-1})` and :math:`J_{kh} = a_k W_{kh}` their posterior is

.. math:: \Sigma = (\Lambda + J J^\top / s^2)^{-1}, \qquad \mu = \Sigma\, J (y - \bar M^\top a) / s^2.

The abundances come from unrolled non-negative least squares with the mean spectra, divided by their sum. What is
nonlinear, and what the abundances' own uncertainty does to the latents, is left to the networks of q.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.nn.small_systems import invert_positive_definite
from unmixel.nn.unrolled_ista import UnrolledISTA

N_ISTA = 10


class Regressed(NamedTuple):
    """What the regression finds in every pixel.

    Attributes
    ----------
    abundances : tensor, shape (pixel, endmember)
    mean : tensor, shape (pixel, endmember, latent)
        μ, of the latents.
    variance : tensor, shape (pixel, endmember, latent)
        diag Σ.
    """

    abundances: Tensor
    mean: Tensor
    variance: Tensor


class LatentRegression(nn.Module):
    """Abundances of pixels, and their latents given these. Nothing here is trained.

    Parameters
    ----------
    decoder : BundleDecoder
        That of p; it stays a part of p.
    """

    precision: Tensor
    noise_variance: Tensor
    endmember_variance: Tensor

    def __init__(self, decoder: BundleDecoder) -> None:
        super().__init__()
        n_endmembers, n_latents, _ = decoder.axes.shape
        self._decoder = (decoder,)  # a tuple hides it from the state of this module
        self.register_buffer("precision", torch.eye(n_endmembers * n_latents))
        self.register_buffer("noise_variance", torch.ones(()))
        self.register_buffer("endmember_variance", torch.ones(n_endmembers))
        self.least_squares = UnrolledISTA(N_ISTA).requires_grad_(False)

    @torch.no_grad()
    def forward(self, pixels: Float[Tensor, "*batch band"]) -> Regressed:
        """Return abundances, then mean and variance of the latents."""
        (decoder,) = self._decoder
        batch, pixels = pixels.shape[:-1], pixels.reshape(-1, pixels.shape[-1])
        axes = decoder.axes.flatten(0, 1)
        gram, on_means, projected = axes @ axes.T, axes @ decoder.means.T, pixels @ axes.T
        on_pixels = pixels @ decoder.means.T
        between_means = (decoder.means @ decoder.means.T).expand(*on_pixels.shape, on_pixels.shape[-1])
        abundances = self.least_squares.solve(between_means, on_pixels)
        abundances = abundances / abundances.sum(-1, keepdim=True).clamp_min(1e-6)
        spread = abundances.repeat_interleave(decoder.axes.shape[1], dim=-1)
        variance = self.noise_variance + abundances.square() @ self.endmember_variance
        scaled = (spread / variance.sqrt().unsqueeze(-1)).T
        target = spread * (projected - abundances @ on_means.T) / variance.unsqueeze(-1)
        precision = scaled.unsqueeze(1) * scaled * gram.unsqueeze(-1) + self.precision.unsqueeze(-1)
        covariance = invert_positive_definite(precision)
        latents = (covariance * target.T).sum(1).T.reshape(-1, *decoder.axes.shape[:2])
        marginal_variance = covariance.diagonal()
        return Regressed(
            abundances.reshape(*batch, abundances.shape[-1]),
            latents.reshape(*batch, *latents.shape[1:]),
            marginal_variance.reshape(*batch, *latents.shape[1:]),
        )
