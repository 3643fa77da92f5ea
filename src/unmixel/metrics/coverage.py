"""How often intervals hold the truth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError


def interval_coverage(
    truth: Float[np.ndarray, "pixel endmember"],
    lower: Float[np.ndarray, "_ _"],
    upper: Float[np.ndarray, "_ _"],
) -> float:
    r"""Share of intervals that hold the truth, ends included, over all pixels and endmembers.

    .. math:: \frac{1}{N P} \sum_{n,k} [\, l_{nk} \le a_{nk} \le u_{nk} \,]

    Intervals of level 0.9 are calibrated if they hold 90 % of the truths. An equal-tailed interval of a density never
    begins at 0: truths that are exactly 0 lie outside unless the ends are rounded.

    Parameters
    ----------
    truth : array, shape (pixel, endmember)
        True abundances [1].
    lower, upper : array, shape (pixel, endmember)
        Ends of the intervals [1], see `unmixel.abundance_interval`.

    Returns
    -------
    float
        Coverage [1]; NaN if any value is NaN.

    Raises
    ------
    ParameterError
        If the shapes differ.

    References
    ----------
    Gneiting, Balabdaoui, Raftery, *Probabilistic forecasts, calibration and sharpness*, Journal of the Royal
    Statistical Society B 69, 2007. doi:10.1111/j.1467-9868.2007.00587.x

    Examples
    --------
    >>> truth = np.array([[0.2, 0.8], [0.5, 0.5]])
    >>> interval_coverage(truth, truth - 0.1, np.array([[0.3, 0.9], [0.6, 0.4]]))
    0.75
    """
    _check_shapes(truth, lower, upper)
    if not np.isfinite([truth.sum(), lower.sum(), upper.sum()]).all():
        return float("nan")
    return float(np.mean((lower <= truth) & (truth <= upper)))


def coverage_by_tercile(
    truth: Float[np.ndarray, "pixel endmember"],
    lower: Float[np.ndarray, "_ _"],
    upper: Float[np.ndarray, "_ _"],
) -> Float[np.ndarray, "tercile"]:
    """Coverage where the true abundance is low, in the middle, and high: in each third of all true abundances.

    Intervals can be right on average and yet too short for small abundances and too long for large ones. Equal truths
    fall into the same third, so the thirds may differ in size.

    Parameters
    ----------
    truth, lower, upper : array, shape (pixel, endmember)
        As in :func:`interval_coverage`.

    Returns
    -------
    array, shape (3,)
        Coverage [1]; NaN for a third that is empty, or if any value is NaN.

    Raises
    ------
    ParameterError
        If the shapes differ.

    Examples
    --------
    >>> truth = np.array([[0.1, 0.9], [0.4, 0.6], [0.2, 0.8]])
    >>> coverage_by_tercile(truth, truth - 0.1, np.full((3, 2), 0.7))
    array([1., 1., 0.])
    """
    _check_shapes(truth, lower, upper)
    if not np.isfinite([truth.sum(), lower.sum(), upper.sum()]).all():
        return np.full(3, np.nan)
    third = np.digitize(truth, np.quantile(truth, [1 / 3, 2 / 3]), right=True)
    held = (lower <= truth) & (truth <= upper)
    return np.array([held[third == i].mean() if (third == i).any() else np.nan for i in range(3)])


def _check_shapes(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
    if not truth.shape == lower.shape == upper.shape:
        raise ParameterError(
            f"abundances of shape {truth.shape} and intervals of {lower.shape} and {upper.shape}", "the same shape"
        )
