"""How strongly noise pulls at abundances: the unit of penalties that need no tuning."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def noise_pull(spectra: Float[np.ndarray, "spectrum band"], noise_variance: Float[np.ndarray, "band"]) -> float:
    r"""Return the standard deviation of the slope that noise gives the misfit, along the darkest spectrum's abundance.

    .. math:: \min_k \sqrt{\textstyle\sum_l m_{kl}^2 \sigma_l^2}, \qquad
              \text{the sd of } m_k^\top n, \quad n_l \sim N(0, \sigma_l^2)

    The slope of :math:`\tfrac12 \|y - M^\top a\|^2` is :math:`M (M^\top a - y)`. A penalty with this slope stands
    up to the noise of one abundance; of a brighter spectrum it would take a darker one away altogether.

    Parameters
    ----------
    spectra : array, shape (spectrum, band)
        M [reflectance].
    noise_variance : array, shape (band,)
        Squares of sigma [reflectance squared].

    Returns
    -------
    float
        [reflectance squared].

    Examples
    --------
    >>> noise_pull(np.array([[0.3, 0.4], [0.1, 0.1]]), np.array([1e-4, 1e-4]))
    0.0014142135623730952
    """
    return float(np.sqrt((spectra.astype(np.float64) ** 2 @ noise_variance).min()))
