"""Unconstrained least squares: linear mixing, abundances of any sign and sum."""

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
from unmixel.solvers import ucls


class FittedUCLS(FixedSpectraFitted):
    """Endmember spectra, ready for least squares."""

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        return Mixture(ucls(pixels, self.endmembers))


@dataclass(frozen=True, kw_only=True)
class UCLS(Method):
    """Unconstrained least squares.

    ::

        a = argmin ||y - M^T a||^2 = (M^T)^+ y

    where y [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectra
    of the bundles, and a the abundances [1]: of any sign, and of any sum. What is far from an area fraction
    says that the endmembers, or linear mixing, don't fit the pixel. It is a point estimate: there is no uncertainty.

    Parameters
    ----------
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
    N. Keshava and J. F. Mustard, *Spectral unmixing*, IEEE Signal Processing Magazine 19(1), 2002,
    doi:10.1109/79.974727.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.7, 0.5, 1.3]]])
    >>> UCLS().fit(scene, bundle).unmix(scene).abundance.values.round(3) + 0.0
    array([[[ 1. ,  0. ],
            [-0.5,  1.5]]], dtype=float32)
    """

    name: ClassVar[str] = "ucls"
    summary: ClassVar[str] = "least squares without constraints: closed form, shows where endmembers don't fit"
    reference: ClassVar[str] = "Keshava & Mustard 2002, doi:10.1109/79.974727"
    fitted_type: ClassVar[type[Fitted]] = FittedUCLS
    non_negative: ClassVar[bool] = False
    sum_to_one: ClassVar[bool] = False

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedUCLS:
        return FittedUCLS(self, scene, endmembers.names, endmembers.means)


METHOD = UCLS
