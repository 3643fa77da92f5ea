"""The Beta distributions of single abundances, from their means and standard deviations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

SMALLEST = 1e-6
"""A mean nearer to 0 or 1, and a standard deviation or shape below it, counts as it: all finer is rounding."""


def beta_marginals(
    mean: Float[np.ndarray, "*pixel endmember"], sd: Float[np.ndarray, "*pixel endmember"]
) -> tuple[Float[np.ndarray, "*pixel endmember"], Float[np.ndarray, "*pixel endmember"]]:
    r"""Return the two shapes of the Beta distribution of each abundance.

    .. math:: a_k \sim \mathrm{Beta}\big(m_k K_k, (1 - m_k) K_k\big), \qquad K_k = \frac{m_k (1 - m_k)}{s_k^2} - 1

    Under one Dirichlet all :math:`K_k` of a pixel are the same, and these are its marginals. Posteriors need not be
    like that: what is nearly certain of one endmember may be wide open for two that look alike.

    Parameters
    ----------
    mean : array, shape (..., endmember)
        Mean :math:`m` of each abundance [1].
    sd : array, shape (..., endmember)
        Its standard deviation :math:`s` [1], below :math:`\sqrt{m (1 - m)}`: no distribution on 0 to 1 is wider.

    Returns
    -------
    first, second : array, shape (..., endmember)
        Shapes [1]; NaN where mean or standard deviation is.

    Examples
    --------
    >>> first, second = beta_marginals(np.array([[0.2, 0.3, 0.5]]), np.array([[0.1, 0.2, 0.25]]))
    >>> first.round(3), second.round(3)
    (array([[3.   , 1.275, 1.5  ]]), array([[12.   ,  2.975,  1.5  ]]))
    """
    m = np.clip(mean.astype(np.float64), SMALLEST, 1 - SMALLEST)
    variance = np.maximum(sd.astype(np.float64), SMALLEST) ** 2
    precision = np.maximum(m * (1 - m) / variance - 1, SMALLEST)
    return np.maximum(m * precision, SMALLEST), np.maximum((1 - m) * precision, SMALLEST)
