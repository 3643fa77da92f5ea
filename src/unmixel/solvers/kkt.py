"""How far abundances are from the exact solution: the residual of the Karush-Kuhn-Tucker (KKT) conditions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_BLOCK = 4096


def kkt_residual(
    pixels: Float[np.ndarray, "pixel band"],
    endmembers: Float[np.ndarray, "endmember band"],
    abundances: Float[np.ndarray, "pixel endmember"],
    *,
    sum_to_one: bool,
) -> Float[np.ndarray, "pixel"]:
    """Return the residual of the optimality conditions of least squares for every pixel.

    With the gradient g = M (M^T a - y), and lambda = a^T g where abundances sum to one, else 0::

        residual = max_j max(lambda - g_j, min(a_j, 1) |g_j - lambda|, -a_j s) / s

    and with ``sum_to_one`` also |sum_j a_j - 1|. The unit is s = m max(m, ||y||), the size that g can have,
    where m is the length of the longest endmember. The residual is 0 exactly at the solution; rounding leaves
    about 1e-15 of it.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance y.
    endmembers : array, shape (endmember, band)
        Endmember spectra M, in the unit of the pixels.
    abundances : array, shape (pixel, endmember)
        Abundances a.
    sum_to_one : bool
        Whether the problem is `fcls` (True) or `nnls` (False).

    Returns
    -------
    array, shape (pixel,)
        Residual, without unit. NaN for pixels that are not finite.

    References
    ----------
    J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd ed., Springer 2006, chapter 12.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> pixels = np.array([[0.25, 0.75, 0.5], [0.25, 0.75, 0.5]])
    >>> abundances = np.array([[0.25, 0.75], [0.75, 0.25]])
    >>> kkt_residual(pixels, endmembers, abundances, sum_to_one=True)
    array([0.  , 0.75])
    """
    spectra = endmembers.astype(np.float64)
    gram = spectra @ spectra.T
    longest = float(np.sqrt(gram.diagonal().max(initial=0)))
    residual = np.empty(len(pixels))
    for first in range(0, len(pixels), _BLOCK):
        rows = slice(first, first + _BLOCK)
        block, shares = pixels[rows].astype(np.float64), abundances[rows].astype(np.float64)
        gradient = shares @ gram - block @ spectra.T
        unit = longest * np.maximum(longest, np.sqrt(np.einsum("nl,nl->n", block, block)))
        residual[rows] = residual_of_gradient(gradient.T, shares.T, unit, sum_to_one)
    return residual


def residual_of_gradient(
    gradient: Float[np.ndarray, "endmember pixel"],
    abundances: Float[np.ndarray, "endmember pixel"],
    unit: Float[np.ndarray, "pixel"],
    sum_to_one: bool,
) -> Float[np.ndarray, "pixel"]:
    """Return the residual of `kkt_residual` from the gradient and its unit."""
    unit = np.where(unit == 0, 1.0, unit)
    residual = np.zeros(len(unit))
    multiplier = np.zeros(len(unit))
    if sum_to_one:
        total = np.zeros(len(unit))
        for share, slope in zip(abundances, gradient, strict=True):
            total += share
            multiplier += share * slope
        residual = np.abs(total - 1) * unit
    for share, slope in zip(abundances, gradient, strict=True):
        slack = slope - multiplier
        np.maximum(residual, -slack, out=residual)
        np.maximum(residual, np.minimum(share, 1) * np.abs(slack), out=residual)
        np.maximum(residual, -share * unit, out=residual)
    return np.abs(residual / unit)
