"""Small convex quadratic programs over the simplex and a box, one for every pixel, solved side by side.

Everything is computed element by element along the pixels, so a pixel's solution is the same bit for bit whatever
the other pixels of the call.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

SMALLEST_MULTIPLIER = 1e-12
"""Multipliers of active bounds, relative to the gradient, below which they count as zero."""


def solve_box_simplex_program(
    hessian: Float[np.ndarray, "pixel unknown unknown"],
    gradient: Float[np.ndarray, "pixel unknown"],
    start: Float[np.ndarray, "pixel unknown"],
    lower: Float[np.ndarray, "unknown"],
    upper: Float[np.ndarray, "unknown"],
    n_endmembers: int,
) -> Float[np.ndarray, "pixel unknown"]:
    r"""Minimise a quadratic in every pixel by the primal active-set method.

    .. math:: \min_x \tfrac12 (x - x_0)^\top H (x - x_0) + g^\top (x - x_0)
              \quad \text{such that} \quad l \le x \le u, \quad \sum_{k \le P} x_k = \sum_{k \le P} x_{0k}

    Parameters
    ----------
    hessian : array, shape (pixel, unknown, unknown)
        H, positive definite.
    gradient : array, shape (pixel, unknown)
        g, at the start.
    start : array, shape (pixel, unknown)
        :math:`x_0`, within the bounds.
    lower, upper : array, shape (unknown,)
        l and u; may be infinite.
    n_endmembers : int
        P: the first so many unknowns keep their sum.

    Returns
    -------
    array, shape (pixel, unknown)

    References
    ----------
    J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd ed., Springer 2006, section 16.5,
    doi:10.1007/978-0-387-40065-5.

    Examples
    --------
    >>> hessian, start = np.eye(3)[None], np.array([[0.5, 0.5, 0.0]])
    >>> bounds = np.array([0.0, 0.0, -1.0]), np.array([1.0, 1.0, 1.0])
    >>> solve_box_simplex_program(hessian, np.array([[-1.0, 1.0, 3.0]]), start, *bounds, 2)
    array([[ 1.,  0., -1.]])
    """
    found = start.copy()
    summed = np.arange(start.shape[1]) < n_endmembers
    bounds = lower[:, None], upper[:, None]
    rows = np.arange(len(start))
    state = _State.at(hessian, gradient, start, *bounds)
    for _ in range(8 * start.shape[1]):
        finished = state.advance(summed, *bounds)
        found[rows[finished]] = state.point[:, finished].T
        rows = rows[~finished]
        if not len(rows):
            return found
        state = state.of(~finished)
    found[rows] = state.point.T
    return found


class _State:
    """Where the search is, with pixels along the last axis."""

    def __init__(self, hessian: np.ndarray, gradient: np.ndarray, point: np.ndarray, fixed: np.ndarray) -> None:
        self.hessian = hessian
        self.gradient = gradient
        self.point = point
        self.fixed = fixed

    @classmethod
    def at(
        cls, hessian: np.ndarray, gradient: np.ndarray, start: np.ndarray, lower: np.ndarray, upper: np.ndarray
    ) -> _State:
        point = np.ascontiguousarray(start.T)
        fixed = (point <= lower) | (point >= upper)
        return cls(np.ascontiguousarray(hessian.transpose(1, 2, 0)), gradient.T.copy(), point, fixed)

    def of(self, chosen: Bool[np.ndarray, "pixel"]) -> _State:
        return _State(self.hessian[..., chosen], self.gradient[:, chosen], self.point[:, chosen], self.fixed[:, chosen])

    def advance(self, summed: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Bool[np.ndarray, "pixel"]:
        """Go to the minimum over the free unknowns, or to the first bound on the way; say where that is the solution.

        At a minimum the bound whose multiplier is most wrong is released; where none is, it is the solution.
        """
        step, multiplier = _step_of_free(self.hessian, self.gradient, self.fixed, summed)
        room = np.where(step < 0, lower - self.point, upper - self.point)
        reach = np.divide(room, step, out=np.full(step.shape, np.inf), where=step != 0)
        first = np.argmin(reach, axis=0)
        length = np.take_along_axis(reach, first[None], axis=0)[0]
        blocked = length < 1
        length = np.where(blocked, np.maximum(length, 0), 1)
        self.point = np.clip(self.point + length * step, lower, upper)
        for row, column in zip(self.hessian, step, strict=True):
            self.gradient += length * (row * column)
        unit = np.abs(self.gradient).max(axis=0)
        pixels = np.flatnonzero(blocked)
        bound = np.where(step[first[pixels], pixels] < 0, lower[first[pixels], 0], upper[first[pixels], 0])
        self.point[first[pixels], pixels] = bound
        self.fixed[first[pixels], pixels] = True
        slack = self.gradient - np.where(summed[:, None], multiplier, 0)
        wrong = np.where(self.fixed, np.where(self.point <= lower, -slack, slack), -np.inf)
        worst = np.argmax(wrong, axis=0)
        release = np.flatnonzero(~blocked & (wrong.max(axis=0) > SMALLEST_MULTIPLIER * unit))
        self.fixed[worst[release], release] = False
        finished = ~blocked
        finished[release] = False
        return finished


def _step_of_free(
    hessian: Float[np.ndarray, "unknown unknown pixel"],
    gradient: Float[np.ndarray, "unknown pixel"],
    fixed: Bool[np.ndarray, "unknown pixel"],
    summed: Bool[np.ndarray, "unknown"],
) -> tuple[Float[np.ndarray, "unknown pixel"], Float[np.ndarray, "pixel"]]:
    """Return the step to the minimum over the free unknowns, and the multiplier of the sum."""
    free = ~fixed
    matrix = np.where(free[:, None] & free[None], hessian, 0)
    diagonal = np.arange(len(matrix))
    matrix[diagonal, diagonal] += fixed
    ones = (free & summed[:, None]).astype(np.float64)
    plain, along = solve_by_elimination(matrix, np.stack([np.where(free, -gradient, 0), ones]))
    drift, room = np.zeros(gradient.shape[1]), np.zeros(gradient.shape[1])
    for k in np.flatnonzero(summed):
        drift += plain[k]
        room += along[k]
    multiplier = -drift / np.where(room > 0, room, 1)
    return plain + multiplier * along, multiplier


def solve_by_elimination(
    matrix: Float[np.ndarray, "unknown unknown pixel"], targets: Float[np.ndarray, "target unknown pixel"]
) -> Float[np.ndarray, "target unknown pixel"]:
    """Return the solutions of a positive definite system of every pixel; both arguments are used up.

    Examples
    --------
    >>> matrix = np.array([[2.0, 1.0], [1.0, 3.0]])[:, :, None]
    >>> solve_by_elimination(matrix, np.array([[[3.0], [4.0]]])).ravel()
    array([1., 1.])
    """
    n = len(matrix)
    for k in range(n - 1):
        factors = matrix[k + 1 :, k] / matrix[k, k]
        matrix[k + 1 :, k + 1 :] -= factors[:, None] * matrix[k, k + 1 :]
        targets[:, k + 1 :] -= factors * targets[:, k, None]
    for k in range(n - 1, -1, -1):
        targets[:, k] /= matrix[k, k]
        targets[:, :k] -= matrix[:k, k] * targets[:, k, None]
    return targets
