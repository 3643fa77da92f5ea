"""Abundances of pixels whose neighbours have similar ones, and whose endmembers are known only roughly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unmixel.solvers.pixel_graph import PixelGraph
from unmixel.solvers.simplex_quadratic import minimise_on_simplex

HALVINGS = 12
FIRM = 1e-9
"""Curvature, relative to that of all endmembers, that steps see where a pixel can't tell endmembers apart."""


class VariableMixture(NamedTuple):
    r"""Pixels mixed of endmembers that are not quite what they should be.

    .. math:: \min_S \frac{\|y - S^\top a\|^2}{\sigma^2} + \frac{\|S - M\|^2}{\tau^2}
              = \frac{\|y - M^\top a\|^2}{\sigma^2 + \tau^2 \|a\|^2}

    so that the spectra S of a pixel need not be kept: only products with M are.

    Attributes
    ----------
    gram : array, shape (pixel, endmember, endmember)
        M Mᵀ of every pixel.
    inner : array, shape (pixel, endmember)
        M y.
    power : array, shape (pixel,)
        ‖y‖².
    noise_variance, spectrum_variance : float
        σ² and τ².
    """

    gram: Float[np.ndarray, "pixel endmember endmember"]
    inner: Float[np.ndarray, "pixel endmember"]
    power: Float[np.ndarray, "pixel"]
    noise_variance: float
    spectrum_variance: float

    def variance(self, abundances: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel"]:
        """Return σ² + τ² ‖a‖²."""
        return self.noise_variance + self.spectrum_variance * np.einsum("nk,nk->n", abundances, abundances)

    def squared_misfit(self, abundances: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel"]:
        """Return ‖y − Mᵀ a‖²."""
        mixed = np.einsum("nij,nj->ni", self.gram, abundances)
        return np.maximum(self.power + np.einsum("ni,ni->n", abundances, mixed - 2 * self.inner), 0.0)

    def misfit(self, abundances: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel"]:
        """Return half of what is minimised."""
        return self.squared_misfit(abundances) / self.variance(abundances) / 2

    def only(self, rows: np.ndarray) -> VariableMixture:
        """Return some of the pixels."""
        return self._replace(gram=self.gram[rows], inner=self.inner[rows], power=self.power[rows])


def improve_abundances(
    mixture: VariableMixture,
    abundances: Float[np.ndarray, "pixel endmember"],
    graph: PixelGraph,
    pair_weights: Float[np.ndarray, "pair"],
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Return abundances with a smaller objective, unless these are where it can't fall.

    .. math:: \tfrac{1}{2} \sum_n \frac{\|y_n - M_n^\top a_n\|^2}{\sigma^2 + \tau^2 \|a_n\|^2}
              + \tfrac{1}{2} \sum_{nn'} \omega_{nn'} \|a_n - a_{n'}\|^2

    The black fields of a chessboard are improved given the white ones, then the white given the black: in every
    pixel by a step to the minimum of a quadratic function on the simplex, halved until the objective falls.

    Parameters
    ----------
    mixture : VariableMixture
    abundances : array, shape (pixel, endmember)
        On the simplex.
    graph : PixelGraph
        Whose pairs nn' are.
    pair_weights : array, shape (pair,)
        ω.

    Examples
    --------
    A pixel that says little, between two that say much:

    >>> inner = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    >>> gram = np.eye(2) * np.array([1e3, 0.1, 1e3])[:, None, None]
    >>> mixture = VariableMixture(gram, np.einsum("nij,nj->ni", gram, inner), np.array([1e3, 0.05, 1e3]), 1.0, 0.0)
    >>> graph = PixelGraph(np.ones((1, 3), dtype=bool))
    >>> improve_abundances(mixture, np.full((3, 2), 0.5), graph, np.full(2, 10.0))[1].round(2)
    array([0.99, 0.01])
    """
    abundances = abundances.copy()
    degree = graph.neighbour_sums(pair_weights, np.ones((graph.n_pixels, 1)))[:, 0]
    for rows in (np.flatnonzero(~graph.colour), np.flatnonzero(graph.colour)):
        pull = graph.neighbour_sums(pair_weights, abundances)[rows]
        abundances[rows] = _improved(mixture.only(rows), abundances[rows], degree[rows], pull)
    return abundances


def _improved(
    mixture: VariableMixture,
    start: Float[np.ndarray, "pixel endmember"],
    degree: Float[np.ndarray, "pixel"],
    pull: Float[np.ndarray, "pixel endmember"],
) -> Float[np.ndarray, "pixel endmember"]:
    """Return better abundances given the neighbours': their weights sum to `degree`, their weighted sum is `pull`."""

    def objective(
        some: VariableMixture, abundances: np.ndarray, degree: np.ndarray, pull: np.ndarray
    ) -> Float[np.ndarray, "pixel"]:
        square = np.einsum("nk,nk->n", abundances, abundances)
        return some.misfit(abundances) + degree * square / 2 - np.einsum("nk,nk->n", abundances, pull)

    variance, squared = mixture.variance(start), mixture.squared_misfit(start)
    firm = FIRM * np.trace(mixture.gram, axis1=1, axis2=2) / variance
    hessian = mixture.gram / variance[:, None, None] + (degree + firm)[:, None, None] * np.eye(start.shape[1])
    of_variance = mixture.spectrum_variance * squared / variance**2
    linear = mixture.inner / variance[:, None] + (of_variance + firm)[:, None] * start + pull
    direction = minimise_on_simplex(hessian, linear, start) - start
    found, before = start.copy(), objective(mixture, start, degree, pull)
    going = np.arange(len(start))
    for halving in range(HALVINGS):
        tried = start[going] + 0.5**halving * direction[going]
        falls = objective(mixture.only(going), tried, degree[going], pull[going]) < before[going]
        found[going[falls]] = tried[falls]
        going = going[~falls]
        if not len(going):
            break
    return found
