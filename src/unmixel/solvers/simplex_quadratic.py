"""Quadratic functions on the simplex, another one for every pixel, exactly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_SLACK = 1e-9
"""Derivative, relative to the size of the quadratic, below which an endmember is not worth taking in."""


def minimise_on_simplex(
    hessian: Float[np.ndarray, "pixel endmember endmember"],
    linear: Float[np.ndarray, "pixel endmember"],
    start: Float[np.ndarray, "pixel endmember"],
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Return the minimum of a convex quadratic function on the simplex for every pixel.

    .. math:: \min_a \tfrac{1}{2} a^\top H a - b^\top a \quad \text{such that} \quad a_k \ge 0, \; \sum_k a_k = 1

    A primal active-set method, all pixels at once: from a point on the simplex to the minimum over its positive
    abundances, or as far towards it as none becomes negative; then the endmember with the most negative
    derivative is let in, until there is none. The function never rises.

    Parameters
    ----------
    hessian : array, shape (pixel, endmember, endmember)
        H, symmetric and positive definite.
    linear : array, shape (pixel, endmember)
        b.
    start : array, shape (pixel, endmember)
        Points on the simplex.

    Returns
    -------
    array, shape (pixel, endmember)
        Abundances a, in double precision.

    References
    ----------
    J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd ed., Springer 2006, chapter 16.5.

    Examples
    --------
    >>> hessian = np.array([[[2.0, 0.0], [0.0, 1.0]]]).repeat(2, axis=0)
    >>> linear = np.array([[1.0, 1.0], [0.0, 3.0]])
    >>> minimise_on_simplex(hessian, linear, np.array([[0.5, 0.5], [0.5, 0.5]])).round(3)
    array([[0.333, 0.667],
           [0.   , 1.   ]])
    """
    n_pixels, n_endmembers = linear.shape
    abundances = np.array(start, dtype=np.float64)
    size = np.abs(hessian).max(axis=(1, 2), initial=1e-300) + np.abs(linear).max(axis=1, initial=0)
    member = abundances > 0
    going = np.arange(n_pixels)
    for _ in range(10 * n_endmembers):
        if not len(going):
            break
        current, inside = abundances[going], member[going]
        target = _minimum_on(hessian[going], linear[going], inside)
        towards = target - current
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(inside & (target < 0), current / -towards, np.inf)
        step = np.minimum(reach.min(axis=1), 1.0)
        blocked = step < 1
        current = np.maximum(current + step[:, None] * towards, 0.0)
        rows = np.flatnonzero(blocked)
        first = reach[rows].argmin(axis=1)
        current[rows, first] = 0.0
        inside[rows, first] = False
        gradient = np.einsum("nij,nj->ni", hessian[going], current) - linear[going]
        slack = gradient - np.einsum("ni,ni->n", gradient, current)[:, None]
        slack[inside] = np.inf
        entering = slack.argmin(axis=1)
        wanted = ~blocked & (slack.min(axis=1) < -_SLACK * size[going])
        inside[np.flatnonzero(wanted), entering[wanted]] = True
        abundances[going], member[going] = current, inside
        going = going[blocked | wanted]
    return abundances / abundances.sum(axis=1, keepdims=True)


def _minimum_on(
    hessian: Float[np.ndarray, "pixel endmember endmember"],
    linear: Float[np.ndarray, "pixel endmember"],
    member: np.ndarray,
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the minimum over abundances that sum to one, those that are no members being zero.

    It stays where it is if a number is added to all of `linear`: what they share is left out, as it may be far larger.
    """
    both = member[:, :, None] & member[:, None, :]
    reduced = np.where(both, hessian, np.eye(linear.shape[1]))
    shared = np.where(member, linear, 0.0).sum(axis=1, keepdims=True) / member.sum(axis=1, keepdims=True)
    right = np.stack([np.where(member, linear - shared, 0.0), member.astype(np.float64)], axis=2)
    free, ones = np.linalg.solve(reduced, right).transpose(2, 0, 1)
    multiplier = (1 - free.sum(axis=1)) / ones.sum(axis=1)
    return free + multiplier[:, None] * ones
