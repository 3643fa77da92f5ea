"""Bilinear mixing: light that meets two materials in turn carries the product of their reflectances."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.mixing.linear import linear


def fan(
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "endmember band"] | Float[np.ndarray, "pixel endmember band"],
) -> Float[np.ndarray, "pixel band"]:
    r"""Mix endmembers bilinearly, every pair with the weight of its areas (Fan's law).

    .. math:: y = \sum_k a_k m_k + \sum_{j<k} a_j a_k \, m_j \odot m_k

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
    Fan, Hu, Miller, Li, *Comparative study between a new nonlinear model and common linear model for
    analysing laboratory simulated-forest hyperspectral data*, Int. J. Remote Sensing 30(11), 2009.
    doi:10.1080/01431160802558659

    Examples
    --------
    >>> fan(np.array([[0.5, 0.5]]), np.array([[0.0, 0.4, 0.8], [0.4, 0.4, 0.4]]))
    array([[0.2 , 0.44, 0.68]])
    """
    n_pixels, n_endmembers = abundances.shape
    gammas = np.ones((n_pixels, n_endmembers * (n_endmembers - 1) // 2), dtype=abundances.dtype)
    return generalised_bilinear(abundances, endmembers, gammas)


def generalised_bilinear(
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "endmember band"] | Float[np.ndarray, "pixel endmember band"],
    gammas: Float[np.ndarray, "pixel pair"],
) -> Float[np.ndarray, "pixel band"]:
    r"""Mix endmembers bilinearly, every pair with its own strength in every pixel.

    .. math:: y = \sum_k a_k m_k + \sum_{j<k} \gamma_{jk} a_j a_k \, m_j \odot m_k

    All :math:`\gamma_{jk} = 0` is linear mixing, all :math:`\gamma_{jk} = 1` is Fan's law.

    Parameters
    ----------
    abundances : array, shape (pixel, endmember)
        Area fractions :math:`a_k` [1].
    endmembers : array, shape (endmember, band) or (pixel, endmember, band)
        Reflectance :math:`m_k` [1], the same for all pixels or its own for each.
    gammas : array, shape (pixel, pair)
        Strength :math:`\gamma_{jk}` of each pair [1], 0 to 1, in the order of ``np.triu_indices(P, 1)``:
        (0, 1), (0, 2), ..., (1, 2), ...

    Returns
    -------
    array, shape (pixel, band)
        Reflectance :math:`y` [1].

    References
    ----------
    Halimi, Altmann, Dobigeon, Tourneret, *Nonlinear unmixing of hyperspectral images using a generalized
    bilinear model*, IEEE TGRS 49(11), 2011. doi:10.1109/TGRS.2010.2098414

    Examples
    --------
    >>> endmembers = np.array([[0.0, 0.4, 0.8], [0.4, 0.4, 0.4]])
    >>> generalised_bilinear(np.array([[0.5, 0.5]]), endmembers, np.array([[0.5]]))
    array([[0.2 , 0.42, 0.64]])
    """
    first, second = np.triu_indices(abundances.shape[1], 1)
    weights = gammas * abundances[:, first] * abundances[:, second]
    mixed = linear(abundances, endmembers)
    if endmembers.ndim == 2:
        return mixed + weights @ (endmembers[first] * endmembers[second])
    for pair, (j, k) in enumerate(zip(first, second, strict=True)):
        mixed += weights[:, pair, None] * endmembers[:, j] * endmembers[:, k]
    return mixed
