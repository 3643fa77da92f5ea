"""Whether a model's intervals mean what they say, on pixels that it draws itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.intervals import abundance_interval
from unmixel.methods._fitted import Fitted
from unmixel.methods._progress import Progress
from unmixel.whole_numbers import checked_seed


@dataclass(frozen=True)
class SelfCheck:
    """Pixels that a model drew, with what it says of them. It checks the model against itself, not against the ground.

    Attributes
    ----------
    truth, result : Dataset
        Of a scene of one column (`unmixel.result`).
    """

    truth: xr.Dataset
    result: xr.Dataset

    @property
    def true_abundance(self) -> Float[np.ndarray, "pixel endmember"]:
        """What the pixels were mixed with [1]."""
        return self.truth["abundance"].values[:, 0]

    def interval(
        self, level: float
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember"]]:
        """Return the ends of the intervals that hold the true abundances with a probability, if they are right.

        Each has shape (pixel, endmember) [1].
        """
        interval = abundance_interval(self.result, level=level)
        return interval["lower"].values[:, 0], interval["upper"].values[:, 0]

    def coverage(self, levels: Sequence[float]) -> Float[np.ndarray, "level endmember"]:
        """Return the share of true abundances inside the intervals of each level [1]."""
        held = []
        for lower, upper in map(self.interval, levels):
            held.append(((lower <= self.true_abundance) & (self.true_abundance <= upper)).mean(axis=0))
        return np.array(held)

    def standard_error(self, coverage: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Return the binomial standard error of shares [1]; abundances of a pixel depend on each other: one draw."""
        return np.sqrt(coverage * (1 - coverage) / self.truth.sizes["y"])


def check_itself(fitted: Fitted, n_pixels: int, *, seed: int = 0, progress: Progress | None = None) -> SelfCheck:
    """Draw pixels from a model and unmix them by it.

    Parameters
    ----------
    fitted : Fitted
        Of a method with a posterior.
    n_pixels : int
        Pixels to draw.
    seed : int
    progress : callable, optional
        As in `Fitted.unmix`.

    Raises
    ------
    ParameterError
        If the method gives point estimates only.
    """
    scene, truth = fitted.simulate(n_pixels, seed=checked_seed(seed))
    return SelfCheck(truth, fitted.unmix(scene, progress=progress))
