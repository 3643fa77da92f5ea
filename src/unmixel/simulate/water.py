"""Water under another sun: what a reflectance becomes when the sun stands higher or lower than assumed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError

SKY_AT_550 = 0.12
"""Light of a clear sky over that of the sun, which it meets at a right angle, at 550 nm [1]."""
SCATTERING_EXPONENT = -3.0
"""Between that of molecules (-4) and that of haze (about -1)."""


def sky_over_sun(wavelength: Float[np.ndarray, "band"]) -> Float[np.ndarray, "band"]:
    r"""Compute how much light comes from a clear sky, relative to the direct sun.

    .. math:: d(\lambda) = d_{550} \, (\lambda / 550)^{-3}

    Parameters
    ----------
    wavelength : array, shape (band,)
        Band centres :math:`\lambda` [nm].

    Examples
    --------
    >>> sky_over_sun(np.array([550.0, 1100.0]))
    array([0.12 , 0.015])
    """
    return SKY_AT_550 * (wavelength / 550.0) ** SCATTERING_EXPONENT


def water_over_illumination(
    reflectance: Float[np.ndarray, "band"],
    wavelength: Float[np.ndarray, "band"],
    assumed_deg: float,
    incidence_deg: Sequence[float],
) -> Float[np.ndarray, "spectrum band"]:
    r"""Compute the reflectance that water seems to have where the sun stands otherwise than was assumed.

    The light on a surface is that of the sun, weighted by the cosine of its incidence, and that of the sky.
    Whoever divides the measured light by that of a wrong angle gets

    .. math:: m_i = m \, \frac{\cos\theta_i + d}{\cos\theta_0 + d}

    Parameters
    ----------
    reflectance : array, shape (band,)
        Reflectance :math:`m` of the water [1].
    wavelength : array, shape (band,)
        Band centres [nm].
    assumed_deg : float
        Angle of incidence :math:`\theta_0` that was assumed [degree].
    incidence_deg : sequence of float
        True angle of incidence :math:`\theta_i` for each spectrum to make [degree].

    Returns
    -------
    array, shape (spectrum, band)
        Apparent reflectance :math:`m_i` [1]; :math:`d` is `sky_over_sun`.

    Raises
    ------
    ParameterError
        If an angle is not from 0 to 90 degrees.

    References
    ----------
    Borsoi et al., *Spectral variability in hyperspectral data unmixing: a comprehensive review*, IEEE Geoscience
    and Remote Sensing Magazine 9(4), 2021 (illumination and atmosphere). doi:10.1109/MGRS.2021.3071158

    Examples
    --------
    >>> wavelength = np.array([450.0, 800.0])
    >>> water_over_illumination(np.array([0.06, 0.02]), wavelength, 30.0, [30.0, 75.0]).round(4)
    array([[0.06  , 0.02  ],
           [0.0264, 0.0066]])
    """
    for angle in (assumed_deg, *incidence_deg):
        if not 0 <= angle <= 90:
            raise ParameterError(f"an angle of incidence of {angle:g} degrees", "0 to 90")
    sky = sky_over_sun(wavelength)
    light = np.cos(np.deg2rad(np.asarray(incidence_deg)))[:, None] + sky
    return reflectance * light / (np.cos(np.deg2rad(assumed_deg)) + sky)
