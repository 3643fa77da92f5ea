"""Minimum-volume endmembers (SISAL's problem): the smallest simplex that holds nearly all pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unmixel.extraction.nfindr import affine_coordinates, nfindr

OUTSIDE = 1e-3
"""About this share of the pixels may be outside each face of the simplex."""
WIDTHS = (0.1, 0.03, 0.01, 0.003, 0.001)
"""Widths over which the kink of the hinge is rounded, one after the other [abundance]."""
START = 1.3
"""How much larger than the largest simplex of pixels the first one is."""
MOST_STEPS = 500
"""Of L-BFGS, for each width."""


class SmallestSimplex(NamedTuple):
    """Where the search for the smallest simplex ended.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Endmember spectra [1]; parts of them may be slightly negative.
    settled : bool
        Whether the search ended at a minimum.
    """

    endmembers: np.ndarray
    settled: bool


def sisal(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> SmallestSimplex:
    r"""Find the endmembers of the smallest simplex that holds nearly all pixels; none needs to be a pixel.

    .. math:: \min_Q -\log |\det Q| + \lambda \sum_{n,k} \max(0, -(x_n^\top Q)_k)
              \quad \text{such that} \quad x_n^\top Q 1 = 1

    where x are 1 and the first P - 1 principal components of a pixel, and :math:`x^\top Q` its abundances, so that the
    rows of :math:`Q^{-1}` are the endmembers. A negative abundance costs in proportion, so outliers don't decide.
    :math:`1 / \lambda` is a thousandth of the number of pixels, and at least 1. The hinge is rounded, less and less,
    and the problem solved by L-BFGS, from the N-FINDR simplex enlarged; the paper splits variables and solves
    quadratic approximations.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    n_endmembers : int
        Number of endmembers P, at least 2.

    Returns
    -------
    SmallestSimplex

    Raises
    ------
    ParameterError
        If the pixels differ in fewer than P - 1 directions.

    References
    ----------
    J. M. Bioucas-Dias, *A variable splitting augmented Lagrangian approach to linear spectral unmixing*, WHISPERS 2009,
    doi:10.1109/WHISPERS.2009.5289072.

    Examples
    --------
    Mixtures of at most 80 % of either of two materials:

    >>> materials = np.array([[0.1, 0.2, 0.6], [0.5, 0.4, 0.3]])
    >>> shares = np.linspace(0.2, 0.8, 101)[:, None]
    >>> sisal(shares * materials[0] + (1 - shares) * materials[1], 2).endmembers.round(2)[:, 0]
    array([0.42, 0.18])
    """
    from scipy.optimize import minimize

    points, back = affine_coordinates(pixels, n_endmembers)
    corners = points[nfindr(pixels, n_endmembers)]
    corners = corners.mean(axis=0) + START * (corners - corners.mean(axis=0))
    inverse = np.linalg.inv(corners)
    sign = np.linalg.slogdet(inverse)[0]
    weight = 1 / max(OUTSIDE * len(points), 1.0)

    def cost(free: np.ndarray, width: float) -> tuple[float, np.ndarray]:
        inverse = _with_last(free, n_endmembers)
        orientation, log_volume = np.linalg.slogdet(inverse)
        if orientation != sign:
            return 1e12, np.zeros_like(free)
        below = np.maximum(-(points @ inverse), 0)
        linear = below > width
        hinge = np.where(linear, below - width / 2, below**2 / (2 * width)).sum()
        slope = -np.where(linear, 1, below / width)
        gradient = -np.linalg.inv(inverse).T + weight * points.T @ slope
        return weight * hinge - log_volume, (gradient[:, :-1] - gradient[:, -1:]).ravel()

    free = inverse[:, :-1].ravel()
    for width in WIDTHS:
        found = minimize(cost, free, args=(width,), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
        free = found.x
    return SmallestSimplex(np.linalg.inv(_with_last(free, n_endmembers)) @ back, bool(found.success))


def _with_last(free: Float[np.ndarray, "number"], n_endmembers: int) -> Float[np.ndarray, "endmember endmember"]:
    """Return Q from its columns but the last, which makes abundances sum to one."""
    columns = free.reshape(n_endmembers, n_endmembers - 1)
    last = -columns.sum(axis=1)
    last[0] += 1
    return np.column_stack([columns, last])
