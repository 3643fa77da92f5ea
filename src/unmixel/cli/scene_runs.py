"""From the scenes that a command was given to their result folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from unmixel import plot
from unmixel.cli import figures
from unmixel.cli.number import print_number
from unmixel.cli.options import parse_bands
from unmixel.cli.progress import ProgressReport
from unmixel.cli.provenance import command_line, input_record
from unmixel.cli.scenes import SceneJob, scenes_of
from unmixel.cli.screen import screen
from unmixel.cli.summary import print_summary
from unmixel.errors import UnmixingError
from unmixel.io import open_lazily
from unmixel.io.lazy import LazyScene
from unmixel.io.stac import ITEM, write_collection
from unmixel.io.whole_folder import check_output
from unmixel.methods._protocol import Fitted, Method
from unmixel.result import open_result
from unmixel.scale import Engine, open_engine, unmix_file
from unmixel.scale.common_model import fit_to_all

MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a command says of all its scenes.

    Attributes
    ----------
    scenes : list of path
        Files and patterns.
    manifest : path, optional
        Or what lists them.
    output : path
        The folder to make: the result of the scene, or a folder of results of many.
    bands, scale
        How scenes are read, unless the manifest says it.
    workers, scheduler
        See `unmixel.scale.open_engine`.
    each : bool
        Fit a model to each scene instead of one to all.
    resume, overwrite : bool
    """

    scenes: list[Path]
    manifest: Path | None
    output: Path
    bands: str | None
    scale: float | None
    workers: int | None
    scheduler: str | None
    each: bool = False
    resume: bool
    overwrite: bool


@dataclass(frozen=True)
class OpenedJob:
    """A scene whose description was read."""

    job: SceneJob
    leave_out: list[tuple[float, float]]
    scale: float | None
    scene: LazyScene


ModelOf = Callable[[LazyScene], tuple[Method | Fitted, xr.DataArray | None, dict[str, Any]]]
"""From a scene to the model for it, spectra given for it, and what else its provenance says."""


def run_scenes(settings: Settings, model_of: ModelOf) -> None:
    """Unmix the scenes of a command into their folders, and say how it went.

    Raises
    ------
    UnmixingError
        If the only scene, or any of many, could not be unmixed; of many, the others are.
    """
    jobs = [_open(job, settings) for job in scenes_of(settings.scenes, settings.manifest)]
    alone = len(jobs) == 1 and settings.manifest is None
    n_pixels = sum(job.scene.shape[0] * job.scene.shape[1] for job in jobs)
    if alone and not settings.resume:
        check_output(settings.output, overwrite=settings.overwrite)
    model_of(jobs[0].scene)
    with ProgressReport() as report, open_engine(settings.workers, settings.scheduler, n_pixels) as engine:
        try:
            if alone:
                _unmix(jobs[0], settings.output, settings, model_of, engine, report)
            else:
                _unmix_all(jobs, settings, model_of, engine, report)
        except KeyboardInterrupt:
            report.say("what is done is kept: the same command with --resume goes on with it")
            raise


def _open(job: SceneJob, settings: Settings) -> OpenedJob:
    leave_out = parse_bands(settings.bands if job.bands is None else job.bands)
    scale = settings.scale if job.scale is None else job.scale
    return OpenedJob(job, leave_out, scale, open_lazily(job.path, leave_out=leave_out, scale=scale))


def _unmix(
    opened: OpenedJob, output: Path, settings: Settings, model_of: ModelOf, engine: Engine, report: ProgressReport
) -> None:
    """Unmix a scene, and print its summary."""
    model, bundle, known = model_of(opened.scene)
    path = opened.job.path
    done = unmix_file(
        model,
        path,
        output,
        name=opened.job.name,
        bundle=bundle,
        leave_out=opened.leave_out,
        scale=opened.scale,
        engine=engine,
        progress=report,
        on_scene=lambda sample: report.say_scene(path, opened.scene.shape, sample),
        on_number=lambda evidence: print_number(evidence, report.console),
        drawings=_drawings,
        resume=settings.resume,
        overwrite=settings.overwrite,
        provenance={**known, "input": input_record(path)},
        command=command_line(),
    )
    if done.n_done_before:
        report.say(f"went on with {done.n_done_before} of {done.n_tiles} tiles that were done before")
    print_summary(open_result(output), output, screen())


def _unmix_all(
    jobs: list[OpenedJob], settings: Settings, model_of: ModelOf, engine: Engine, report: ProgressReport
) -> None:
    """Unmix many scenes, each into a folder of its own, and list them in a STAC collection."""
    folder = settings.output
    model, bundle, known = model_of(jobs[0].scene)
    if isinstance(model, Method) and not settings.each:
        report.say(f"one model for {len(jobs)} scenes")
        fitted = fit_to_all(
            model,
            [job.scene for job in jobs],
            folder / MODEL,
            bundle=bundle,
            progress=report,
            on_number=lambda evidence: print_number(evidence, report.console),
            resume=settings.resume,
            overwrite=settings.overwrite,
        )
        known = {**known, "model": str((folder / MODEL).resolve())}

        def model_of(scene: LazyScene) -> tuple[Method | Fitted, xr.DataArray | None, dict[str, Any]]:
            return fitted, None, known

    failed: dict[str, UnmixingError] = {}
    for number, job in enumerate(jobs, start=1):
        report.say(f"scene {number} of {len(jobs)}: {job.job.name}")
        try:
            _unmix(job, folder / job.job.name, settings, model_of, engine, report)
        except UnmixingError as error:
            failed[job.job.name] = error
            report.say(f"{job.job.name}: {error}")
    items = [folder / job.job.name / ITEM for job in jobs if job.job.name not in failed]
    if items:
        write_collection(folder, items, identifier=folder.resolve().name, description=_description(jobs))
    if failed:
        first = next(iter(failed))
        raise UnmixingError(
            f"{len(failed)} of {len(jobs)} scenes were not unmixed: {', '.join(failed)} (the first: {failed[first]})",
            "all of them",
            "mend them and go on with --resume; the others are done",
        )


def _description(jobs: list[OpenedJob]) -> str:
    return f"Abundances of {len(jobs)} scenes, with their uncertainty"


def _drawings(result: xr.Dataset, colours: np.ndarray, title: str) -> dict[str, Figure]:
    return figures.figures_of(plot.picture(colours, result, title), result)
