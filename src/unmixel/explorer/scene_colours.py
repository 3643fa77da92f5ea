"""The scene as the eye would see it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio.windows
from jaxtyping import Float, UInt32

from unmixel.errors import SceneError
from unmixel.explorer.map_layers import Piece, rgba_of, step_for
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io.lazy import LazyScene
from unmixel.io.raster import opened_raster
from unmixel.io.result_folder import SCENE_PICTURE as FILE
from unmixel.io.windows import Window
from unmixel.lookup import lookup_of
from unmixel.pages.colours import MASKED
from unmixel.scene import colours_of

SMALL = 2_000_000
"""Pixels of a scene that is read for its colours if the folder does not hold them."""


class _ColoursInFile:
    """Three bands of reflectance in a GeoTIFF."""

    def __init__(self, path: Path, title: str) -> None:
        self._path, self.title = path, title

    def read(self, window: Window, step: int) -> Piece:
        place = rasterio.windows.Window(window.left, window.top, window.shape[1], window.shape[0])
        shape = 3, -(-window.shape[0] // step), -(-window.shape[1] // step)
        with opened_raster(self._path, "GTiff") as file:
            return Piece(np.moveaxis(file.read(window=place, out_shape=shape), 0, 2), window)


class _ColoursOfScene:
    """Three bands of a scene, read once."""

    def __init__(self, scene: LazyScene) -> None:
        self._scene = scene
        colours = colours_of(scene.outline)
        self._bands, self.title = colours.bands, colours.title

    @cached_property
    def _values(self) -> Float[np.ndarray, "y x three"]:
        found = np.empty((*self._scene.shape[:2], 3), dtype=np.float32)
        for window in self._scene.windows():
            found[window.slices] = self._scene.read(window).values[:, :, self._bands]
        return found

    def read(self, window: Window, step: int) -> Piece:
        rows, columns = (slice(part.start, part.stop, step) for part in window.slices)
        values = self._values[rows, columns]
        height, width = values.shape[:2]
        return Piece(values, Window(window.top, window.top + height * step, window.left, window.left + width * step))


class SceneColours:
    """The scene in three colours, each stretched between the 2nd and the 98th percentile of its reflectance."""

    palette: tuple[str, ...] = ()
    unit = ""

    def __init__(self, source: _ColoursInFile | _ColoursOfScene, whole: Window) -> None:
        self._source, self.whole = source, whole
        self.title = f"scene: {source.title}"

    @cached_property
    def _ends(self) -> Float[np.ndarray, "2 three"]:
        values = self._source.read(self.whole, step_for(self.whole)).values
        known = values[np.isfinite(values).all(axis=2)]
        if not len(known):
            return np.array([[0.0] * 3, [1.0] * 3])
        low, high = np.percentile(known, (2, 98), axis=0)
        return np.stack([low, np.where(high > low, high, low + 1)])

    def colours(self, window: Window, step: int) -> Piece:
        """Return RGBA of every step-th row and column of a window; grey where it is masked."""
        values, covered = self._source.read(window, step)
        return Piece(_paint(values, self._ends), covered)


def scene_colours(opened: OpenedResult) -> tuple[SceneColours | None, str]:
    """Return the scene in three colours, or None and why it cannot be had cheaply."""
    whole = Window(0, opened.result.sizes["y"], 0, opened.result.sizes["x"])
    on_same_grid = lookup_of(opened.result) is None
    if on_same_grid and (found := _colours_in(opened.folder / FILE, whole.shape)) is not None:
        return SceneColours(found, whole), ""
    if opened.scene is None:
        return None, f"The scene is not shown: {opened.without_scene}."
    if whole.n_pixels > SMALL:
        return None, f"The scene is not shown: the folder has no {FILE}, and the scene is too large to be read for it."
    try:
        return SceneColours(_ColoursOfScene(opened.scene), whole), ""
    except SceneError as error:
        return None, f"The scene is not shown: {error}."


def _colours_in(path: Path, shape: tuple[int, int]) -> _ColoursInFile | None:
    """Return the colours that a folder has of so many rows and columns, or None."""
    try:
        with opened_raster(path, "GTiff") as file:
            if (file.shape, *file.dtypes) != (shape, *["float32"] * 3):
                return None
            return _ColoursInFile(path, ", ".join(str(name) for name in file.descriptions if name))
    except SceneError:
        return None


def _paint(values: Float[np.ndarray, "y x three"], ends: Float[np.ndarray, "2 three"]) -> UInt32[np.ndarray, "y x"]:
    low, high = ends
    known = np.isfinite(values).all(axis=2)
    share = np.clip((np.where(known[:, :, None], values, low) - low) / (high - low), 0, 1)
    rgba = np.full((*known.shape, 4), 255, dtype=np.uint8)
    rgba[:, :, :3] = np.round(255 * share)
    rgba[~known] = rgba_of(MASKED)
    return rgba.view(np.uint32)[:, :, 0]
