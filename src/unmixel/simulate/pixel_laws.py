r"""How likely a pixel is, given its abundances, where the law of the endmember spectra is known.

Every law writes the logarithm of the density as a scalar product of what is known of the pixel and what is known of
the abundances, so that all pixels meet all nodes of a grid in one matrix product:

.. math:: \log p(y \mid a) = \phi(y)^\top \psi(a) + \text{const}(y)

Pixels are divided by the standard deviation of the noise, and projected on the subspace in which mixtures differ. What
is left out of it is the same for all abundances, up to the tolerance that the law states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from unmixel.simulate.simplex_grid import triangle_centres

FIXED_TOLERANCE = 1e-3
"""Root mean square of a mixture outside the subspace, over that of the noise in one band."""
VARIED_TOLERANCE = 0.3
"""The same for the spectra of a class that varies."""
GRID_STEPS = 30

Mixture = Callable[[Float[np.ndarray, "node endmember"]], Float[np.ndarray, "node band"]]


@runtime_checkable
class PixelLaw(Protocol):
    """The density of a pixel given its abundances."""

    def of_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel feature"]:
        """Return φ of pixels whose noise has the standard deviation 1."""

    def of_abundances(self, abundances: Float[np.ndarray, "node endmember"]) -> Float[np.ndarray, "node feature"]:
        """Return ψ of abundances."""


def subspace_of(spectra: Float[np.ndarray, "spectrum band"], tolerance: float) -> Float[np.ndarray, "band direction"]:
    """Return orthonormal directions outside which spectra have at most this root mean square length.

    Examples
    --------
    >>> subspace_of(np.array([[3.0, 0.0, 0.01], [0.0, 4.0, 0.0]]), 0.1).shape
    (3, 2)
    """
    _, length, directions = np.linalg.svd(spectra, full_matrices=False)
    outside = np.sqrt(np.cumsum(length[::-1] ** 2)[::-1] / len(spectra))
    return directions[: max(1, int((outside > tolerance).sum()))].T


class FixedLaw:
    r"""Pixels that are mixtures of fixed spectra plus noise of standard deviation 1.

    .. math:: \phi(y) = (y, 1), \qquad \psi(a) = (f(a), -\tfrac12 \|f(a)\|^2)

    Parameters
    ----------
    mixture : callable
        From abundances to the mixture :math:`f(a)` over the standard deviation of the noise [1].

    Examples
    --------
    >>> law = FixedLaw(lambda abundances: abundances @ np.diag([2.0, 3.0, 4.0]))
    >>> (law.of_pixels(np.array([[0.0, 3.0, 0.0]])) @ law.of_abundances(np.eye(3)).T).round(3)
    array([[-2. ,  4.5, -8. ]])
    """

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture
        self._basis = subspace_of(mixture(triangle_centres(GRID_STEPS)), FIXED_TOLERANCE)

    def of_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel feature"]:
        """Return φ of pixels."""
        return np.column_stack([pixels @ self._basis, np.ones(len(pixels))])

    def of_abundances(self, abundances: Float[np.ndarray, "node endmember"]) -> Float[np.ndarray, "node feature"]:
        """Return ψ of abundances."""
        mixed = self._mixture(abundances) @ self._basis
        return np.column_stack([mixed, -0.5 * (mixed**2).sum(axis=1)])


class NormalClassesLaw:
    r"""Pixels that are linear mixtures of normal classes plus noise of standard deviation 1.

    .. math::

        y \mid a \sim N\Big(\mu_a = \sum_k a_k \mu_k, \; \Sigma_a = \sum_k a_k^2 C_k + I\Big), \qquad
        \phi(y) = (y y^\top, y, 1), \qquad
        \psi(a) = \big(-\tfrac12 \Sigma_a^{-1}, \; \Sigma_a^{-1} \mu_a, \;
                  -\tfrac12 (\mu_a^\top \Sigma_a^{-1} \mu_a + \log \det \Sigma_a)\big)

    with :math:`\mu_k` and :math:`C_k` mean and covariance of the spectra of class k.

    Parameters
    ----------
    classes : sequence of array, shape (spectrum, band)
        Spectra of each class over the standard deviation of the noise [1], all as likely.
    """

    def __init__(self, classes: list[Float[np.ndarray, "_ band"]]) -> None:
        means = np.stack([spectra.mean(axis=0) for spectra in classes])
        around = np.concatenate([spectra - mean for spectra, mean in zip(classes, means, strict=True)])
        basis, _ = np.linalg.qr(np.column_stack([means.T, subspace_of(around, VARIED_TOLERANCE)]))
        self._basis = basis
        self._means = means @ basis
        self._covariances = np.stack([np.cov((spectra @ basis).T, bias=True) for spectra in classes])
        self._upper = np.triu_indices(basis.shape[1])

    def of_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel feature"]:
        """Return φ of pixels."""
        inside = pixels @ self._basis
        first, second = self._upper
        return np.column_stack([inside[:, first] * inside[:, second], inside, np.ones(len(inside))])

    def of_abundances(self, abundances: Float[np.ndarray, "node endmember"]) -> Float[np.ndarray, "node feature"]:
        """Return ψ of abundances."""
        first, second = self._upper
        covariance = np.einsum("nk,kij->nij", abundances**2, self._covariances) + np.eye(self._means.shape[1])
        precision = np.linalg.inv(covariance)
        mean = abundances @ self._means
        pull = np.einsum("nij,nj->ni", precision, mean)
        squares = np.where(first == second, -0.5, -1.0) * precision[:, first, second]
        constant = -0.5 * (np.einsum("ni,ni->n", mean, pull) + np.linalg.slogdet(covariance)[1])
        return np.column_stack([squares, pull, constant])
