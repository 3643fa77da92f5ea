"""Intimate mixing: grains that scatter light to each other mix in their albedo, not in their reflectance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.mixing.linear import linear


def reflectance_of_albedo(
    albedo: Float[np.ndarray, "*shape"], incidence_deg: float = 30.0, viewing_deg: float = 0.0
) -> Float[np.ndarray, "*shape"]:
    r"""Compute the reflectance of a layer of grains from their single-scattering albedo.

    For grains that scatter in all directions alike, far from the opposition of the sun, and relative to a
    layer of grains that absorb nothing:

    .. math:: \rho = \frac{w}{(1 + 2 \mu_0 \gamma) (1 + 2 \mu \gamma)}, \qquad \gamma = \sqrt{1 - w}

    Parameters
    ----------
    albedo : array
        Single-scattering albedo :math:`w` [1], 0 to 1.
    incidence_deg, viewing_deg : float
        Angles of the sun and of the sensor from the vertical [degree], whose cosines are :math:`\mu_0` and
        :math:`\mu`; at least 0 and below 90.

    Returns
    -------
    array
        Reflectance :math:`\rho` [1], 0 to 1.

    References
    ----------
    Hapke, *Bidirectional reflectance spectroscopy: 1. Theory*, J. Geophys. Res. 86(B4), 1981.
    doi:10.1029/JB086iB04p03039

    Examples
    --------
    >>> reflectance_of_albedo(np.array([0.0, 0.75, 1.0]), incidence_deg=60.0)
    array([0.  , 0.25, 1.  ])
    """
    towards_sun, towards_sensor = np.cos(np.deg2rad([incidence_deg, viewing_deg])).tolist()
    gamma = np.sqrt(1 - albedo)
    return albedo / ((1 + 2 * towards_sun * gamma) * (1 + 2 * towards_sensor * gamma))


def albedo_of_reflectance(
    reflectance: Float[np.ndarray, "*shape"], incidence_deg: float = 30.0, viewing_deg: float = 0.0
) -> Float[np.ndarray, "*shape"]:
    r"""Invert `reflectance_of_albedo`: find the single-scattering albedo behind a reflectance.

    The positive root of the quadratic equation that the law is in :math:`\gamma`:

    .. math:: (1 + 4 \mu_0 \mu \rho) \gamma^2 + 2 (\mu_0 + \mu) \rho \gamma - (1 - \rho) = 0,
              \qquad w = 1 - \gamma^2

    Parameters
    ----------
    reflectance : array
        Reflectance :math:`\rho` [1], 0 to 1.
    incidence_deg, viewing_deg : float
        Angles at which it was measured [degree]; see `reflectance_of_albedo`.

    Returns
    -------
    array
        Single-scattering albedo :math:`w` [1], 0 to 1.

    References
    ----------
    Hapke 1981, as for `reflectance_of_albedo`.

    Examples
    --------
    >>> albedo_of_reflectance(np.array([0.0, 0.25, 1.0]), incidence_deg=60.0)
    array([0.  , 0.75, 1.  ])
    """
    towards_sun, towards_sensor = np.cos(np.deg2rad([incidence_deg, viewing_deg])).tolist()
    square = 1 + 4 * towards_sun * towards_sensor * reflectance
    half = (towards_sun + towards_sensor) * reflectance
    gamma = (np.sqrt(half**2 + square * (1 - reflectance)) - half) / square
    return 1 - gamma**2


def intimate(
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "endmember band"] | Float[np.ndarray, "pixel endmember band"],
    incidence_deg: float = 30.0,
    viewing_deg: float = 0.0,
) -> Float[np.ndarray, "pixel band"]:
    r"""Mix the grains of endmembers: their single-scattering albedos mix linearly.

    .. math:: y = \rho\Big(\sum_k a_k \, \rho^{-1}(m_k)\Big)

    with :math:`\rho` of `reflectance_of_albedo`. A little of a dark material darkens a bright one far more than
    its share.

    Parameters
    ----------
    abundances : array, shape (pixel, endmember)
        Shares :math:`a_k` of the grains' cross-section [1]; of their volume if all grains have one size.
    endmembers : array, shape (endmember, band) or (pixel, endmember, band)
        Reflectance :math:`m_k` [1], 0 to 1, the same for all pixels or its own for each.
    incidence_deg, viewing_deg : float
        Angles of the sun and of the sensor from the vertical [degree].

    Returns
    -------
    array, shape (pixel, band)
        Reflectance :math:`y` [1].

    References
    ----------
    Hapke 1981, as for `reflectance_of_albedo`; mixtures: Mustard, Pieters, *Photometric phase functions of common
    geologic minerals and applications to quantitative analysis of mineral mixture reflectance spectra*,
    J. Geophys. Res. 94(B10), 1989. doi:10.1029/JB094iB10p13619

    Examples
    --------
    >>> intimate(np.array([[0.5, 0.5]]), np.array([[0.64, 0.3], [0.04, 0.3]])).round(3)
    array([[0.137, 0.3  ]])
    """
    albedo = linear(abundances, albedo_of_reflectance(endmembers, incidence_deg, viewing_deg))
    return reflectance_of_albedo(albedo, incidence_deg, viewing_deg)
