"""Models in which the endmember spectra of a pixel are near references, as near as the pixel and its noise allow."""

from __future__ import annotations

import abc

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._method import Method
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import numbers_in, spectra_in
from unmixel.methods._whole_scene import CHUNK, Image, Solution, WholeSceneFitted
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.scene import good_bands
from unmixel.solvers.accelerated_rounds import Ended
from unmixel.solvers.nearest_spectra import pull_of, pulled_spectra

LEAST_NOISE = 1e-4
"""Standard deviation of the noise below which none is believed, relative to the endmembers' root mean square."""

SMALLEST, LARGEST = 1e-6, 1e6
"""Of a spread: beyond, what it is compared with is lost by rounding."""


def check_spreads(parameters: object, *names: str) -> None:
    """Check attributes that say how far something may spread.

    Raises
    ------
    ParameterError
        If one is out of the range.
    """
    check_range(parameters, *names, least=SMALLEST, most=LARGEST, expected=f"{SMALLEST:g} to {LARGEST:g}")


class VariableSpectraFitted(WholeSceneFitted):
    """Reference spectra, and how much noise there is.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Reference reflectance over the good bands.
    noise_sd : float
        Standard deviation of the noise of a band [reflectance].
    level : float
        Root mean square of the references [reflectance].
    """

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
        noise_sd: float,
    ) -> None:
        super().__init__(method, scene, endmember)
        self.endmembers = endmembers
        self.level = float(np.sqrt(np.mean(endmembers.astype(np.float64) ** 2)))
        self.noise_sd = max(noise_sd, LEAST_NOISE * self.level)

    @property
    @abc.abstractmethod
    def spectrum_sd(self) -> float:
        """By how much a spectrum differs from its reference in a band [reflectance]."""

    @abc.abstractmethod
    def _references_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        """Return the references of some pixels."""

    @classmethod
    def of(
        cls, method: Method, scene: xr.DataArray, pixels: Float[np.ndarray, "pixel band"], endmembers: EndmemberSpectra
    ) -> VariableSpectraFitted:
        """Make it of a scene and the mean spectra of bundles."""
        noise_sd = float(np.sqrt(noise_variance_of(scene, pixels, seed=method.seed).mean()))
        fitted = cls(method, scene, endmembers.names, endmembers.means, noise_sd)
        fitted.record["noise"] = noise_source(scene)
        return fitted

    def _solution(self, image: Image, ended: Ended, kept: str) -> Solution:
        """Return what a search in turns for abundances and something else ended with, and keep how it ended.

        Parameters
        ----------
        image : Image
        ended : Ended
            Its state are abundances (pixel, endmember) and the other.
        kept : str
            Name of the other in the solution: the references follow from it.
        """
        self.ended = {"rounds": ended.rounds, "settled": ended.settled}
        abundances, other = (found.astype(np.float32) for found in ended.state)
        return self._pulled(image, {"abundance": abundances, kept: other})

    def _pulled(self, image: Image, solution: Solution) -> Solution:
        """Return the solution with what pulls the spectra of every pixel away from its references."""
        pull = np.empty(image.pixels.shape, dtype=np.float32)
        ratio = (self.noise_sd / self.spectrum_sd) ** 2
        for first in range(0, len(pull), CHUNK):
            chosen = np.arange(first, min(first + CHUNK, len(pull)))
            abundances = np.asarray(solution["abundance"][chosen], dtype=np.float64)
            references = self._references_in(solution, chosen).astype(np.float64)
            pull[chosen] = pull_of(image.pixels[chosen].astype(np.float64), abundances, references, ratio)
        return {**solution, "pull": pull}

    def _spectra_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        references = self._references_in(solution, chosen)
        return pulled_spectra(references, solution["abundance"][chosen], solution["pull"][chosen])

    def _state(self) -> dict[str, np.ndarray]:
        return {"endmembers": self.endmembers, "noise_sd": np.array([self.noise_sd])}

    @classmethod
    def _from_state(
        cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict
    ) -> VariableSpectraFitted:
        (noise_sd,) = numbers_in(state, "noise_sd")
        endmembers = spectra_in(state, len(endmember), int(good_bands(scene).sum()))
        fitted = cls(method, scene, endmember, endmembers, noise_sd)
        with np.errstate(all="ignore"):
            ratio = (np.float64(fitted.noise_sd) / fitted.spectrum_sd) ** 2
        if not 0 < ratio < np.inf:
            raise ValueError(f"spectra that differ by {fitted.spectrum_sd:g} in noise of {fitted.noise_sd:g}")
        return fitted
