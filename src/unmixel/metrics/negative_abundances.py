"""Pixels that least squares can only explain with less than nothing of a material."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri


def negative_abundances(
    pixels: Float[np.ndarray, "pixel band"],
    endmembers: Float[np.ndarray, "endmember band"],
    noise_variance: Float[np.ndarray, "band"],
    *,
    sum_to_one: bool,
    false_alarm: float = 0.01,
) -> Bool[np.ndarray, "pixel"]:
    r"""Find the pixels in which a least-squares abundance is below zero by more than its noise.

    .. math:: \hat a = G^{-1} M y, \qquad G = M M^\top, \qquad
              C = G^{-1} M \, \mathrm{diag}(\sigma^2) \, M^\top G^{-1}

    and, if abundances shall sum to one,

    .. math:: \hat a' = \hat a + w (1 - 1^\top \hat a), \qquad w = \frac{G^{-1} 1}{1^\top G^{-1} 1}, \qquad
              C' = T C T^\top, \quad T = I - w 1^\top

    A pixel is found if :math:`\hat a_k < \Phi^{-1}(\alpha / P) \sqrt{C_{kk}}` for some k. Noise alone
    brings that about in a share of at most :math:`\alpha` of the pixels. The others lie outside the endmembers.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    endmembers : array, shape (endmember, band)
        Reflectance :math:`M` [1]; linearly independent, or the pseudo-inverse of G is used.
    noise_variance : array, shape (band,)
        Variance :math:`\sigma^2` of the noise of each band [1].
    sum_to_one : bool
        Whether the abundances of a pixel sum to one. If not, their sum is the pixel's brightness.
    false_alarm : float
        Largest share :math:`\alpha` of pixels found because of noise [1].

    Returns
    -------
    array of bool, shape (pixel,)
        True where an abundance is negative beyond its noise.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> pixels = np.array([[0.5, 0.5, 0.0], [0.5, -0.02, 0.0], [1.2, -0.2, 0.0], [0.2, 1.3, 0.0]])
    >>> negative_abundances(pixels, endmembers, np.full(3, 0.01**2), sum_to_one=False)
    array([False, False,  True, False])
    >>> negative_abundances(pixels, endmembers, np.full(3, 0.01**2), sum_to_one=True)
    array([False, False,  True,  True])
    """
    return negativity(endmembers, noise_variance, sum_to_one=sum_to_one, false_alarm=false_alarm).is_found_in(pixels)


class Negativity(NamedTuple):
    """The test of `negative_abundances`, prepared once for many pixels.

    Attributes
    ----------
    operator : array, shape (endmember, band)
        From a pixel to its least-squares abundances, less the offset.
    offset : array, shape (endmember,)
    least : array, shape (endmember,)
        Abundances below it are beyond their noise.
    """

    operator: Float[np.ndarray, "endmember band"]
    offset: Float[np.ndarray, "endmember"]
    least: Float[np.ndarray, "endmember"]

    def is_found_in(self, pixels: Float[np.ndarray, "pixel band"]) -> Bool[np.ndarray, "pixel"]:
        """Return whether an abundance is negative beyond its noise."""
        return self.is_found(pixels @ self.operator.T)

    def is_found(self, operated: Float[np.ndarray, "pixel endmember"]) -> Bool[np.ndarray, "pixel"]:
        """Return the same, given what the operator makes of the pixels."""
        return (operated < self.least - self.offset).any(axis=1)


def negativity(
    endmembers: Float[np.ndarray, "endmember band"],
    noise_variance: Float[np.ndarray, "band"],
    *,
    sum_to_one: bool,
    false_alarm: float = 0.01,
) -> Negativity:
    """Prepare the test of `negative_abundances`."""
    spectra = endmembers.astype(np.float64)
    inverse = np.linalg.pinv(spectra @ spectra.T, hermitian=True)
    operator, offset = inverse @ spectra, np.zeros(len(spectra))
    if sum_to_one:
        offset = inverse.sum(axis=1) / inverse.sum()
        operator = operator - np.outer(offset, operator.sum(axis=0))
    sd = np.sqrt((operator**2 * noise_variance).sum(axis=1))
    return Negativity(operator, offset, ndtri(false_alarm / len(spectra)) * sd - 1e-9)
