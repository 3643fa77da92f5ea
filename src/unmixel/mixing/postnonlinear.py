"""Polynomial post-nonlinear mixing: the linear mixture, bent by its own square."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.mixing.linear import linear


def postnonlinear(
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "endmember band"] | Float[np.ndarray, "pixel endmember band"],
    curvature: Float[np.ndarray, "pixel"],
) -> Float[np.ndarray, "pixel band"]:
    r"""Mix endmembers linearly, then add a share of the square of the mixture.

    .. math:: y = s + b \, s \odot s, \qquad s = \sum_k a_k m_k

    At :math:`b = 0` it is linear mixing. Unlike the bilinear laws it has products of a material with itself.

    Parameters
    ----------
    abundances : array, shape (pixel, endmember)
        Area fractions :math:`a_k` [1].
    endmembers : array, shape (endmember, band) or (pixel, endmember, band)
        Reflectance :math:`m_k` [1], the same for all pixels or its own for each.
    curvature : array, shape (pixel,)
        Coefficient :math:`b` of the square [1]; the paper draws it from -0.3 to 0.3.

    Returns
    -------
    array, shape (pixel, band)
        Reflectance :math:`y` [1].

    References
    ----------
    Altmann, Halimi, Dobigeon, Tourneret, *Supervised nonlinear spectral unmixing using a postnonlinear mixing
    model for hyperspectral imagery*, IEEE Trans. Image Processing 21(6), 2012. doi:10.1109/TIP.2012.2187668

    Examples
    --------
    >>> endmembers = np.array([[0.0, 0.4, 0.8], [0.4, 0.4, 0.4]])
    >>> postnonlinear(np.array([[0.5, 0.5]]), endmembers, np.array([0.5]))
    array([[0.22, 0.48, 0.78]])
    """
    single = linear(abundances, endmembers)
    return single + curvature[:, None] * single**2
