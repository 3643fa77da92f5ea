r"""The inference model q: what ID-Net believes of a pixel once it has seen it.

.. math::

    q(z_k \mid y) &= \mathcal N(\mu_k^z(y), \mathrm{diag}\, \sigma_k^z(y)^2) \\
    q(m_k \mid z_k) &= p(m_k \mid z_k) \\
    q(a \mid M, y) &= \mathrm{Dirichlet}(\epsilon + K \max(0, l(M, y) + g_a f_a(y))), \quad K = 10 + 100 e^\kappa

with l the unrolled non-negative least squares of `unmixel.nn.unrolled_ista`. The networks see a pixel through fixed
features: the bands themselves, as published, or their whitened principal components.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Dirichlet, Independent, Normal

from unmixel.nn.dense import Dense, EndmemberwiseDense
from unmixel.nn.isotropic_normal import IsotropicNormal
from unmixel.nn.two_stream import TwoStream
from unmixel.nn.unrolled_ista import UnrolledISTA

EPSILON = 1e-3
"""ε, the least concentration: small against K, large enough for finite log-densities."""
LOG_VARIANCE_RANGE = (-12.0, 6.0)


class WhitenedComponents(nn.Module):
    """Fixed features of a pixel, (y − offset) projected on principal axes and divided by their spread.

    Parameters
    ----------
    offset : tensor, shape (band,)
    axes : tensor, shape (feature, band)
    """

    offset: Tensor
    axes: Tensor

    def __init__(self, offset: Tensor, axes: Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset)
        self.register_buffer("axes", axes)

    def forward(self, pixels: Float[Tensor, "*batch band"]) -> Float[Tensor, "*batch feature"]:
        return (pixels - self.offset) @ self.axes.T


class Inference(nn.Module):
    """The distributions of q, under the names that p uses too.

    Parameters
    ----------
    features : Module
        From pixels to what the networks see.
    n_features : int
        Their number.
    n_endmembers, n_latents, n_bands : int
        P, H and L.
    widths : tuple of int
        Hidden widths of the two layers that mean and log-variance of the latents share; 5H and 2H as published.
    endmembers : callable
        p(M | Z), which is q(M | Z) too.
    abundance_gain : float
        g_a.
    n_ista : int
        Unrolled steps of l.
    """

    def __init__(
        self,
        features: nn.Module,
        *,
        n_features: int,
        n_endmembers: int,
        n_latents: int,
        n_bands: int,
        widths: tuple[int, int],
        endmembers: Callable[[Tensor], IsotropicNormal],
        abundance_gain: float,
        n_ista: int,
    ) -> None:
        super().__init__()
        h = n_latents
        self.features = features
        self.endmembers = endmembers
        self.abundance_gain = abundance_gain
        self.n_endmembers = n_endmembers
        self.latent_trunk = EndmemberwiseDense(n_endmembers, [n_features, *widths])
        self.latent_mean = EndmemberwiseDense(n_endmembers, [widths[1], h])
        self.latent_log_variance = EndmemberwiseDense(n_endmembers, [widths[1], 2 * h, 2 * h, h])
        self.linear = UnrolledISTA(n_ista)
        self.nonlinear = Dense(
            [n_features, 2 * n_bands, round(n_bands / 2), round(n_bands / 4), 4 * n_endmembers, n_endmembers]
        )
        self.log_precision = nn.Parameter(torch.zeros(()))

    def latents(self, pixels: Float[Tensor, "*batch band"]) -> Independent:
        """q(Z | y), a normal with event shape (endmember, latent)."""
        seen = self.features(pixels).unsqueeze(-2)
        seen = seen.expand(*seen.shape[:-2], self.n_endmembers, seen.shape[-1])
        trunk = torch.relu(self.latent_trunk(seen))
        log_variance = self.latent_log_variance(trunk).clamp(*LOG_VARIANCE_RANGE)
        normal = Normal(self.latent_mean(trunk), (0.5 * log_variance).exp(), validate_args=False)
        return Independent(normal, 2, validate_args=False)

    def streams(
        self, endmembers: Float[Tensor, "*batch endmember band"], pixels: Float[Tensor, "*#batch band"]
    ) -> TwoStream:
        """Return l(M, y) and g_a f_a(y); their sum, made non-negative, is proportional to the abundances."""
        linear = self.linear(endmembers, pixels)
        nonlinear = self.abundance_gain * self.nonlinear(self.features(pixels))
        return TwoStream(linear, nonlinear.expand_as(linear))

    def abundances(
        self, endmembers: Float[Tensor, "*batch endmember band"], pixels: Float[Tensor, "*#batch band"]
    ) -> Dirichlet:
        """q(a | M, y)."""
        return self.dirichlet(self.streams(endmembers, pixels))

    def dirichlet(self, streams: TwoStream) -> Dirichlet:
        """Return Dirichlet(ε + K max(0, l + g_a f_a))."""
        precision = 10 + 100 * self.log_precision.exp()
        return Dirichlet(EPSILON + precision * torch.relu(streams.output), validate_args=False)
