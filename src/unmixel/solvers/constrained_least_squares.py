"""Exact least squares with abundance constraints: FCLS, NNLS and scaled NNLS, batched over pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.solvers.active_set import ConstrainedLeastSquares


def fcls(
    pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the fully constrained least-squares abundances of every pixel, exactly.

    ::

        min_a ||y - M^T a||^2   such that   a_j >= 0,   sum_j a_j = 1

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance y.
    endmembers : array, shape (endmember, band)
        Endmember spectra M, in the unit of the pixels.

    Returns
    -------
    array, shape (pixel, endmember)
        Abundances a, in double precision. NaN for pixels that are not finite.

    Raises
    ------
    BundleError
        If an endmember is not finite, or has other bands than the pixels, or if the endmembers depend on each
        other so nearly that double precision does not reach the solution.

    Notes
    -----
    This is an active-set method, not an iterative approximation. The pixels are reduced to their
    coordinates in the span of the endmembers. Then the set of positive abundances is searched by block
    principal pivoting, from all endmembers on, for all pixels at once. The optimality conditions
    (`kkt_residual`) are checked for every pixel. The few that fail are solved one by one by the method of
    Lawson and Hanson. Where endmembers depend on each other the solution is not unique; one of them is
    returned.

    References
    ----------
    D. C. Heinz and C.-I. Chang, *Fully constrained least squares linear spectral mixture analysis method for
    material quantification in hyperspectral imagery*, IEEE TGRS 39(3), 2001, doi:10.1109/36.911111.

    J. Kim and H. Park, *Fast nonnegative matrix factorization: an active-set-like method and comparisons*,
    SIAM Journal on Scientific Computing 33(6), 2011, doi:10.1137/110821172.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> fcls(np.array([[0.25, 0.75, 0.5], [0.2, 0.4, 0.0], [3.0, 1.0, 0.0]]), endmembers).round(6)
    array([[0.25, 0.75],
           [0.4 , 0.6 ],
           [1.  , 0.  ]])
    """
    return ConstrainedLeastSquares(endmembers, sum_to_one=True).solve(pixels)


def nnls(
    pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the non-negative least-squares abundances of every pixel, exactly.

    ::

        min_a ||y - M^T a||^2   such that   a_j >= 0

    Their sum is the brightness of the pixel relative to the endmembers.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance y.
    endmembers : array, shape (endmember, band)
        Endmember spectra M, in the unit of the pixels.

    Returns
    -------
    array, shape (pixel, endmember)
        Abundances a, in double precision. NaN for pixels that are not finite.

    Raises
    ------
    BundleError
        As `fcls`.

    References
    ----------
    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, Prentice-Hall 1974
    (SIAM 1995), chapter 23.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> nnls(np.array([[0.25, 0.75, 0.5], [3.0, -1.0, 0.0]]), endmembers).round(6)
    array([[0.25, 0.75],
           [3.  , 0.  ]])
    """
    return ConstrainedLeastSquares(endmembers, sum_to_one=False).solve(pixels)


def scaled_nnls(
    pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the non-negative least-squares abundances of every pixel, divided by their sum.

    ::

        a = u / sum_j u_j,   u = nnls(y, M)

    This takes each pixel's brightness for illumination, not for material. Where u = 0 (a black pixel), the
    pixel says nothing about its materials, and all get the same share 1 / P.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance y.
    endmembers : array, shape (endmember, band)
        Endmember spectra M, in the unit of the pixels.

    Returns
    -------
    array, shape (pixel, endmember)
        Abundances a, in double precision. NaN for pixels that are not finite.

    Raises
    ------
    BundleError
        As `fcls`.

    References
    ----------
    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, Prentice-Hall 1974
    (SIAM 1995), chapter 23.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> scaled_nnls(np.array([[0.1, 0.3, 0.5], [0.0, 0.0, 0.0]]), endmembers).round(6)
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    return divide_by_sum(nnls(pixels, endmembers))


def divide_by_sum(
    abundances: Float[np.ndarray, "pixel endmember"],
) -> Float[np.ndarray, "pixel endmember"]:
    """Return non-negative rows divided by their sum; equal shares where it is zero.

    Examples
    --------
    >>> divide_by_sum(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    total = abundances.sum(axis=1, keepdims=True)
    black = total == 0
    return np.where(black, 1 / abundances.shape[1], abundances / np.where(black, 1, total))
