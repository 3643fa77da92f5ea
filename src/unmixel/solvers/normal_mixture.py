"""The likelihood of abundances where endmembers are normal variables."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


class NormalMixture:
    r"""Pixels of the normal compositional model, in the few coordinates that say something of their abundances.

    .. math:: y \mid a \sim N\Big(\sum_k a_k \mu_k, \; D + \sum_k a_k^2 F_k^\top F_k\Big)

    In units of the noise D, all that depends on a is in the span of the means' differences and of the factors: outside
    it the law is the same for all abundances.

    Parameters
    ----------
    means : array, shape (endmember, band)
        μ [reflectance].
    factors : array, shape (endmember, factor, band)
        F [reflectance]; their products are the endmembers' covariances.
    noise_variance : array, shape (band,)
        D, above 0.

    Attributes
    ----------
    basis : array, shape (coordinate, band)
        Orthonormal, in units of the noise.
    covariances : array, shape (endmember, coordinate, coordinate)
        Of the endmembers in these coordinates.

    Examples
    --------
    >>> mixture = NormalMixture(np.eye(2), np.zeros((2, 1, 2)), np.array([0.01, 0.01]))
    >>> coordinates = mixture.coordinates(np.array([[0.5, 0.5]]))
    >>> densities = mixture.log_density(coordinates.repeat(2, axis=0), np.array([[0.5, 0.5], [0.6, 0.4]]))
    >>> float((densities[0] - densities[1]).round(6))
    1.0
    """

    def __init__(
        self,
        means: Float[np.ndarray, "endmember band"],
        factors: Float[np.ndarray, "endmember factor band"],
        noise_variance: Float[np.ndarray, "band"],
    ) -> None:
        self._scale = np.sqrt(noise_variance)
        self._centre = means.mean(axis=0) / self._scale
        centred = means / self._scale - self._centre
        whitened = factors / self._scale
        together = np.concatenate([centred, whitened.reshape(-1, means.shape[1])])
        _, singular, directions = np.linalg.svd(together, full_matrices=False)
        self.basis = directions[singular > 1e-6 * singular[0]]
        self._means = centred @ self.basis.T
        reduced = whitened @ self.basis.T
        self.covariances = reduced.transpose(0, 2, 1) @ reduced

    def coordinates(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel coordinate"]:
        """Return the coordinates of pixels."""
        return (pixels / self._scale - self._centre) @ self.basis.T

    def log_density(
        self, coordinates: Float[np.ndarray, "pixel coordinate"], abundances: Float[np.ndarray, "pixel endmember"]
    ) -> Float[np.ndarray, "pixel"]:
        """Return the logarithm of the likelihood of abundances, up to a constant."""
        factor = np.linalg.cholesky(self._covariance(abundances))
        left = coordinates - self._mixed(abundances)
        half = np.zeros_like(left)
        for row in range(left.shape[1]):
            told = np.einsum("ni,ni->n", factor[:, row, :row], half[:, :row])
            half[:, row] = (left[:, row] - told) / factor[:, row, row]
        log_volume = np.log(np.einsum("nii->ni", factor)).sum(axis=1)
        return -log_volume - np.einsum("ni,ni->n", half, half) / 2

    def slope(
        self, coordinates: Float[np.ndarray, "pixel coordinate"], abundances: Float[np.ndarray, "pixel endmember"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember endmember"]]:
        """Return the derivative of `log_density`, and Fisher's information on the abundances."""
        inverse = np.linalg.inv(self._covariance(abundances))
        pull = np.einsum("nij,nj->ni", inverse, coordinates - self._mixed(abundances))
        by_class = np.einsum("nij,kjl->nkil", inverse, self.covariances)
        along = np.einsum("nki,ni->nk", np.einsum("kij,nj->nki", self.covariances, pull), pull)
        first = np.einsum("ni,ki->nk", pull, self._means)
        first += abundances * (along - np.einsum("nkii->nk", by_class))
        second = np.einsum("nki,li->nkl", np.einsum("ki,nij->nkj", self._means, inverse), self._means)
        of_covariance = np.einsum("nkij,nlji->nkl", by_class, by_class)
        return first, second + 2 * abundances[:, :, None] * abundances[:, None, :] * of_covariance

    def spectra(
        self, coordinates: Float[np.ndarray, "pixel coordinate"], abundances: Float[np.ndarray, "pixel endmember"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        """Return mean and standard deviation of the endmembers of pixels, given their abundances."""
        inverse = np.linalg.inv(self._covariance(abundances))
        pull = np.einsum("nij,nj->ni", inverse, coordinates - self._mixed(abundances))
        moved = abundances[:, :, None] * np.einsum("kij,nj->nki", self.covariances, pull)
        mean = self._centre + np.einsum("nki,il->nkl", self._means + moved, self.basis)
        known = np.einsum("nkil,klm->nkim", np.einsum("kij,njl->nkil", self.covariances, inverse), self.covariances)
        left = self.covariances - (abundances**2)[:, :, None, None] * known
        variance = np.einsum("nkil,il->nkl", np.einsum("nkij,jl->nkil", left, self.basis), self.basis)
        return mean * self._scale, np.sqrt(np.maximum(variance, 0.0)) * self._scale

    def _mixed(self, abundances: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel coordinate"]:
        return np.einsum("nk,ki->ni", abundances, self._means)

    def _covariance(
        self, abundances: Float[np.ndarray, "pixel endmember"]
    ) -> Float[np.ndarray, "pixel coordinate coordinate"]:
        return np.eye(self.basis.shape[0]) + np.einsum("nk,kij->nij", abundances**2, self.covariances)
