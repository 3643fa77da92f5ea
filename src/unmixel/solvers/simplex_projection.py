"""The nearest point on the simplex."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def project_to_simplex(points: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel endmember"]:
    """Return the nearest point on the simplex to each point.

    ::

        a = max(0, x - theta),   theta such that sum_j a_j = 1

    Parameters
    ----------
    points : array, shape (pixel, endmember)
        Any real numbers x, at least one in each row.

    Returns
    -------
    array, shape (pixel, endmember)
        Abundances a: not negative, each row sums to one.

    References
    ----------
    J. Duchi, S. Shalev-Shwartz, Y. Singer and T. Chandra, *Efficient Projections onto
    the l1-Ball for Learning in High Dimensions*, ICML 2008.

    Examples
    --------
    >>> project_to_simplex(np.array([[0.5, 0.3, -0.1], [2.0, 0.0, 0.0]]))
    array([[0.6, 0.4, 0. ],
           [1. , 0. , 0. ]])
    """
    descending = -np.sort(-points.astype(np.float64), axis=1)
    excess = np.cumsum(descending, axis=1) - 1
    size = np.arange(1, points.shape[1] + 1)
    positive = np.maximum((descending * size > excess).sum(axis=1), 1)
    theta = np.take_along_axis(excess, positive[:, None] - 1, axis=1) / positive[:, None]
    return np.maximum(points - theta, 0)
