"""Figures of a scene."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from unmixel.plot.map_axes import MASKED, draw_map, frame_of, map_panels
from unmixel.scene import check_scene, good_bands

RED_GREEN_BLUE = (640.0, 550.0, 470.0)
"""Wavelengths of the three colours [nm]."""


def scene_rgb(scene: xr.DataArray) -> Figure:
    """Draw a scene in its true colours, or in three spread bands where it doesn't cover them.

    Each colour is stretched from its 2nd to its 98th percentile.

    Parameters
    ----------
    scene : DataArray
        See `unmixel.scene`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SceneError
        If it is not a scene.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> scene, truth = simulate_demo(rows=20, columns=30)
    >>> scene_rgb(scene).axes[0].get_title()
    'true colour: 638, 550, 475 nm'
    """
    check_scene(scene)
    bands, title = _three_bands(scene)
    frame = frame_of(scene)
    figure, (axes,) = map_panels(frame, 1)
    figure.set_size_inches(*(1.5 * figure.get_size_inches()))
    draw_map(axes, frame, _stretched(np.asarray(scene.values[:, :, bands], dtype=np.float32)))
    axes.set_title(title)
    axes.set(xlabel=frame.x_label, ylabel=frame.y_label)
    return figure


def _three_bands(scene: xr.DataArray) -> tuple[list[int], str]:
    """Return the bands shown as red, green and blue, and what to call that."""
    good = np.flatnonzero(good_bands(scene))
    wavelength = np.asarray(scene["wavelength"].values, dtype=float)[good]
    if np.isfinite(wavelength).all():
        nearest = [int(np.argmin(np.abs(wavelength - colour))) for colour in RED_GREEN_BLUE]
        if np.abs(wavelength[nearest] - RED_GREEN_BLUE).max() <= 25:
            return [int(good[i]) for i in nearest], f"true colour: {_join(wavelength[nearest])} nm"
    spread = len(good) * np.array([5, 3, 1]) // 6
    bands = [int(good[i]) for i in spread]
    if np.isfinite(wavelength).all():
        return bands, f"false colour: {_join(wavelength[spread])} nm"
    return bands, f"false colour: bands {_join(np.array(bands) + 1.0)}"


def _join(numbers: Float[np.ndarray, "three"]) -> str:
    return ", ".join(f"{number:.0f}" for number in numbers)


def _stretched(values: Float[np.ndarray, "y x three"]) -> Float[np.ndarray, "y x three"]:
    """Stretch each colour to 0..1; invalid pixels become grey."""
    low, high = np.nanpercentile(values, (2.0, 98.0), axis=(0, 1))
    stretched = np.clip((values - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    stretched[np.isnan(stretched).any(axis=2)] = to_rgb(MASKED)
    return stretched
