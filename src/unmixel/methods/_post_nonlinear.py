"""Models in which a pixel is its linear mixture, bent band by band by one number of the pixel."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fixed_spectra import FixedSpectraFitted, Mixture
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.solvers import ConstrainedLeastSquares
from unmixel.solvers.nonlinear_least_squares import nonlinear_least_squares


class FittedPostNonlinear(FixedSpectraFitted):
    """Endmember spectra, ready for nonlinear least squares."""

    method: PostNonlinear

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        self._spectra = np.minimum(endmembers.astype(np.float64), self.method.brightest)
        self._linear = ConstrainedLeastSquares(endmembers, sum_to_one=True)

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        abundances, bend, settled = self.unmix_bent(pixels)
        mixed = self.method.bent(self._linear_mixture(abundances), bend[:, None])[0]
        return Mixture(abundances, (mixed - abundances @ self.endmembers).astype(np.float32), settled)

    def unmix_bent(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel"], Bool[np.ndarray, "pixel"]]:
        """Return the abundances, how much each pixel's mixture is bent, and whether the search settled.

        It starts at linear mixing.
        """
        n_endmembers = len(self.endmembers)
        start = np.concatenate([self._linear.solve(pixels), np.zeros((len(pixels), 1))], axis=1)
        lower = np.r_[np.zeros(n_endmembers), self.method.least_bend]
        upper = np.r_[np.ones(n_endmembers), self.method.greatest_bend]
        found, _, settled = nonlinear_least_squares(
            self._mix, pixels.astype(np.float64), start, lower, upper, n_endmembers
        )
        return found[:, :-1], found[:, -1], settled

    def _linear_mixture(self, abundances: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel band"]:
        """Return s, summed endmember by endmember: a row does not depend on the number of pixels, to the bit."""
        single = np.zeros((len(abundances), self._spectra.shape[1]))
        for shares, spectrum in zip(abundances.T, self._spectra, strict=True):
            single += shares[:, None] * spectrum
        return single

    def _mix(self, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mixed, slope, by_bend = self.method.bent(self._linear_mixture(unknowns[:, :-1]), unknowns[:, -1:])
        slopes = np.empty((*unknowns.shape, mixed.shape[1]))
        np.multiply(slope[:, None], self._spectra, out=slopes[:, :-1])
        slopes[:, -1] = by_bend
        return mixed, slopes


@dataclass(frozen=True, kw_only=True)
class PostNonlinear(Method):
    """Nonlinear least squares with the mean spectra of the bundles."""

    fitted_type: ClassVar[type[Fitted]] = FittedPostNonlinear
    least_bend: ClassVar[float]
    greatest_bend: ClassVar[float]
    brightest: ClassVar[float] = np.inf

    @staticmethod
    @abc.abstractmethod
    def bent(single: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bend linear mixtures (pixel, band) by (pixel, 1); return them, and derivatives by the one and the other."""

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedPostNonlinear:
        return FittedPostNonlinear(self, scene, endmembers.names, endmembers.means)
