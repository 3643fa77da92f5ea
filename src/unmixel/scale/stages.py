"""The stages of a run: what each leaves on disk is found there by the next, or by a run that goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from unmixel.errors import ModelError
from unmixel.extraction import NumberEvidence
from unmixel.io.acquisition_time import moment_of
from unmixel.io.opening import errors_of
from unmixel.io.stac import write_item
from unmixel.io.whole_folder import write_provenance
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.peak_memory import peak_memory
from unmixel.scale.engines import Engine
from unmixel.scale.finishing import Drawings, finish_result
from unmixel.scale.fitting import FITTED_TO, fit_to_sample
from unmixel.scale.identity import digest_of
from unmixel.scale.journal import Journal, sync
from unmixel.scale.plan import MODEL, SAMPLE, TRAINING, Plan, plan_of
from unmixel.scale.sampling import sample_pixels
from unmixel.scale.tile_store import holds
from unmixel.scale.tile_work import unmix_tile

JUDGED_BY = 20_000
"""Pixels, drawn from all over the scene, that say what a scene is like which a model is applied to."""


@dataclass
class TileRun:
    """What a run did.

    Attributes
    ----------
    n_tiles, n_done_before : int
        Tiles of the scene, and those that an earlier run had finished.
    n_valid : int
        Valid pixels that this run unmixed.
    seconds : dict of str to float
        How long its stages took, in this run: ``read_s``, ``extraction_s``, ``fit_s``, ``unmix_s`` and ``write_s``.
    peak_memory : int
        Largest resident memory of any of its processes [bytes].
    where : str
        Where the work was done.
    finished_before : bool
        Whether an earlier run had finished all of it, and there was nothing to do.
    """

    n_tiles: int = 0
    n_done_before: int = 0
    n_valid: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: int = 0
    where: str = ""
    finished_before: bool = False


class Stages:
    """The stages of one run.

    Parameters
    ----------
    folder : path
        The folder of the run.
    journal : Journal
        It says what the run is, and what is done.
    progress : callable

    Attributes
    ----------
    run : TileRun
        What was done so far.
    """

    def __init__(self, folder: Path, journal: Journal, progress: Progress) -> None:
        self._folder, self._journal, self._progress = folder, journal, progress
        self._plan: Plan = plan_of(str(folder), journal.lines[0]["token"])
        self.run = TileRun()

    @property
    def made(self) -> Path:
        """The folder that becomes the result."""
        return self._plan.made

    def learn(
        self,
        model: Method | Fitted,
        bundle: xr.DataArray | None,
        on_scene: Callable[[xr.DataArray], None] | None,
        on_number: Callable[[NumberEvidence], None] | None,
    ) -> None:
        """Draw the sample, and fit the method to it; keep both."""
        learnt = any("model" in line for line in self._journal.lines)
        if not learnt:
            start = time.perf_counter()
            n_pixels = FITTED_TO if isinstance(model, Method) else JUDGED_BY
            sample_pixels(self._plan.scene, n_pixels, progress=self._progress).save(self._folder / SAMPLE)
            self._took("read_s", start)
        sample = self._plan.sample.scene
        if on_scene:
            on_scene(sample)
        if learnt:
            return
        told: dict[str, Any] = {}
        if isinstance(model, Method):
            model, told, seconds = fit_to_sample(
                model,
                self._plan.whole if model.fitted_type.neighbours else sample,
                bundle,
                progress=self._progress,
                on_number=on_number,
                checkpoint=self._folder / TRAINING,
            )
            self.run.seconds.update(seconds)
        else:
            with errors_of(self._plan.scene.path):
                model.check_unit(sample)
        kept = self._folder / MODEL
        shutil.rmtree(kept, ignore_errors=True)
        model.save(kept)
        for path in (*kept.iterdir(), kept, self._folder):
            sync(path)
        self._journal.add({"model": model.digest(), "provenance": told})

    def unmix(self, engine: Engine) -> None:
        """Unmix the tiles that are not done."""
        start = time.perf_counter()
        plan = self._plan
        if plan.fitted.digest() != next(line["model"] for line in self._journal.lines if "model" in line):
            raise ModelError(f"{self._folder / MODEL}, which was changed", "the model of this run", "start again")
        record = plan.fitted.record
        plan.maps.prepare({**plan.sample_maps, "outside_reach": np.zeros((1, 1), dtype=bool)}, record)
        plan.picture.prepare({"picture": np.zeros((1, 1, 3), dtype=np.float32)}, record)
        done = {tile for tile, line in self._tiles_done().items() if holds(self._folder, line["files"])}
        self.run.n_tiles = len(plan.tiles)
        left = [tile for tile in range(len(plan.tiles)) if tile not in done]
        self.run.n_done_before, self.run.where = len(done), engine.where
        pixels_before = sum(line["pixels"] for tile, line in self._tiles_done().items() if tile in done)
        n_left, memory = plan.sample.counts.valid - pixels_before, peak_memory()
        for one in engine.each(unmix_tile, str(self._folder), self._journal.lines[0]["token"], left):
            told = {"tile": one.tile, "pixels": one.pixels, "odd": one.odd, "ended": one.ended, "files": one.files}
            self._journal.add(told)
            done.add(one.tile)
            self.run.n_valid += one.pixels
            memory = max(memory, one.peak_memory)
            seconds = max(time.perf_counter() - start, 1e-9)
            rate = self.run.n_valid / seconds
            left_s = (n_left - self.run.n_valid) / max(rate, 1e-9)
            numbers = {"tile": len(done), "of": len(plan.tiles), "px/s": rate, "s left": left_s, "MB": memory / 1e6}
            self._progress("tiles", numbers)
        self.run.peak_memory = max(memory, peak_memory())
        self._took("unmix_s", start)

    def finish(self, engine: Engine, drawings: Drawings | None) -> None:
        """Make what is left of the folder: spectra, GeoTIFFs, figures, model and provenance."""
        start = time.perf_counter()
        begun, learnt = self._journal.lines[0], next(line for line in self._journal.lines if "model" in line)
        provenance = {**begun["provenance"], **learnt["provenance"], "run": digest_of(begun["identity"])}
        provenance |= _ended([line["ended"] for line in self._tiles_done().values()])
        n_valid = self._plan.sample.counts.valid
        odd = np.array([line["odd"] for line in self._tiles_done().values()]).sum(axis=0)
        provenance = finish_result(
            self._plan, engine, begun["token"], odd / n_valid, provenance, drawings, self._progress
        )
        self._took("write_s", start)
        self.run.peak_memory = max(self.run.peak_memory, peak_memory())
        write_item(
            self.made,
            identifier=begun["name"],
            acquired=moment_of(self._plan.scene.origin.get("acquired", "")),
            changed=datetime.fromtimestamp(begun["identity"]["scene"]["changed"], UTC),
        )
        how = {
            "command": begun["command"],
            "where": self.run.where,
            "peak_memory_mb": round(self.run.peak_memory / 1e6),
            "scene": {
                **{name: begun["identity"]["scene"][name] for name in ("path", "variable")},
                **{name: begun["identity"][name] for name in ("leave_out", "scale", "keep_atmosphere")},
                "uncertainty": (begun["identity"].get("uncertainty") or {}).get("path"),
            },
            "identity": begun["identity"],
        }
        write_provenance(self.made, "result", {**provenance, **self.run.seconds, **how})
        for path in self.made.rglob("*"):
            sync(path)

    def _tiles_done(self) -> dict[int, dict[str, Any]]:
        """Return what the journal says of each tile, the last time it was done."""
        return {line["tile"]: line for line in self._journal.lines if "tile" in line}

    def _took(self, stage: str, start: float) -> None:
        self.run.seconds[stage] = round(time.perf_counter() - start, 3)


def _ended(by_tile: list[dict[str, int]]) -> dict[str, int]:
    """Return how the searches of all tiles ended: pixels add up; a scene that is unmixed as a whole is one tile.

    Examples
    --------
    >>> _ended([{"unsettled_pixels": 2}, {}, {"unsettled_pixels": 1}])
    {'unsettled_pixels': 3}
    >>> _ended([{"rounds": 40, "settled": True}])
    {'rounds': 40, 'settled': True}
    """
    ended: dict[str, int] = {}
    for told in by_tile:
        for name, value in told.items():
            ended[name] = ended[name] + value if name in ended else value
    return ended
