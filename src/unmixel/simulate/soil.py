"""Soil under another sun: its albedo inverted at one geometry, its reflectance made again at others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.mixing.hapke import albedo_of_reflectance, reflectance_of_albedo


def soil_over_angles(
    reflectance: Float[np.ndarray, "band"],
    measured_at: tuple[float, float],
    geometries: Sequence[tuple[float, float]],
) -> Float[np.ndarray, "spectrum band"]:
    r"""Compute the reflectance that a soil has under other angles of the sun and of the sensor.

    .. math:: m_i = \rho(w; \theta_{0,i}, \theta_i), \qquad w = \rho^{-1}(m; \theta_0, \theta)

    with Hapke's :math:`\rho` of `unmixel.mixing.reflectance_of_albedo`.

    Parameters
    ----------
    reflectance : array, shape (band,)
        Reflectance :math:`m` of the soil [1], 0 to 1.
    measured_at : tuple of float
        Incidence :math:`\theta_0` and viewing angle :math:`\theta` at which it was measured [degree].
    geometries : sequence of tuple of float
        Incidence and viewing angle of each spectrum to make [degree].

    Returns
    -------
    array, shape (spectrum, band)
        Reflectance :math:`m_i` [1].

    Raises
    ------
    ParameterError
        If an angle is not from 0 to below 90 degrees, or the reflectance not from 0 to 1.

    References
    ----------
    Hapke, *Bidirectional reflectance spectroscopy: 1. Theory*, J. Geophys. Res. 86(B4), 1981.
    doi:10.1029/JB086iB04p03039

    Examples
    --------
    >>> soil_over_angles(np.array([0.1, 0.4]), (30.0, 0.0), [(0.0, 0.0), (30.0, 0.0), (80.0, 0.0)]).round(3)
    array([[0.092, 0.381],
           [0.1  , 0.4  ],
           [0.177, 0.541]])
    """
    for angle in (*measured_at, *(angle for geometry in geometries for angle in geometry)):
        if not 0 <= angle < 90:
            raise ParameterError(f"an angle of {angle:g} degrees", "0 to below 90")
    if not (reflectance.min() >= 0 and reflectance.max() <= 1):
        raise ParameterError(f"a reflectance of {reflectance.min():g} to {reflectance.max():g}", "0 to 1")
    albedo = albedo_of_reflectance(reflectance, *measured_at)
    return np.stack([reflectance_of_albedo(albedo, *geometry) for geometry in geometries])
