"""Normal compositional model: endmembers are normal variables; the posterior of the abundances by Markov chains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._parts import Parts
from unmixel.methods._pixelwise import SPECTRA_BLOCK, filled_blocks
from unmixel.methods._probabilistic import ProbabilisticFitted
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import numbers_in, spectra_in
from unmixel.methods._spectra_statistics import spectra_statistics
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.scene import good_bands
from unmixel.solvers import fcls
from unmixel.solvers.normal_mixture import NormalMixture
from unmixel.solvers.pixel_random import PixelRandom
from unmixel.solvers.simplex_chain import SimplexChain

LEAST_NOISE = 1e-3
"""Standard deviation of the noise below which none is believed, relative to the endmembers' root mean square."""
INSIDE = 0.02
"""Share of the middle of the simplex in the abundances from which the mode is looked for."""
ROUNDED = 0.99
"""Of a variance, in single precision."""
MOST_SPREAD = 1e6
"""Root of the sum of squares of the factors, in units of the noise, above which it is lost beside their products."""
THIN = 4
MOST_DRAWS = 3_000


class FittedNCM(ProbabilisticFitted):
    """The law of the endmembers.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Means over the good bands [reflectance].
    factors : array, shape (endmember, factor, band)
        Their products are the covariances [reflectance].
    noise_variance : array, shape (band,)
    """

    method: NCM
    block: int = 256

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
        factors: Float[np.ndarray, "endmember factor band"],
        noise_variance: Float[np.ndarray, "band"],
    ) -> None:
        super().__init__(method, scene, endmember)
        self.endmembers, self.factors, self.noise_variance = endmembers, factors, noise_variance
        self._mixture = NormalMixture(
            endmembers.astype(np.float64), factors.astype(np.float64), noise_variance.astype(np.float64)
        )

    def chain_of(self, pixels: Float[np.ndarray, "pixel band"]) -> SimplexChain:
        """Return chains that draw the abundances of pixels."""
        coordinates = self._mixture.coordinates(pixels.astype(np.float64))
        start = (1 - INSIDE) * fcls(pixels, self.endmembers) + INSIDE / len(self.endmember)
        return SimplexChain(
            lambda abundances: self._mixture.log_density(coordinates, abundances),
            lambda abundances: self._mixture.slope(coordinates, abundances),
            start,
        )

    def _moments(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember"]]:
        """Return mean and variance of the posterior abundances."""
        total = np.zeros((len(pixels), len(self.endmember)))
        squares = np.zeros_like(total)
        random = PixelRandom(pixels, seed=self.method.seed)
        for draw in self.chain_of(pixels).draws(self.method.n_draws, random):
            total += draw
            squares += draw**2
        mean = total / self.method.n_draws
        return mean, np.maximum(squares / self.method.n_draws - mean**2, 1e-12)

    def _shares_of(
        self, pixels: Float[np.ndarray, "pixel band"], abundances: Float[np.ndarray, "pixel endmember"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        """Return mean and standard deviation of the endmembers of pixels, given their abundances."""
        mean, sd = self._mixture.spectra(self._mixture.coordinates(pixels.astype(np.float64)), abundances)
        return np.maximum(mean, 0.0).astype(np.float32), sd.astype(np.float32)

    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        mean, variance = self._moments(pixels)
        squared = np.empty(len(pixels))
        for first in range(0, len(pixels), SPECTRA_BLOCK):
            part = slice(first, first + SPECTRA_BLOCK)
            spectra, _ = self._shares_of(pixels[part], mean[part])
            misfit = pixels[part] - np.einsum("nk,nkl->nl", mean[part].astype(np.float32), spectra)
            squared[part] = np.einsum("nl,nl->n", misfit, misfit) / pixels.shape[1]
        return {
            "abundance": mean,
            "abundance_sd": np.sqrt(variance),
            "concentration": concentration_of(mean, variance),
            "reconstruction_rmse": np.sqrt(squared),
        }

    def _found_in(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[
        Float[np.ndarray, "pixel endmember"],
        Float[np.ndarray, "pixel endmember band"],
        Float[np.ndarray, "pixel endmember band"],
    ]:
        """Return the abundances of pixels, and mean and standard deviation of their endmembers."""
        found = []
        for _, n, block in filled_blocks(pixels, SPECTRA_BLOCK if len(pixels) <= SPECTRA_BLOCK else self.block):
            abundances = self._moments(block)[0]
            found.append([array[:n] for array in (abundances.astype(np.float32), *self._shares_of(block, abundances))])
        abundances, mean, sd = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return abundances, mean, sd

    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        return self._found_in(pixels)[1:]

    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        abundances, spectra, _ = self._found_in(pixels)
        sd = np.broadcast_to(np.sqrt(self.noise_variance), pixels.shape)
        return Parts(pixels, abundances[:, :, None] * spectra, np.zeros_like(pixels), sd)

    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        abundances, spectra, _ = self._found_in(pixels)
        return spectra_statistics(spectra, abundances)

    def _draws_of(self, pixels: Float[np.ndarray, "pixel band"], n_draws: int, seed: int) -> dict[str, np.ndarray]:
        """Return every fourth state of the chain of each pixel; only pixels equal in every band share their draws."""
        draws = np.empty((n_draws, len(pixels), len(self.endmember)), dtype=np.float32)
        for first, n, block in filled_blocks(pixels, self.block):
            random = PixelRandom(block, seed=seed)
            for number, draw in enumerate(self.chain_of(block).draws(THIN * n_draws, random)):
                draws[number // THIN, first : first + n] = draw[:n]
        return {"abundance": draws}

    def _drawn_pixels(
        self, n_pixels: int, seed: int
    ) -> tuple[Float[np.ndarray, "pixel band"], Float[np.ndarray, "pixel endmember"]]:
        """Return pixels by the model's law: abundances, all as likely, endmembers and noise."""
        rng = np.random.default_rng(seed)
        n_endmembers, n_factors, n_bands = self.factors.shape
        abundances = rng.dirichlet(np.ones(n_endmembers), n_pixels)
        scores = abundances[:, :, None] * rng.standard_normal((n_pixels, n_endmembers, n_factors))
        mixed = abundances @ self.endmembers + scores.reshape(n_pixels, -1) @ self.factors.reshape(-1, n_bands)
        noise = np.sqrt(self.noise_variance) * rng.standard_normal((n_pixels, n_bands))
        return mixed + noise, abundances

    def _state(self) -> dict[str, np.ndarray]:
        return {"endmembers": self.endmembers, "factors": self.factors, "noise_variance": self.noise_variance}

    @classmethod
    def _from_state(cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> FittedNCM:
        n_bands = int(good_bands(scene).sum())
        endmembers = spectra_in(state, len(endmember), n_bands)
        factors = state["factors"].astype(np.float32, copy=False)
        if factors.ndim != 3 or (len(factors), factors.shape[2]) != endmembers.shape or not np.isfinite(factors).all():
            raise ValueError(f"factors of shape {factors.shape}")
        noise_variance = np.array(numbers_in(state, "noise_variance", n_bands), dtype=np.float32)
        if noise_variance.min() < max(ROUNDED * least_noise_variance(endmembers), float(np.finfo(np.float32).tiny)):
            raise ValueError(f"noise below {LEAST_NOISE:g} of the endmembers")
        if np.linalg.norm(factors / np.sqrt(noise_variance.astype(np.float64))) > MOST_SPREAD:
            raise ValueError(f"factors that are above {MOST_SPREAD:g} times the noise")
        return cls(method, scene, endmember, endmembers, factors, noise_variance)


def least_noise_variance(means: Float[np.ndarray, "endmember band"]) -> float:
    """Return the variance of the noise below which none is believed."""
    return LEAST_NOISE**2 * float(np.mean(means.astype(np.float64) ** 2))


def concentration_of(
    mean: Float[np.ndarray, "pixel endmember"], variance: Float[np.ndarray, "pixel endmember"]
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the concentration of the Dirichlet law with these means and the sum of these variances.

    Examples
    --------
    >>> concentration_of(np.array([[0.75, 0.25]]), np.array([[0.0375, 0.0375]])).round(3)
    array([[3., 1.]])
    """
    total = (mean * (1 - mean)).sum(axis=1, keepdims=True) / variance.sum(axis=1, keepdims=True) - 1
    return np.maximum(mean * total, 1e-6)


def factors_of(
    spectra: Float[np.ndarray, "spectrum band"], noise_variance: Float[np.ndarray, "band"], n_factors: int
) -> Float[np.ndarray, "factor band"]:
    """Return factors of the covariance of spectra: their main axes, in units of the noise; zeros if there are fewer.

    Examples
    --------
    >>> spectra = np.array([[0.1, 0.2], [0.3, 0.2]])
    >>> np.abs(factors_of(spectra, np.full(2, 1e-4), 2)).round(3)
    array([[0.141, 0.   ],
           [0.   , 0.   ]])
    """
    factors = np.zeros((n_factors, spectra.shape[1]))
    if len(spectra) > 1:
        scale = np.sqrt(noise_variance)
        deviations = (spectra - spectra.mean(axis=0, dtype=np.float64)) / scale / np.sqrt(len(spectra) - 1)
        _, singular, directions = np.linalg.svd(deviations, full_matrices=False)
        found = (singular[:, None] * directions)[singular > 1e-6 * max(singular[0], 1.0)][:n_factors]
        factors[: len(found)] = found * scale
    return factors


@dataclass(frozen=True, kw_only=True)
class NCM(Method):
    """Normal compositional model.

    ::

        y = sum_k a_k m_k + e,   m_k ~ N(mu_k, C_k),   e ~ N(0, D),   a ~ Dirichlet(1, ..., 1)
        y | a ~ N( sum_k a_k mu_k,  D + sum_k a_k^2 C_k )

    where y [reflectance] is a pixel over its good bands, mu_k (band,) and C_k (band, band) mean and covariance of the
    spectra of bundle k, D (band,) the variances of the noise (estimated, or told by the scene), and a the abundances
    [area fraction], whose posterior mean and standard deviation are found by Markov chains. See
    ``docs/methods/ncm.md``.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction and of the chains.
    n_draws : int
        States of each chain that are kept; at most 3000.
    n_factors : int
        Rank of the covariances: main axes of each bundle.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    O. Eches, N. Dobigeon, C. Mailhes and J.-Y. Tourneret, *Bayesian estimation of linear mixtures using the normal
    compositional model. Application to hyperspectral imagery*, IEEE TIP 19(6), 2010, doi:10.1109/TIP.2010.2042993.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.18, 0.24, 0.26]]]).assign_coords(noise_sd=("band", [0.01] * 3))
    >>> found = NCM().fit(scene, bundle).unmix(scene)
    >>> found.abundance.values.round(1), found.abundance_sd.values.round(2)
    (array([[[0.8, 0.2]]], dtype=float32), array([[[0.01, 0.01]]], dtype=float32))
    """

    name: ClassVar[str] = "ncm"
    summary: ClassVar[str] = "normal compositional model: endmembers are normal variables; posterior of abundances"
    reference: ClassVar[str] = "Eches, Dobigeon, Mailhes & Tourneret 2010, doi:10.1109/TIP.2010.2042993"
    fitted_type: ClassVar[type[Fitted]] = FittedNCM

    n_draws: int = 300
    n_factors: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "n_draws", least=1, most=MOST_DRAWS, expected=f"1 to {MOST_DRAWS}")
        check_range(self, "n_factors", least=1, expected="at least 1")

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedNCM:
        means = endmembers.means
        noise_variance = np.maximum(noise_variance_of(scene, pixels, seed=self.seed), least_noise_variance(means))
        factors = np.stack([factors_of(group, noise_variance, self.n_factors) for group in endmembers.spectra])
        law = means, factors.astype(np.float32), noise_variance.astype(np.float32)
        fitted = FittedNCM(self, scene, endmembers.names, *law)
        fitted.record["noise"] = noise_source(scene)
        return fitted


METHOD = NCM
