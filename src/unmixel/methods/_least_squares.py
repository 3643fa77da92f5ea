"""Exact least squares with the mean spectra of the bundles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fixed_spectra import FixedSpectraFitted, Mixture
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.solvers import active_set
from unmixel.solvers.active_set import ConstrainedLeastSquares
from unmixel.solvers.constrained_least_squares import divide_by_sum


class FittedLeastSquares(FixedSpectraFitted):
    """Endmember spectra, ready for least squares."""

    method: LeastSquares
    block: int = active_set.BLOCK

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        self._problem = ConstrainedLeastSquares(endmembers, sum_to_one=self.method.constrained_sum)

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        return Mixture(self._problem.solve(pixels))

    def _abundances(self, weights: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel endmember"]:
        return divide_by_sum(weights) if self.method.sum_to_one and not self.method.constrained_sum else weights


@dataclass(frozen=True, kw_only=True)
class LeastSquares(Method):
    """Least squares with the mean spectra of the bundles; with `constrained_sum`, over weights that sum to one."""

    constrained_sum: ClassVar[bool]
    fitted_type: ClassVar[type[Fitted]] = FittedLeastSquares

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedLeastSquares:
        return FittedLeastSquares(self, scene, endmembers.names, endmembers.means)
