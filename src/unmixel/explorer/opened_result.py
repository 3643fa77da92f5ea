"""A result folder, opened with its model and with the scene it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Integer

from unmixel.errors import SceneError, UnmixingError, damage_told
from unmixel.explorer.band_axis import BandAxis, band_axis
from unmixel.io.lazy import LazyScene, open_lazily
from unmixel.io.whole_folder import provenance_in
from unmixel.io.windows import Window
from unmixel.lookup import lookup_of, places_in
from unmixel.map_crs import axis_labels, crs_in
from unmixel.methods._fitted import Fitted
from unmixel.registry import load
from unmixel.result import open_result
from unmixel.scene import good_bands

SCENE_WINDOW = 32_000_000
"""Bytes that reading a part of the scene takes."""


class OpenedResult:
    """What `unmixel unmix` wrote. Nothing is read before it is asked for, and never the whole scene.

    Parameters
    ----------
    folder : path
        The result folder.
    scene : path, optional
        The scene file, if it is not where it was.

    Attributes
    ----------
    folder : Path
    result : Dataset
        It lies on disk.
    provenance : dict
        Of the folder.

    Raises
    ------
    SceneError
        If the folder holds no result, or the scene that is given is another one.
    """

    def __init__(self, folder: str | Path, scene: str | Path | None = None) -> None:
        self.folder = Path(folder)
        self.result = open_result(self.folder)
        self.provenance: dict[str, Any] = provenance_in(self.folder)
        self._given = scene
        if scene is not None and self.scene is None:
            raise SceneError(f"{scene}: {self.without_scene}", "the scene that was unmixed")

    @cached_property
    def fitted(self) -> Fitted | None:
        """The model that made the result; None if it is not in the folder."""
        return load(self.folder / "model") if (self.folder / "model").is_dir() else None

    @cached_property
    def scene(self) -> LazyScene | None:
        """The scene; None if it is not there, and then `without_scene` says why."""
        return self._found_scene[0]

    @property
    def without_scene(self) -> str:
        """Why there is no scene, if there is none."""
        return self._found_scene[1]

    @cached_property
    def _found_scene(self) -> tuple[LazyScene | None, str]:
        how, told = part_of(self.provenance, "scene"), part_of(self.provenance, "input")
        path = self._given or _with_variable(how.get("path") or told.get("path"), how.get("variable"))
        if path is None:
            return None, "the result does not say which scene it was made from"
        scale, leave_out = how.get("scale"), how.get("leave_out") or ()
        if not isinstance(scale, int | float | None) or not isinstance(leave_out, list | tuple):
            return None, "the result does not say how its scene was read"
        try:
            scene = open_lazily(
                path,
                leave_out=leave_out,
                scale=scale,
                keep_atmosphere=bool(how.get("keep_atmosphere")),
                memory=SCENE_WINDOW,
            )
        except (UnmixingError, OSError) as error:
            return None, str(error)
        shape = (self.result.sizes["y"], self.result.sizes["x"], self.result.sizes["band"])
        if scene.shape != shape:
            there, expected = (" x ".join(map(str, size)) for size in (scene.shape, shape))
            return None, f"{path} has {there} rows, columns and bands now, not {expected}"
        scene.usable = good_bands(self.result), []
        return scene, ""

    def scene_at(self, window: Window) -> xr.DataArray | None:
        """Return a window of the scene on the bands of the model; None if there is no scene or no model.

        Raises
        ------
        SceneError, ModelError
            If the scene cannot be read any more, or has other bands.
        """
        if self.scene is None or self.fitted is None:
            return None
        return self.fitted.on_my_bands(self.scene.read(window))

    def scene_around(self, row: int, column: int) -> tuple[xr.DataArray | None, tuple[int, int]]:
        """Return what the model has to see of the scene for one pixel, and where the pixel is in it.

        Raises
        ------
        SceneError, ModelError
            As in `scene_at`.
        """
        if self.fitted is None or not self.fitted.neighbours:
            return self.scene_at(Window(row, row + 1, column, column + 1)), (0, 0)
        return self.whole_scene, (row, column)

    @cached_property
    def whole_scene(self) -> xr.DataArray | None:
        """The scene as `scene_at` returns it, for a model in which a pixel depends on its neighbours."""
        return self.scene_at(Window(0, self.result.sizes["y"], 0, self.result.sizes["x"]))

    def pixel(self, row: int, column: int) -> xr.Dataset:
        """Return what the result says of one pixel, in memory."""
        with damage_told(self.folder, "a complete result", "is it damaged?"):
            return self.result.isel(y=row, x=column).load()

    @cached_property
    def axis(self) -> BandAxis:
        """Where the good bands are drawn."""
        return band_axis(self.result)

    def place_of(self, row: int, column: int) -> str:
        """Return where a pixel lies on the map, if only its lookup table says it: the mean of its places there."""
        lookup = lookup_of(self.result)
        if lookup is None:
            return ""
        there = np.flatnonzero(self._pixel_on_map == row * self.result.sizes["x"] + column)
        if not len(there):
            return ", on no pixel of the map"
        map_rows, map_columns = np.divmod(there, lookup.shape[1])
        place = lookup.transform @ (map_columns.mean() + 0.5, map_rows.mean() + 0.5)
        labels = axis_labels(crs_in(lookup.crs_wkt))
        return "".join(f", {label} {value:.9g}" for label, value in zip(labels, place, strict=True))

    @cached_property
    def _pixel_on_map(self) -> Integer[np.ndarray, "place"]:
        """Of each pixel of the map, along its rows, which pixel of the result lies there; below 0 where none does."""
        lookup = lookup_of(self.result)
        assert lookup is not None
        rows, columns = places_in(self.result, lookup.whole())
        return (rows.astype(np.int64) * self.result.sizes["x"] + columns).ravel()


def _with_variable(path: object, variable: object) -> str | None:
    if not isinstance(path, str):
        return None
    return f"{path}::{variable}" if path and variable else path


def part_of(provenance: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table in a provenance, empty if there is none or something else."""
    found = provenance.get(name)
    return found if isinstance(found, dict) else {}
