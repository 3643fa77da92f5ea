"""Which estimated endmember is which true one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.errors import ParameterError
from unmixel.metrics.spectral_angle import pairwise_spectral_angle


def match_endmembers(
    truth: Float[np.ndarray, "endmember band"], endmembers: Float[np.ndarray, "estimated band"]
) -> Integer[np.ndarray, "endmember"]:
    r"""Pair true with estimated endmembers so that the sum of their spectral angles is smallest.

    .. math:: \pi = \arg\min_\pi \sum_k \theta(m_k, \hat m_{\pi(k)})

    Parameters
    ----------
    truth : array, shape (endmember, band)
        True endmembers :math:`m_k` [1].
    endmembers : array, shape (estimated, band)
        Estimated endmembers [1]; at least as many.

    Returns
    -------
    array of int, shape (endmember,)
        The permutation: ``endmembers[permutation]`` and ``abundances[:, permutation]`` are in the order of
        the truth.

    Raises
    ------
    ParameterError
        If there are fewer estimated endmembers than true ones, or one of them is zero in every band.

    References
    ----------
    Kuhn, *The Hungarian method for the assignment problem*, Naval Research Logistics Quarterly 2, 1955.

    Examples
    --------
    >>> truth = np.array([[0.1, 0.0, 0.0], [0.1, 0.4, 0.4], [0.0, 0.0, 1.0]])
    >>> match_endmembers(truth, np.array([[0.2, 0.1, 0.9], [0.3, 0.0, 0.1], [0.1, 0.2, 0.2]]))
    array([1, 2, 0])
    """
    if len(endmembers) < len(truth):
        raise ParameterError(f"{len(endmembers)} endmembers to match with {len(truth)}", "at least as many")
    angles = pairwise_spectral_angle(truth, endmembers)
    if np.isnan(angles).any():
        raise ParameterError("an endmember that is zero or NaN to be matched by angle", "spectra above zero")
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(angles)[1]
