"""Linear mixing: light meets one material only, so a pixel is the area-weighted mean of its materials."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def linear(
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "endmember band"] | Float[np.ndarray, "pixel endmember band"],
) -> Float[np.ndarray, "pixel band"]:
    r"""Mix endmembers linearly.

    .. math:: y = \sum_k a_k m_k

    Parameters
    ----------
    abundances : array, shape (pixel, endmember)
        Area fractions :math:`a_k` [1].
    endmembers : array, shape (endmember, band) or (pixel, endmember, band)
        Reflectance :math:`m_k` [1], the same for all pixels or its own for each.

    Returns
    -------
    array, shape (pixel, band)
        Reflectance :math:`y` [1].

    References
    ----------
    Keshava, Mustard, *Spectral unmixing*, IEEE Signal Processing Magazine 19(1), 2002. doi:10.1109/79.974727

    Examples
    --------
    >>> linear(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([[0.0, 0.4, 0.8], [0.4, 0.4, 0.4]]))
    array([[0.3, 0.4, 0.5],
           [0. , 0.4, 0.8]])
    """
    if endmembers.ndim == 2:
        return abundances @ endmembers
    return np.einsum("nk,nkl->nl", abundances, endmembers, optimize=True)
