"""The angle between spectra: how different two materials look, whatever their brightness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def spectral_angle(
    a: Float[np.ndarray, "*#batch band"], b: Float[np.ndarray, "*#batch band"]
) -> Float[np.ndarray, "*batch"]:
    r"""Angle between spectra, leading dimensions broadcast against each other.

    .. math:: \theta(a, b) = \arccos \frac{a^\top b}{\|a\| \, \|b\|}
              = 2 \arctan \frac{\|\bar a - \bar b\|}{\|\bar a + \bar b\|}, \qquad \bar a = a / \|a\|

    The second form is the one computed: it is exact for small angles too, and 0 for equal spectra.

    Parameters
    ----------
    a, b : array, shape (..., band)
        Spectra [1].

    Returns
    -------
    array, shape (...)
        Angles [rad], 0 to π; NaN where a spectrum is zero.

    References
    ----------
    Kruse et al., *The spectral image processing system (SIPS)*, Remote Sensing of Environment 44, 1993.
    doi:10.1016/0034-4257(93)90013-N

    Examples
    --------
    >>> np.rad2deg(spectral_angle(np.array([[1.0, 0.0], [2.0, 2.0]]), np.array([2.0, 2.0])))
    array([45.,  0.])
    """
    a_unit, b_unit = _unit(a), _unit(b)
    half = np.arctan2(np.linalg.norm(a_unit - b_unit, axis=-1), np.linalg.norm(a_unit + b_unit, axis=-1))
    return np.asarray(2 * half)


def pairwise_spectral_angle(
    a: Float[np.ndarray, "first band"], b: Float[np.ndarray, "second band"]
) -> Float[np.ndarray, "first second"]:
    """Angle between every spectrum of one set and every spectrum of another, one :func:`spectral_angle` each.

    Parameters
    ----------
    a : array, shape (first, band)
        Spectra [1].
    b : array, shape (second, band)
        Spectra [1].

    Returns
    -------
    array, shape (first, second)
        Angles [rad]; NaN where a spectrum is zero.

    Examples
    --------
    >>> spectra = np.array([[2.0, 2.0], [0.0, 1.0], [5.0, 0.0]])
    >>> np.rad2deg(pairwise_spectral_angle(np.array([[1.0, 0.0]]), spectra))
    array([[45., 90.,  0.]])
    """
    return np.stack([spectral_angle(a, spectrum) for spectrum in b], axis=1)


def _unit(spectra: Float[np.ndarray, "*batch band"]) -> Float[np.ndarray, "*batch band"]:
    """Return spectra of length 1; NaN for zero spectra."""
    values = spectra.astype(np.float64)
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.divide(values, length, out=np.full_like(values, np.nan), where=length > 0)
