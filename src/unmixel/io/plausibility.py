"""Whether the values of a scene can be reflectance."""

from __future__ import annotations

import numpy as np
import xarray as xr

from unmixel.scene import pixels_of

_SCALES = (100.0, 255.0, 1000.0, 5000.0, 10_000.0, 65_535.0)


def looks_like_reflectance(scene: xr.DataArray) -> str | None:
    """Return None if the values look like reflectance, about 0 to 1, or else one line on what they look like.

    Snow and glint go beyond 1, and atmospheric correction below 0, so only the bulk of the values is judged:
    the range from the 1st to the 99th percentile.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> rng = np.random.default_rng(0)
    >>> looks_like_reflectance(make_scene(rng.uniform(0.0, 0.6, (5, 4, 3))))
    >>> looks_like_reflectance(make_scene(rng.uniform(0.0, 6000.0, (5, 4, 3))))
    'values from 93 to 5921 do not look like reflectance (about 0 to 1) but like counts ...'
    """
    pixels = pixels_of(scene)
    step = max(1, len(pixels) // 20_000)
    low, high = (float(value) for value in np.percentile(pixels[::step], [1, 99]))
    span = f"values from {low:.3g} to {high:.3g}" if high < 1000 else f"values from {low:.0f} to {high:.0f}"
    if high > 2:
        scale = next((scale for scale in _SCALES if high <= 1.1 * scale), None)
        hint = f"; dividing by {scale:g} (scale) would make them so" if scale else ""
        return f"{span} do not look like reflectance (about 0 to 1) but like counts or radiance{hint}"
    if high < 0.005:
        return f"{span} do not look like reflectance (about 0 to 1): divided twice?"
    if low < -0.2:
        return f"{span} do not look like reflectance (about 0 to 1): is a no-data value left in?"
    return None
