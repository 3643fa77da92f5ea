"""Figures of a scene."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from unmixel.plot.map_axes import MASKED, draw_map, frame_of, map_panels
from unmixel.scene import check_scene, colours_of


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
    colours = colours_of(scene)
    return picture(np.asarray(scene.values[:, :, colours.bands], dtype=np.float32), scene, colours.title)


def picture(values: Float[np.ndarray, "y x three"], grid: xr.DataArray | xr.Dataset, title: str) -> Figure:
    """Draw red, green and blue reflectance on the grid of a scene or a result, stretched as by `scene_rgb`.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> values = np.random.default_rng(0).random((4, 5, 3), dtype=np.float32)
    >>> picture(values, make_scene(values), "a scene").axes[0].get_title()
    'a scene'
    """
    frame = frame_of(grid)
    figure, (axes,) = map_panels(frame, 1)
    figure.set_size_inches(*(1.5 * figure.get_size_inches()))
    draw_map(axes, frame, _stretched(values))
    axes.set_title(title)
    axes.set(xlabel=frame.x_label, ylabel=frame.y_label)
    return figure


def _stretched(values: Float[np.ndarray, "y x three"]) -> Float[np.ndarray, "y x three"]:
    """Stretch each colour to 0..1; invalid pixels become grey."""
    low, high = np.nanpercentile(values, (2.0, 98.0), axis=(0, 1))
    stretched = np.clip((values - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    stretched[np.isnan(stretched).any(axis=2)] = to_rgb(MASKED)
    return stretched
