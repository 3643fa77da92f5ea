"""The spectra nearest to references with which a pixel is mixed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def pull_of(
    pixels: Float[np.ndarray, "pixel band"],
    abundances: Float[np.ndarray, "pixel endmember"],
    references: Float[np.ndarray, "pixel endmember band"],
    ratio: float,
) -> Float[np.ndarray, "pixel band"]:
    r"""Return how far each band of a pixel pulls the spectra of its endmembers.

    .. math:: \min_{S \ge 0} \|y - S^\top a\|^2 + \lambda \|S - M\|^2, \qquad S = \max(0, M + a t^\top)

    where t solves :math:`\lambda t + \sum_k a_k \max(0, m_k + a_k t) = y` in every band: by Newton's method, which
    ends after as many steps as there are endmembers, for the left side is convex and made of lines.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        y [reflectance].
    abundances : array, shape (pixel, endmember)
        a [1].
    references : array, shape (pixel, endmember, band)
        M [reflectance].
    ratio : float
        λ [1], above 0.

    Returns
    -------
    array, shape (pixel, band)
        t [reflectance].

    Examples
    --------
    >>> references = np.array([[[0.2], [0.4]]])
    >>> abundances = np.array([[0.5, 0.5]])
    >>> pull = pull_of(np.array([[0.4]]), abundances, references, 1e-6)
    >>> pull.round(3), pulled_spectra(references, abundances, pull).round(3).ravel()
    (array([[0.2]]), array([0.3, 0.5]))
    """
    mixed = np.einsum("nk,nkl->nl", abundances, references)
    pull = (pixels - mixed) / (ratio + np.einsum("nk,nk->n", abundances, abundances)[:, None])
    for _ in range(abundances.shape[1]):
        spectra = pulled_spectra(references, abundances, pull)
        excess = ratio * pull + np.einsum("nk,nkl->nl", abundances, spectra) - pixels
        slope = ratio + np.einsum("nk,nkl->nl", abundances**2, spectra > 0)
        pull = np.where(excess > 0, pull - excess / slope, pull)
    return pull


def pulled_spectra(
    references: Float[np.ndarray, "pixel endmember band"],
    abundances: Float[np.ndarray, "pixel endmember"],
    pull: Float[np.ndarray, "pixel band"],
) -> Float[np.ndarray, "pixel endmember band"]:
    """Return the spectra S of `pull_of`."""
    return np.maximum(references + abundances[:, :, None] * pull[:, None, :], 0.0)
