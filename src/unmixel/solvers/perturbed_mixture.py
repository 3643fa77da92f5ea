"""Scenes whose endmembers are perturbed in every pixel: abundances, and what the endmembers are perturbed from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from unmixel.solvers.accelerated_rounds import Ended
from unmixel.solvers.constrained_least_squares import nnls
from unmixel.solvers.neighbouring_abundances import VariableMixture, improve_abundances
from unmixel.solvers.pixel_graph import PixelGraph

MOST_ROUNDS, SETTLED = 50, 2e-4
"""Rounds, and the share of the objective by which one must lower it for another."""


class PerturbedMixture:
    r"""A scene of mixtures :math:`\sum_k a_k (m_k + d_k)` with endmembers m and a perturbation d in every pixel.

    .. math:: \frac{1}{2} \sum_n \min_{D_n} \Big( \frac{\|y_n - (M + D_n)^\top a_n\|^2}{\sigma^2}
              + \frac{\|D_n\|^2}{\tau^2} \Big) + \frac{1}{2 \delta^2} \sum_{nn'} \|a_n - a_{n'}\|^2
              + \frac{1}{2 \mu^2} \|M - M_0\|^2

    over abundances on the simplex and :math:`M \ge 0`. Endmembers (exactly) and abundances (`improve_abundances`) take
    turns, and the objective falls. The perturbations follow from both and are not kept.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance y.
    valid : array of bool, shape (y, x)
        Where they are.
    endmembers : array, shape (endmember, band)
        M_0 [reflectance].
    noise, perturbation, abundance_step, reference : float
        Standard deviations σ, τ [reflectance], δ [1] and μ [reflectance].
    """

    def __init__(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        valid: Bool[np.ndarray, "y x"],
        endmembers: Float[np.ndarray, "endmember band"],
        *,
        noise: float,
        perturbation: float,
        abundance_step: float,
        reference: float,
    ) -> None:
        self._pixels = pixels.astype(np.float64)
        self._power = np.einsum("nl,nl->n", self._pixels, self._pixels)
        self._start = endmembers.astype(np.float64)
        self._graph = PixelGraph(valid)
        self._noise_variance, self._spectrum_variance = noise**2, perturbation**2
        self._of_step, self._of_reference = abundance_step**-2, reference**-2

    def solve(
        self,
        abundances: Float[np.ndarray, "pixel endmember"],
        told: Callable[[dict[str, float]], None] | None = None,
    ) -> Ended:
        """Return abundances and endmembers, from abundances on.

        Parameters
        ----------
        abundances : array, shape (pixel, endmember)
        told : callable, optional
            Gets ``round`` and ``objective`` [1] after every round.
        """
        weights = np.full(len(self._graph.pairs), self._of_step)
        endmembers = self._start
        before = self.objective(abundances, endmembers)
        for number in range(1, MOST_ROUNDS + 1):
            abundances = improve_abundances(self._mixture(endmembers), abundances, self._graph, weights)
            endmembers = self.best_endmembers(abundances)
            objective = self.objective(abundances, endmembers)
            if told:
                told({"round": number, "of": MOST_ROUNDS, "objective": objective})
            if before - objective <= SETTLED * abs(objective):
                return Ended((abundances, endmembers), number, True)
            before = objective
        return Ended((abundances, endmembers), MOST_ROUNDS, False)

    def objective(
        self, abundances: Float[np.ndarray, "pixel endmember"], endmembers: Float[np.ndarray, "endmember band"]
    ) -> float:
        """Return the objective."""
        steps = self._of_step * (self._graph.differences(abundances) ** 2).sum()
        away = self._of_reference * ((endmembers - self._start) ** 2).sum()
        return float(self._mixture(endmembers).misfit(abundances).sum() + (steps + away) / 2)

    def best_endmembers(self, abundances: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "endmember band"]:
        """Return the endmembers with the smallest objective for given abundances: non-negative least squares."""
        square = np.einsum("nk,nk->n", abundances, abundances)
        weighted = abundances / (self._noise_variance + self._spectrum_variance * square)[:, None]
        hessian = weighted.T @ abundances + self._of_reference * np.eye(abundances.shape[1])
        factor = np.linalg.cholesky(hessian)
        target = np.linalg.solve(factor, weighted.T @ self._pixels + self._of_reference * self._start)
        return nnls(target.T, factor).T

    def _mixture(self, endmembers: Float[np.ndarray, "endmember band"]) -> VariableMixture:
        shape = len(self._pixels), len(endmembers), len(endmembers)
        gram = np.broadcast_to(endmembers @ endmembers.T, shape)
        inner = self._pixels @ endmembers.T
        return VariableMixture(gram, inner, self._power, self._noise_variance, self._spectrum_variance)
