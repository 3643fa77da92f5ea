r"""The generative model p: how ID-Net says a pixel comes about.

.. math::

    z_k &\sim \mathcal N(0, I_H), \quad k = 1 \dots P \\
    m_k \mid z_k &\sim \mathcal N(\mu_k(z_k), s_k^2 I) \\
    a &\sim \mathrm{Dirichlet}(1, \dots, 1) \\
    y \mid M, a &\sim \mathcal N(\max(0, M^\top a + g_y f_y(M, a)), s_y^2 I)

The decoders :math:`\mu_k` come in two kinds: networks that end in a sigmoid, as published, and decoders around the
mean of each endmember's bundle, :math:`\mu_k(z) = \bar m_k + W_k^\top z`. With the second kind the first latent is
brightness, and latents are correlated as the data say: one illumination shines on the whole pixel.

References
----------
Borsoi, Erdoğmuş, Imbiriba, Learning Interpretable Deep Disentangled Neural Networks for Hyperspectral Unmixing,
IEEE Transactions on Computational Imaging, 2023, arXiv:2310.02340.
"""

from __future__ import annotations

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Dirichlet, MultivariateNormal

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.mixing_domain import albedo_slope
from unmixel.methods.idnet.mixing_law import MixingLaw
from unmixel.nn.dense import Dense, EndmemberwiseDense
from unmixel.nn.isotropic_normal import IsotropicNormal
from unmixel.nn.two_stream import TwoStream
from unmixel.nn.unrolled_ista import normal_equations

NOISE_FLOOR = 1e-4
"""Smallest standard deviation of noise and of endmembers [reflectance]: below any sensor's."""


def decoder_sizes(n_latents: int, n_bands: int) -> list[int]:
    """Return the published widths of μ_k: H → ⌈L/10⌉ → ⌈L/4⌉+3 → ⌈1.2 L⌉+5 → L."""
    first = max(ceil(n_bands / 10), n_latents + 1)
    second = max(ceil(n_bands / 4), n_latents + 2) + 3
    return [n_latents, first, second, ceil(1.2 * n_bands) + 5, n_bands]


class NetworkDecoder(nn.Module):
    """The published decoders: a network for each endmember that ends in a sigmoid."""

    def __init__(self, n_endmembers: int, n_latents: int, n_bands: int) -> None:
        super().__init__()
        self.networks = EndmemberwiseDense(n_endmembers, decoder_sizes(n_latents, n_bands))

    def forward(self, latents: Float[Tensor, "*batch endmember latent"]) -> Float[Tensor, "*batch endmember band"]:
        return torch.sigmoid(self.networks(latents))

    def mix(
        self,
        latents: Float[Tensor, "pixel endmember latent"],
        abundances: Float[Tensor, "pixel endmember"],
        layer: nn.Linear,
    ) -> tuple[Float[Tensor, "pixel band"], Float[Tensor, "pixel hidden"]]:
        """Return Mᵀa and layer(M, a) for the mean spectra M that the latents give."""
        endmembers = self(latents)
        return linear_mixture(endmembers, abundances), layer(torch.cat([endmembers.flatten(-2), abundances], dim=-1))

    def normal_equations(
        self, latents: Float[Tensor, "*#batch endmember latent"], pixels: Float[Tensor, "*#batch band"]
    ) -> tuple[Float[Tensor, "*batch endmember endmember"], Float[Tensor, "*batch endmember"]]:
        """Return M Mᵀ and M y for the mean spectra M that the latents give."""
        return normal_equations(self(latents), pixels)

    def begin(self, means: Float[Tensor, "endmember band"]) -> None:
        """Put the mean spectra into the last biases, so that training starts near the bundles."""
        inside = means.clamp(1e-3, 1 - 1e-3)
        self.networks.biases[-1].copy_(torch.logit(inside).unsqueeze(1))


class Generative(nn.Module):
    """The distributions of p, under the names that q uses too.

    Parameters
    ----------
    decoder : Module
        From latents to mean spectra.
    n_endmembers, n_latents, n_bands : int
        P, H and L.
    mixing_gain : float
        g_y.
    law : MixingLaw
        How labels mix.
    concentration : float
        α, of p(a).
    """

    ones: Tensor
    latent_scale: Tensor
    typical_slope: Tensor

    def __init__(
        self,
        decoder: NetworkDecoder | BundleDecoder,
        *,
        n_endmembers: int,
        n_latents: int,
        n_bands: int,
        mixing_gain: float,
        law: MixingLaw,
        concentration: float,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.mixing_gain = mixing_gain
        self.law, self.concentration = law, concentration
        self.n_bands = n_bands
        n_inputs = n_endmembers * (n_bands + 1)
        self.mixing = Dense([n_inputs, n_endmembers * n_bands, n_bands, n_bands, n_bands])
        self.log_noise_sd = nn.Parameter(torch.zeros(()))
        self.log_endmember_sd = nn.Parameter(torch.zeros(n_endmembers))
        self.register_buffer("ones", torch.ones(n_endmembers), persistent=False)
        self.register_buffer("typical_slope", torch.ones(()))
        self.register_buffer("latent_scale", torch.eye(n_endmembers * n_latents))

    @property
    def noise_sd(self) -> Float[Tensor, ""]:
        """s_y [reflectance]."""
        return self.log_noise_sd.exp().clamp_min(NOISE_FLOOR)

    @property
    def endmember_sd(self) -> Float[Tensor, "endmember"]:
        """s_k [reflectance]."""
        return self.log_endmember_sd.exp().clamp_min(NOISE_FLOOR)

    @property
    def left_over_sd(self) -> Float[Tensor, "endmember band"]:
        """Spread of the spectra that no latent holds [reflectance]: that along the hidden axes, and s_k."""
        variance = self.endmember_sd.square().unsqueeze(-1).expand(-1, self.n_bands)
        if isinstance(self.decoder, BundleDecoder):
            variance = variance + self.decoder.hidden_axes.square().sum(1)
        return variance.sqrt()

    def latents(self) -> MultivariateNormal:
        """p(Z) over all latents of a pixel, flattened to (endmember · latent)."""
        location = torch.zeros_like(self.latent_scale[0])
        return MultivariateNormal(location, scale_tril=self.latent_scale, validate_args=False)

    def endmembers(self, latents: Float[Tensor, "*batch endmember latent"]) -> IsotropicNormal:
        """p(M | Z), independent over the endmembers."""
        return IsotropicNormal(self.decoder(latents), self.endmember_sd)

    def vary(self, endmembers: Float[Tensor, "pixel endmember band"]) -> Float[Tensor, "pixel endmember band"]:
        """Add what no latent holds of the endmembers' variability."""
        return self.decoder.vary(endmembers) if isinstance(self.decoder, BundleDecoder) else endmembers

    def abundances(self) -> Dirichlet:
        """p(a)."""
        return Dirichlet(self.concentration * self.ones, validate_args=False)

    @torch.no_grad()
    def begin_noise(self, pixels: Float[Tensor, "pixel band"]) -> None:
        """See how steep albedo is in the median pixel, in which the noise is s_y."""
        if self.law.albedo:
            self.typical_slope.copy_(albedo_slope(pixels).square().mean(-1).median().sqrt())

    def noise(
        self, mixed: Float[Tensor, "pixel band"], abundances: Float[Tensor, "pixel endmember"]
    ) -> Float[Tensor, "pixel band"]:
        r"""Draw noise of the variance :math:`s_y^2 + \sum_k a_k^2 s_k^2`.

        In albedo it grows with dw/dρ, because what sensors are noisy in is reflectance.
        """
        variance = self.noise_sd.square() + abundances.square() @ self.endmember_sd.square()
        noise = variance.sqrt().unsqueeze(-1) * torch.randn_like(mixed)
        return noise * albedo_slope(mixed) / self.typical_slope if self.law.albedo else noise

    def mix(
        self,
        endmembers: Float[Tensor, "*batch endmember band"],
        abundances: Float[Tensor, "*batch endmember"],
    ) -> TwoStream:
        """Return the linear mixture Mᵀa and the nonlinear part g_y f_y(M, a)."""
        nonlinear = self.mixing(torch.cat([endmembers.flatten(-2), abundances], dim=-1))
        return TwoStream(linear_mixture(endmembers, abundances), self.mixing_gain * nonlinear)

    def mix_at(
        self, latents: Float[Tensor, "pixel endmember latent"], abundances: Float[Tensor, "pixel endmember"]
    ) -> TwoStream:
        """Return the same for the mean spectra that the latents give."""
        first, *rest = self.mixing
        assert isinstance(first, nn.Linear)
        linear, hidden = self.decoder.mix(latents, abundances, first)
        for layer in rest:
            hidden = layer(hidden)
        return TwoStream(linear, hidden.mul_(self.mixing_gain))

    def pixel(
        self,
        endmembers: Float[Tensor, "*batch endmember band"],
        abundances: Float[Tensor, "*batch endmember"],
    ) -> IsotropicNormal:
        """p(y | M, a)."""
        return IsotropicNormal(torch.relu(self.mix(endmembers, abundances).output), self.noise_sd)


def linear_mixture(
    endmembers: Float[Tensor, "*batch endmember band"], abundances: Float[Tensor, "*batch endmember"]
) -> Float[Tensor, "*batch band"]:
    """Return Mᵀa."""
    return (endmembers * abundances.unsqueeze(-1)).sum(-2)
