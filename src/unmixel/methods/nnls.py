"""Non-negative least squares: linear mixing, abundances of any sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unmixel.methods._least_squares import LeastSquares


@dataclass(frozen=True, kw_only=True)
class NNLS(LeastSquares):
    """Non-negative least squares.

    ::

        a = argmin ||y - M^T a||^2   such that   a_j >= 0

    where y [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectra
    of the bundles, and a the abundances [1]; sum_j a_j is the brightness of the pixel relative to M. Divided by it
    they are those of `unmixel.methods.scls`. The solution is exact (see `unmixel.solvers.nnls`). It is a point
    estimate: there is no uncertainty.

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
    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, Prentice-Hall 1974
    (SIAM 1995), chapter 23, doi:10.1137/1.9781611971217.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.15, 0.15, 0.25]]])
    >>> NNLS().fit(scene, bundle).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.25, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "nnls"
    summary: ClassVar[str] = "non-negative least squares: exact, linear mixing, abundances sum to the brightness"
    reference: ClassVar[str] = "Lawson & Hanson 1974, doi:10.1137/1.9781611971217"
    sum_to_one: ClassVar[bool] = False
    constrained_sum: ClassVar[bool] = False


METHOD = NNLS
