"""A scene in memory, for a method in which a pixel depends on its neighbours."""

from __future__ import annotations

import xarray as xr

from unmixel.errors import SceneError
from unmixel.io.lazy import LazyScene
from unmixel.io.windows import Window

LARGEST = 2 * 10**9
"""Bytes of spectra that such a scene may have: its solution takes several times as much memory."""


def whole_scene(scene: LazyScene) -> xr.DataArray:
    """Read a whole scene.

    Raises
    ------
    SceneError
        If it is too large for that.
    """
    rows, columns, bands = scene.shape
    if 4 * rows * columns * bands > LARGEST:
        raise SceneError(
            f"{scene.path} of {rows} x {columns} pixels and {bands} bands for a method that looks at all of it at once",
            f"at most {LARGEST / 1e9:g} GB of spectra",
            "cut the scene, or use a method that looks at each pixel alone (`unmixel methods`)",
        )
    return scene.read(Window(0, rows, 0, columns))
