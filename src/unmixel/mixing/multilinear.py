"""Multilinear mixing: light that was reflected once may be reflected again, any number of times."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.mixing.linear import linear


def multilinear(
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "endmember band"] | Float[np.ndarray, "pixel endmember band"],
    probability: Float[np.ndarray, "pixel"],
) -> Float[np.ndarray, "pixel band"]:
    r"""Mix endmembers by all orders of interaction.

    After every reflection the light meets another material with probability :math:`p`, or leaves for the sensor:

    .. math:: y = (1 - p) \sum_{i \ge 1} p^{i-1} s^i = \frac{(1 - p) \, s}{1 - p \, s},
              \qquad s = \sum_k a_k m_k

    (all operations band by band). At :math:`p = 0` it is linear mixing; the larger :math:`p`, the darker the
    pixel. Reflectances of 1 stay 1.

    Parameters
    ----------
    abundances : array, shape (pixel, endmember)
        Area fractions :math:`a_k` [1].
    endmembers : array, shape (endmember, band) or (pixel, endmember, band)
        Reflectance :math:`m_k` [1], 0 to 1, the same for all pixels or its own for each.
    probability : array, shape (pixel,)
        Probability :math:`p` of a further interaction [1], at least 0 and below 1.

    Returns
    -------
    array, shape (pixel, band)
        Reflectance :math:`y` [1].

    References
    ----------
    Heylen, Scheunders, *A multilinear mixing model for nonlinear spectral unmixing*, IEEE TGRS 54(1), 2016.
    doi:10.1109/TGRS.2015.2453915

    Examples
    --------
    >>> endmembers = np.array([[0.0, 0.5, 1.0], [0.0, 0.3, 1.0]])
    >>> multilinear(np.array([[0.5, 0.5]]), endmembers, np.array([0.5]))
    array([[0.  , 0.25, 1.  ]])
    """
    single = linear(abundances, endmembers)
    again = probability[:, None]
    return (1 - again) * single / (1 - again * single)
