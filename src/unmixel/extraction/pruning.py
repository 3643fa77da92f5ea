"""Which few spectra stand for a class of a library: EAR, MASA and CoB."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.errors import ParameterError
from unmixel.metrics.spectral_angle import pairwise_spectral_angle

MEASURES = ("ear", "masa", "cob")
LARGEST_FRACTION = 1.05
LARGEST_RMSE = 0.025
"""Largest fraction [1] and error [reflectance] with which a spectrum counts as modelled by another."""


def ear(spectra: Float[np.ndarray, "spectrum band"]) -> Float[np.ndarray, "spectrum"]:
    r"""Return the endmember average error of each spectrum of a class.

    .. math:: \mathrm{EAR}_i = \frac{1}{n - 1} \sum_{j \ne i} \mathrm{RMSE}(m_j, f_{ij} m_i), \qquad
              0 \le f_{ij} \le 1.05

    Parameters
    ----------
    spectra : array, shape (spectrum, band)
        Reflectance :math:`m_i` of one class [1].

    Returns
    -------
    array, shape (spectrum,)
        Mean error with which it models the others, shade aside [1]; the smaller, the more typical. 0 for a single one.

    References
    ----------
    P. E. Dennison and D. A. Roberts, *Endmember selection for multiple endmember spectral mixture analysis using
    endmember average RMSE*, Remote Sensing of Environment 87(2-3), 2003. doi:10.1016/S0034-4257(03)00135-4

    Examples
    --------
    The second is half way between the others, but only the third is bright enough for all:

    >>> ear(np.array([[0.2, 0.2], [0.2, 0.3], [0.2, 0.4]])).round(3)
    array([0.099, 0.05 , 0.047])
    """
    return _rmse(spectra, spectra)[0].sum(axis=1) / max(len(spectra) - 1, 1)


def masa(spectra: Float[np.ndarray, "spectrum band"]) -> Float[np.ndarray, "spectrum"]:
    r"""Return the mean spectral angle of each spectrum of a class to the others.

    .. math:: \mathrm{MASA}_i = \frac{1}{n - 1} \sum_{j \ne i} \theta(m_i, m_j)

    Parameters
    ----------
    spectra : array, shape (spectrum, band)
        Reflectance :math:`m_i` of one class [1], none of them zero.

    Returns
    -------
    array, shape (spectrum,)
        Angle [rad]; the smaller, the more typical. 0 for a single one.

    References
    ----------
    P. E. Dennison, K. Q. Halligan and D. A. Roberts, *A comparison of error metrics and constraints for multiple
    endmember spectral mixture analysis and spectral angle mapper*, Remote Sensing of Environment 93(3), 2004.
    doi:10.1016/j.rse.2004.07.013

    Examples
    --------
    >>> np.rad2deg(masa(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))).round(1)
    array([67.5, 45. , 67.5])
    """
    return pairwise_spectral_angle(spectra, spectra).sum(axis=1) / max(len(spectra) - 1, 1)


def cob(
    spectra: Float[np.ndarray, "spectrum band"],
    others: Float[np.ndarray, "other band"],
    *,
    largest_rmse: float = LARGEST_RMSE,
) -> tuple[Integer[np.ndarray, "spectrum"], Integer[np.ndarray, "spectrum"]]:
    """Count how many spectra each spectrum of a class models: of its class, and of the other classes.

    Parameters
    ----------
    spectra : array, shape (spectrum, band)
        Reflectance of one class [1].
    others : array, shape (other, band)
        Reflectance of all other classes [1].
    largest_rmse : float
        Error up to which a spectrum counts as modelled [reflectance].

    Returns
    -------
    inside, outside : array of int, shape (spectrum,)
        Counts; the best spectrum has most inside and, of those, fewest outside.

    References
    ----------
    D. A. Roberts, P. E. Dennison, M. E. Gardner, Y. Hetzel, S. L. Ustin and C. T. Lee, *Evaluation of the potential
    of Hyperion for fire danger assessment by comparison to the Airborne Visible/Infrared Imaging Spectrometer*, IEEE
    TGRS 41(6), 2003. doi:10.1109/TGRS.2003.812904

    Examples
    --------
    >>> inside, outside = cob(np.array([[0.2, 0.21], [0.1, 0.1], [0.5, 0.1]]), np.array([[0.19, 0.2]]))
    >>> inside, outside
    (array([2, 1, 1]), array([1, 0, 0]))
    """
    counts = []
    for modelled in (spectra, others):
        rmse, free = _rmse(spectra, modelled)
        counts.append(((rmse <= largest_rmse) & (free <= LARGEST_FRACTION)).sum(axis=1))
    return counts[0], counts[1]


def prune(
    spectra: tuple[Float[np.ndarray, "_ band"], ...], by: str, n_kept: int
) -> tuple[Float[np.ndarray, "_ band"], ...]:
    """Return the best few spectra of each class, in their order.

    Parameters
    ----------
    spectra : tuple of P arrays, shape (spectrum, band)
        Reflectance of every class [1].
    by : str
        ``"ear"``, ``"masa"`` or ``"cob"`` (of equal counts, the smaller EAR).
    n_kept : int
        Most spectra of a class that are kept.

    Raises
    ------
    ParameterError
        If there is no such measure, or `n_kept` is below 1.

    Examples
    --------
    >>> classes = (np.array([[0.2, 0.2], [0.2, 0.3], [0.2, 0.4]]), np.array([[0.5, 0.1]]))
    >>> prune(classes, "ear", 1)
    (array([[0.2, 0.4]]), array([[0.5, 0.1]]))
    """
    if by not in MEASURES:
        raise ParameterError(f"pruning by {by!r}", f"one of {', '.join(MEASURES)}")
    if n_kept < 1:
        raise ParameterError(f"n_kept = {n_kept}", "at least 1")
    kept = []
    for k, group in enumerate(spectra):
        others = np.concatenate([*spectra[:k], *spectra[k + 1 :], np.empty((0, group.shape[1]))])
        kept.append(group[np.sort(_ranking(by, group, others)[:n_kept])])
    return tuple(kept)


def _ranking(by: str, spectra: np.ndarray, others: np.ndarray) -> Integer[np.ndarray, "spectrum"]:
    """Return the places of the spectra of a class, the best first."""
    if by == "masa":
        return np.argsort(masa(spectra), kind="stable")
    if by == "ear":
        return np.argsort(ear(spectra), kind="stable")
    inside, outside = cob(spectra, others)
    return np.lexsort((ear(spectra), outside, -inside))


def _rmse(
    models: Float[np.ndarray, "model band"], modelled: Float[np.ndarray, "spectrum band"]
) -> tuple[Float[np.ndarray, "model spectrum"], Float[np.ndarray, "model spectrum"]]:
    """Return the error of every spectrum as a fraction of every model, and the fraction before it is constrained."""
    models, modelled = models.astype(np.float64), modelled.astype(np.float64)
    inner = models @ modelled.T
    length = np.maximum((models**2).sum(axis=1), np.finfo(float).tiny)[:, None]
    free = inner / length
    fraction = np.clip(free, 0.0, LARGEST_FRACTION)
    squared = (modelled**2).sum(axis=1) - 2 * fraction * inner + fraction**2 * length
    return np.sqrt(np.maximum(squared, 0.0) / models.shape[1]), free
