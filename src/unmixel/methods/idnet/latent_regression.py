r"""The linear stream of q(Z | y): latents by Bayesian linear regression on a pixel, abundances by least squares.

With decoders :math:`m_k = \bar m_k + W_k^\top z_k` and known abundances a, a pixel is linear in its latents,

.. math:: y = \bar M^\top a + \sum_k a_k W_k^\top z_k + n, \quad n \sim \mathcal N(0, s^2 I), \quad
          s^2 = s_y^2 + \sum_k a_k^2 s_k^2,

so that with the prior :math:`Z \sim \mathcal N(0, \Lambda^{-1})` and :math:`J_{kh} = a_k W_{kh}` their posterior is

.. math:: \Sigma = (\Lambda + J J^\top / s^2)^{-1}, \qquad \mu = \Sigma\, J (y - \bar M^\top a) / s^2.

The abundances come from non-negative least squares with the endmembers that the latents give, and the two take turns.
What is nonlinear, and what the abundances' own uncertainty does to the latents, is left to the networks of q.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.nn.unrolled_ista import UnrolledISTA

N_ROUNDS = 3


class Regressed(NamedTuple):
    """What the regression finds in every pixel.

    Attributes
    ----------
    abundances : tensor, shape (pixel, endmember)
    mean, variance : tensor, shape (pixel, endmember, latent)
        Of the latents.
    """

    abundances: Tensor
    mean: Tensor
    variance: Tensor


class LatentRegression(nn.Module):
    """Latents and abundances of pixels, in turns. Nothing here is trained.

    Parameters
    ----------
    n_endmembers, n_latents, n_bands : int
        P, H and L.
    """

    means: Tensor
    axes: Tensor
    precision: Tensor
    noise_variance: Tensor
    endmember_variance: Tensor

    def __init__(self, n_endmembers: int, n_latents: int, n_bands: int) -> None:
        super().__init__()
        n = n_endmembers * n_latents
        self.register_buffer("means", torch.zeros(n_endmembers, n_bands))
        self.register_buffer("axes", torch.zeros(n_endmembers, n_latents, n_bands))
        self.register_buffer("precision", torch.eye(n))
        self.register_buffer("noise_variance", torch.ones(()))
        self.register_buffer("endmember_variance", torch.ones(n_endmembers))
        self.least_squares = UnrolledISTA(10).requires_grad_(False)

    @torch.no_grad()
    def forward(self, pixels: Float[Tensor, "*batch band"]) -> Regressed:
        """Return abundances and latents after a few turns."""
        batch, pixels = pixels.shape[:-1], pixels.reshape(-1, pixels.shape[-1])
        axes = self.axes.flatten(0, 1)
        gram, on_means, projected = axes @ axes.T, axes @ self.means.T, pixels @ axes.T
        endmembers = self.means.expand(len(pixels), *self.means.shape)
        for turn in range(N_ROUNDS):
            abundances = self.least_squares(endmembers, pixels)
            abundances = abundances / abundances.sum(-1, keepdim=True).clamp_min(1e-6)
            spread = abundances.repeat_interleave(self.axes.shape[1], dim=-1)
            variance = self.noise_variance + abundances.square() @ self.endmember_variance
            weighted = spread.unsqueeze(-1) * spread.unsqueeze(-2) * gram / variance[:, None, None]
            factor = torch.linalg.cholesky_ex(self.precision + weighted)[0]
            target = spread * (projected - abundances @ on_means.T) / variance[:, None]
            mean = torch.cholesky_solve(target.unsqueeze(-1), factor).squeeze(-1)
            latents = mean.view(-1, *self.axes.shape[:2])
            if turn < N_ROUNDS - 1:
                endmembers = self.means + torch.einsum("nkh,khl->nkl", latents, self.axes)
        uncertainty = torch.cholesky_inverse(factor).diagonal(dim1=-2, dim2=-1)
        return Regressed(
            abundances.view(*batch, -1),
            latents.view(*batch, *latents.shape[1:]),
            uncertainty.reshape(*batch, *latents.shape[1:]),
        )
