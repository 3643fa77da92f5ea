"""A fitted ID-Net: posterior abundances, latents and spectra of pixels."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from scipy.linalg import hadamard
from torch import Tensor

from unmixel.errors import ParameterError
from unmixel.methods._method import Method
from unmixel.methods._parts import Parts
from unmixel.methods._pixelwise import BLOCK, SPECTRA_BLOCK, filled_blocks
from unmixel.methods._probabilistic import ProbabilisticFitted
from unmixel.methods._spectra_statistics import spectra_statistics
from unmixel.methods.idnet.expected_misfit import expected_variance
from unmixel.methods.idnet.generative import linear_mixture
from unmixel.methods.idnet.inference import Look, concentration_of
from unmixel.methods.idnet.mixing_domain import to_domain, to_reflectance
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.pairs import label_abundances, mixed_pairs
from unmixel.methods.idnet.regression import MOST_STEPS
from unmixel.nn.two_stream import TwoStream
from unmixel.scene import good_bands
from unmixel.train.seeding import seeded, threads

if TYPE_CHECKING:
    from unmixel.methods.idnet.method import IDNet


def device_of(name: str) -> torch.device:
    """Return the device of that name.

    Raises
    ------
    ParameterError
        If torch does not know it, or it is not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(f"device {name!r}", "cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ParameterError(f"device {name!r}", "cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ParameterError(
            f"device {name!r} on a machine with {torch.cuda.device_count()} CUDA devices",
            "a device that is there",
            "use cpu",
        )
    return device


def quadrature_nodes(n_nodes: int, n_endmembers: int, n_latents: int) -> Float[Tensor, "node endmember latent"]:
    """Return nodes of a standard normal, the same for all pixels and in every call: a two-level orthogonal design.

    Each latent is ±1 in the nodes, with mean 0 and variance 1; latents are uncorrelated over the nodes as long as there
    are more nodes than latents, and otherwise as many of them as there are columns, the first latents of all endmembers
    first. A single node is the origin.

    References
    ----------
    Plackett & Burman, The design of optimum multifactorial experiments, Biometrika, 1946, doi 10.1093/biomet/33.4.305.

    Examples
    --------
    >>> nodes = quadrature_nodes(8, 3, 2).flatten(1)
    >>> bool((nodes.T @ nodes / 8 == torch.eye(6)).all())
    True
    """
    if n_nodes == 1:
        return torch.zeros(1, n_endmembers, n_latents)
    columns = hadamard(n_nodes)[:, 1:]
    latent_first = np.arange(n_endmembers * n_latents) % columns.shape[1]
    design = columns[:, latent_first].reshape(n_nodes, n_latents, n_endmembers)
    return torch.as_tensor(design.transpose(0, 2, 1).copy(), dtype=torch.float32)


class Posterior(NamedTuple):
    """What q believes of pixels.

    Attributes
    ----------
    abundances, abundance_sd : tensor, shape (pixel, endmember)
        Means and standard deviations, given the mean latents.
    concentration : tensor, shape (pixel, endmember)
        Of the Dirichlet with these means and the sum of these variances.
    latents, latent_sd : tensor, shape (pixel, endmember, latent)
        Means and standard deviations.
    streams : TwoStream
        What the abundances are made of.
    """

    abundances: Tensor
    abundance_sd: Tensor
    concentration: Tensor
    latents: Tensor
    latent_sd: Tensor
    streams: TwoStream


class FittedIDNet(ProbabilisticFitted):
    """ID-Net fitted to a scene."""

    method: IDNet

    def __init__(self, method: IDNet, scene: xr.DataArray, endmember: tuple[str, ...], model: IDNetModel) -> None:
        super().__init__(method, scene, endmember)
        self.model = model.eval().requires_grad_(False)
        self.device = next(model.parameters()).device
        shape = model.shape
        self.nodes = quadrature_nodes(method.n_nodes, shape.n_endmembers, shape.n_latents).to(self.device)

    @torch.inference_mode()
    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        with threads(self.method.threads):
            posterior = self.posterior_of(self.model.q.look(self._mixing(pixels)))
            of_mixing, rmse = self.explained(pixels, posterior)
            found = {
                "abundance": posterior.abundances,
                "abundance_sd": posterior.abundance_sd,
                "concentration": posterior.concentration,
                "latent_mean": posterior.latents,
                "latent_sd": posterior.latent_sd,
                "nonlinearity_degree": torch.stack([of_mixing, posterior.streams.nonlinearity_degree], dim=-1),
            }
            maps = {name: tensor.cpu().numpy() for name, tensor in found.items()}
            return {**maps, "reconstruction_rmse": rmse}

    @torch.inference_mode()
    def posterior_of(self, look: Look) -> Posterior:
        """Return what q believes of pixels, given a look at what mixes linearly in them."""
        q, decoder = self.model.q, self.model.p.decoder
        latents = q.latents_from(look)
        linear = q.linear_stream(*decoder.normal_equations(latents.mean, look.linear), look)
        streams = q.streams_around(linear, look.seen)
        marginals = q.marginals_of(streams, look)
        mean, variance = marginals.mean, marginals.variance
        return Posterior(mean, variance.sqrt(), concentration_of(mean, variance), latents.mean, latents.stddev, streams)

    @torch.inference_mode()
    def explained(
        self, pixels: Float[np.ndarray, "pixel band"], posterior: Posterior
    ) -> tuple[Float[Tensor, "pixel"], Float[np.ndarray, "pixel"]]:
        """Return how nonlinear p's pixels at the posterior means are, and how far they are from the pixels."""
        p, latents, abundances = self.model.p, posterior.latents, posterior.abundances
        mixing = p.mix_at(latents, abundances)
        reconstructed = self._reflectance(torch.relu(mixing.output))
        if self.model.shape.albedo:
            spectra = torch.from_numpy(self._reflectance(p.decoder(latents))).to(self.device)
            linear_part = linear_mixture(spectra, abundances)
            mixing = TwoStream(linear_part, torch.from_numpy(reconstructed).to(self.device) - linear_part)
        misfit = reconstructed - pixels
        return mixing.nonlinearity_degree, np.sqrt(np.einsum("ij,ij->i", misfit, misfit) / misfit.shape[1])

    @torch.inference_mode()
    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        p, parts = self.model.p, []
        with threads(self.method.threads):
            for _, n, block in filled_blocks(pixels, SPECTRA_BLOCK):
                mixing = self._mixing(block)
                look = self.model.q.look(mixing)
                posterior = self.posterior_of(look)
                latents, abundances = posterior.latents, posterior.abundances
                mixed = torch.relu(p.mix_at(latents, abundances).output)
                sd = expected_variance(p, look, mixing, abundances, mixed).sqrt()
                either = self._reflectance(torch.stack([mixed - sd, mixed + sd]))
                shares = abundances.cpu().numpy()[:, :, None] * self._reflectance(p.decoder(latents))
                nonlinear = self._reflectance(mixed) - shares.sum(axis=1)
                parts.append([array[:n] for array in (block, shares, nonlinear, (either[1] - either[0]) / 2)])
        return Parts(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    @torch.inference_mode()
    def spectra_of(
        self, latents: Float[np.ndarray, "pixel endmember latent"]
    ) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the endmember spectra that latents give: their mean in p, what no latent holds left out.

        Parameters
        ----------
        latents : array, shape (pixel, endmember, latent)
            In prior standard deviations [1], e.g. ``latent_mean`` of a result.

        Returns
        -------
        array, shape (pixel, endmember, band)
            Reflectance over the good bands.

        Raises
        ------
        ParameterError
            If there is not a finite number for each latent of each endmember.
        """
        shape = self.model.shape
        if latents.shape[1:] != (shape.n_endmembers, shape.n_latents) or not np.isfinite(latents).all():
            raise ParameterError(
                f"latents of shape {latents.shape}",
                f"finite numbers of shape (pixel, {shape.n_endmembers}, {shape.n_latents})",
            )
        with threads(self.method.threads):
            told = torch.as_tensor(np.asarray(latents, dtype=np.float32), device=self.device)
            return self._reflectance(self.model.p.decoder(told))

    def _mixing(self, pixels: Float[np.ndarray, "pixel band"]) -> Tensor:
        """Return, on the device, what mixes linearly in the pixels."""
        return torch.from_numpy(to_domain(pixels, albedo=self.model.shape.albedo)).to(self.device)

    def _reflectance(self, mixed: Tensor) -> np.ndarray:
        """Return the reflectance of what mixes linearly."""
        return to_reflectance(mixed.cpu().numpy(), albedo=self.model.shape.albedo)

    @torch.inference_mode()
    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        shape = (len(pixels), self.model.shape.n_endmembers, self.model.shape.n_bands)
        mean, sd = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        with threads(self.method.threads):
            for first, n, block in filled_blocks(pixels, SPECTRA_BLOCK):
                posterior = self.model.q.latents(self._mixing(block))
                decoded = self.model.p.decoder(posterior.mean + posterior.stddev * self.nodes.unsqueeze(1))[:, :n]
                left_over = self.model.p.left_over_sd
                spectra = self._reflectance(torch.cat([decoded + left_over, decoded - left_over]))
                mean[first : first + n] = spectra.mean(axis=0)
                sd[first : first + n] = spectra.std(axis=0)
        return mean, sd

    @torch.inference_mode()
    def _draws_of(self, pixels: Float[np.ndarray, "pixel band"], n_draws: int, seed: int) -> dict[str, np.ndarray]:
        """Return draws of latents, and of abundances given the mean latents."""
        y = self._mixing(pixels)
        drawn: dict[str, list[np.ndarray]] = {"abundance": [], "latents": []}
        with seeded(seed, self.device), threads(self.method.threads):
            look = self.model.q.look(y)
            of_latents = self.model.q.latents_from(look)
            equations = self.model.p.decoder.normal_equations(of_latents.mean, look.linear)
            of_abundances = self.model.q.abundances_from(*equations, look)
            for _ in range(n_draws):
                drawn["abundance"].append(of_abundances.sample().cpu().numpy())
                drawn["latents"].append(of_latents.sample().cpu().numpy())
        return {name: np.stack(draws) for name, draws in drawn.items()}

    @torch.inference_mode()
    def _drawn_pixels(
        self, n_pixels: int, seed: int
    ) -> tuple[Float[np.ndarray, "pixel band"], Float[np.ndarray, "pixel endmember"]]:
        """Return pixels drawn as the labels of training are (`unmixel.methods.idnet.pairs`), but other ones.

        Raises
        ------
        ParameterError
            If the model is a published one: its labels are pure pixels of the bundles, which a fitted model does not
            keep.
        """
        if self.method.published:
            raise ParameterError(
                "pixels drawn from a published ID-Net", "the default one", "fit one with published=False"
            )
        p, pixels, abundances = self.model.p, [], []
        other_than_training = int(np.random.SeedSequence([self.method.seed, seed]).generate_state(1)[0])
        with seeded(other_than_training, self.device), threads(self.method.threads):
            for first in range(0, n_pixels, BLOCK):
                size = min(BLOCK, n_pixels - first)
                drawn = mixed_pairs(p, label_abundances(size, len(self.endmember), p.concentration, self.device))
                pixels.append(self._reflectance(drawn.pixels))
                abundances.append(drawn.abundances.cpu().numpy())
        return np.concatenate(pixels), np.concatenate(abundances)

    @torch.inference_mode()
    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        with threads(self.method.threads):
            y = self._mixing(pixels)
            decoded = self.model.p.decoder(self.model.q.latents(y).mean)
            weights = self.model.q.abundances(decoded, y).mean
        return spectra_statistics(self._reflectance(decoded), weights.cpu().numpy())

    def _state(self) -> dict[str, np.ndarray]:
        state = {name: tensor.cpu().numpy() for name, tensor in self.model.state_dict().items()}
        shape = self.model.shape
        state["shape"] = np.array([float(getattr(shape, field.name)) for field in fields(shape)])
        return state

    @classmethod
    def _from_state(cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> FittedIDNet:
        idnet = cast("IDNet", method)
        numbers = dict(zip([field.name for field in fields(Shape)], state.pop("shape"), strict=True))
        kinds = {"float": float, "int": int, "bool": bool}
        shape = Shape(**{f.name: kinds[str(f.type)](numbers[f.name]) for f in fields(Shape)})
        if not _possible(shape, len(endmember), int(good_bands(scene).sum()), sum(a.size for a in state.values())):
            raise ValueError(f"a model of shape {shape}")
        with seeded(0, torch.device("cpu")):
            model = IDNetModel(shape)
        try:
            model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        if (regression := model.q.regression) is not None and not 0 < int(regression.n_steps) <= MOST_STEPS:
            raise ValueError(f"a regression of {int(regression.n_steps)} steps")
        try:
            device = device_of(idnet.device)
        except ParameterError:  # fitted on a machine with another GPU
            device = torch.device("cpu")
        return cls(idnet, scene, endmember, model.to(device))


def _possible(shape: Shape, n_endmembers: int, n_bands: int, n_stored: int) -> bool:
    """Return whether a model can be of a shape that so many stored numbers claim, before it is made."""
    if min(shape.n_latents, shape.n_bands) < 1 or min(shape.n_features, shape.n_ista) < 0:
        return False
    n_needed = max(shape.n_latents * n_endmembers * n_bands, shape.n_features * n_bands, shape.n_ista)
    return (shape.n_endmembers, shape.n_bands) == (n_endmembers, n_bands) and n_needed <= n_stored
