"""Least squares with any penalty whose proximal operator is known, batched over pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from unmixel.errors import BundleError
from unmixel.solvers.rowwise_product import rowwise_product

Proximal = Callable[[np.ndarray, float], np.ndarray]
"""From values v (pixel, endmember) and a step t to argmin_z ||z - v||^2 / 2 + t h(z), each row by itself."""

RELAXATION = 1.6
TOLERANCE = 1e-6
"""Change of every abundance in a step, and distance of both copies, at which a pixel is done [1]."""
CHECKED_EVERY = 10
MAX_STEPS = 1000
FLATTEST = 1e-4
"""Curvature below this share of the greatest counts as this share where the penalty parameter is chosen."""


class ProximalLeastSquares:
    r"""Least squares with a penalty, solved by the alternating direction method of multipliers (ADMM).

    .. math:: \min_a \tfrac12 \|y - M^\top a\|^2 + h(a)   \qquad (1^\top a = 1)

    The abundances are split into a copy x that fits the pixel and a copy z that the penalty shapes::

        x = (M M^T + rho I)^-1 (M y + rho (z - u)), moved along (M M^T + rho I)^-1 1 to the sum 1 if asked for
        z = prox_{h / rho}(x + u)
        u = u + x - z

    with over-relaxation of x. The penalty parameter rho is the geometric mean of the greatest and the least
    curvature of the misfit. Each pixel stops at its own convergence, so its solution is the same bit for bit
    whatever the other pixels of the call.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Endmember spectra M [reflectance].
    proximal : callable
        Proximal operator of h, see `Proximal`.
    sum_to_one : bool
        Whether the abundances of a pixel sum to one; z then does so up to `TOLERANCE`.

    Raises
    ------
    BundleError
        If there is no endmember, or one is not finite.

    References
    ----------
    J. M. Bioucas-Dias and M. A. T. Figueiredo, *Alternating direction algorithms for constrained sparse regression:
    application to hyperspectral unmixing*, WHISPERS 2010, doi:10.1109/WHISPERS.2010.5594963.

    Examples
    --------
    >>> shrink = lambda values, step: np.maximum(values - 0.1 * step, 0)
    >>> lasso = ProximalLeastSquares(np.eye(2), shrink, sum_to_one=False)
    >>> lasso.solve(np.array([[0.5, 0.05]])).round(6)
    array([[0.4, 0. ]])
    """

    def __init__(
        self, endmembers: Float[np.ndarray, "endmember band"], proximal: Proximal, *, sum_to_one: bool
    ) -> None:
        spectra = endmembers.astype(np.float64)
        if 0 in spectra.shape or not np.isfinite(spectra).all():
            raise BundleError(
                f"{len(spectra)} endmembers over {spectra.shape[1]} bands, not all finite", "finite endmembers"
            )
        self._proximal = proximal
        gram = spectra @ spectra.T
        self._rho = penalty_parameter(gram)
        inverse = np.linalg.inv(gram + self._rho * np.eye(len(gram)))
        self._constant = np.zeros(len(gram))
        if sum_to_one:
            along = inverse.sum(axis=0)
            self._constant = along / along.sum()
            inverse = inverse - np.outer(along, self._constant)
        self._from_pixel = spectra.T @ inverse
        self._from_copy = self._rho * inverse

    def solve(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel endmember"]:
        """Return the abundances of every pixel, in double precision."""
        return self.search(pixels)[0]

    def search(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Bool[np.ndarray, "pixel"]]:
        """Return the abundances of every pixel, and whether they converged before `MAX_STEPS`."""
        solved = np.empty((len(pixels), len(self._constant)))
        settled = np.zeros(len(pixels), dtype=bool)
        pending = np.arange(len(pixels))
        fixed = rowwise_product(pixels, self._from_pixel) + self._constant
        shaped, dual = np.maximum(fixed, 0), np.zeros_like(fixed)
        for step in range(1, MAX_STEPS + 1):
            fitting = fixed + rowwise_product(shaped - dual, self._from_copy)
            before = shaped
            relaxed = RELAXATION * fitting + (1 - RELAXATION) * before
            shaped = self._proximal(relaxed + dual, 1 / self._rho)
            dual = dual + relaxed - shaped
            if step % CHECKED_EVERY and step < MAX_STEPS:
                continue
            change = np.maximum(np.abs(shaped - before).max(axis=1), np.abs(fitting - shaped).max(axis=1))
            converged = change <= TOLERANCE
            settled[pending[converged]] = True
            done = converged | (step == MAX_STEPS)
            solved[pending[done]] = shaped[done]
            if done.all():
                break
            pending, fixed, shaped, dual = pending[~done], fixed[~done], shaped[~done], dual[~done]
        return solved, settled


def penalty_parameter(gram: Float[np.ndarray, "endmember endmember"]) -> float:
    """Return the penalty parameter rho of ADMM: the geometric mean of the greatest and the least curvature; 1 for none.

    Examples
    --------
    >>> round(penalty_parameter(np.diag([4.0, 1.0])), 6)
    2.0
    """
    curvature = np.linalg.eigvalsh(gram)
    if (greatest := curvature[-1]) <= 0:
        return 1.0
    return float(np.sqrt(greatest * max(curvature[0], FLATTEST * greatest)))
