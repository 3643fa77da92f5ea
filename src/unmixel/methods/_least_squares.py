"""What the least-squares methods share: each endmember is the mean of its bundle, the same in every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.methods._protocol import BLOCK, QUANTILES, EndmemberSpectra, Fitted, Method, Parts, Progress
from unmixel.scene import good_bands
from unmixel.solvers import active_set
from unmixel.solvers.active_set import ConstrainedLeastSquares
from unmixel.solvers.constrained_least_squares import divide_by_sum


class FittedLeastSquares(Fitted):
    """Endmember spectra, ready for least squares.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Reflectance over the good bands.
    """

    method: LeastSquares
    block: ClassVar[int] = active_set.BLOCK

    def __init__(
        self,
        method: LeastSquares,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember)
        self.endmembers = endmembers
        self._problem = ConstrainedLeastSquares(endmembers, sum_to_one=method.sum_to_one)

    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        weights = self._problem.solve(pixels)
        mean_square = np.empty(len(pixels), dtype=np.float32)
        for first in range(0, len(pixels), BLOCK):
            part = slice(first, first + BLOCK)
            misfit = pixels[part] - weights[part].astype(np.float32) @ self.endmembers
            mean_square[part] = np.einsum("nl,nl->n", misfit, misfit) / pixels.shape[1]
        return {
            "abundance": weights if self.method.sum_to_one else divide_by_sum(weights),
            "reconstruction_rmse": np.sqrt(mean_square),
        }

    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        shape = (len(pixels), *self.endmembers.shape)
        return np.broadcast_to(self.endmembers, shape), np.zeros(shape, dtype=np.float32)

    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        weights = self._problem.solve(pixels).astype(np.float32)
        nothing = np.zeros_like(pixels)
        return Parts(pixels, weights[:, :, None] * self.endmembers, nothing, np.full_like(pixels, np.nan))

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
    ) -> FittedLeastSquares:
        endmembers = state["endmembers"]
        if endmembers.shape != (len(endmember), good_bands(scene).sum()):
            raise ValueError(f"endmembers of shape {endmembers.shape}")
        if endmembers.dtype.kind != "f" or not np.isfinite(endmembers).all():
            raise ValueError("endmembers that are not finite")
        return cls(method, scene, endmember, endmembers)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class LeastSquares(Method):
    """Least squares with the mean spectra of the bundles."""

    sum_to_one: ClassVar[bool]
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
