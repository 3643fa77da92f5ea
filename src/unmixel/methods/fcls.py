"""Fully constrained least squares: linear mixing, abundances not negative and summing to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unmixel.methods._least_squares import LeastSquares


@dataclass(frozen=True, kw_only=True)
class FCLS(LeastSquares):
    """Fully constrained least squares.

    ::

        a = argmin ||y - M^T a||^2   such that   a_j >= 0,   sum_j a_j = 1

    where y [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectra
    of the bundles, and a the abundances [area fraction]. The solution is exact (see `unmixel.solvers.fcls`).
    It is a point estimate: there is no uncertainty, and a spectrum is the same in every pixel.

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
    D. C. Heinz and C.-I. Chang, *Fully constrained least squares linear spectral mixture analysis method for
    material quantification in hyperspectral imagery*, IEEE TGRS 39(3), 2001, doi:10.1109/36.911111.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.2, 0.25, 0.3]]])
    >>> FCLS().fit(scene, bundle).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.75, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "fcls"
    summary: ClassVar[str] = "fully constrained least squares: exact, linear mixing, no uncertainty"
    reference: ClassVar[str] = "Heinz & Chang 2001, doi:10.1109/36.911111"
    constrained_sum: ClassVar[bool] = True


METHOD = FCLS
