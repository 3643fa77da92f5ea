"""Sparse unmixing with total variation: abundances that seldom change from pixel to pixel."""

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
from unmixel.methods._noise_pull import noise_pull
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import numbers_in, spectra_in
from unmixel.methods._whole_scene import Image, Solution, WholeSceneFitted
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.scene import good_bands
from unmixel.solvers import total_variation_regression

NOISE_SHARE = 0.05
"""Both penalties, in units of the pull of the noise: a tenth denoises patches better, and blurs gradients."""


class FittedSUnSALTV(WholeSceneFitted):
    """Endmember spectra and the penalties.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Reflectance over the good bands.
    penalties : array, shape (2,)
        lambda and lambda_TV [reflectance squared].
    """

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
        penalties: Float[np.ndarray, "2"],
    ) -> None:
        super().__init__(method, scene, endmember)
        self.endmembers = endmembers
        self.penalties = penalties

    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        sparsity, smoothness = (float(penalty) for penalty in self.penalties)
        found = total_variation_regression(
            image.pixels,
            image.valid,
            self.endmembers,
            sparsity=sparsity,
            smoothness=smoothness,
            progress=progress and (lambda step: progress("unmix", {"step": step})),
        )
        self.ended = {"rounds": found.steps, "settled": found.settled}
        return {"abundance": found.abundances.astype(np.float32)}

    def _spectra_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        return np.repeat(self.endmembers[None], len(chosen), axis=0)

    def _state(self) -> dict[str, np.ndarray]:
        return {"endmembers": self.endmembers, "penalties": self.penalties}

    @classmethod
    def _from_state(
        cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict
    ) -> FittedSUnSALTV:
        endmembers = spectra_in(state, len(endmember), int(good_bands(scene).sum()))
        return cls(method, scene, endmember, endmembers, np.array(numbers_in(state, "penalties", 2)))


@dataclass(frozen=True, kw_only=True)
class SUnSALTV(Method):
    """Sparse unmixing with total variation (SUnSAL-TV).

    ::

        minimise  sum_n (1/2 ||y_n - M^T a_n||^2 + lambda sum_k |a_nk|) + lambda_TV sum_(n,m) sum_k |a_nk - a_mk|
        over a_nk >= 0

    where y_n [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectrum of each
    label of the bundle, a_n (endmember,) the abundances there [1], of any sum, and (n, m) are the pairs of valid
    pixels next to each other in a row or a column. All pixels are solved together. It is a point estimate: there is
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
        lambda [reflectance squared], not negative.
    smoothness : float, optional
        lambda_TV [reflectance squared], not negative.
        When None, each is a twentieth of the pull of the noise on the darkest spectrum, min_k sqrt(sum_l m_kl^2
        sigma_l^2).

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    M.-D. Iordache, J. M. Bioucas-Dias and A. Plaza, *Total variation spatial regularization for sparse hyperspectral
    unmixing*, IEEE TGRS 50(11), 2012, doi:10.1109/TGRS.2012.2191590.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[1.0, 0.0, 0.1], [0.0, 1.0, 0.1]], ["red", "green"])
    >>> scene = make_scene([[[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]]])
    >>> SUnSALTV(sparsity=0.0, smoothness=0.1).fit(scene, bundle).unmix(scene).abundance.values.round(2)
    array([[[0.8, 0.2],
            [0.2, 0.8]]], dtype=float32)
    """

    name: ClassVar[str] = "sunsal_tv"
    summary: ClassVar[str] = "sparse regression that denoises maps: abundances seldom change between neighbours"
    reference: ClassVar[str] = "Iordache, Bioucas-Dias & Plaza 2012, doi:10.1109/TGRS.2012.2191590"
    fitted_type: ClassVar[type[Fitted]] = FittedSUnSALTV
    sum_to_one: ClassVar[bool] = False

    sparsity: float | None = None
    smoothness: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        remedy = "leave it out to take it from the noise"
        check_range(self, "sparsity", "smoothness", least=0, optional=True, expected="0 or more", remedy=remedy)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedSUnSALTV:
        spectra = endmembers.means
        pull = noise_pull(spectra, noise_variance_of(scene, pixels, seed=self.seed))
        penalties = [NOISE_SHARE * pull if given is None else given for given in (self.sparsity, self.smoothness)]
        fitted = FittedSUnSALTV(self, scene, endmembers.names, spectra, np.array(penalties))
        if self.sparsity is None or self.smoothness is None:
            fitted.record["noise"] = noise_source(scene)
        fitted.record.update(zip(("sparsity", "smoothness"), penalties, strict=True))
        return fitted


METHOD = SUnSALTV
