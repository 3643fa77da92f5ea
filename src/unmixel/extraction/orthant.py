"""Gaussians of which only the non-negative part is left: their probability, mean and covariance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import erfcx, log_ndtr

SWEEPS = 3
SMALLEST = 1e-30
"""Variances that rounding has made smaller, or negative, are this."""
FAR_OUTSIDE = -30.0
"""Below so many standard deviations, the variance of the tail is that of its exponential limit."""


def orthant_moments(
    mean: Float[np.ndarray, "pixel endmember"], covariance: Float[np.ndarray, "pixel endmember endmember"]
) -> tuple[
    Float[np.ndarray, "pixel"], Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember endmember"]
]:
    r"""Find probability, mean and covariance of Gaussian variables, given that none is negative.

    .. math:: Z_n = \int_{x \ge 0} \mathcal N(x; \mu_n, C_n) \, dx

    By expectation propagation: each constraint :math:`x_k \ge 0` is replaced by the Gaussian factor that
    has the same effect on the mean and the variance of :math:`x_k` in the presence of all others.

    Parameters
    ----------
    mean : array, shape (pixel, endmember)
        Means :math:`\mu_n`.
    covariance : array, shape (pixel, endmember, endmember)
        Covariances :math:`C_n`, positive definite.

    Returns
    -------
    log_probability : array, shape (pixel,)
        :math:`\log Z_n`; exact for independent variables, otherwise an approximation.
    mean, covariance : arrays, shapes as given
        Moments of the constrained variables.

    References
    ----------
    Cunningham, Hennig, Lacoste-Julien, *Gaussian probabilities and expectation propagation*, 2011.
    arXiv:1111.6832

    Examples
    --------
    Both of two variables with correlation 1/2 are positive with probability 1/3:

    >>> log_probability, mean, _ = orthant_moments(np.zeros((1, 2)), np.array([[[1.0, 0.5], [0.5, 1.0]]]))
    >>> np.exp(log_probability).round(3), mean.round(2)
    (array([0.333]), array([[0.9, 0.9]]))
    """
    first_precision = np.linalg.inv(covariance)
    pull = (first_precision @ mean[:, :, None])[:, :, 0]
    first = _log_partition(mean, pull, first_precision)
    m, v = np.ascontiguousarray(mean.T), np.ascontiguousarray(np.moveaxis(covariance, 0, 2))
    precision, shift = np.zeros_like(m), np.zeros_like(m)
    for _ in range(SWEEPS):
        for k in range(len(m)):
            column, variance = v[:, k].copy(), np.maximum(v[k, k], SMALLEST)
            cavity_mean, cavity_variance = _without(m[k], variance, precision[k], shift[k])
            tilted_mean, tilted_variance = _positive_part(cavity_mean, cavity_variance)
            new = np.maximum(1 / tilted_variance - 1 / cavity_variance, 0)
            new_shift = tilted_mean / tilted_variance - cavity_mean / cavity_variance
            change, change_shift = new - precision[k], new_shift - shift[k]
            precision[k], shift[k] = new, new_shift
            gain = 1 / (1 + change * variance)
            m += column * ((change_shift - change * m[k]) * gain)
            v -= (change * gain * column)[:, None] * column
    variance = np.maximum(np.einsum("kkn->kn", v), SMALLEST)
    cavity_mean, cavity_variance = _without(m, variance, precision, shift)
    inside = log_ndtr(cavity_mean / np.sqrt(cavity_variance))
    ratio = np.log(cavity_variance / variance) + cavity_mean**2 / cavity_variance - m**2 / variance
    constrained = first_precision + precision.T[:, :, None] * np.eye(len(m))
    mean, covariance = np.ascontiguousarray(m.T), np.ascontiguousarray(np.moveaxis(v, 2, 0))
    last = _log_partition(mean, pull + shift.T, constrained)
    return last - first + (inside + ratio / 2).sum(axis=0), mean, covariance


def _without(
    mean: Float[np.ndarray, "*any"],
    variance: Float[np.ndarray, "*any"],
    precision: Float[np.ndarray, "*any"],
    shift: Float[np.ndarray, "*any"],
) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
    """Return mean and variance with a Gaussian factor taken away."""
    cavity_variance = 1 / np.maximum(1 / variance - precision, 1e-12 / variance)
    return (mean / variance - shift) * cavity_variance, cavity_variance


def _positive_part(
    mean: Float[np.ndarray, "*any"], variance: Float[np.ndarray, "*any"]
) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
    """Return mean and variance of the positive part of Gaussian variables."""
    sd = np.sqrt(variance)
    at = mean / sd
    with np.errstate(over="ignore"):
        ratio = np.sqrt(2 / np.pi) / erfcx(-at / np.sqrt(2))
    left = np.where(at < FAR_OUTSIDE, 1 / np.maximum(at**2, 1), 1 - ratio * (ratio + at))
    positive_mean = np.where(at < FAR_OUTSIDE, sd / np.maximum(-at, 1), mean + sd * ratio)
    return positive_mean, variance * np.clip(left, 1e-12, 1)


def _log_partition(
    mean: Float[np.ndarray, "pixel endmember"],
    pull: Float[np.ndarray, "pixel endmember"],
    precision: Float[np.ndarray, "pixel endmember endmember"],
) -> Float[np.ndarray, "pixel"]:
    """Return half of the squared distance of the mean from 0, less half of the log-determinant of the precision."""
    return ((mean * pull).sum(axis=1) - np.linalg.slogdet(precision)[1]) / 2
