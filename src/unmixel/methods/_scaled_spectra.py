"""Models in which every pixel scales the endmembers, smoothly over the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress, stage_of
from unmixel.methods._variable_spectra import VariableSpectraFitted, check_spreads
from unmixel.methods._whole_scene import Image, Solution
from unmixel.solvers import fcls, nnls
from unmixel.solvers.constrained_least_squares import divide_by_sum
from unmixel.solvers.scaled_mixture import ScaledMixture, Spreads

BRIGHTNESS_SPREAD = 1.0
"""Standard deviation of the brightness that the endmembers of a pixel share [1]: it is as good as free."""


class ScaledSpectraFitted(VariableSpectraFitted):
    """Reference spectra, and how much may differ from pixel to pixel."""

    method: ScaledSpectra

    @property
    def modes(self) -> Float[np.ndarray, "mode band"]:
        """The functions of wavelength by which endmembers are scaled: cosines over the bands, the first constant."""
        place = (np.arange(self.endmembers.shape[1]) + 0.5) / self.endmembers.shape[1]
        modes = np.sqrt(2) * np.cos(np.pi * np.arange(self.method.modes_of_scaling)[:, None] * place)
        modes[0] = 1.0
        return modes

    @property
    def spectrum_sd(self) -> float:
        return self.method.spectrum_spread * self.level

    def spreads(self) -> Spreads:
        """The weights of the objective."""
        frequency = 1 + np.arange(self.method.modes_of_scaling)
        return Spreads(
            noise=self.noise_sd,
            spectrum=self.spectrum_sd,
            abundance_step=self.method.abundance_step,
            scaling_step=self.method.scaling_step / frequency,
            scaling=self.method.scaling_spread / frequency,
            brightness=BRIGHTNESS_SPREAD,
        )

    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        problem = ScaledMixture(image.pixels, image.valid, self.endmembers, self.modes, self.spreads())
        scaled = nnls(image.pixels, self.endmembers)
        starts = [
            (divide_by_sum(scaled), scaled.sum(axis=1)),
            (fcls(image.pixels, self.endmembers), np.ones(len(scaled))),
        ]
        rounds = [problem.improved(abundances, problem.scaled_alike(brightness)) for abundances, brightness in starts]
        best = min(rounds, key=lambda found: problem.objective(*found))
        return self._solution(image, problem.solve(*best, stage_of(progress, "unmix")), "scaling")

    def _references_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        by_endmember = len(chosen), len(self.endmembers), self.method.modes_of_scaling
        return self.endmembers * (solution["scaling"][chosen].reshape(by_endmember) @ self.modes.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class ScaledSpectra(Method):
    """Hyper-parameters of models with scaled endmembers."""

    fitted_type: ClassVar[type[Fitted]] = ScaledSpectraFitted

    spectrum_spread: float = 0.03
    abundance_step: float = 0.1
    scaling_step: float = 0.05
    scaling_spread: float = 0.2

    @property
    def modes_of_scaling(self) -> int:
        """By how many functions of wavelength an endmember is scaled: the constant, unless a method says otherwise."""
        return 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spreads(self, "spectrum_spread", "abundance_step", "scaling_step", "scaling_spread")

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> Fitted:
        return ScaledSpectraFitted.of(self, scene, pixels, endmembers)
