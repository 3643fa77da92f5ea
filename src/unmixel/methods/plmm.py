"""Perturbed linear mixing model: the endmembers of a scene, and how every pixel departs from them."""

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
from unmixel.solvers import fcls
from unmixel.solvers.perturbed_mixture import PerturbedMixture


class FittedPLMM(VariableSpectraFitted):
    """The endmembers that a scene's own are looked for around."""

    method: PLMM

    @property
    def spectrum_sd(self) -> float:
        return self.method.perturbation * self.level

    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        problem = PerturbedMixture(
            image.pixels,
            image.valid,
            self.endmembers,
            noise=self.noise_sd,
            perturbation=self.spectrum_sd,
            abundance_step=self.method.abundance_step,
            reference=self.method.reference_spread * self.level,
        )
        start = fcls(image.pixels, self.endmembers)
        return self._solution(image, problem.solve(start, stage_of(progress, "unmix")), "endmembers")

    def _references_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        return np.repeat(solution["endmembers"][None], len(chosen), axis=0)


@dataclass(frozen=True, kw_only=True)
class PLMM(Method):
    """Perturbed linear mixing model.

    ::

        min  1/2 sum_n ( ||y_n - (M + D_n)^T a_n||^2 / noise^2 + ||D_n||^2 / perturbation^2 )
             + 1/2 sum ||a_n - a_n'||^2 / abundance_step^2 + 1/2 ||M - M_0||^2 / reference_spread^2
        such that   a_nj >= 0,   sum_j a_nj = 1,   M >= 0,   M + D_n >= 0

    where y_n [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the endmembers of the
    scene, M_0 the mean spectra of the bundles, D_n (endmember, band) [reflectance] the perturbation in the pixel, a_n
    (endmember,) its abundances [area fraction], and the sum without index runs over pairs of neighbours. The noise is
    estimated, or told by the scene. See ``docs/methods/plmm.md``.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction.
    perturbation : float
        How much a spectrum differs from the endmember in every band, relative to the root mean square of M_0 [1].
    abundance_step : float
        Standard deviation of the difference of neighbours' abundances [1].
    reference_spread : float
        How much M differs from M_0 in every band, relative to the root mean square of M_0 [1].

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    P.-A. Thouvenin, N. Dobigeon and J.-Y. Tourneret, *Hyperspectral unmixing with spectral variability using a
    perturbed linear mixing model*, IEEE Trans. Signal Processing 64(2), 2016, doi:10.1109/TSP.2015.2486746,
    arXiv:1502.01260.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.2, 0.25, 0.3]]]).assign_coords(noise_sd=("band", [1e-3] * 3))
    >>> PLMM(abundance_step=10.0).fit(scene, bundle).unmix(scene).abundance.values.round(1)
    array([[[1. , 0. ],
            [0.8, 0.2]]], dtype=float32)
    """

    name: ClassVar[str] = "plmm"
    summary: ClassVar[str] = "perturbed linear mixing model: endmembers of the scene, perturbed in every pixel"
    reference: ClassVar[str] = "Thouvenin, Dobigeon & Tourneret 2016, doi:10.1109/TSP.2015.2486746"
    fitted_type: ClassVar[type[Fitted]] = FittedPLMM

    perturbation: float = 0.05
    abundance_step: float = 0.1
    reference_spread: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spreads(self, "perturbation", "abundance_step", "reference_spread")

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> Fitted:
        return FittedPLMM.of(self, scene, pixels, endmembers)


METHOD = PLMM
