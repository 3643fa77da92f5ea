"""Least squares where the mixing is not linear: abundances on the simplex and further unknowns in a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from unmixel.solvers.box_simplex_program import solve_box_simplex_program

MOST_STEPS = 100
SMALLEST_STEP = 1e-9
"""A pixel is finished when no unknown moves by more."""
SMALLEST_GAIN = 1e-14
"""Or when a step promises to lower the squared residual by less than this share of the squared pixel."""
FIRST_DAMPING, SMALLEST_DAMPING, LARGEST_DAMPING = 1e-3, 1e-9, 1e9
FLOOR = 1e-6
"""Damping of unknowns that hardly matter, relative to the one that matters most."""


MixingLaw = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Of unknowns (pixel, unknown), gives mixtures (pixel, value) and their derivatives (pixel, unknown, value). Each row
must depend on its own unknowns alone, to the bit."""


class Minima(NamedTuple):
    """What was found in every pixel.

    Attributes
    ----------
    unknowns : array, shape (pixel, unknown)
    squared : array, shape (pixel,)
        Squared residual there.
    settled : array of bool, shape (pixel,)
        Whether the search ended at a minimum, rather than after `MOST_STEPS` or where no step is short enough.
    """

    unknowns: Float[np.ndarray, "pixel unknown"]
    squared: Float[np.ndarray, "pixel"]
    settled: Bool[np.ndarray, "pixel"]


def nonlinear_least_squares(
    law: MixingLaw,
    pixels: Float[np.ndarray, "pixel value"],
    start: Float[np.ndarray, "pixel unknown"],
    lower: Float[np.ndarray, "unknown"],
    upper: Float[np.ndarray, "unknown"],
    n_endmembers: int,
) -> Minima:
    r"""Find a minimum of the squared residual in every pixel by damped Gauss-Newton steps.

    .. math:: \min_{a, e} \lVert y - f(a, e) \rVert^2 \quad \text{such that} \quad
              a_k \ge 0, \quad \sum_k a_k = 1, \quad l \le e \le u

    Each step minimises the linearised problem under the same constraints, exactly, with the damping of Levenberg and
    Marquardt; only steps that lower the residual are taken. Each pixel stops by itself. Further unknowns on which a
    mixture does not depend for the time being are left out of a step.

    Parameters
    ----------
    law : callable
        Of the unknowns :math:`(a, e)` (pixel, unknown), gives f (pixel, value) and its derivatives
        (pixel, unknown, value).
    pixels : array, shape (pixel, value)
        y.
    start : array, shape (pixel, unknown)
        Where the search starts, within the constraints; abundances come first.
    lower, upper : array, shape (unknown,)
        Bounds; those of abundances are 0 and 1.
    n_endmembers : int
        Number of abundances.

    References
    ----------
    J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd ed., Springer 2006, chapter 10,
    doi:10.1007/978-0-387-40065-5.

    Examples
    --------
    The side of a square from its area and its circumference, in shares of two lengths:

    >>> def law(unknowns):
    ...     side = unknowns @ [1.0, 3.0]
    ...     slopes = np.stack([2 * side, np.full_like(side, 4)], axis=1)
    ...     return np.stack([side**2, 4 * side], axis=1), np.array([1.0, 3.0])[:, None] * slopes[:, None]
    >>> found, squared, settled = nonlinear_least_squares(
    ...     law, np.array([[4.0, 8.0]]), np.array([[1.0, 0.0]]), np.zeros(2), np.ones(2), 2
    ... )
    >>> found.round(6), squared.round(6), settled
    (array([[0.5, 0.5]]), array([0.]), array([ True]))
    """
    found, least, settled = start.astype(np.float64), np.empty(len(pixels)), np.zeros(len(pixels), dtype=bool)
    power = np.einsum("nl,nl->n", pixels, pixels)
    rows = np.arange(len(pixels))
    point, damping = found.copy(), np.full(len(rows), FIRST_DAMPING)
    residual, slopes, squared = _residual(law, pixels, point)
    for _ in range(MOST_STEPS):
        live = _live(slopes, n_endmembers)
        live_slopes = np.take_along_axis(slopes, live[:, :, None], axis=1)
        gradient = -np.einsum("nul,nl->nu", live_slopes, residual)
        curvature = _gram(live_slopes)
        before = np.take_along_axis(point, live, axis=1)
        after = solve_box_simplex_program(
            _damped(curvature, damping), gradient, before, lower[live], upper[live], n_endmembers
        )
        step = after - before
        promised = -np.einsum("nu,nu->n", step, 2 * gradient + np.einsum("nuv,nv->nu", curvature, step))
        candidate = point.copy()
        np.put_along_axis(candidate, live, after, axis=1)
        finished = (np.abs(step).max(axis=1) <= SMALLEST_STEP) | (promised <= SMALLEST_GAIN * power)
        stuck = damping > LARGEST_DAMPING
        found[rows], least[rows], settled[rows] = point, squared, finished
        left = np.flatnonzero(~(finished | stuck))
        if not len(left):
            break
        rows, power, damping = rows[left], power[left], damping[left]
        new_residual, new_slopes, new_squared = _residual(law, pixels[rows], candidate[left])
        better = new_squared < squared[left]
        point = np.where(better[:, None], candidate[left], point[left])
        residual = np.where(better[:, None], new_residual, residual[left])
        slopes = np.where(better[:, None, None], new_slopes, slopes[left])
        gained = squared[left] - new_squared
        squared = np.where(better, new_squared, squared[left])
        damping = np.where(gained > 0.75 * promised[left], damping / 10, np.where(better, damping, damping * 8))
        damping = np.maximum(damping, SMALLEST_DAMPING)
        found[rows], least[rows] = point, squared
    return Minima(found, least, settled)


def _residual(law: MixingLaw, pixels: np.ndarray, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mixed, slopes = law(unknowns)
    residual = pixels - mixed
    return residual, slopes, np.einsum("nl,nl->n", residual, residual)


def _live(slopes: Float[np.ndarray, "pixel unknown value"], n_endmembers: int) -> Integer[np.ndarray, "pixel live"]:
    """Return abundances and the unknowns on which each mixture depends, in order, and others to make rows equal."""
    idle = ~(slopes != 0).any(axis=2)
    idle[:, :n_endmembers] = False
    return np.argsort(idle, axis=1, kind="stable")[:, : (~idle).sum(axis=1).max()]


def _gram(slopes: Float[np.ndarray, "pixel unknown value"]) -> Float[np.ndarray, "pixel unknown unknown"]:
    """Return J J^T; by einsum, whose order of summation doesn't depend on the number of pixels."""
    n_pixels, n_unknowns, _ = slopes.shape
    gram = np.empty((n_pixels, n_unknowns, n_unknowns))
    for first in range(n_unknowns):
        gram[:, first, first:] = np.einsum("nl,nul->nu", slopes[:, first], slopes[:, first:])
        gram[:, first:, first] = gram[:, first, first:]
    return gram


def _damped(
    curvature: Float[np.ndarray, "pixel unknown unknown"], damping: Float[np.ndarray, "pixel"]
) -> Float[np.ndarray, "pixel unknown unknown"]:
    """Return the curvature with its diagonal raised by the damping."""
    damped = curvature.copy()
    diagonal = np.arange(curvature.shape[1])
    sizes = curvature[:, diagonal, diagonal]
    largest = sizes.max(axis=1, keepdims=True)
    largest = np.where(largest > 0, largest, 1)
    damped[:, diagonal, diagonal] += damping[:, None] * np.maximum(sizes, FLOOR * largest) + 1e-14 * largest
    return damped
