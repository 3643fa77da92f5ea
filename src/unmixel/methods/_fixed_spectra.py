"""Models in which the spectrum of an endmember is the same in every pixel."""

from __future__ import annotations

import abc
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.methods._method import Method
from unmixel.methods._parts import Parts
from unmixel.methods._pixelwise import BLOCK, SETTLED, PixelwiseFitted
from unmixel.methods._saved_state import spectra_in
from unmixel.methods._spectra_statistics import QUANTILES
from unmixel.scene import good_bands


class Mixture(NamedTuple):
    """How pixels are mixed of fixed spectra.

    Attributes
    ----------
    weights : array, shape (pixel, endmember)
        What the spectra are multiplied by; the abundances, unless a method divides them by their sum.
    nonlinear : array, shape (pixel, band), optional
        What the mixing adds to the sum of the weighted spectra [reflectance]; None for nothing.
    settled : array of bool, shape (pixel,), optional
        Whether the search for them ended at a minimum; None where it always does.
    """

    weights: np.ndarray
    nonlinear: np.ndarray | None = None
    settled: np.ndarray | None = None


class FixedSpectraFitted(PixelwiseFitted):
    """Endmember spectra that hold in every pixel.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Reflectance over the good bands.
    """

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember)
        self.endmembers = endmembers

    @abc.abstractmethod
    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        """Unmix pixels; each row depends on its pixel alone."""

    def _abundances(self, weights: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel endmember"]:
        """Return the abundances that weights stand for: the weights, unless a method says otherwise."""
        return weights

    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        weights, nonlinear, settled = self._mixture_of(pixels)
        mean_square = np.empty(len(pixels), dtype=np.float32)
        for first in range(0, len(pixels), BLOCK):
            part = slice(first, first + BLOCK)
            misfit = pixels[part] - weights[part].astype(np.float32) @ self.endmembers
            if nonlinear is not None:
                misfit -= nonlinear[part]
            mean_square[part] = np.einsum("nl,nl->n", misfit, misfit) / pixels.shape[1]
        found = {"abundance": self._abundances(weights), "reconstruction_rmse": np.sqrt(mean_square)}
        return found if settled is None else {**found, SETTLED: settled}

    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        shape = (len(pixels), *self.endmembers.shape)
        return np.broadcast_to(self.endmembers, shape), np.zeros(shape, dtype=np.float32)

    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        weights, nonlinear, _ = self._mixture_of(pixels)
        shares = weights.astype(np.float32)[:, :, None] * self.endmembers
        unknown = np.full_like(pixels, np.nan)
        return Parts(pixels, shares, np.zeros_like(pixels) if nonlinear is None else nonlinear, unknown)

    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        return {
            "endmember_spectrum": self.endmembers,
            "endmember_spectrum_sd": np.zeros_like(self.endmembers),
            "endmember_quantile": np.repeat(self.endmembers[None], len(QUANTILES), axis=0),
        }

    def _state(self) -> dict[str, np.ndarray]:
        return {"endmembers": self.endmembers}

    @classmethod
    def _from_state(
        cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict
    ) -> FixedSpectraFitted:
        return cls(method, scene, endmember, spectra_in(state, len(endmember), int(good_bands(scene).sum())))
