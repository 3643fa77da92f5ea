r"""Labels that ID-Net makes for itself: pixels whose endmembers and abundances are known.

Two kinds:

- *pure* (published): M is made of one spectrum of each bundle, a is one of the unit vectors, y = Mᵀa + noise;
- *mixed*: the generative model is asked for endmembers, Z ~ p(Z), M = μ(Z), abundances are drawn over the whole
  simplex, its faces and its corners, or are those believed of the scene, and they mix by the law that was chosen for
  it. The latents are known too.

References
----------
Fan, Hu, Miller, Li, Comparative study between a new nonlinear model and common linear model for analysing laboratory
simulated-forest hyperspectral data, International Journal of Remote Sensing, 2009, doi 10.1080/01431160802558659.
Halimi, Altmann, Dobigeon, Tourneret, Nonlinear unmixing of hyperspectral images using a generalized bilinear model,
IEEE TGRS, 2011, doi 10.1109/TGRS.2010.2098414.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Dirichlet, Distribution

from unmixel.methods.idnet.mixing_law import MixingLaw

SHRINK = 1e-3
"""How far a label on the simplex boundary is moved inside: the Dirichlet has no finite density there."""


@runtime_checkable
class LabelModel(Protocol):
    """What the labels ask of p."""

    law: MixingLaw

    @property
    def noise_sd(self) -> Tensor: ...
    @property
    def endmember_sd(self) -> Tensor: ...
    def latents(self) -> Distribution: ...
    def endmembers(self, latents: Tensor) -> Distribution: ...
    def vary(self, endmembers: Tensor) -> Tensor: ...
    def noise(self, mixed: Tensor, abundances: Tensor) -> Tensor: ...


class Pairs(NamedTuple):
    """A batch of labelled pixels.

    Attributes
    ----------
    pixels : tensor, shape (pixel, band)
    endmembers : tensor, shape (pixel, endmember, band)
    abundances : tensor, shape (pixel, endmember)
        Inside the simplex.
    latents : tensor, shape (pixel, endmember, latent), optional
        Known for mixed labels only.
    """

    pixels: Tensor
    endmembers: Tensor
    abundances: Tensor
    latents: Tensor | None


def inside(abundances: Float[Tensor, "pair endmember"]) -> Float[Tensor, "pair endmember"]:
    """Return (1 − Pε) a + ε: the abundances moved off the simplex boundary."""
    return (1 - abundances.shape[-1] * SHRINK) * abundances + SHRINK


def stack_bundles(
    bundles: Sequence[Float[Tensor, "_ band"]],
) -> tuple[Float[Tensor, "endmember spectrum band"], Float[Tensor, "endmember"]]:
    """Return bundles of different sizes as one array, filled up with zeros, and their sizes."""
    sizes = torch.tensor([float(len(spectra)) for spectra in bundles], device=bundles[0].device)
    return torch.nn.utils.rnn.pad_sequence(list(bundles), batch_first=True), sizes


def pure_pairs(
    bundles: Float[Tensor, "endmember spectrum band"],
    sizes: Float[Tensor, "endmember"],
    n_pairs: int,
    noise_sd: float,
) -> Pairs:
    """Draw published labels: a random spectrum of every bundle, a random endmember alone in the pixel."""
    n_endmembers, device = len(bundles), bundles.device
    spectrum = (torch.rand(n_pairs, n_endmembers, device=device) * sizes).long()
    endmembers = bundles[torch.arange(n_endmembers, device=device), spectrum]
    which = torch.randint(n_endmembers, (n_pairs,), device=device)
    abundances = torch.nn.functional.one_hot(which, n_endmembers).to(endmembers.dtype)
    pixels = endmembers[torch.arange(n_pairs, device=device), which]
    pixels = pixels + noise_sd * torch.randn_like(pixels)
    return Pairs(pixels, endmembers, inside(abundances), None)


def label_abundances(
    n_pairs: int, n_endmembers: int, alpha: float, device: torch.device
) -> Float[Tensor, "pair endmember"]:
    """Draw abundances of which a third each are those of p(a), the same on a random face, and near corners."""
    concentration = torch.full((n_pairs, n_endmembers), alpha, device=device)
    third = n_pairs // 3
    on_face = torch.rand(third, n_endmembers, device=device) < 0.5
    concentration[:third] = torch.where(on_face, alpha, 1e-2)
    concentration[third : 2 * third] = 0.1
    return inside(Dirichlet(concentration, validate_args=False).sample())


def bilinear_part(
    endmembers: Float[Tensor, "pair endmember band"], abundances: Float[Tensor, "pair endmember"]
) -> Float[Tensor, "pair band"]:
    r"""Return light that met two materials, :math:`\sum_{j<k} a_j a_k\, m_j \odot m_k` (Fan et al. 2009)."""
    shares = endmembers * abundances.unsqueeze(-1)
    return 0.5 * (shares.sum(-2).square() - shares.square().sum(-2))


@torch.no_grad()
def mixed_pairs(p: LabelModel, abundances: Float[Tensor, "pair endmember"]) -> Pairs:
    """Draw labels with these abundances: latents and bilinear shares from p.

    Each pixel has its own bilinear share, as the mixing law of p says (the generalised bilinear model, with one share
    for all pairs). The endmembers are the mean spectra μ(Z), which q is given when it unmixes, too; their noise goes to
    the pixel, where its variance is :math:`s_y^2 + \\sum_k a_k^2 s_k^2`.
    """
    n_pairs, n_endmembers = abundances.shape
    latents = p.latents().sample((n_pairs,)).unflatten(-1, (n_endmembers, -1))
    endmembers = p.endmembers(latents).mean
    varied = p.vary(endmembers)
    linear = (varied * abundances.unsqueeze(-1)).sum(-2)
    share = p.law.share_mean + p.law.share_sd * torch.randn(n_pairs, 1, device=endmembers.device)
    share = share.clamp(0, 1)
    mixed = torch.relu(linear + share * bilinear_part(varied, abundances))
    return Pairs(mixed + p.noise(mixed, abundances), endmembers, abundances, latents)
