"""Sparse unmixing: non-negative regression on a library of which few spectra are in a pixel."""

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
from unmixel.methods._noise_pull import noise_pull
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import numbers_in, spectra_in
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.scene import good_bands
from unmixel.solvers import SparseRegression, active_set

NOISE_SHARE = 0.1
"""The penalty, in units of the pull of the noise: more of it is sparser, and takes too much from what is there."""


class FittedSUnSAL(FixedSpectraFitted):
    """Endmember spectra and the penalty, ready for sparse regression.

    Attributes
    ----------
    sparsity : float
        lambda [reflectance squared].
    """

    block: int = active_set.BLOCK

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
        sparsity: float,
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        self.sparsity = sparsity
        self._problem = SparseRegression(endmembers, sparsity)

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        return Mixture(self._problem.solve(pixels))

    def _state(self) -> dict[str, np.ndarray]:
        return {**super()._state(), "sparsity": np.array([self.sparsity])}

    @classmethod
    def _from_state(cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> FittedSUnSAL:
        endmembers = spectra_in(state, len(endmember), int(good_bands(scene).sum()))
        (sparsity,) = numbers_in(state, "sparsity")
        return cls(method, scene, endmember, endmembers, sparsity)


@dataclass(frozen=True, kw_only=True)
class SUnSAL(Method):
    """Sparse unmixing (SUnSAL: sparse unmixing by splitting and augmented Lagrangian).

    ::

        a = argmin 1/2 ||y - M^T a||^2 + lambda sum_j |a_j|   such that   a_j >= 0

    where y [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectrum of each
    label of the bundle, which may be a library of many, and a the abundances [1], of any sum. lambda
    [reflectance squared] says how much misfit an abundance must save to be there. It is a point estimate: there is
    no uncertainty.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction and of the estimate of the noise.
    sparsity : float, optional
        lambda [reflectance squared], not negative. When None, a tenth of the pull of the noise on the darkest spectrum,
        min_k sqrt(sum_l m_kl^2 sigma_l^2).

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    J. M. Bioucas-Dias and M. A. T. Figueiredo, *Alternating direction algorithms for constrained sparse regression:
    application to hyperspectral unmixing*, WHISPERS 2010, doi:10.1109/WHISPERS.2010.5594963.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.3, 0.3, 0.5]]])
    >>> SUnSAL(sparsity=0.005).fit(scene, bundle).unmix(scene).abundance.values.round(3)
    array([[[0.798, 0.032],
            [0.298, 0.532]]], dtype=float32)
    """

    name: ClassVar[str] = "sunsal"
    summary: ClassVar[str] = "sparse regression on a library: few spectra in each pixel, abundances of any sum"
    reference: ClassVar[str] = "Bioucas-Dias & Figueiredo 2010, doi:10.1109/WHISPERS.2010.5594963"
    fitted_type: ClassVar[type[Fitted]] = FittedSUnSAL
    sum_to_one: ClassVar[bool] = False

    sparsity: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        remedy = "leave it out to take it from the noise"
        check_range(self, "sparsity", least=0, optional=True, expected="0 or more", remedy=remedy)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedSUnSAL:
        spectra = endmembers.means
        sparsity = self.sparsity
        if sparsity is None:
            sparsity = NOISE_SHARE * noise_pull(spectra, noise_variance_of(scene, pixels, seed=self.seed))
        fitted = FittedSUnSAL(self, scene, endmembers.names, spectra, sparsity)
        if self.sparsity is None:
            fitted.record["noise"] = noise_source(scene)
        fitted.record["sparsity"] = sparsity
        return fitted


METHOD = SUnSAL
