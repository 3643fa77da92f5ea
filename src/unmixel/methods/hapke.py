"""Hapke's model: grains mix in their single-scattering albedo, where least squares is exact."""

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
from unmixel.methods._ranges import check_range
from unmixel.mixing.hapke import albedo_of_reflectance, reflectance_of_albedo
from unmixel.solvers import ConstrainedLeastSquares


class FittedHapke(FixedSpectraFitted):
    """Endmember spectra and their albedos, ready for least squares."""

    method: Hapke

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        self.albedos = self._albedo_of(endmembers)
        self._problem = ConstrainedLeastSquares(self.albedos, sum_to_one=True)

    def _albedo_of(self, reflectance: np.ndarray) -> np.ndarray:
        """Return the albedo behind reflectances, which count as 0 to 1 where noise takes them out of it."""
        possible = np.clip(reflectance.astype(np.float64), 0, 1)
        return albedo_of_reflectance(possible, self.method.incidence_deg, self.method.viewing_deg)

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        abundances = self._problem.solve(self._albedo_of(pixels))
        albedo = np.clip(abundances @ self.albedos, 0, 1)
        mixed = reflectance_of_albedo(albedo, self.method.incidence_deg, self.method.viewing_deg)
        return Mixture(abundances, (mixed - abundances @ self.endmembers).astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Hapke(Method):
    """Fully constrained least squares in single-scattering albedo: grains that are mixed intimately.

    ::

        min_a ||w(y) - sum_k a_k w(m_k)||^2   such that   a_k >= 0,   sum_k a_k = 1

    where y [reflectance] is a pixel over its good bands, m_k [reflectance] the mean spectrum of bundle k, w the
    single-scattering albedo [1] behind a reflectance by Hapke's law for isotropic grains (see `unmixel.mixing.hapke`),
    and a (endmember,) the abundances: shares of the grains' cross-section, or of their volume if all have one
    size [1]. The solution is exact. It is a point estimate: there is no uncertainty.

    Parameters
    ----------
    incidence_deg, viewing_deg : float
        Angles of the sun and of the sensor from the vertical [degree]; at least 0 and below 90.
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    B. Hapke, *Bidirectional reflectance spectroscopy: 1. Theory*, J. Geophys. Res. 86(B4), 1981,
    doi:10.1029/JB086iB04p03039.

    J. F. Mustard and C. M. Pieters, *Photometric phase functions of common geologic minerals and applications to
    quantitative analysis of mineral mixture reflectance spectra*, J. Geophys. Res. 94(B10), 1989,
    doi:10.1029/JB094iB10p13619.

    Examples
    --------
    >>> from unmixel.mixing import intimate
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> spectra = np.array([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]])
    >>> scene = make_scene(intimate(np.array([[1.0, 0.0], [0.75, 0.25]]), spectra)[None])
    >>> Hapke().fit(scene, make_bundle(spectra, ["basalt", "gypsum"])).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.75, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "hapke"
    summary: ClassVar[str] = "least squares in single-scattering albedo: exact, grains mixed intimately"
    reference: ClassVar[str] = "Mustard & Pieters 1989, doi:10.1029/JB094iB10p13619"
    needs_reflectance: ClassVar[bool] = True
    fitted_type: ClassVar[type[Fitted]] = FittedHapke

    incidence_deg: float = 30.0
    viewing_deg: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = "an angle from the vertical, 0 to below 90 degrees"
        check_range(self, "incidence_deg", "viewing_deg", least=0, below=90, expected=expected)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedHapke:
        return FittedHapke(self, scene, endmembers.names, endmembers.means)


METHOD = Hapke
