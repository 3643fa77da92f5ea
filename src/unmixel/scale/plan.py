"""What a run is, as its folder says: any process that sees the folder can do any part of it."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Integer

from unmixel.diagnostics.diagnosing import LEARNT_FROM, NONLINEARITY_FROM, PixelJudge
from unmixel.errors import ModelError, SceneError
from unmixel.io.lazy import LazyScene, open_lazily
from unmixel.io.windows import Window
from unmixel.methods._fitted import STATISTICS_SAMPLE, Fitted
from unmixel.preprocess import noise_variance_of
from unmixel.registry import load
from unmixel.scale.identity import named, scene_identity
from unmixel.scale.sampling import Sample, load_sample
from unmixel.scale.tile_store import TileStore
from unmixel.scale.whole import whole_scene
from unmixel.scene import Colours, ValidPixels, colours_of

JOURNAL, MODEL, SAMPLE, TRAINING, RESULT = "journal", "model", "sample", "training", "result"
STORE, PICTURE = "result.zarr", "picture.zarr"


class Plan:
    """The parts of a run, opened when they are asked for.

    Parameters
    ----------
    folder : path
        The folder of the run.
    begun : mapping
        The first line of its journal.
    """

    def __init__(self, folder: Path, begun: dict[str, Any]) -> None:
        self.folder, self._begun = folder, begun

    @cached_property
    def scene(self) -> LazyScene:
        """The scene, as it was when the run was begun.

        Raises
        ------
        SceneError
            If it is not there or has changed.
        """
        of_scene, of_noise = (self._begun["identity"].get(name) for name in ("scene", "uncertainty"))
        name = named(of_scene)
        scene = open_lazily(
            name,
            leave_out=self._begun["identity"]["leave_out"],
            scale=self._begun["identity"]["scale"],
            keep_atmosphere=self._begun["identity"]["keep_atmosphere"],
            uncertainty=None if of_noise is None else named(of_noise),
            memory=self._begun["tile_memory"],
        )
        if scene_identity(scene.path, scene.variable, scene.companions) != of_scene:
            raise SceneError(f"{name}, which has changed since the run was begun", "a scene that stays", "start again")
        good, lines = self._begun["usable"]
        scene.usable = np.asarray(good, dtype=bool), list(lines)
        return scene

    @cached_property
    def tiles(self) -> list[Window]:
        """The windows of the scene that are unmixed at a time."""
        if self.fitted.neighbours:
            rows, columns, _ = self.scene.shape
            return [Window(0, rows, 0, columns)]
        return self.scene.windows()

    @cached_property
    def whole(self) -> xr.DataArray:
        """The whole scene, for a method in which a pixel depends on its neighbours.

        Raises
        ------
        SceneError
            If it is too large for that.
        """
        return whole_scene(self.scene)

    @cached_property
    def fitted(self) -> Fitted:
        """The model."""
        return load(self.folder / MODEL)

    @cached_property
    def sample(self) -> Sample:
        """Pixels that stand for the scene, over the model's good bands."""
        return load_sample(self.folder / SAMPLE, self.scene)

    @cached_property
    def colours(self) -> Colours:
        """The three bands that show the scene."""
        return colours_of(self.fitted.on_my_bands(self.scene.outline))

    @property
    def made(self) -> Path:
        """The folder that becomes the result, in a folder of this run's own: an earlier run can't write into it."""
        return self.folder / self._begun["token"] / RESULT

    @property
    def store(self) -> Path:
        """The Zarr store of the result."""
        return self.made / STORE

    @cached_property
    def maps(self) -> TileStore:
        """The maps of the result."""
        return TileStore(self.folder, str(self.store.relative_to(self.folder)), self.scene.shape[:2], self.tiles[0])

    @cached_property
    def picture(self) -> TileStore:
        """The scene in three colours."""
        return TileStore(self.folder, f"{self._begun['token']}/{PICTURE}", self.scene.shape[:2], self.tiles[0])

    @cached_property
    def spectra(self) -> dict[str, np.ndarray]:
        """Statistics of the endmember spectra, over the model's good bands."""
        return self.fitted.endmember_statistics(*self.some(STATISTICS_SAMPLE))

    @cached_property
    def judge(self) -> PixelJudge:
        """What tells odd pixels from others."""
        endmembers = np.asarray(self.spectra["endmember_spectrum"], dtype=np.float64)
        learnt_from = self.sample_pixels(LEARNT_FROM)
        scene = self.fitted.on_my_bands(self.sample.scene)
        return PixelJudge(endmembers, learnt_from, noise_variance_of(scene, learnt_from))

    @cached_property
    def sample_maps(self) -> dict[str, np.ndarray]:
        """The maps of the result in the first pixels of the sample (`NONLINEARITY_FROM`), a column of them."""
        chosen = self.sample.first(NONLINEARITY_FROM)
        if not self.fitted.neighbours:
            return self.fitted.maps(self.sample.scene.isel(y=chosen))
        places = self.sample.rows[chosen], self.sample.columns[chosen]
        return {name: values[places][:, None] for name, values in self.fitted.maps(self.whole).items()}

    def some(self, most: int) -> tuple[xr.DataArray, Integer[np.ndarray, "pixel two"]]:
        """Return a scene with at most so many pixels of the sample, and their rows and columns there."""
        chosen = self.sample.first(most)
        if self.fitted.neighbours:
            return self.whole, np.stack([self.sample.rows[chosen], self.sample.columns[chosen]], axis=1)
        return self.sample.scene, np.stack([chosen, np.zeros_like(chosen)], axis=1)

    def sample_pixels(self, most: int) -> np.ndarray:
        """Return the spectra of at most so many pixels of the sample."""
        pixels = ValidPixels(self.fitted.on_my_bands(self.sample.scene))
        return pixels[self.sample.first(most)]


@lru_cache(maxsize=1)
def plan_of(folder: str, token: str) -> Plan:
    """Return the plan of a run, opened once in each process.

    Parameters
    ----------
    folder : str
        The folder of the run.
    token : str
        Told by the process that leads the run: no other run has it.

    Raises
    ------
    ModelError
        If the folder holds another run.
    """
    with (Path(folder) / JOURNAL).open(encoding="utf-8") as journal:
        begun = json.loads(journal.readline())
    if begun["token"] != token:
        raise ModelError(f"{folder}, which holds another run", "the folder that this run works in", "start again")
    return Plan(Path(folder), begun)
