"""Successive projection: the pixel farthest from all that was found before is the next endmember (ATGP, SPA)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.errors import ParameterError
from unmixel.extraction.vca import principal_coordinates, without_brightness

ALREADY_SPANNED = 1e-14
"""Share of the largest squared length below which a pixel is a mixture of those found, up to rounding."""


def atgp(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> Integer[np.ndarray, "endmember"]:
    r"""Find endmembers by automatic target generation (ATGP): the brightest pixel, then the most different ones.

    .. math:: i_k = \arg\max_n \|P_k^\perp y_n\|, \qquad
              P_k^\perp = I - U_k U_k^+, \quad U_k = [y_{i_1} \dots y_{i_{k-1}}]

    Brightness counts: this finds bright and rare materials, and misses dark ones.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    n_endmembers : int
        Number of endmembers P.

    Returns
    -------
    array of int, shape (endmember,)
        Rows of the pixels that are the endmembers, in the order in which they were found.

    Raises
    ------
    ParameterError
        If the pixels span fewer than P directions.

    References
    ----------
    H. Ren and C.-I. Chang, *Automatic spectral target recognition in hyperspectral imagery*, IEEE Transactions on
    Aerospace and Electronic Systems 39(4), 2003, doi:10.1109/TAES.2003.1261124.

    Examples
    --------
    >>> atgp(np.array([[0.3, 0.2, 0.1], [0.5, 0.0, 0.0], [0.2, 0.2, 0.2], [0.0, 0.4, 0.0], [0.0, 0.0, 0.1]]), 2)
    array([1, 3])
    """
    return farthest(pixels.astype(np.float64), n_endmembers)


def spa(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> Integer[np.ndarray, "endmember"]:
    r"""Find endmembers by the successive projection algorithm (SPA), on pixels without noise's axes and brightness.

    .. math:: i_k = \arg\max_n \|P_k^\perp \tilde x_n\|, \qquad \tilde x = x / (u^\top x), \quad x = U_P^\top y

    with :math:`P_k^\perp` as in :func:`atgp`, the first P right singular vectors :math:`U_P` of the pixels, and the
    direction u of their mean. The recursion is that of ATGP. Its guarantee is for pixels whose abundances sum to
    one, so each is divided by its brightness first, as in :func:`unmixel.extraction.vca.vca`.

    What is given and returned is as in :func:`atgp`.

    Raises
    ------
    ParameterError
        If the pixels that are not black span fewer than P directions.

    References
    ----------
    M. C. U. Araújo et al., *The successive projections algorithm for variable selection in spectroscopic
    multicomponent analysis*, Chemometrics and Intelligent Laboratory Systems 57(2), 2001,
    doi:10.1016/S0169-7439(01)00119-8.

    N. Gillis and S. A. Vavasis, *Fast and robust recursive algorithms for separable nonnegative matrix factorization*,
    IEEE TPAMI 36(4), 2014, doi:10.1109/TPAMI.2013.226.

    Examples
    --------
    >>> pixels = np.array([[0.3, 0.2, 0.1], [0.5, 0.0, 0.0], [0.2, 0.2, 0.2], [0.0, 0.4, 0.0], [0.0, 0.0, 0.1]])
    >>> sorted(spa(pixels, 3).tolist())
    [1, 3, 4]
    """
    projected = without_brightness(principal_coordinates(pixels, n_endmembers))
    usable = np.flatnonzero(np.isfinite(projected[:, 0]))
    return usable[farthest(projected[usable], n_endmembers)]


def farthest(points: Float[np.ndarray, "point axis"], n_points: int) -> Integer[np.ndarray, "chosen"]:
    """Return points, each the farthest from the span of those before.

    Raises
    ------
    ParameterError
        If the points span fewer directions.

    Examples
    --------
    >>> farthest(np.array([[1.0, 1.0], [3.0, 0.0], [2.0, 2.0]]), 2)
    array([1, 2])
    """
    squared = np.einsum("nl,nl->n", points, points)
    smallest = ALREADY_SPANNED * squared.max(initial=0)
    basis = np.zeros((0, points.shape[1]))
    found: list[int] = []
    for _ in range(n_points):
        if squared.max(initial=0) <= smallest:
            raise ParameterError(
                f"{n_points} endmembers from pixels that span {len(found)} directions", f"at most {len(found)}"
            )
        found.append(int(squared.argmax()))
        direction = points[found[-1]]
        for _ in range(2):
            direction = direction - basis.T @ (basis @ direction)
        direction = direction / np.linalg.norm(direction)
        basis = np.vstack([basis, direction])
        squared = np.maximum(squared - (points @ direction) ** 2, 0)
        squared[found] = 0
    return np.array(found)
