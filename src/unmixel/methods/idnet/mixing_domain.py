"""What mixes linearly: reflectance, or the single-scattering albedo of grains that scatter to each other (Hapke)."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from torch import Tensor

from unmixel.mixing.hapke import albedo_of_reflectance, reflectance_of_albedo

INCIDENCE_DEG, VIEWING_DEG = 30.0, 0.0
COSINES = math.cos(math.radians(INCIDENCE_DEG)), math.cos(math.radians(VIEWING_DEG))
DARKEST, BRIGHTEST = 1e-4, 1 - 1e-4
"""Reflectances beyond which albedo is not asked for: noise goes below 0 and above 1."""


def to_domain(reflectance: Float[np.ndarray, "*shape"], *, albedo: bool) -> Float[np.ndarray, "*shape"]:
    """Turn reflectance into what mixes linearly.

    Examples
    --------
    >>> to_domain(np.array([0.0, 0.2, 1.0]), albedo=True).round(3)
    array([0.001, 0.749, 1.   ])
    """
    if not albedo:
        return reflectance
    inside = np.clip(reflectance.astype(np.float64), DARKEST, BRIGHTEST)
    found = albedo_of_reflectance(inside, INCIDENCE_DEG, VIEWING_DEG)
    return found.astype(reflectance.dtype)


def to_reflectance(mixed: Float[np.ndarray, "*shape"], *, albedo: bool) -> Float[np.ndarray, "*shape"]:
    """Turn what mixes linearly into reflectance.

    Examples
    --------
    >>> to_reflectance(to_domain(np.array([0.05, 0.2, 0.9]), albedo=True), albedo=True).round(6)
    array([0.05, 0.2 , 0.9 ])
    """
    if not albedo:
        return mixed
    inside = np.clip(mixed.astype(np.float64), 0, 1)
    return reflectance_of_albedo(inside, INCIDENCE_DEG, VIEWING_DEG).astype(mixed.dtype)


def albedo_slope(albedo: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Return how much noise in reflectance is enlarged in albedo.

    .. math:: \frac{\mathrm dw}{\mathrm d\rho} = \frac{(1 + 2 \mu_0 \gamma) (1 + 2 \mu \gamma)}{1 + \frac w\gamma
        \left(\frac{\mu_0}{1 + 2 \mu_0 \gamma} + \frac{\mu}{1 + 2 \mu \gamma}\right)}, \quad \gamma = \sqrt{1 - w}

    the inverse of the derivative of `unmixel.mixing.hapke.reflectance_of_albedo`.

    Examples
    --------
    >>> import torch
    >>> albedo_slope(torch.tensor([0.0, 0.75, 1.0])).round(decimals=2)
    tensor([8.2000, 1.5300, 0.0100])
    """
    w = albedo.clamp(0, BRIGHTEST)
    gamma = (1 - w).sqrt()
    towards_sun, towards_sensor = COSINES
    from_sun, to_sensor = 1 + 2 * towards_sun * gamma, 1 + 2 * towards_sensor * gamma
    return from_sun * to_sensor / (1 + w / gamma * (towards_sun / from_sun + towards_sensor / to_sensor))
