"""The error of abundances, and the two conventions in which published truths give them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError


def abundance_rmse(truth: Float[np.ndarray, "pixel endmember"], estimate: Float[np.ndarray, "_ _"]) -> float:
    r"""Root-mean-square error of abundances over all pixels and endmembers.

    .. math:: \sqrt{\frac{1}{N P} \sum_{n,k} (\hat a_{nk} - a_{nk})^2}

    Parameters
    ----------
    truth, estimate : array, shape (pixel, endmember)
        Abundances [1], the endmembers in the same order (see :func:`unmixel.metrics.match_endmembers`).

    Returns
    -------
    float
        Error [1]; NaN if any value is NaN.

    Raises
    ------
    ParameterError
        If the shapes differ.

    Examples
    --------
    >>> abundance_rmse(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.8, 0.2], [0.5, 0.5]]))
    0.1414...
    """
    if truth.shape != estimate.shape:
        raise ParameterError(f"abundances of shape {truth.shape} and {estimate.shape}", "the same shape")
    return float(np.sqrt(np.mean((estimate.astype(np.float64) - truth) ** 2)))


def to_max_normalised_convention(
    abundances: Float[np.ndarray, "pixel endmember"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Re-express abundances as if each endmember had been scaled to a maximum of 1.

    .. math:: a'_k = \frac{a_k \max_l m_{kl}}{\sum_j a_j \max_l m_{jl}}

    An abundance is an area fraction when the endmembers have their physical reflectance. Several published
    truths were made with endmembers scaled to a maximum of 1, which counts dark materials for less. The two
    differ by more than most methods err: compare an estimate with such a truth in the truth's convention.

    Parameters
    ----------
    abundances : array, shape (pixel, endmember)
        Area fractions :math:`a_k` [1].
    endmembers : array, shape (endmember, band)
        Reflectance :math:`m_{kl}` [1] that the abundances belong to.

    Returns
    -------
    array, shape (pixel, endmember)
        Abundances in the other convention [1]; each row sums to 1, and one of zeros stays as it is.

    Raises
    ------
    ParameterError
        If an endmember is nowhere above zero.

    Examples
    --------
    Half the area is water of at most 0.1, half is soil of at most 0.4:

    >>> to_max_normalised_convention(np.array([[0.5, 0.5]]), np.array([[0.1, 0.05, 0.0], [0.2, 0.3, 0.4]]))
    array([[0.2, 0.8]])
    """
    brightest = endmembers.max(axis=1)
    if (brightest <= 0).any():
        raise ParameterError(
            f"endmember {int(np.argmin(brightest)) + 1} with a maximum of {brightest.min():.3g}",
            "one above 0",
        )
    scaled = abundances * brightest
    total = scaled.sum(axis=1, keepdims=True)
    return np.divide(scaled, total, out=np.zeros_like(scaled), where=total != 0)
