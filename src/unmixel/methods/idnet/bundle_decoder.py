"""Decoders around bundles: the mean spectrum of each endmember and the axes along which it varies."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.nn.narrow_product import narrow_product

N_LEFT_OVER = 6
"""Hidden axes along which spectra are seen to vary."""


def n_hidden_axes(n_endmembers: int) -> int:
    """Return how many axes of variability no latent holds: some seen, and one towards each other endmember."""
    return N_LEFT_OVER + n_endmembers - 1


class BundleDecoder(nn.Module):
    r"""Linear decoders around the mean of each bundle: :math:`\mu_k(z) = \bar m_k + W_k^\top z`.

    Their values are set from data and not trained. Materials also vary along `hidden_axes`, which no latent holds: what
    can't be told from a pixel is not asked of it, but it is in the labels, and so in the uncertainty.

    Parameters
    ----------
    n_endmembers, n_latents, n_bands : int
        P, H and L.
    """

    means: Tensor
    axes: Tensor
    hidden_axes: Tensor

    def __init__(self, n_endmembers: int, n_latents: int, n_bands: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(n_endmembers, n_bands))
        self.register_buffer("axes", torch.zeros(n_endmembers, n_latents, n_bands))
        self.register_buffer("hidden_axes", torch.zeros(n_endmembers, n_hidden_axes(n_endmembers), n_bands))

    def forward(self, latents: Float[Tensor, "*batch endmember latent"]) -> Float[Tensor, "*batch endmember band"]:
        batch, shape = latents.shape[:-2], latents.shape[-2:]
        per_endmember = latents.reshape(-1, *shape).transpose(0, 1)
        spectra = torch.baddbmm(self.means.unsqueeze(1), per_endmember, self.axes).transpose(0, 1)
        return spectra.reshape(*batch, *spectra.shape[1:])

    def vary(self, endmembers: Float[Tensor, "pixel endmember band"]) -> Float[Tensor, "pixel endmember band"]:
        """Add a random variation along the hidden axes, standard normal along each."""
        n_pixels, n_endmembers, _ = endmembers.shape
        amounts = torch.randn(n_endmembers, n_pixels, self.hidden_axes.shape[1], device=endmembers.device)
        return endmembers + torch.bmm(amounts, self.hidden_axes).transpose(0, 1)

    @property
    def basis(self) -> Float[Tensor, "endmember term band"]:
        """B, of each endmember: its mean spectrum, then its axes."""
        return torch.cat([self.means.unsqueeze(1), self.axes], dim=1)

    def mix(
        self,
        latents: Float[Tensor, "pixel endmember latent"],
        abundances: Float[Tensor, "pixel endmember"],
        layer: nn.Linear,
    ) -> tuple[Float[Tensor, "pixel band"], Float[Tensor, "pixel hidden"]]:
        """Return Mᵀa and layer(M, a) for the spectra M that the latents give, without making the spectra."""
        shares = (with_one(latents) * abundances.unsqueeze(-1)).flatten(-2)
        of_spectra, of_abundances = layer.weight.split([self.means.numel(), len(self.means)], dim=-1)
        of_means = layer.bias + of_spectra @ self.means.flatten()
        of_axes = torch.bmm(self.axes, of_spectra.unflatten(-1, self.means.shape).permute(1, 2, 0)).flatten(0, 1)
        seen = torch.cat([torch.ones_like(abundances[:, :1]), latents.flatten(-2), abundances], dim=-1)
        hidden = narrow_product(seen, torch.cat([of_means.unsqueeze(0), of_axes, of_abundances.T]).T)
        return narrow_product(shares, self.basis.flatten(0, 1).T), hidden

    def normal_equations(
        self, latents: Float[Tensor, "*#batch endmember latent"], pixels: Float[Tensor, "*#batch band"]
    ) -> tuple[Float[Tensor, "*batch endmember endmember"], Float[Tensor, "*batch endmember"]]:
        r"""Return M Mᵀ and M y for the spectra M that the latents give, without making the spectra.

        With :math:`m_k = c_k^\top B_k`, :math:`c_k = (1, z_k)` and :math:`B_k = (\bar m_k, W_k)`, their products are
        :math:`c_j^\top (B_j B_k^\top) c_k` and :math:`c_k^\top (B_k y)`. Both lie in memory with pixels along it.
        """
        basis = self.basis
        n_endmembers, n_terms, _ = basis.shape
        basis = basis.flatten(0, 1)
        batch = torch.broadcast_shapes(latents.shape[:-2], pixels.shape[:-1])
        coordinates = with_one(latents).expand(*batch, -1, -1).movedim((-2, -1), (0, 1)).contiguous()
        inner = (basis @ basis.T).view(n_endmembers, n_terms, -1).mT
        left = torch.bmm(inner, coordinates.flatten(2)).view(n_endmembers, *coordinates.shape)
        gram = (left * coordinates).sum(2)
        on_pixels = (
            narrow_product(pixels, basis).expand(*batch, -1).movedim(-1, 0).unflatten(0, (n_endmembers, n_terms))
        )
        projected = (coordinates * on_pixels).sum(1)
        return gram.movedim((0, 1), (-2, -1)), projected.movedim(0, -1)


def with_one(latents: Float[Tensor, "*batch endmember latent"]) -> Float[Tensor, "*batch endmember term"]:
    """Return c = (1, z): what B is multiplied by."""
    return torch.cat([torch.ones_like(latents[..., :1]), latents], dim=-1)
