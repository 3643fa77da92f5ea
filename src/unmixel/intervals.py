"""Equal-tailed intervals of what a result says: abundances in every pixel, and spectra."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.special import betaincinv, ndtri

from unmixel.errors import ParameterError
from unmixel.metrics import beta_marginals

RESOLUTION = 0.01
"""Abundances nearer to 0 or 1 than this are not told from 0 or 1."""


def abundance_interval(result: xr.Dataset, level: float = 0.9) -> xr.Dataset:
    r"""Return the equal-tailed interval of every abundance of a result.

    .. math:: F^{-1}_k\big(\tfrac{1-p}{2}\big) \le a_k \le F^{-1}_k\big(\tfrac{1+p}{2}\big)

    with :math:`F_k` that of the Beta distribution with mean ``abundance`` and standard deviation ``abundance_sd``.

    An end within 0.01 of 0 or 1 is 0 or 1. A posterior density gives an abundance of exactly 0 no probability, yet many
    true abundances are 0: the interval of a material that is absent would begin just above 0 and miss, however right it
    is. Nothing finer than 0.01 is claimed.

    Parameters
    ----------
    result : Dataset
        A result of a probabilistic method (see `unmixel.result`).
    level : float
        Probability :math:`p` inside the interval, between 0 and 1.

    Returns
    -------
    Dataset
        ``lower`` and ``upper`` with dims (y, x, endmember) [1] on the grid of the result; NaN where it is masked.

    Raises
    ------
    ParameterError
        If the result has no standard deviations of its abundances, or the level is not between 0 and 1.

    Examples
    --------
    >>> dims = ("y", "x", "endmember")
    >>> abundance, sd = [[[0.5, 0.5], [np.nan, np.nan]]], [[[12**-0.5, 12**-0.5], [np.nan, np.nan]]]
    >>> result = xr.Dataset({"abundance": (dims, abundance), "abundance_sd": (dims, sd)})
    >>> interval = abundance_interval(result, level=0.8)
    >>> interval.lower.values.round(3)
    array([[[0.1, 0.1],
            [nan, nan]]], dtype=float32)
    """
    tail = _tail_of(level)
    missing = [
        name for name in ("abundance", "abundance_sd") if name not in result or bool(result[name].isnull().all())
    ]
    if missing:
        raise ParameterError(
            f"an interval from a result without {' and '.join(missing)}",
            "abundances with their standard deviations",
            "unmix with a probabilistic method, method='idnet'",
        )
    abundance = result["abundance"]
    first, second = beta_marginals(np.asarray(abundance.values), np.asarray(result["abundance_sd"].values))
    lower, upper = betaincinv(first, second, tail), betaincinv(first, second, 1 - tail)
    lower, upper = np.where(lower < RESOLUTION, 0, lower), np.where(upper > 1 - RESOLUTION, 1, upper)
    return _as_dataset(abundance, lower, upper, level)


def endmember_interval(result: xr.Dataset, level: float = 0.9) -> xr.Dataset:
    """Return the interval of every endmember spectrum over the scene, from its mean and its spread (normal).

    It says between which spectra this share of the material lies over the scene. For the uncertainty of the
    spectrum in one pixel, give the mean and the standard deviation there to :func:`normal_interval`.

    Parameters
    ----------
    result : Dataset
        A result with ``endmember_spectrum`` and ``endmember_spectrum_sd``.
    level : float
        Probability inside the interval, between 0 and 1.

    Returns
    -------
    Dataset
        ``lower`` and ``upper`` with dims (endmember, band) [reflectance]; NaN in left-out bands.

    Raises
    ------
    ParameterError
        If the result has no spectra with their spread, or the level is not between 0 and 1.

    Examples
    --------
    >>> dims = ("endmember", "band")
    >>> result = xr.Dataset({"endmember_spectrum": (dims, [[0.3]]), "endmember_spectrum_sd": (dims, [[0.1]])})
    >>> endmember_interval(result, level=0.95).upper.values.round(3)
    array([[0.496]], dtype=float32)
    """
    missing = [name for name in ("endmember_spectrum", "endmember_spectrum_sd") if name not in result]
    if missing:
        raise ParameterError(f"a result without {' and '.join(missing)}", "one with spectra and their spread")
    mean = result["endmember_spectrum"]
    lower, upper = normal_interval(np.asarray(mean.values), np.asarray(result["endmember_spectrum_sd"].values), level)
    return _as_dataset(mean, lower, upper, level)


def normal_interval(
    mean: Float[np.ndarray, "*shape"], sd: Float[np.ndarray, "*shape"], level: float = 0.9
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    r"""Return the central interval of normal distributions, e.g. of the spectra that `Fitted.endmembers_at` gives.

    .. math:: \mu \pm \sigma \, \Phi^{-1}\big(\tfrac{1+p}{2}\big)

    Parameters
    ----------
    mean, sd : array
        :math:`\mu` and :math:`\sigma`, in any unit.
    level : float
        Probability :math:`p` inside the interval, between 0 and 1.

    Returns
    -------
    lower, upper : array
        In the same unit.

    Raises
    ------
    ParameterError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> lower, upper = normal_interval(np.array([0.5]), np.array([0.1]), level=0.6827)
    >>> lower.round(3), upper.round(3)
    (array([0.4]), array([0.6]))
    """
    reach = -ndtri(_tail_of(level)) * sd
    return mean - reach, mean + reach


def _tail_of(level: float) -> float:
    if not 0 < level < 1:
        raise ParameterError(f"level = {level}", "between 0 and 1", "0.9 for 90 %")
    return (1 - level) / 2


def _as_dataset(like: xr.DataArray, lower: np.ndarray, upper: np.ndarray, level: float) -> xr.Dataset:
    ends = {"lower": lower, "upper": upper}
    found = {name: like.copy(data=values.astype(np.float32)) for name, values in ends.items()}
    return xr.Dataset(found, attrs={"level": level})
