"""DeepGUn: a variational autoencoder of each bundle, whose latents are unmixed together with the abundances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Integer
from torch import Tensor, nn

from unmixel.extraction.bundles import angle_bundle
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fitted_networks import NetworkFitted
from unmixel.methods._networks import HEADROOM, NetworkMethod, scale_of
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._whole_scene import Image, Solution, WholeSceneFitted
from unmixel.nn.dense import EndmemberwiseDense
from unmixel.nn.standard_normal import divergence_from_standard
from unmixel.preprocess import estimate_noise, noise_source
from unmixel.solvers import fcls
from unmixel.solvers.total_variation import smooth_abundances
from unmixel.train.seeding import threads

STEPS_PER_EPOCH = 10
MOST_LATENTS, MOST_ITERATIONS = 1000, 300
LEAST_SD = 1e-3
"""Smallest standard deviation of a spectrum around its decoder, relative to the brightest endmember."""
LEAST_RIDGE = 1e-6
"""Smallest ridge of the normal equations of the latents, relative to the largest number on their diagonal."""
CHUNK = 1024
"""Pixels whose spectra are made at a time."""
DAMPING = (1.0, 10.0, 100.0)
"""Of the steps of the latents that are tried, one after the other, until the objective falls."""


def widths(n_bands: int, n_latents: int) -> list[int]:
    """Return the widths of a decoder from latents to bands.

    Examples
    --------
    >>> widths(200, 2)
    [2, 20, 53, 245, 200]
    """
    return [
        n_latents,
        max(math.ceil(n_bands / 10), n_latents + 1),
        math.ceil(n_bands / 4) + 3,
        math.ceil(1.2 * n_bands) + 5,
        n_bands,
    ]


class EndmemberAutoencoders(nn.Module):
    """A variational autoencoder of the spectra of each endmember.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Where the decoders begin.
    n_latents : int
        H.
    """

    scale: Tensor
    endmembers: Tensor

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"], n_latents: int) -> None:
        super().__init__()
        n_endmembers, n_bands = endmembers.shape
        self.n_latents = n_latents
        self.register_buffer("scale", torch.tensor(HEADROOM * scale_of(endmembers)))
        self.register_buffer("endmembers", torch.from_numpy(endmembers.copy()))
        sizes = widths(n_bands, n_latents)
        self.encoder = EndmemberwiseDense(n_endmembers, [*sizes[:0:-1], 2 * n_latents])
        self.decoder = EndmemberwiseDense(n_endmembers, sizes)
        with torch.no_grad():
            inside = (self.endmembers / self.scale).clamp(1e-3, 1 - 1e-3)
            self.decoder.weights[-1] *= 0.1
            self.decoder.biases[-1].copy_(torch.logit(inside).unsqueeze(1))

    def encode(
        self, spectra: Float[Tensor, "spectrum endmember band"]
    ) -> tuple[Float[Tensor, "spectrum endmember latent"], Float[Tensor, "spectrum endmember latent"]]:
        """Return mean and log-variance of q(z | m) [reflectance]."""
        mean, log_variance = self.encoder(spectra / self.scale).split(self.n_latents, dim=-1)
        return mean, log_variance

    def decode(self, latents: Float[Tensor, "sample endmember latent"]) -> Float[Tensor, "sample endmember band"]:
        """Return the spectra that latents give [reflectance]."""
        return self.scale * torch.sigmoid(self.decoder(latents))

    def slopes(
        self, latents: Float[Tensor, "sample endmember latent"]
    ) -> tuple[Float[Tensor, "sample endmember band"], Float[Tensor, "sample endmember latent band"]]:
        """Return the spectra that latents give, and by how much one unit of each latent changes them."""
        hidden = latents.transpose(0, 1)
        tangent = torch.eye(self.n_latents).expand(*hidden.shape[:2], -1, -1)
        layers = zip(self.decoder.weights, self.decoder.biases, strict=True)
        for i, (weight, bias) in enumerate(layers):
            if i:
                tangent = tangent * (hidden > 0).unsqueeze(2)
                hidden = hidden.relu()
            hidden = torch.baddbmm(bias, hidden, weight)
            tangent = torch.bmm(tangent.flatten(1, 2), weight).unflatten(1, tangent.shape[1:3])
        share = torch.sigmoid(hidden)
        slope = (share * (1 - share)).unsqueeze(2) * tangent
        return self.scale * share.transpose(0, 1), self.scale * slope.transpose(0, 1)


def lower_bound(
    network: EndmemberAutoencoders,
    spectra: Float[Tensor, "spectrum endmember band"],
    counts: Float[Tensor, "spectrum endmember"],
) -> Float[Tensor, "endmember"]:
    """Return the evidence lower bound of a spectrum of each endmember [nat], for the best variance.

    Parameters
    ----------
    network : EndmemberAutoencoders
    spectra : tensor, shape (spectrum, endmember, band)
    counts : tensor, shape (spectrum, endmember)
        1 for a spectrum that is there, 0 for one that fills up a shorter bundle.
    """
    mean, log_variance = network.encode(spectra)
    drawn = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
    share = counts / counts.sum(0)
    squared = ((network.decode(drawn) - spectra) / network.scale).square().mean(2)
    variance = (share * squared).sum(0) + LEAST_SD**2
    divergence = divergence_from_standard(mean, log_variance)
    n_bands = spectra.shape[2]
    likelihood = -0.5 * n_bands * (2 * math.pi * math.e * variance * network.scale**2).log()
    return likelihood - (share * divergence).sum(0)


class FittedDeepGUn(NetworkFitted, WholeSceneFitted):
    """Trained autoencoders of endmember spectra; abundances and latents are found for every scene.

    Attributes
    ----------
    network : EndmemberAutoencoders
    """

    method: DeepGUn

    @property
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """The spectra at which the decoders began [reflectance]."""
        return self.network.endmembers.numpy()

    @torch.inference_mode()
    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        pixels, means = image.pixels, self.network.endmembers
        of_bands = estimate_noise(pixels, seed=self.method.seed)[1] if image.noise_told is None else image.noise_told
        noise_variance = max(float(of_bands.mean()), (LEAST_SD * float(self.network.scale)) ** 2)
        reference = self.network.encode(means.unsqueeze(0))[0]
        latents = reference.expand(len(pixels), -1, -1).clone()
        abundances = fcls(pixels, means.numpy())
        with threads(self.method.threads):
            for i in range(self.method.n_iterations):
                gram = np.empty((len(pixels), len(means), len(means)))
                projected = np.empty((len(pixels), len(means)))
                for first in range(0, len(pixels), CHUNK):
                    part = slice(first, first + CHUNK)
                    y = torch.from_numpy(pixels[part])
                    a = torch.from_numpy(abundances[part].astype(np.float32))
                    latents[part] = self._improve(y, a, latents[part], reference, noise_variance)
                    spectra = self.network.decode(latents[part]).double().numpy()
                    gram[part] = spectra @ spectra.swapaxes(1, 2)
                    projected[part] = np.einsum("nkl,nl->nk", spectra, pixels[part].astype(np.float64))
                abundances = smooth_abundances(
                    gram, projected, abundances, image.valid, self.method.smoothness * noise_variance
                )
                if progress:
                    progress("unmix", {"iteration": i + 1, "of": self.method.n_iterations})
        return {"abundance": abundances, "latents": latents.numpy()}

    def _improve(
        self,
        pixels: Float[Tensor, "pixel band"],
        abundances: Float[Tensor, "pixel endmember"],
        latents: Float[Tensor, "pixel endmember latent"],
        reference: Float[Tensor, "1 endmember latent"],
        noise_variance: float,
    ) -> Float[Tensor, "pixel endmember latent"]:
        """Take a damped Gauss-Newton step of the latents of each pixel, if it lowers the objective there."""
        weight = self.method.latent_weight * noise_variance
        spectra, slopes = self.network.slopes(latents)
        residual = pixels - (abundances.unsqueeze(2) * spectra).sum(1)
        jacobian = (abundances[:, :, None, None] * slopes).flatten(1, 2)
        distance = (latents - reference).flatten(1)
        gradient = (jacobian @ residual.unsqueeze(2)).squeeze(2) - weight * distance
        hessian = jacobian @ jacobian.mT
        steepest = hessian.diagonal(dim1=1, dim2=2).amax(1)
        ridge = (LEAST_RIDGE * steepest).clamp_min(max(weight, float(np.finfo(np.float32).tiny)))
        ridges = ridge[:, None, None] * torch.eye(hessian.shape[1])
        best = latents.clone()
        lowest = residual.square().sum(1) + weight * distance.square().sum(1)
        open_ = torch.ones(len(pixels), dtype=torch.bool)
        for damping in DAMPING:
            tried = latents + torch.linalg.solve(hessian + damping * ridges, gradient).unflatten(1, latents.shape[1:])
            misfit = pixels - (abundances.unsqueeze(2) * self.network.decode(tried)).sum(1)
            objective = misfit.square().sum(1) + weight * (tried - reference).square().sum((1, 2))
            better = open_ & (objective < lowest)
            best[better] = tried[better]
            open_ &= ~better
            if not open_.any():
                break
        return best

    @torch.inference_mode()
    def _spectra_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        with threads(self.method.threads):
            return self.network.decode(torch.from_numpy(solution["latents"][chosen])).numpy()

    def provenance(self, scene: xr.DataArray) -> dict[str, Any]:
        return {**super().provenance(scene), "noise": noise_source(scene)}


def bundles_of(
    pixels: Float[np.ndarray, "pixel band"], endmembers: EndmemberSpectra
) -> tuple[Float[Tensor, "spectrum endmember band"], Float[Tensor, "spectrum endmember"]]:
    """Return the spectra of each endmember side by side, and 1 where they are, 0 where a shorter bundle is filled up.

    An endmember of one spectrum gets the pixels that look most like it.
    """
    rows = angle_bundle(pixels, endmembers.means)
    bundles = [
        spectra if len(spectra) > 1 else np.concatenate([spectra, pixels[own]])
        for spectra, own in zip(endmembers.spectra, rows, strict=True)
    ]
    longest = max(map(len, bundles))
    filled = np.stack([bundle[np.arange(longest) % len(bundle)] for bundle in bundles], axis=1)
    there = np.stack([np.arange(longest) < len(bundle) for bundle in bundles], axis=1)
    return torch.from_numpy(filled.astype(np.float32)), torch.from_numpy(there.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class DeepGUn(NetworkMethod):
    """DeepGUn: unmixing with deep generative endmember models.

    ::

        m_k = g_k(z_k)                      g_k: decoder of a variational autoencoder trained on the bundle of k
        minimise over A and Z:  sum_n ( ||y_n - sum_k a_nk g_k(z_nk)||^2 / 2 + w s^2 / 2 sum_k ||z_nk - z_k||^2 )
                                + t s^2 sum over neighbours n, m of |a_n - a_m|
        such that   a_nk >= 0,   sum_k a_nk = 1

    where y_n [reflectance] is a pixel over its good bands, a_n its abundances [area fraction], z_nk its latents, z_k
    those of the mean spectrum of the bundle, and s^2 the variance of the noise. It is a point estimate. See
    ``docs/methods/deepgun.md``.

    Parameters
    ----------
    n_endmembers, seed, learning_rate, threads
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How endmembers and their bundles are found when no bundle is given: a name from `unmixel.extraction`.
    n_epochs : int
        Of 10 steps, each with all spectra of the bundles.
    n_latents : int
        Dimensions of z_k.
    n_iterations : int
        How often latents and abundances take turns; at most 300.
    latent_weight, smoothness : float
        w and t.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    R. A. Borsoi, T. Imbiriba and J. C. M. Bermudez, *Deep Generative Endmember Modeling: An Application to Unsupervised
    Spectral Unmixing*, IEEE TCI 6, 2020, doi:10.1109/TCI.2019.2948726.
    """

    name: ClassVar[str] = "deepgun"
    summary: ClassVar[str] = "deep generative endmembers learnt from bundles: spectra vary by pixel, smooth abundances"
    reference: ClassVar[str] = "Borsoi, Imbiriba & Bermudez 2020, doi:10.1109/TCI.2019.2948726"
    fitted_type: ClassVar[type[Fitted]] = FittedDeepGUn
    positive: ClassVar[tuple[str, ...]] = (*NetworkMethod.positive, "n_latents", "n_iterations")

    n_epochs: int = 50
    n_latents: int = 2
    n_iterations: int = 8
    latent_weight: float = 1.0
    smoothness: float = 50.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "latent_weight", "smoothness", least=0, expected="a number from 0")
        check_range(self, "n_latents", most=MOST_LATENTS, expected=f"at most {MOST_LATENTS}")
        check_range(self, "n_iterations", most=MOST_ITERATIONS, expected=f"at most {MOST_ITERATIONS}")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> EndmemberAutoencoders:
        return EndmemberAutoencoders(endmembers, self.n_latents)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedDeepGUn:
        network = self.seeded_network(endmembers.means)
        spectra, counts = bundles_of(pixels, endmembers)

        def step() -> tuple[Tensor, Mapping[str, float]]:
            bounds = lower_bound(network, spectra, counts)
            return -bounds.mean(), {"bound": float(bounds.detach().mean())}

        record = self.train(network, step, STEPS_PER_EPOCH, spectra, progress, checkpoint)
        fitted = FittedDeepGUn(self, scene, endmembers.names, network)
        fitted.record = record
        return fitted


METHOD = DeepGUn
