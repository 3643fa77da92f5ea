"""Whether values can be reflectance, for methods whose result depends on the unit."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.errors import SceneError

LOOKED_AT = 20_000
"""Pixels, at least half of them, that say whether values are reflectance."""
MOST_REFLECTANCE = 5.0
"""The 99th percentile of reflectance is below, by far: snow and glint go beyond 1."""


def check_reflectance(pixels: Float[np.ndarray, "pixel band"], method: str) -> None:
    """Refuse pixels most of whose bright values are no reflectance.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        [reflectance], if they are what the method expects.
    method : str
        Name of the method.

    Raises
    ------
    SceneError
        If their 99th percentile is above `MOST_REFLECTANCE`.
    """
    bright = float(np.percentile(pixels[:: max(1, len(pixels) // LOOKED_AT)], 99))
    if bright > MOST_REFLECTANCE:
        raise SceneError(
            f"values up to {bright:.4g} for method {method!r}, whose result depends on their unit",
            f"reflectance, from 0 to about 1 and hardly above {MOST_REFLECTANCE:g}",
            "divide by the scale of the file (--scale), or use a method that any unit will do for, as fcls",
        )
