"""One number for how near a whole distribution is to the truth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, betaln

from unmixel.errors import ParameterError
from unmixel.metrics.beta_marginals import beta_marginals


def abundance_crps(
    truth: Float[np.ndarray, "pixel endmember"], mean: Float[np.ndarray, "_ _"], sd: Float[np.ndarray, "_ _"]
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Continuous ranked probability score of each abundance under its Beta distribution.

    .. math::

        \mathrm{CRPS}(F, a) &= \int_0^1 (F(x) - [a \le x])^2 \, dx = E|X - a| - \tfrac12 E|X - X'| \\
        &= a \, (2 F_{\alpha,\beta}(a) - 1) + \frac{\alpha}{\alpha + \beta} \left( 1 - 2 F_{\alpha+1,\beta}(a)
           - \frac{2 B(2\alpha, 2\beta)}{\alpha B(\alpha, \beta)^2} \right)

    with :math:`F_{\alpha,\beta}` the distribution function of the Beta(:math:`\alpha, \beta`) that has the abundance's
    mean and standard deviation, and B the beta function. It is the absolute error of a point estimate, made smaller by
    honest and larger by false certainty: a distribution can't improve its mean score by claiming to be surer, or less
    sure, than it is.

    Parameters
    ----------
    truth : array, shape (pixel, endmember)
        True abundances :math:`a` [1].
    mean, sd : array, shape (pixel, endmember)
        Mean and standard deviation of each abundance [1].

    Returns
    -------
    array, shape (pixel, endmember)
        Score [1], smaller is better, 0 for certainty at the truth; NaN where the pixel has NaN.

    Raises
    ------
    ParameterError
        If the shapes differ.

    References
    ----------
    Gneiting and Raftery, *Strictly proper scoring rules, prediction, and estimation*, Journal of the American
    Statistical Association 102, 2007. doi:10.1198/016214506000001437

    Jordan, Krüger, Lerch, *Evaluating probabilistic forecasts with scoringRules*, Journal of Statistical Software 90,
    2019. doi:10.18637/jss.v090.i12

    Examples
    --------
    Uniform on 0 to 1, the truth at an end and in the middle: 1/3 and 1/12.

    >>> mean, sd = np.full((2, 2), 0.5), np.full((2, 2), 12**-0.5)
    >>> abundance_crps(np.array([[0.0, 1.0], [0.5, 0.5]]), mean, sd).round(4)
    array([[0.3333, 0.3333],
           [0.0833, 0.0833]])
    """
    if not truth.shape == mean.shape == sd.shape:
        raise ParameterError(f"abundances of shape {truth.shape}, {mean.shape} and {sd.shape}", "the same shape")
    first, second = beta_marginals(mean, sd)
    below = betainc(first, second, truth)
    below_by_size = betainc(first + 1, second, truth)
    spread = 2 * np.exp(betaln(2 * first, 2 * second) - 2 * betaln(first, second)) / first
    score = truth * (2 * below - 1) + first / (first + second) * (1 - 2 * below_by_size - spread)
    return np.maximum(score, 0)
