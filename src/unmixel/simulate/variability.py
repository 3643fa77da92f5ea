"""How a material differs from pixel to pixel: its illumination, and its own spectrum."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.simulate.fields import gaussian_field

SPECTRAL_MODES = 3
"""Independent ways in which a spectrum varies; more would average out to a plain change of level."""


def brightness_field(
    rows: int, columns: int, sd: float, correlation_length: float, rng: np.random.Generator
) -> Float[np.ndarray, "y x"]:
    r"""Draw the brightness of every pixel, which multiplies all its bands alike (slope, shade).

    .. math:: \log b(u) = \sigma f(u) - \sigma^2 / 2

    Parameters
    ----------
    rows, columns : int
        Size of the map [pixel].
    sd : float
        Standard deviation :math:`\sigma` of the logarithm [1]; about the relative spread of the brightness.
    correlation_length : float
        Correlation length of the Gaussian field :math:`f` [pixel].
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (y, x)
        Brightness [1], positive, 1 in expectation.

    Examples
    --------
    >>> brightness = brightness_field(60, 80, 0.1, 2.0, np.random.default_rng(0))
    >>> print(f"{brightness.mean():.2f} {brightness.std():.2f}")
    1.00 0.10
    """
    return np.exp(sd * gaussian_field(rows, columns, correlation_length, rng) - sd**2 / 2)


def spectral_modes(
    wavelength: Float[np.ndarray, "band"], correlation_length: float, rng: np.random.Generator
) -> Float[np.ndarray, "mode band"]:
    """Draw smooth functions of wavelength along which a spectrum varies.

    Parameters
    ----------
    wavelength : array, shape (band,)
        Band centres [nm].
    correlation_length : float
        Correlation length over wavelength [nm].
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (mode, band)
        Modes [1]; the sum of their squares is 1 on average over the bands.

    Examples
    --------
    >>> modes = spectral_modes(np.linspace(400.0, 2400.0, 50), 300.0, np.random.default_rng(0))
    >>> print(f"{(modes**2).sum(axis=0).mean():.2f}")
    1.00
    """
    distance = (wavelength[:, None] - wavelength[None, :]) / correlation_length
    variances, shapes = np.linalg.eigh(np.exp(-0.5 * distance**2))
    draws = rng.standard_normal((SPECTRAL_MODES, len(wavelength)))
    modes = (draws * np.sqrt(np.maximum(variances, 0.0))) @ shapes.T
    return modes / np.sqrt((modes**2).sum(axis=0).mean())


def varied_endmembers(
    endmembers: Float[np.ndarray, "endmember band"],
    wavelength: Float[np.ndarray, "band"],
    rows: int,
    columns: int,
    sd: float,
    correlation_length: float,
    spectral_correlation_length: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "pixel endmember band"]:
    r"""Draw the spectrum that every endmember has in every pixel, smooth over the ground and over wavelength.

    .. math:: \log m_k(u, \lambda) = \log m_k(\lambda) + \sigma \sum_j f_{kj}(u) \, b_{kj}(\lambda)

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Reflectance :math:`m_k` around which the spectra vary [1], positive.
    wavelength : array, shape (band,)
        Band centres [nm].
    rows, columns : int
        Size of the map [pixel].
    sd : float
        Standard deviation :math:`\sigma` of the logarithm of the reflectance [1].
    correlation_length : float
        Correlation length of the Gaussian fields :math:`f_{kj}` [pixel].
    spectral_correlation_length : float
        Correlation length of the modes :math:`b_{kj}` [nm].
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (pixel, endmember, band)
        Reflectance [1], pixels in row-major order.

    Examples
    --------
    >>> wavelength = np.linspace(400.0, 2400.0, 30)
    >>> rng = np.random.default_rng(0)
    >>> spectra = varied_endmembers(np.full((2, 30), 0.3), wavelength, 20, 25, 0.05, 3.0, 300.0, rng)
    >>> spectra.shape
    (500, 2, 30)
    """
    spectra = np.empty((rows * columns, *endmembers.shape))
    for k, endmember in enumerate(endmembers):
        modes = spectral_modes(wavelength, spectral_correlation_length, rng)
        fields = [gaussian_field(rows, columns, correlation_length, rng).ravel() for _ in modes]
        spectra[:, k] = endmember * np.exp(sd * np.stack(fields, axis=1) @ modes)
    return spectra
