"""The Beta distributions of single abundances under a Dirichlet."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

SMALLEST = 1e-6
"""A shape below it counts as it: quantiles of Beta distributions have no meaning at 0."""


def beta_marginals(
    concentration: Float[np.ndarray, "*pixel endmember"],
) -> tuple[Float[np.ndarray, "*pixel endmember"], Float[np.ndarray, "*pixel endmember"]]:
    r"""Return the two shapes of the Beta distribution of each abundance.

    .. math:: a \sim \mathrm{Dirichlet}(c) \;\Rightarrow\; a_k \sim \mathrm{Beta}\Big(c_k, \sum_{j \ne k} c_j\Big)

    Parameters
    ----------
    concentration : array, shape (..., endmember)
        Concentration :math:`c` of the Dirichlet [1].

    Returns
    -------
    first, second : array, shape (..., endmember)
        Shapes [1]; NaN where the concentration is.

    Examples
    --------
    >>> beta_marginals(np.array([[2.0, 3.0, 5.0]]))
    (array([[2., 3., 5.]]), array([[8., 7., 5.]]))
    """
    first = concentration.astype(np.float64)
    second = first.sum(axis=-1, keepdims=True) - first
    return np.maximum(first, SMALLEST), np.maximum(second, SMALLEST)
