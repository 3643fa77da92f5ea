"""PGMSU: a variational autoencoder whose latents bend the endmember spectra in every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fitted_networks import NetworkFitted
from unmixel.methods._networks import (
    HEADROOM,
    NetworkMethod,
    scale_of,
    taught_abundances,
    was_interrupted,
)
from unmixel.methods._parts import Parts
from unmixel.methods._pixelwise import SPECTRA_BLOCK, PixelwiseFitted, filled_blocks
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._spectra_statistics import spectra_statistics
from unmixel.nn.angle import angle_of
from unmixel.nn.dense import NormalisedDense, begin_by_xavier
from unmixel.nn.narrow_product import Linear
from unmixel.nn.standard_normal import divergence_from_standard
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.train.seeding import threads
from unmixel.whole_numbers import LARGEST_SEED

LEAST_NOISE = 1e-3
"""Smallest standard deviation of the noise that is believed, relative to what a spectrum can reach."""
LEAST_DIVERGENCE = 0.2
"""Divergence of the latents below which it isn't pressed [nat]."""
ANCHOR = 0.1
"""Weight of the endmembers' distance to the given ones in the first half of training."""
HELD = 10.0
"""Weight of the abundances' distance to those of least squares in the first half of training."""
STEPS_PER_EPOCH = 10
FEWEST, MOST = 64, 512
"""Pixels of a step: a tenth of those trained on, but no fewer and no more."""


class Belief(NamedTuple):
    """What the encoders say of pixels.

    Attributes
    ----------
    abundances : tensor, shape (pixel, endmember)
    mean, log_variance : tensor, shape (pixel, latent)
        Of q(z | y).
    """

    abundances: Tensor
    mean: Tensor
    log_variance: Tensor


class GenerativeNetwork(nn.Module):
    """Two encoders, for latents and abundances, and a decoder from latents to the spectra of all endmembers."""

    scale: Tensor

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"], n_latents: int) -> None:
        super().__init__()
        p, n_bands = endmembers.shape
        self.shape = endmembers.shape
        self.register_buffer("scale", torch.tensor(HEADROOM * scale_of(endmembers)))
        self.latents = NormalisedDense([n_bands, 32 * p, 16 * p, 4 * p], nn.ReLU)
        self.latent_mean = Linear(4 * p, n_latents)
        self.latent_log_variance = Linear(4 * p, n_latents)
        to_abundances = NormalisedDense([n_bands, 32 * p, 16 * p, 4 * p, 4 * p], nn.ReLU)
        self.abundances = nn.Sequential(to_abundances, Linear(4 * p, p))
        to_spectra = NormalisedDense([n_latents, 4 * p, 64 * p], nn.ReLU)
        self.decoder = nn.Sequential(to_spectra, Linear(64 * p, p * n_bands))
        self.apply(begin_by_xavier)
        with torch.no_grad():
            last = self.decoder[1]
            assert isinstance(last, Linear)
            last.weight *= 0.1
            inside = torch.from_numpy(endmembers / float(self.scale)).clamp(1e-3, 1 - 1e-3)
            last.bias.copy_(torch.logit(inside).flatten())

    def look(self, pixels: Float[Tensor, "pixel band"]) -> Belief:
        """Return what the encoders say."""
        pixels = pixels / self.scale
        hidden = self.latents(pixels)
        abundances = torch.softmax(self.abundances(pixels), dim=1)
        return Belief(abundances, self.latent_mean(hidden), self.latent_log_variance(hidden))

    def spectra(self, latents: Float[Tensor, "pixel latent"]) -> Float[Tensor, "pixel endmember band"]:
        """Return the endmember spectra that latents give [reflectance]."""
        return self.scale * torch.sigmoid(self.decoder(latents)).unflatten(1, self.shape)


def mix(
    abundances: Float[Tensor, "pixel endmember"], spectra: Float[Tensor, "pixel endmember band"]
) -> Float[Tensor, "pixel band"]:
    """Return the linear mixtures of spectra that differ from pixel to pixel."""
    return (abundances.unsqueeze(2) * spectra).sum(1)


def volume(spectra: Float[Tensor, "pixel endmember band"]) -> Float[Tensor, ""]:
    """Return the mean squared distance of endmembers to their centre, in the unit of the spectra squared.

    Examples
    --------
    >>> round(float(volume(torch.tensor([[[0.0, 0.0], [0.4, 0.0]]]))), 4)
    0.02
    """
    return (spectra - spectra.mean(1, keepdim=True)).square().mean()


def spread(spectra: Float[Tensor, "pixel endmember band"]) -> Float[Tensor, ""]:
    """Return the mean angle between the spectra of an endmember and their mean over the pixels [rad]."""
    cosine = nn.functional.cosine_similarity(spectra, spectra.mean(0, keepdim=True), dim=2)
    return angle_of(cosine).mean()


class FittedPGMSU(NetworkFitted, PixelwiseFitted):
    """A trained generative network.

    Attributes
    ----------
    network : GenerativeNetwork
    """

    method: PGMSU

    @property
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """The spectra at latents 0 [reflectance]."""
        return self.network.spectra(torch.zeros(1, self.method.n_latents))[0].numpy()

    @torch.inference_mode()
    def _found(self, pixels: Float[np.ndarray, "pixel band"]) -> tuple[Belief, Tensor]:
        """Return what the encoders say, and the spectra at the mean latents."""
        with threads(self.method.threads):
            belief = self.network.look(torch.from_numpy(pixels))
            return belief, self.network.spectra(belief.mean)

    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        belief, spectra = self._found(pixels)
        misfit = mix(belief.abundances, spectra).numpy() - pixels
        rmse = np.sqrt(np.einsum("nl,nl->n", misfit, misfit) / misfit.shape[1])
        return {"abundance": belief.abundances.numpy(), "reconstruction_rmse": rmse}

    @torch.inference_mode()
    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        """Return the spectra at the mean latents, and how far those one standard deviation away are from them."""
        mean = np.empty((len(pixels), *self.network.shape), dtype=np.float32)
        sd = np.empty_like(mean)
        for first, n, block in filled_blocks(pixels, SPECTRA_BLOCK):
            belief, spectra = self._found(block)
            variance = torch.zeros_like(spectra)
            with threads(self.method.threads):
                for axis in torch.diag_embed((0.5 * belief.log_variance).exp()).unbind(1):
                    for latents in (belief.mean + axis, belief.mean - axis):
                        variance += 0.5 * (self.network.spectra(latents) - spectra).square()
            mean[first : first + n], sd[first : first + n] = spectra[:n].numpy(), variance[:n].sqrt().numpy()
        return mean, sd

    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        belief, spectra = self._found(pixels)
        shares = (belief.abundances.unsqueeze(2) * spectra).numpy()
        return Parts(pixels, shares, np.zeros_like(pixels), np.full_like(pixels, np.nan))

    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        belief, spectra = self._found(pixels)
        return spectra_statistics(spectra.numpy(), belief.abundances.numpy())


@dataclass(frozen=True, kw_only=True)
class PGMSU(NetworkMethod):
    """Probabilistic generative model for unmixing with endmember variability.

    ::

        z ~ N(0, I),   M = sigmoid(g(z)),   y ~ N(M^T a, s^2 I)
        q(z | y) = N(mu(y), diag sigma(y)^2),   a = softmax(f(y))
        minimise  mean ||y - M^T a||^2 + 2 s^2 kl KL(q(z | y) || N(0, I)) + vol V(M) + sad A(M)

    where y is a pixel over its good bands divided by 1.25 times the largest endmember reflectance, z the latents of
    the pixel, M (endmember, band) its endmember spectra, a the abundances [area fraction], V the mean squared
    distance of the endmembers of a pixel to their centre, and A the mean angle [rad] between the spectra of an
    endmember and their mean. In the first half of training, 0.1 times the squared distance of M to the given
    endmembers stands in place of V and A. See ``docs/methods/pgmsu.md``.

    Parameters
    ----------
    n_endmembers, seed, learning_rate, threads
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How the endmembers at which the decoder begins are found when no bundle is given.
    n_epochs : int
        Of each half of training, of 10 steps.
    n_latents : int
        Dimensions of z.
    divergence_weight, volume_weight, angle_weight : float
        kl, vol and sad; kl is 1 in the evidence lower bound.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    S. Shi, M. Zhao, L. Zhang, Y. Altmann and J. Chen, *Probabilistic Generative Model for Hyperspectral Unmixing
    Accounting for Endmember Variability*, IEEE TGRS 60, 2022, doi:10.1109/TGRS.2021.3121799.
    """

    name: ClassVar[str] = "pgmsu"
    summary: ClassVar[str] = "variational autoencoder: linear mixing of spectra that vary by pixel"
    reference: ClassVar[str] = "Shi, Zhao, Zhang, Altmann & Chen 2022, doi:10.1109/TGRS.2021.3121799"
    fitted_type: ClassVar[type[Fitted]] = FittedPGMSU
    positive: ClassVar[tuple[str, ...]] = (*NetworkMethod.positive, "n_latents")

    n_epochs: int = 100
    n_latents: int = 4
    divergence_weight: float = 1.0
    volume_weight: float = 0.05
    angle_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "divergence_weight", "volume_weight", "angle_weight", least=0, expected="a number from 0")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> GenerativeNetwork:
        return GenerativeNetwork(endmembers, self.n_latents)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedPGMSU:
        sample, given = self.sample_of(pixels), torch.from_numpy(endmembers.means)
        network = self.seeded_network(endmembers.means)
        taught = taught_abundances(sample.numpy(), endmembers.means)
        noise_variance = noise_variance_of(scene, pixels, seed=self.seed).mean() / float(network.scale) ** 2
        divergence_weight = self.divergence_weight * 2 * max(noise_variance, LEAST_NOISE**2)
        batch_size = int(np.clip(len(sample) // STEPS_PER_EPOCH, FEWEST, MOST))

        def step(*, anchored: bool) -> tuple[Tensor, Mapping[str, float]]:
            chosen = torch.randint(len(sample), (batch_size,))
            batch = sample[chosen]
            belief = network.look(batch)
            drawn = belief.mean + (0.5 * belief.log_variance).exp() * torch.randn_like(belief.mean)
            spectra = network.spectra(drawn) / network.scale
            misfit = (mix(belief.abundances, spectra) - batch / network.scale).square().sum(1).mean()
            kl = divergence_from_standard(belief.mean, belief.log_variance).mean()
            loss = misfit + divergence_weight * kl.clamp_min(LEAST_DIVERGENCE)
            if anchored:
                loss = loss + ANCHOR * (spectra - given / network.scale).square().sum((1, 2)).mean()
                loss = loss + HELD * (belief.abundances - taught[chosen]).square().sum(1).mean()
            else:
                loss = loss + self.volume_weight * volume(spectra) + self.angle_weight * spread(spectra)
            return loss, {"misfit": float(misfit.detach()), "divergence": float(kl.detach())}

        def lesson() -> Tensor:
            chosen = torch.randint(len(sample), (batch_size,))
            return (network.look(sample[chosen]).abundances - taught[chosen]).square().mean()

        self.teach(network, lesson)
        halves = [self.train(network, lambda: step(anchored=True), STEPS_PER_EPOCH, sample, progress, None)]
        if not was_interrupted(halves[0]):
            second = replace(self, seed=(self.seed + 1) % (LARGEST_SEED + 1))
            halves.append(
                second.train(network, lambda: step(anchored=False), STEPS_PER_EPOCH, sample, progress, checkpoint)
            )
        fitted = FittedPGMSU(self, scene, endmembers.names, network)
        fitted.record = {"noise": noise_source(scene), **halves[-1], "halves": halves}
        return fitted


METHOD = PGMSU
