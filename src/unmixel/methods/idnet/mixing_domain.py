"""What mixes linearly: reflectance, or the single-scattering albedo of grains that scatter to each other (Hapke)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.mixing.hapke import albedo_of_reflectance, reflectance_of_albedo

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
    found = albedo_of_reflectance(np.clip(reflectance.astype(np.float64), DARKEST, BRIGHTEST))
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
    return reflectance_of_albedo(np.clip(mixed.astype(np.float64), 0, 1)).astype(mixed.dtype)
