"""Decoders around bundles: the mean spectrum of each endmember and the axes along which it varies."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class BundleDecoder(nn.Module):
    r"""Linear decoders around the mean of each bundle: :math:`\mu_k(z) = \bar m_k + W_k^\top z`.

    Their values are set from data and not trained.

    Parameters
    ----------
    n_endmembers, n_latents, n_bands : int
        P, H and L.
    """

    means: Tensor
    axes: Tensor

    def __init__(self, n_endmembers: int, n_latents: int, n_bands: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(n_endmembers, n_bands))
        self.register_buffer("axes", torch.zeros(n_endmembers, n_latents, n_bands))

    def forward(self, latents: Float[Tensor, "*batch endmember latent"]) -> Float[Tensor, "*batch endmember band"]:
        batch, shape = latents.shape[:-2], latents.shape[-2:]
        per_endmember = latents.reshape(-1, *shape).transpose(0, 1)
        spectra = torch.baddbmm(self.means.unsqueeze(1), per_endmember, self.axes).transpose(0, 1)
        return spectra.reshape(*batch, *spectra.shape[1:])

    def normal_equations(
        self, latents: Float[Tensor, "*#batch endmember latent"], pixels: Float[Tensor, "*#batch band"]
    ) -> tuple[Float[Tensor, "*batch endmember endmember"], Float[Tensor, "*batch endmember"]]:
        r"""Return M Mᵀ and M y for the spectra M that the latents give, without making the spectra.

        With :math:`m_k = c_k^\top B_k`, :math:`c_k = (1, z_k)` and :math:`B_k = (\bar m_k, W_k)`, their products are
        :math:`c_j^\top (B_j B_k^\top) c_k` and :math:`c_k^\top (B_k y)`.
        """
        n_endmembers, n_terms = self.axes.shape[0], self.axes.shape[1] + 1
        basis = torch.cat([self.means.unsqueeze(1), self.axes], dim=1).flatten(0, 1)
        inner = (basis @ basis.T).view(n_endmembers, n_terms, -1)
        coordinates = torch.cat([torch.ones_like(latents[..., :1]), latents], dim=-1)
        batch = coordinates.shape[:-2]
        left = torch.bmm(coordinates.reshape(-1, n_endmembers, n_terms).transpose(0, 1), inner).transpose(0, 1)
        left = left.reshape(*batch, n_endmembers, n_endmembers, n_terms)
        gram = (left * coordinates.unsqueeze(-3)).sum(-1)
        projected = ((pixels @ basis.T).unflatten(-1, (n_endmembers, n_terms)) * coordinates).sum(-1)
        return gram.expand(*projected.shape, n_endmembers), projected
