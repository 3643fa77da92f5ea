r"""The inference model q: what ID-Net believes of a pixel once it has seen it.

.. math::

    q(z_k \mid y) &= \mathcal N(\mu_k^z(y), \mathrm{diag}\, \sigma_k^z(y)^2) \\
    q(m_k \mid z_k) &= p(m_k \mid z_k) \\
    q(a \mid M, y) &= \mathrm{Dirichlet}(\epsilon + K \max(0, l(M, y) + g_a f_a(y)))

with K = 10 + 100 e^κ as published. There l is the unrolled non-negative least squares of
`unmixel.nn.unrolled_ista`, and networks that see the bands give the latents.

By default l is unrolled Gauss-Newton steps on the simplex (`unmixel.nn.simplex_newton`), which start at the abundances
that `unmixel.methods.idnet.regression` finds. The networks see whitened principal components and what the regression
finds, and their output is added to its means and log-variances of the latents. Each abundance is as sure as the
regression's variance :math:`v_k` of η_k and a network say,

.. math:: a_k \mid M, y \sim \mathrm{Beta}(K_k m_k, K_k (1 - m_k)), \quad
          K_k = e^{\kappa_k(y)} / (m_k (1 - m_k) v_k), \quad m \propto \epsilon + \max(0, l + g_a f_a)

and the Dirichlet is the one with these means and the sum of these variances.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Beta, Dirichlet, Independent, Normal

from unmixel.methods.idnet.regression import Regression
from unmixel.nn.dense import Dense, EndmemberwiseDense
from unmixel.nn.isotropic_normal import IsotropicNormal
from unmixel.nn.narrow_product import narrow_product
from unmixel.nn.simplex_newton import newton_on_simplex
from unmixel.nn.two_stream import TwoStream
from unmixel.nn.unrolled_ista import UnrolledISTA, normal_equations

PRECISION_WIDTH = 32
N_NEWTON = 2
LOG_PRECISION_RANGE = (0.0, 12.0)
EPSILON = 1e-3
"""ε, the least concentration: small against K, large enough for finite log-densities."""
LOG_VARIANCE_RANGE = (-12.0, 6.0)
FARTHEST = 5.0
"""Whitened features and latents beyond it look like it to the networks: they learned from nothing that far out."""
LARGEST_CORRECTION = 3.0
"""Most that a network adds to the linear stream's latents, in prior standard deviations."""


class WhitenedComponents(nn.Module):
    """Fixed features of a pixel, (y − offset) projected on principal axes and divided by their spread.

    Parameters
    ----------
    n_features, n_bands : int
    """

    offset: Tensor
    axes: Tensor

    def __init__(self, n_features: int, n_bands: int) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(n_bands))
        self.register_buffer("axes", torch.zeros(n_features, n_bands))

    def forward(self, pixels: Float[Tensor, "*batch band"]) -> Float[Tensor, "*batch feature"]:
        return narrow_product(pixels - self.offset, self.axes).clamp(-FARTHEST, FARTHEST)


class Look(NamedTuple):
    """What q sees of pixels before any of its networks.

    Attributes
    ----------
    seen : tensor, shape (pixel, seen)
        What the networks see.
    linear : tensor, shape (pixel, band)
        The pixels without the bilinear light that the regression found in them; as published, the pixels.
    latent_mean, latent_variance : tensor, shape (pixel, endmember, latent), optional
        What the regression found of the latents.
    abundances : tensor, shape (pixel, endmember), optional
        What it found of the abundances.
    logit_variance : tensor, shape (pixel, endmember), optional
        v, marginal variances of their log-ratios.
    noise_variance : tensor, shape (pixel,), optional
        s² of its model.
    """

    seen: Tensor
    linear: Tensor
    latent_mean: Tensor | None = None
    latent_variance: Tensor | None = None
    abundances: Tensor | None = None
    logit_variance: Tensor | None = None
    noise_variance: Tensor | None = None


class Inference(nn.Module):
    """The distributions of q, under the names that p uses too.

    Parameters
    ----------
    features : Module
        From pixels to what the networks see.
    n_features : int
        Their number.
    regression : Regression, optional
        The linear stream of the latents; the networks see what it finds, too.
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
        regression: Regression | None,
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
        self.regression = regression
        self.endmembers = endmembers
        self.abundance_gain = abundance_gain
        self.n_endmembers = n_endmembers
        n_seen = n_features + (0 if regression is None else n_endmembers * (2 + h) + 1)
        self.latent_trunk = EndmemberwiseDense(n_endmembers, [n_seen, *widths])
        self.latent_mean = EndmemberwiseDense(n_endmembers, [widths[1], h])
        self.latent_log_variance = EndmemberwiseDense(n_endmembers, [widths[1], 2 * h, 2 * h, h])
        self.linear = UnrolledISTA(n_ista)
        self.nonlinear = Dense(
            [n_seen, 2 * n_bands, ceil(n_bands / 2), ceil(n_bands / 4), 4 * n_endmembers, n_endmembers]
        )
        self.log_precision: nn.Parameter | Dense
        if regression is None:
            self.log_precision = nn.Parameter(torch.zeros(()))
        else:
            self.log_precision = Dense([n_seen, PRECISION_WIDTH, PRECISION_WIDTH, n_endmembers])

    def look(self, pixels: Float[Tensor, "*batch band"]) -> Look:
        """Return what the networks see of pixels: nothing in it depends on what is trained."""
        features = self.features(pixels)
        if self.regression is None:
            return Look(features, pixels)
        found = self.regression(pixels)
        latents = found.mean.clamp(-FARTHEST, FARTHEST).flatten(-2)
        sure = 0.5 * found.logit_variance.log()
        seen = torch.cat([features, found.abundances, sure, found.bilinear_share, latents], dim=-1)
        return Look(
            seen,
            pixels - found.bilinear if self.regression.law.bilinear else pixels,
            found.mean,
            found.variance,
            found.abundances,
            found.logit_variance,
            found.noise_variance,
        )

    def latents(self, pixels: Float[Tensor, "*batch band"]) -> Independent:
        """q(Z | y), a normal with event shape (endmember, latent)."""
        return self.latents_from(self.look(pixels))

    def latents_from(self, look: Look) -> Independent:
        """Return the same, given a look at the pixels."""
        seen, _, regressed_mean, regressed_variance, *_ = look
        inputs = seen.reshape(-1, seen.shape[-1]).expand(self.n_endmembers, -1, -1)
        trunk = self.latent_trunk.by_endmember(inputs).relu_()
        outputs = [head.by_endmember(trunk).transpose(0, 1) for head in (self.latent_mean, self.latent_log_variance)]
        mean, log_variance = (output.reshape(*seen.shape[:-1], *output.shape[1:]) for output in outputs)
        if regressed_mean is not None and regressed_variance is not None:
            mean = regressed_mean + LARGEST_CORRECTION * torch.tanh(mean / LARGEST_CORRECTION)
            log_variance = regressed_variance.log() + log_variance
        sd = (0.5 * log_variance.clamp(*LOG_VARIANCE_RANGE)).exp()
        return Independent(Normal(mean, sd, validate_args=False), 2, validate_args=False)

    def streams(
        self, endmembers: Float[Tensor, "*batch endmember band"], pixels: Float[Tensor, "*#batch band"]
    ) -> TwoStream:
        """Return l(M, y) and g_a f_a(y); their sum, made non-negative, is proportional to the abundances."""
        look = self.look(pixels)
        return self.streams_from(*normal_equations(endmembers, look.linear), look)

    def streams_from(
        self,
        gram: Float[Tensor, "*batch endmember endmember"],
        projected: Float[Tensor, "*batch endmember"],
        look: Look,
    ) -> TwoStream:
        """Return the same, given M Mᵀ, M y (y without its bilinear light) and a look at the pixels."""
        return self.streams_around(self.linear_stream(gram, projected, look), look.seen)

    def linear_stream(
        self,
        gram: Float[Tensor, "*batch endmember endmember"],
        projected: Float[Tensor, "*batch endmember"],
        look: Look,
    ) -> Float[Tensor, "*batch endmember"]:
        """Return l(M, y)."""
        if self.regression is None:
            return self.linear.solve(gram, projected)
        assert look.abundances is not None
        assert look.noise_variance is not None
        alpha = self.regression.concentration
        return newton_on_simplex(gram, projected, look.abundances, look.noise_variance, N_NEWTON, alpha)

    def streams_around(
        self, linear: Float[Tensor, "*batch endmember"], seen: Float[Tensor, "*#batch seen"]
    ) -> TwoStream:
        """Return both streams, given l(M, y) and what the networks see of y."""
        nonlinear = self.abundance_gain * self.nonlinear(seen)
        return TwoStream(linear, nonlinear.expand_as(linear))

    def abundances(
        self, endmembers: Float[Tensor, "*batch endmember band"], pixels: Float[Tensor, "*#batch band"]
    ) -> Dirichlet:
        """q(a | M, y)."""
        look = self.look(pixels)
        return self.abundances_from(*normal_equations(endmembers, look.linear), look)

    def abundances_from(
        self,
        gram: Float[Tensor, "*batch endmember endmember"],
        projected: Float[Tensor, "*batch endmember"],
        look: Look,
    ) -> Dirichlet:
        """Return the same, given what `streams_from` is given."""
        return self.abundances_around(self.linear_stream(gram, projected, look), look)

    def abundances_around(self, linear: Float[Tensor, "*batch endmember"], look: Look) -> Dirichlet:
        """Return the same, given l(M, y) and a look at the pixels."""
        streams = self.streams_around(linear, look.seen)
        if isinstance(self.log_precision, Dense):
            marginals = self.marginals_of(streams, look)
            return Dirichlet(concentration_of(marginals.mean, marginals.variance), validate_args=False)
        return Dirichlet(self.published_concentration(streams), validate_args=False)

    def published_concentration(self, streams: TwoStream) -> Float[Tensor, "*batch endmember"]:
        """Return the concentration that both streams make as published."""
        assert not isinstance(self.log_precision, Dense)
        return EPSILON + (10 + 100 * self.log_precision.exp()) * torch.relu(streams.output)

    def marginals_around(self, linear: Float[Tensor, "*batch endmember"], look: Look) -> Beta:
        """Return each abundance's own distribution, given l(M, y) and a look at the pixels."""
        return self.marginals_of(self.streams_around(linear, look.seen), look)

    def marginals_of(self, streams: TwoStream, look: Look) -> Beta:
        """Return the same, given both streams: of its own precision by default, the Dirichlet's as published."""
        if not isinstance(self.log_precision, Dense):
            concentration = self.published_concentration(streams)
            return Beta(concentration, concentration.sum(-1, keepdim=True) - concentration, validate_args=False)
        assert look.logit_variance is not None
        mean = mean_of(streams)
        precision = self.precision_at(mean, look.seen, look.logit_variance)
        return Beta(precision * mean, precision * (1 - mean), validate_args=False)

    def precision_at(
        self,
        mean: Float[Tensor, "*batch endmember"],
        seen: Float[Tensor, "*#batch seen"],
        logit_variance: Float[Tensor, "*#batch endmember"],
    ) -> Float[Tensor, "*batch endmember"]:
        """Return K_k of the default."""
        assert isinstance(self.log_precision, Dense)
        curvature = (mean * (1 - mean) * logit_variance).log()
        return (self.log_precision(seen) - curvature).clamp(*LOG_PRECISION_RANGE).exp()


def mean_of(streams: TwoStream) -> Float[Tensor, "*batch endmember"]:
    """Return m, the means of the default's abundances.

    Examples
    --------
    >>> mean_of(TwoStream(torch.tensor([0.5, 0.5]), torch.tensor([0.1, -0.6]))).round(decimals=3)
    tensor([0.9980, 0.0020])
    """
    output = EPSILON + torch.relu(streams.output)
    return output / output.sum(-1, keepdim=True)


def concentration_of(
    mean: Float[Tensor, "*batch endmember"], variance: Float[Tensor, "*batch endmember"]
) -> Float[Tensor, "*batch endmember"]:
    r"""Return the Dirichlet with these means and this total variance.

    .. math:: c = m \left( \frac{\sum_k m_k (1 - m_k)}{\sum_k v_k} - 1 \right)

    Examples
    --------
    >>> dirichlet = Dirichlet(torch.tensor([[2.0, 3.0, 5.0]]))
    >>> concentration_of(dirichlet.mean, dirichlet.variance)
    tensor([[2., 3., 5.]])
    """
    spread = (mean * (1 - mean)).sum(-1, keepdim=True)
    precision = spread / variance.sum(-1, keepdim=True).clamp_min(1e-12) - 1
    return mean * precision.clamp_min(1e-3)
