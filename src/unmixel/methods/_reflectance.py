"""Whether values can be reflectance, for methods whose result depends on the unit, and models of reflectance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from unmixel.errors import SceneError
from unmixel.scene import ValidPixels

LOOKED_AT = 20_000
"""Pixels, at least half of them, that say whether values are reflectance."""
MOST_REFLECTANCE = 5.0
"""The 90th percentile of reflectance is below, by far: snow and glint go beyond 1."""
LARGEST_RATIO = 1000.0
"""By which a scene can be darker than the one a model was fitted to: water is not, counts of reflectance are 10,000."""
BRIGHT = "fitted_to_values_up_to"
"""What the record of a fitted model calls the 90th percentile of the values that it was fitted to."""
_REFLECTANCE = f"reflectance, from 0 to about 1 and hardly above {MOST_REFLECTANCE:g}"


def bright_value(pixels: ValidPixels | Float[np.ndarray, "pixel band"]) -> float:
    """Return the 90th percentile of the values of pixels, of some of them where they are many.

    A few pixels that are wrong or much brighter, as a tenth of a small scene may be, don't change it much.

    Examples
    --------
    >>> bright_value(np.linspace(0, 100, 1001)[:, None])
    90.0
    """
    return float(np.percentile(pixels[:: max(1, len(pixels) // LOOKED_AT)], 90))


def check_reflectance(bright: float, method: str) -> None:
    """Refuse pixels most of whose bright values are no reflectance.

    Parameters
    ----------
    bright : float
        Their `bright_value`.
    method : str
        Name of the method, which expects reflectance.

    Raises
    ------
    SceneError
        If it is above `MOST_REFLECTANCE`.
    """
    if bright > MOST_REFLECTANCE:
        raise SceneError(
            f"values up to {bright:.4g} for method {method!r}, whose result depends on their unit",
            _REFLECTANCE,
            "divide by the scale of the file (--scale), or use a method that any unit will do for, as fcls",
        )


def check_same_unit(
    pixels: ValidPixels, record: Mapping[str, Any], method: str, *, needs_reflectance: bool = False
) -> None:
    """Refuse pixels that can be no reflectance if a model was fitted to reflectance, and the other way round.

    A model that doesn't say to which values it was fitted is taken to be in the unit of the pixels.

    Parameters
    ----------
    pixels : ValidPixels
    record : mapping
        That of the fitted model.
    method : str
        Name of its method.
    needs_reflectance : bool
        Whether the method is fitted to nothing else.

    Raises
    ------
    SceneError
        If the `bright_value` of the pixels is above `MOST_REFLECTANCE`, and that of the model is not; or if it may be
        reflectance, and that of the model is not and more than `LARGEST_RATIO` times as large.
    """
    known = record.get(BRIGHT)
    known = float(known) if isinstance(known, int | float) else None
    if not len(pixels) or (known is None and not needs_reflectance):
        return
    bright = bright_value(pixels)
    in_reflectance = needs_reflectance or (known is not None and known <= MOST_REFLECTANCE)
    if in_reflectance and bright > MOST_REFLECTANCE:
        of_it = "" if known is None else f" (values up to {known:.4g})"
        raise SceneError(
            f"values up to {bright:.4g} for a model of {method!r} that was fitted to reflectance{of_it}",
            _REFLECTANCE,
            "divide by the scale of the file (--scale), or fit a model to scenes in this unit",
        )
    if known is not None and 0 < bright <= MOST_REFLECTANCE < known and known > LARGEST_RATIO * bright:
        raise SceneError(
            f"values up to {bright:.4g} for a model of {method!r} that was fitted to values up to {known:.4g}",
            "the unit of the scene that the model was fitted to",
            "read it as that one was (--scale, or none), or fit a model to this one",
        )
