"""Simulation-based calibration: where the truth falls in the distributions that should hold it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer
from scipy.special import betainc

from unmixel.errors import ParameterError
from unmixel.metrics.beta_marginals import beta_marginals


def probability_integral_transform(
    truth: Float[np.ndarray, "pixel endmember"], mean: Float[np.ndarray, "_ _"], sd: Float[np.ndarray, "_ _"]
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Distribution function of each abundance's Beta distribution at its true value.

    .. math:: u_k = F_k(a_k)

    with :math:`F_k` that of the Beta distribution with mean :math:`m_k` and standard deviation :math:`s_k`.

    Over many pixels u is uniform on 0 to 1 if the distributions are calibrated. It heaps up at both ends if they are
    too sure, in the middle if they are not sure enough, and to one side if they are biased.

    Parameters
    ----------
    truth : array, shape (pixel, endmember)
        True abundances :math:`a` [1].
    mean, sd : array, shape (pixel, endmember)
        Mean :math:`m` and standard deviation :math:`s` of each abundance [1].

    Returns
    -------
    array, shape (pixel, endmember)
        :math:`u` [1]; NaN where the pixel has NaN.

    Raises
    ------
    ParameterError
        If the shapes differ.

    References
    ----------
    Dawid, *Present position and potential developments: the prequential approach*, Journal of the Royal Statistical
    Society A 147, 1984. doi:10.2307/2981683

    Examples
    --------
    Uniform on 0 to 1 is mean 1/2 and standard deviation 1/√12:

    >>> mean, sd = np.full((1, 2), 0.5), np.full((1, 2), 12**-0.5)
    >>> probability_integral_transform(np.array([[0.25, 0.75]]), mean, sd).round(6)
    array([[0.25, 0.75]])
    """
    if not truth.shape == mean.shape == sd.shape:
        raise ParameterError(f"abundances of shape {truth.shape}, {mean.shape} and {sd.shape}", "the same shape")
    return betainc(*beta_marginals(mean, sd), truth)


def central_coverage(
    transform: Float[np.ndarray, "pixel endmember"], levels: Sequence[float] | Float[np.ndarray, "level"]
) -> Float[np.ndarray, "level endmember"]:
    r"""Share of truths inside the equal-tailed intervals of some levels, by endmember.

    .. math:: \frac{1}{N} \sum_n \big[\, |u_{nk} - \tfrac12| \le \tfrac{p}{2} \,\big]

    Parameters
    ----------
    transform : array, shape (pixel, endmember)
        :math:`u`, from :func:`probability_integral_transform`; pixels with NaN are left out.
    levels : sequence of float
        Nominal coverages :math:`p`, 0 to 1.

    Returns
    -------
    array, shape (level, endmember)
        Observed coverages [1].

    Raises
    ------
    ParameterError
        If there is no pixel without NaN.

    Examples
    --------
    >>> central_coverage(np.array([[0.01, 0.3], [0.4, 0.6], [0.6, 0.5], [0.9, 0.99]]), [0.5, 0.9])
    array([[0.5 , 0.75],
           [0.75, 0.75]])
    """
    known = transform[np.isfinite(transform).all(axis=1)]
    if not len(known):
        raise ParameterError("no pixel whose abundances and truth are known", "at least one")
    distance = np.abs(known - 0.5)
    return np.stack([(distance <= level / 2).mean(axis=0) for level in levels])


def calibration_ranks(
    truth: Float[np.ndarray, "pixel endmember"], draws: Float[np.ndarray, "draw pixel endmember"]
) -> Integer[np.ndarray, "pixel endmember"]:
    r"""Rank of each true abundance among posterior draws of it.

    .. math:: r_{nk} = \sum_s [\, a^{(s)}_{nk} < a_{nk} \,]

    If truths come from the prior and draws from the posterior, the rank is uniform on 0 to the number of draws. Unlike
    :func:`probability_integral_transform` it takes the posterior as it is, with no Beta distribution in between.

    Parameters
    ----------
    truth : array, shape (pixel, endmember)
        True abundances :math:`a` [1].
    draws : array, shape (draw, pixel, endmember)
        Draws :math:`a^{(s)}` [1] (`Fitted.sample`), independent of each other.

    Returns
    -------
    array of int, shape (pixel, endmember)
        Ranks, 0 to the number of draws.

    Raises
    ------
    ParameterError
        If a value is NaN.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari, Gelman, *Validating Bayesian inference algorithms with simulation-based
    calibration*, 2018. arXiv:1804.06788

    Examples
    --------
    >>> calibration_ranks(np.array([[0.25, 0.75]]), np.array([[[0.1, 0.9]], [[0.2, 0.8]], [[0.3, 0.7]]]))
    array([[2, 1]])
    """
    if np.isnan(truth).any() or np.isnan(draws).any():
        raise ParameterError("abundances that are NaN", "numbers", "leave masked pixels out")
    return (draws < truth).sum(axis=0)
