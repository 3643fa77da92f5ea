"""Scaled constrained least squares: linear mixing with a brightness of its own for every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unmixel.methods._least_squares import LeastSquares


@dataclass(frozen=True, kw_only=True)
class SCLS(LeastSquares):
    """Scaled constrained least squares: non-negative least squares divided by its sum.

    ::

        u = argmin ||y - M^T u||^2   such that   u_j >= 0
        a = u / sum_j u_j

    where y [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectra
    of the bundles, a the abundances [area fraction], and sum_j u_j the brightness of the pixel (illumination,
    shade) relative to M. A black pixel (u = 0) gets equal shares. The reconstruction error is that of u,
    brightness included. The solution is exact (see `unmixel.solvers.scaled_nnls`). It is a point estimate:
    there is no uncertainty.

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
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.1, 0.125, 0.15]]])
    >>> SCLS().fit(scene, bundle).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.75, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "scls"
    summary: ClassVar[str] = "non-negative least squares over its sum: exact, linear mixing with free brightness"
    reference: ClassVar[str] = "Lawson & Hanson 1974, doi:10.1137/1.9781611971217"
    constrained_sum: ClassVar[bool] = False


METHOD = SCLS
