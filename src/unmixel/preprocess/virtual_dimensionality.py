"""Virtual dimensionality: the number of spectrally distinct signals, by a test at a false-alarm rate."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from unmixel.preprocess.noise import estimate_noise


def nwhfc(
    pixels: Float[np.ndarray, "pixel band"],
    false_alarm: float = 1e-3,
    *,
    seed: int | np.random.Generator = 0,
) -> int:
    r"""Count signals with the noise-whitened Harsanyi-Farrand-Chang test.

    .. math:: \hat k = \#\{ l : \lambda_l^R - \lambda_l^K > \tau_l \}, \qquad
              \tau_l = -\Phi^{-1}(p) \sqrt{2 (\lambda_l^R)^2 / N + 2 (\lambda_l^K)^2 / N}

    where :math:`\lambda^R` and :math:`\lambda^K` are the sorted eigenvalues of the correlation and of the
    covariance of the pixels, each band divided by the standard deviation of its noise. A signal has a mean,
    and so a larger eigenvalue of the correlation; noise has none. Signals whose mean along their
    direction is near zero are missed, and eigenvalues below that of noise (1) are not counted.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    false_alarm : float
        Probability :math:`p` of taking noise for a signal in one test [1].
    seed : int or Generator
        Of more than 20 000 pixels, that many are drawn for the noise.

    Returns
    -------
    int
        Number of signals, at least 1.

    References
    ----------
    Chang, Du, *Estimation of number of spectrally distinct signal sources in hyperspectral imagery*, IEEE
    TGRS 42(3), 2004. doi:10.1109/TGRS.2003.819189

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.dirichlet(np.ones(3), 3000) @ rng.random((3, 60))
    >>> nwhfc(signal + 0.01 * rng.standard_normal((3000, 60)))
    3
    """
    noise_variance = estimate_noise(pixels, seed=seed)[1]
    values = pixels.astype(np.float64)
    floor = 1e-10 * (values**2).mean() or 1.0
    values /= np.sqrt(noise_variance + floor)
    mean = values.mean(axis=0)
    correlation = values.T @ values / len(values)
    of_correlation = np.linalg.eigvalsh(correlation)
    of_covariance = np.linalg.eigvalsh(correlation - np.outer(mean, mean))
    spread = np.sqrt(2 * (of_correlation**2 + of_covariance**2) / len(values))
    is_signal = of_correlation - of_covariance > -ndtri(false_alarm) * spread
    return max(1, int((is_signal & (of_correlation > 1)).sum()))
