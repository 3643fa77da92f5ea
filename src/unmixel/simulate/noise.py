"""Sensor noise of a stated signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def noise_sd_for(pixels: Float[np.ndarray, "pixel band"], snr_db: float) -> float:
    r"""Compute the standard deviation of white noise from the signal-to-noise power ratio.

    .. math:: \sigma = \sqrt{\operatorname{mean}(y^2) \; 10^{-\mathrm{SNR} / 10}}

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` without noise [1].
    snr_db : float
        Ratio of the mean power of signal and noise [dB].

    Returns
    -------
    float
        Standard deviation [reflectance], the same in every pixel and band.

    Examples
    --------
    >>> print(f"{noise_sd_for(np.full((4, 3), 0.5), 20.0):.3f}")
    0.050
    """
    return float(np.sqrt(np.mean(pixels**2) * 10 ** (-snr_db / 10)))
