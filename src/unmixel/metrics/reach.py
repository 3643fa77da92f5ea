"""Pixels whose residual is unlike that of the scene: they hold something that the endmembers don't."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.special import chdtri

KEPT = (0.6, 0.7, 0.8, 0.9, 0.9)
"""Shares of the pixels that the covariance is made of, step by step."""
FAR = 6.0
"""Standard deviations (of the logarithm) above the median from which a residual is unlike the others."""
FALSE_ALARM = 1e-3
"""Share of pixels whose residual exceeds the limit of noise because of noise."""
FEWEST = 50
"""Pixels below which nothing is said to be unlike the others."""


def noise_limit(noise_variance: Float[np.ndarray, "band"]) -> float:
    r"""Return the mean square over the bands that noise exceeds in one pixel of 1000.

    .. math:: \bar v \, \chi^2_\nu(0.999) / \nu, \qquad \bar v = \frac1L \sum_l \sigma_l^2, \qquad
              \nu = \Big(\sum_l \sigma_l^2\Big)^2 \Big/ \sum_l \sigma_l^4

    where a sum of squares with different variances is taken for a chi-square with the same mean and variance.

    Parameters
    ----------
    noise_variance : array, shape (band,)
        Variance :math:`\sigma^2` of the noise of each band [1].

    References
    ----------
    Satterthwaite, *An approximate distribution of estimates of variance components*, Biometrics Bulletin 2, 1946.
    doi:10.2307/3002019

    Examples
    --------
    >>> round(noise_limit(np.full(100, 4e-4)), 6)
    0.000598
    """
    variance = noise_variance.astype(np.float64)
    total = float(variance.sum())
    if total == 0:
        return 0.0
    freedom = total**2 / float((variance**2).sum())
    return total / len(variance) * float(chdtri(freedom, FALSE_ALARM)) / freedom


@dataclass(frozen=True)
class Reach:
    """How residuals of a scene usually are.

    Attributes
    ----------
    mean : array, shape (band,)
        Their mean [1].
    whitener : array, shape (band, band)
        Makes their covariance the identity.
    median, scale : float
        Of the logarithm of their squared length then; the scale is from the median to 84 %.
    noise_limit : float
        Mean square over the bands that noise allows [1].
    """

    mean: Float[np.ndarray, "band"]
    whitener: Float[np.ndarray, "band band"]
    median: float
    scale: float
    noise_limit: float

    def is_exceeded_by(self, residuals: Float[np.ndarray, "pixel band"]) -> Bool[np.ndarray, "pixel"]:
        """Return True where a residual is larger than noise allows and far from what is usual."""
        values = residuals.astype(np.float64, copy=False)
        exceeded = np.einsum("nl,nl->n", values, values) / values.shape[1] > self.noise_limit
        large = values[exceeded]
        exceeded[exceeded] = np.log(_unlikeness(large, self.mean, self.whitener)) > self.median + FAR * self.scale
        return exceeded


def usual_reach(
    residuals: Float[np.ndarray, "pixel band"],
    groups: Integer[np.ndarray, "pixel"],
    noise_variance: Float[np.ndarray, "band"],
) -> Reach:
    r"""Learn from the residuals of a scene what noise and the variability of its materials allow.

    .. math:: t_n = (r_n - \bar r)^\top S^{-1} (r_n - \bar r), \qquad
              \log t_n > \mathrm{med}(\log t) + 6 \big(Q_{84}(\log t) - \mathrm{med}(\log t)\big)
              \quad \text{and} \quad \tfrac1L \|r_n\|^2 > v

    is the rule for out of reach: :math:`\bar r` and S are mean and covariance of the residuals :math:`r_n` of most
    pixels, so that the ways in which materials vary all over the scene don't count, and v is `noise_limit`. At first S
    is made of the half with the shorter residuals in each group, then of the 60, 70, 80 and 90 % of the pixels with the
    smallest t: so it doesn't learn from up to a tenth of foreign pixels. It is mixed with the noise, which counts as
    much as L pixels.

    Parameters
    ----------
    residuals : array, shape (pixel, band)
        Pixels less their reconstruction from the endmembers, brightness free [1].
    groups : array of int, shape (pixel,)
        The endmember with the largest share.
    noise_variance : array, shape (band,)
        Variance of the noise of each band [1].

    Returns
    -------
    Reach
        What `Reach.is_exceeded_by` needs. Of fewer than 50 pixels, or residuals that are zero, nothing is learnt, and
        no pixel exceeds it.

    References
    ----------
    Reed, Yu, *Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral distribution*, IEEE
    TASSP 38(10), 1990. doi:10.1109/29.60107

    Rousseeuw, Van Driessen, *A fast algorithm for the minimum covariance determinant estimator*, Technometrics 41(3),
    1999. doi:10.1080/00401706.1999.10485670

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> variability = rng.standard_normal((500, 1)) * np.sin(np.arange(20))
    >>> residuals = 0.01 * rng.standard_normal((500, 20)) + 0.1 * variability
    >>> residuals[7] += 0.1 * np.cos(3 * np.arange(20))
    >>> reach = usual_reach(residuals, np.zeros(500, dtype=int), np.full(20, 1e-4))
    >>> np.flatnonzero(reach.is_exceeded_by(residuals))
    array([7])
    """
    values = residuals.astype(np.float64)
    n_pixels, n_bands = values.shape
    power = (values**2).sum(axis=1)
    limit = noise_limit(noise_variance)
    if n_pixels < FEWEST or not power.any():
        return Reach(np.zeros(n_bands), np.eye(n_bands), np.inf, 0.0, limit)
    kept = np.zeros(n_pixels, dtype=bool)
    for group in np.unique(groups):
        own = groups == group
        kept |= own & (power <= np.median(power[own]))
    floor = noise_variance + 1e-10 * power.mean() / n_bands
    for share in KEPT:
        mean = values[kept].mean(axis=0)
        centred = values[kept] - mean
        covariance = (centred.T @ centred + n_bands * np.diag(floor)) / (len(centred) + n_bands)
        whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T
        unlikeness = _unlikeness(values, mean, whitener)
        kept = unlikeness <= np.quantile(unlikeness, share)
    median, upper = np.quantile(np.log(unlikeness), [0.5, 0.8413])
    return Reach(mean, whitener, float(median), float(upper - median), limit)


def _unlikeness(
    residuals: Float[np.ndarray, "pixel band"],
    mean: Float[np.ndarray, "band"],
    whitener: Float[np.ndarray, "band band"],
) -> Float[np.ndarray, "pixel"]:
    """Return the squared length of whitened residuals, not quite zero; single precision is enough to compare it."""
    white = residuals.astype(np.float32) @ whitener.astype(np.float32)
    white -= (mean @ whitener).astype(np.float32)
    return np.einsum("nl,nl->n", white, white, dtype=np.float64) + np.finfo(float).tiny
