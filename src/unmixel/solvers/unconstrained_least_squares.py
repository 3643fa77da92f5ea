"""Least squares without constraints: UCLS, in closed form."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.solvers.rowwise_product import rowwise_product


def ucls(
    pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Return the least-squares abundances of every pixel, of any sign and sum.

    .. math:: a = \arg\min_a \|y - M^\top a\|^2 = (M^\top)^+ y

    Of endmembers that depend on each other, the solution of least length.

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

    References
    ----------
    N. Keshava and J. F. Mustard, *Spectral unmixing*, IEEE Signal Processing Magazine 19(1), 2002,
    doi:10.1109/79.974727.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    >>> ucls(np.array([[0.25, 0.75, 0.5]]), endmembers).round(6)
    array([[-0.5 ,  0.75]])
    """
    return rowwise_product(pixels, np.linalg.pinv(endmembers.astype(np.float64)))
