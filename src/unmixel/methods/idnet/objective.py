r"""What ID-Net maximises: the evidence bound of the scene, the labels, and less of what nobody needs.

Per scene pixel y, with one draw of Z ~ q(Z|y), M ~ q(M|Z), a ~ q(a|M,y),

.. math:: B(y) = \log p(y|M,a) + \log p(a) - \log q(a|M,y) + \log p(Z) - \log q(Z|y),

where log p(M|Z) − log q(M|Z) = 0 is never computed. Per labelled pixel (y, M, a), with draws Z_j ~ q(Z|y) and weights
w_j ∝ q(M|Z_j) that sum to one and carry no gradient,

.. math::

    B_\ell(y,M,a) &= \log p(y|M,a) + \log p(a) - \log q(a|M,y) + \sum_j w_j [\log p(Z_j) - \log q(Z_j|y)] \\
    S_a(y,M,a) &= \log q(a|M,y), \qquad S_m(y,M) = \tfrac1J \sum_j \log q(M|Z_j), \qquad S_z(y,Z) = \log q(Z|y).

S_z is the one term the paper has not: where a label's latents are known, it teaches their posterior, width and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from unmixel.methods.idnet.pairs import Pairs


@runtime_checkable
class GenerativeModel(Protocol):
    """What the objective asks of p."""

    def latents(self) -> Distribution: ...
    def endmembers(self, latents: Tensor) -> Distribution: ...
    def abundances(self) -> Distribution: ...
    def pixel(self, endmembers: Tensor, abundances: Tensor) -> Distribution: ...


@runtime_checkable
class InferenceModel(Protocol):
    """What the objective asks of q."""

    def latents(self, pixels: Tensor) -> Distribution: ...
    def endmembers(self, latents: Tensor) -> Distribution: ...
    def abundances(self, endmembers: Tensor, pixels: Tensor) -> Distribution: ...


class Draw(NamedTuple):
    """One draw of everything hidden in each pixel of a batch.

    Attributes
    ----------
    latents : tensor, shape (pixel, endmember, latent)
    endmembers : tensor, shape (pixel, endmember, band)
    abundances : tensor, shape (pixel, endmember)
    """

    latents: Tensor
    endmembers: Tensor
    abundances: Tensor


class Posterior(NamedTuple):
    """What is believed of a batch of pixels.

    Attributes
    ----------
    latents : Distribution
        q(Z | y).
    abundances : Distribution
        q(a | M, y), given a draw of M.
    """

    latents: Distribution
    abundances: Distribution


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What each term of the objective counts, per pixel.

    Attributes
    ----------
    scene_likelihood, scene_divergence : float
        Of the two parts of B: the likelihood of the scene's pixels, and what q may not stray from p.
    labelled : float
        λ, of B_l.
    abundances, endmembers : float
        1 + β, of S_a and S_m.
    latents : float
        Of S_z.
    sparsity : float
        τ, of the concentration's quasi-norm.
    abundance_decay, mixing_decay : float
        λ_e and λ_d, of the Frobenius norms of the weights of f_a and f_y.
    """

    scene_likelihood: float = 0.0
    scene_divergence: float = 0.0
    labelled: float = 0.0
    abundances: float = 0.0
    endmembers: float = 0.0
    latents: float = 0.0
    sparsity: float = 0.0
    abundance_decay: float = 0.0
    mixing_decay: float = 0.0


Terms = dict[str, Tensor]
"""Terms of the objective under the names of `Weights`: one value per pixel, or one in all for the norms."""

PENALTIES = ("sparsity", "abundance_decay", "mixing_decay")


def total(terms: Terms, weights: Weights) -> Float[Tensor, ""]:
    """Return the objective, to be maximised: the weighted sum of per-pixel means, less the penalties."""
    signed = [(-1 if name in PENALTIES else 1) * getattr(weights, name) * t.mean() for name, t in terms.items()]
    return torch.stack(signed).sum()


def draw(q: InferenceModel, pixels: Float[Tensor, "pixel band"]) -> tuple[Draw, Posterior]:
    """Draw Z ~ q(Z|y), M ~ q(M|Z), a ~ q(a|M,y), differentiably; return what the draws come from, too."""
    of_latents = q.latents(pixels)
    latents = of_latents.rsample()
    endmembers = q.endmembers(latents).rsample()
    of_abundances = q.abundances(endmembers, pixels)
    return Draw(latents, endmembers, of_abundances.rsample()), Posterior(of_latents, of_abundances)


def scene_terms(
    p: GenerativeModel, posterior: Posterior, pixels: Float[Tensor, "pixel band"], hidden: Draw
) -> tuple[Float[Tensor, "pixel"], Float[Tensor, "pixel"]]:
    """Return the two parts of B(y): log p(y|M,a), and log p(a) − log q(a|M,y) + log p(Z) − log q(Z|y)."""
    divergence = (
        p.abundances().log_prob(hidden.abundances)
        - posterior.abundances.log_prob(hidden.abundances)
        + p.latents().log_prob(hidden.latents.flatten(-2))
        - posterior.latents.log_prob(hidden.latents)
    )
    return p.pixel(hidden.endmembers, hidden.abundances).log_prob(pixels), divergence


def quasi_norm(concentration: Float[Tensor, "pixel endmember"]) -> Float[Tensor, "pixel"]:
    r"""Return :math:`\lVert c \rVert_{1/2} = (\sum_k \sqrt{c_k})^2`: the smaller, the sparser.

    Examples
    --------
    >>> quasi_norm(torch.tensor([[4.0, 0.0], [2.0, 2.0]]))
    tensor([4.0000, 8.0000])
    """
    return concentration.sqrt().sum(-1).square()


def frobenius_norm(network: nn.Module) -> Float[Tensor, ""]:
    """Return the Frobenius norm of all weight matrices of a network together; biases are free."""
    weights = [w.flatten() for w in network.parameters() if w.ndim > 1]
    return torch.stack([w.dot(w) for w in weights]).sum().sqrt()


def importance_weights(log_likelihood: Float[Tensor, "draw pair"]) -> Float[Tensor, "draw pair"]:
    """Return w_j ∝ q(M|Z_j), summing to one over the draws; they carry no gradient."""
    return torch.softmax(log_likelihood.detach(), dim=0)


def effective_sample_size(weights: Float[Tensor, "draw pair"]) -> Float[Tensor, "pair"]:
    """Return 1 / Σ w_j², between 1 and the number of draws."""
    return 1 / weights.square().sum(0)


def labelled_terms(
    p: GenerativeModel,
    q: InferenceModel,
    pairs: Pairs,
    posterior: Distribution,
    latents: Float[Tensor, "draw pair endmember latent"],
) -> tuple[Float[Tensor, "pair"], Float[Tensor, "pair"], Float[Tensor, "pair"], Float[Tensor, "draw pair"]]:
    """Return B_l, S_a and S_m for every labelled pixel, and the weights of the draws of its latents from q(Z|y)."""
    log_endmembers = q.endmembers(latents).log_prob(pairs.endmembers).sum(-1)
    weights = importance_weights(log_endmembers)
    log_abundances = q.abundances(pairs.endmembers, pairs.pixels).log_prob(pairs.abundances)
    gap = p.latents().log_prob(latents.flatten(-2)) - posterior.log_prob(latents)
    bound = (
        p.pixel(pairs.endmembers, pairs.abundances).log_prob(pairs.pixels)
        + p.abundances().log_prob(pairs.abundances)
        - log_abundances
        + (weights * gap).sum(0)
    )
    return bound, log_abundances, log_endmembers.mean(0), weights
