"""Methods that find the endmembers in the scene, from a start, and unmix it by exact least squares with them."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._least_squares import FittedLeastSquares, LeastSquares
from unmixel.methods._progress import Progress


class Found(NamedTuple):
    """What a search for endmembers ends with.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        [reflectance].
    record : dict
        How the search went, for the provenance.
    """

    endmembers: np.ndarray
    record: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class BlindMethod(LeastSquares):
    """Finds endmembers in a sample of the scene; abundances are those of fully constrained least squares with them."""

    constrained_sum: ClassVar[bool] = True
    largest_sample: ClassVar[int] = 5000

    @abc.abstractmethod
    def _find(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        start: Float[np.ndarray, "endmember band"],
        progress: Progress,
    ) -> Found:
        """Find the endmembers of pixels, in the order of the start."""

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedLeastSquares:
        rng = np.random.default_rng(self.seed)
        if len(pixels) > self.largest_sample:
            pixels = pixels[np.sort(rng.choice(len(pixels), self.largest_sample, replace=False))]
        found = self._find(pixels.astype(np.float64), endmembers.means.astype(np.float64), progress)
        fitted = FittedLeastSquares(self, scene, endmembers.names, found.endmembers.astype(np.float32))
        start = "given" if endmembers.extractor is None else f"extracted by {endmembers.extractor}"
        fitted.record = {"endmembers": f"fitted to the scene by {self.name}, from spectra {start}", **found.record}
        return fitted
