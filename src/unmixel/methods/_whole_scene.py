"""Models in which a pixel depends on its neighbours: a scene is unmixed as a whole."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer

from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._parts import Parts
from unmixel.methods._progress import Progress
from unmixel.methods._spectra_statistics import spectra_statistics
from unmixel.preprocess import noise_told
from unmixel.scene import ValidPixels

CHUNK = 1024
"""Pixels whose spectra are made at a time."""


@dataclass(frozen=True)
class Image:
    """The valid pixels of a scene and where they are.

    Attributes
    ----------
    pixels : array, shape (pixel, band)
        Reflectance over the good bands, row by row.
    valid : array of bool, shape (y, x)
        Where they are.
    noise_told : array, shape (band,), optional
        Variance of the noise [reflectance squared], if the scene tells it.
    """

    pixels: Float[np.ndarray, "pixel band"]
    valid: Bool[np.ndarray, "y x"]
    noise_told: Float[np.ndarray, "band"] | None = None

    def spread(self, values: Float[np.ndarray, "pixel *rest"], filling: float = 0.0) -> Float[np.ndarray, "y x *rest"]:
        """Return values of the pixels as an image, with a filling where no pixel is valid.

        Examples
        --------
        >>> Image(np.zeros((1, 2)), np.array([[False, True]])).spread(np.array([[3.0]])).ravel()
        array([0., 3.])
        """
        image = np.full((*self.valid.shape, *values.shape[1:]), filling, dtype=values.dtype)
        image[self.valid] = values
        return image


Solution = Mapping[str, np.ndarray]
"""What a method finds in the valid pixels of a scene: ``abundance`` (pixel, endmember), and arrays (pixel, ...) of its
own from which the spectra there follow."""


class WholeSceneFitted(Fitted):
    """A fitted method that unmixes all pixels of a scene together.

    The last scene's solution is kept, so that asking for spectra in some pixels doesn't solve it again.
    """

    neighbours: ClassVar[bool] = True

    def __init__(self, method: Method, scene: xr.DataArray, endmember: tuple[str, ...]) -> None:
        super().__init__(method, scene, endmember)
        self._kept: tuple[bytes, Solution] | None = None

    @abc.abstractmethod
    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        """Unmix a scene."""

    @abc.abstractmethod
    def _spectra_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        """Return the endmember spectra in some pixels."""

    def _nonlinear_in(
        self,
        solution: Solution,
        chosen: Integer[np.ndarray, "chosen"],
        shares: Float[np.ndarray, "chosen endmember band"],
    ) -> Float[np.ndarray, "chosen band"]:
        """Return what the mixing adds to the shares in some pixels; nothing, unless a method says otherwise."""
        return np.zeros_like(shares[:, 0])

    def _solution_of(self, pixels: ValidPixels, progress: Progress | None = None) -> Solution:
        rows, columns = pixels.shape
        valid = np.zeros(rows * columns, dtype=bool)
        valid[pixels.numbers] = True
        image = Image(np.ascontiguousarray(pixels[:]), valid.reshape(rows, columns), noise_told(pixels.scene))
        key = hashlib.blake2b(
            image.pixels.tobytes() + np.packbits(valid).tobytes() + bytes(repr(pixels.shape), "ascii")
        )
        if image.noise_told is not None:
            key.update(image.noise_told.tobytes())
        if self._kept is None or self._kept[0] != key.digest():
            self._kept = key.digest(), self._solve(image, progress)
        return self._kept[1]

    def _maps_of(self, scene: xr.DataArray, pixels: ValidPixels, progress: Progress | None) -> dict[str, np.ndarray]:
        rows, columns = pixels.shape
        n_endmembers = len(self.endmember)
        maps = {
            "abundance": np.full((rows * columns, n_endmembers), np.nan, dtype=np.float32),
            "reconstruction_rmse": np.full(rows * columns, np.nan, dtype=np.float32),
        }
        if len(pixels):
            solution = self._solution_of(pixels, progress)
            maps["abundance"][pixels.numbers] = solution["abundance"]
            for first in range(0, len(pixels), CHUNK):
                chosen = np.arange(first, min(first + CHUNK, len(pixels)))
                parts = self._parts_in(pixels, chosen)
                misfit = parts.observed - parts.reconstruction
                maps["reconstruction_rmse"][pixels.numbers[chosen]] = np.sqrt((misfit**2).mean(axis=1))
        return {name: values.reshape(rows, columns, *values.shape[1:]) for name, values in maps.items()}

    def _endmembers_in(
        self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]
    ) -> tuple[Float[np.ndarray, "chosen endmember band"], Float[np.ndarray, "chosen endmember band"]]:
        spectra = self._spectra_in(self._solution_of(pixels), chosen)
        return spectra, np.zeros_like(spectra)

    def _parts_in(self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]) -> Parts:
        solution = self._solution_of(pixels)
        abundances = np.asarray(solution["abundance"][chosen], dtype=np.float32)
        shares = abundances[:, :, None] * self._spectra_in(solution, chosen)
        observed = pixels[chosen]
        return Parts(observed, shares, self._nonlinear_in(solution, chosen, shares), np.full_like(observed, np.nan))

    def _statistics_in(self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]) -> dict[str, np.ndarray]:
        solution = self._solution_of(pixels)
        weights = np.asarray(solution["abundance"][chosen], dtype=np.float32)
        return spectra_statistics(self._spectra_in(solution, chosen), weights)
