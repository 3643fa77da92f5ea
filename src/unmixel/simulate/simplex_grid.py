"""Nodes and weights for integrals over three abundances of a Dirichlet law."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def triangle_centres(n_steps: int) -> Float[np.ndarray, "node 3"]:
    """Return the centres of the small triangles into which a triangle is cut, in barycentric coordinates.

    Parameters
    ----------
    n_steps : int
        Pieces n of every side; there are n² small triangles, all of the same size.

    Returns
    -------
    array, shape (node, 3)
        Coordinates [1], all above 0, summing to 1.

    Examples
    --------
    >>> triangle_centres(2).round(2)
    array([[0.17, 0.17, 0.67],
           [0.17, 0.67, 0.17],
           [0.67, 0.17, 0.17],
           [0.33, 0.33, 0.33]])
    """
    first, second = np.meshgrid(np.arange(n_steps), np.arange(n_steps), indexing="ij")
    corners = np.stack([first, second], axis=2)
    upright, inverted = corners[first + second < n_steps], corners[first + second < n_steps - 1]
    pair = np.concatenate([upright + 1 / 3, inverted + 2 / 3]) / n_steps
    return np.column_stack([pair, 1 - pair.sum(axis=1)])


def abundances_at(place: Float[np.ndarray, "*node 3"]) -> Float[np.ndarray, "*node 3"]:
    r"""Return the abundances at points of a triangle: more points where an abundance is small.

    .. math:: a_k = t_k^2 / \textstyle\sum_j t_j^2

    Parameters
    ----------
    place : array, shape (..., 3)
        Barycentric coordinates :math:`t` [1].

    Returns
    -------
    array, shape (..., 3)
        Area fractions [1].

    Examples
    --------
    >>> abundances_at(np.array([[0.25, 0.25, 0.5]])).round(3)
    array([[0.167, 0.167, 0.667]])
    """
    square = place**2
    return square / square.sum(axis=-1, keepdims=True)


def log_dirichlet_at(
    place: Float[np.ndarray, "*node 3"], concentration: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "*node"]:
    r"""Return the logarithm of the density that a Dirichlet law of the abundances has over the triangle.

    .. math:: \sum_k (2 c_k - 1) \log t_k - \Big(\sum_k c_k\Big) \log \sum_j t_j^2 + \text{const}

    It is the density of :math:`a` times the area that a small triangle of :math:`t` has there. For
    :math:`c_k = 1/2`, where the density of :math:`a` is infinite at the edges, this one is smooth.

    Parameters
    ----------
    place : array, shape (..., 3)
        Barycentric coordinates :math:`t` [1], above 0.
    concentration : array, shape (3,)
        Concentrations :math:`c` [1].

    Returns
    -------
    array, shape (...)
        Logarithm of the density [1], up to a constant.

    Examples
    --------
    >>> place = triangle_centres(200)
    >>> weights = np.exp(log_dirichlet_at(place, np.array([0.5, 1.0, 2.5])))
    >>> (weights @ abundances_at(place) / weights.sum()).round(3)
    array([0.125, 0.25 , 0.625])
    """
    total = (place**2).sum(axis=-1)
    return np.log(place) @ (2 * concentration - 1) - concentration.sum() * np.log(total)
