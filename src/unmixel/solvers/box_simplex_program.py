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
    lower: Float[np.ndarray, "*pixel unknown"],
    upper: Float[np.ndarray, "*pixel unknown"],
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
    lower, upper : array, shape (unknown,) or (pixel, unknown)
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
    rows = np.arange(len(start))
    state = _State.at(hessian, gradient, start, *(np.broadcast_to(bound, start.shape) for bound in (lower, upper)))
    for _ in range(8 * start.shape[1]):
        finished = state.advance(summed)
        found[rows[finished]] = state.point[:, finished].T
        rows = rows[~finished]
        if not len(rows):
            return found
        state = state.of(~finished)
    found[rows] = state.point.T
    return found


class _State:
    """Where the search is, with pixels along the last axis."""

    def __init__(
        self,
        hessian: np.ndarray,
        gradient: np.ndarray,
        point: np.ndarray,
        fixed: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
    ) -> None:
        self.hessian = hessian
        self.gradient = gradient
        self.point = point
        self.fixed = fixed
        self.lower = lower
        self.upper = upper

    @classmethod
    def at(
        cls, hessian: np.ndarray, gradient: np.ndarray, start: np.ndarray, lower: np.ndarray, upper: np.ndarray
    ) -> _State:
        point, low, high = (np.ascontiguousarray(array.T) for array in (start, lower, upper))
        fixed = (point <= low) | (point >= high)
        return cls(np.ascontiguousarray(hessian.transpose(1, 2, 0)), gradient.T.copy(), point, fixed, low, high)

    def of(self, chosen: Bool[np.ndarray, "pixel"]) -> _State:
        return _State(*(array[..., chosen] for array in vars(self).values()))

    def advance(self, summed: np.ndarray) -> Bool[np.ndarray, "pixel"]:
        """Go to the minimum over the free unknowns, or to the first bound on the way; say where that is the solution.

        At a minimum the bound whose multiplier is most wrong is released; where none is, it is the solution.
        """
        step, multiplier = _step_of_free(self.hessian, self.gradient, self.fixed, summed)
        room = np.where(step < 0, self.lower - self.point, self.upper - self.point)
        reach = np.divide(room, step, out=np.full(step.shape, np.inf), where=step != 0)
        first = np.argmin(reach, axis=0)
        length = np.take_along_axis(reach, first[None], axis=0)[0]
        blocked = length < 1
        length = np.where(blocked, np.maximum(length, 0), 1)
        self.point = np.clip(self.point + length * step, self.lower, self.upper)
        for row, column in zip(self.hessian, step, strict=True):
            self.gradient += length * (row * column)
        unit = np.abs(self.gradient).max(axis=0)
        pixels = np.flatnonzero(blocked)
        at = first[pixels], pixels
        self.point[at] = np.where(step[at] < 0, self.lower[at], self.upper[at])
        self.fixed[at] = True
        slack = self.gradient - np.where(summed[:, None], multiplier, 0)
        wrong = np.where(self.fixed, np.where(self.point <= self.lower, -slack, slack), -np.inf)
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
    few = np.argsort(fixed, axis=0, kind="stable")[: free.sum(axis=0).max()]
    places = np.arange(len(few))
    inside = np.take_along_axis(free, few, axis=0)
    matrix = np.take_along_axis(np.take_along_axis(hessian, few[:, None], axis=0), few[None], axis=1)
    matrix = np.where(inside[:, None] & inside[None], matrix, 0)
    matrix[places, places] += ~inside
    ones = np.where(inside & summed[few], 1.0, 0.0)
    target = np.where(inside, -np.take_along_axis(gradient, few, axis=0), 0)
    plain, along = solve_by_elimination(matrix, np.stack([target, ones]))
    drift, room = np.zeros(gradient.shape[1]), np.zeros(gradient.shape[1])
    for of_plain, of_along, counts in zip(plain, along, ones, strict=True):
        drift += counts * of_plain
        room += counts * of_along
    multiplier = -drift / np.where(room > 0, room, 1)
    step = np.zeros_like(gradient)
    np.put_along_axis(step, few, plain + multiplier * along, axis=0)
    return step, multiplier


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
