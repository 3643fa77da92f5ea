"""From the scenes that a command was given to their result folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer
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
from unmixel.errors import OutputError, ParameterError, UnmixingError
from unmixel.io import open_lazily
from unmixel.io.lazy import LazyScene
from unmixel.io.stac import COLLECTION, ITEM, write_collection
from unmixel.io.whole_folder import check_output, held_in, provenance_in
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.result import open_result
from unmixel.scale import Engine, fit_to_all, open_engine, unmix_file
from unmixel.scale.run_folder import run_folder

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
    bands, scale, keep_atmosphere
        How scenes are read, unless the manifest says it.
    uncertainty : path, optional
        The uncertainty file of the only scene.
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
    keep_atmosphere: bool
    uncertainty: Path | None = None
    workers: int | None
    scheduler: str | None
    each: bool = False
    resume: bool
    overwrite: bool


ModelOf = Callable[[LazyScene], tuple[Method | Fitted, xr.DataArray | None, dict[str, Any]]]
"""From a scene to the model for it, spectra given for it, and what else its provenance says."""


def run_scenes(settings: Settings, model_of: ModelOf) -> None:
    """Unmix the scenes of a command into their folders, and say how it went.

    All scenes are opened, and all folders looked at, before the first is worked on.

    Raises
    ------
    UnmixingError
        If the only scene, or any of many, could not be unmixed; of many, the others are.
    """
    jobs = [_as_set(job, settings) for job in scenes_of(settings.scenes, settings.manifest, made_in=settings.output)]
    alone = len(jobs) == 1 and settings.manifest is None and jobs[0].path in settings.scenes
    if not alone and provenance_in(settings.output):
        raise OutputError(
            f"the output folder {settings.output} holds {held_in(settings.output)} of unmixel",
            "a folder for the results of many scenes",
            "choose another folder",
        )
    n_pixels = 0
    for job in jobs:
        rows, columns, _ = _open(job).shape
        n_pixels += rows * columns
        if not settings.resume:
            folder = settings.output if alone else settings.output / job.name
            check_output(folder, "result", overwrite=settings.overwrite)
    if settings.uncertainty is not None and not alone:
        raise ParameterError(
            f"--uncertainty {settings.uncertainty} and many scenes", "one scene", "say it in a manifest for each"
        )
    model, *_ = model_of(_open(jobs[0]))
    if "cuda" in str(getattr(model, "device", "cpu")):
        n_pixels = 0  # processes would share the GPU
    with ProgressReport() as report, open_engine(settings.workers, settings.scheduler, n_pixels) as engine:
        try:
            if alone:
                _unmix(jobs[0], settings.output, settings, model_of, engine, report)
            else:
                with run_folder(settings.output):
                    _unmix_all(jobs, settings, model_of, engine, report)
        except KeyboardInterrupt:
            report.say("unmixel: interrupted; what is done is kept: the same command with --resume goes on with it")
            raise typer.Exit(130) from None


def _as_set(job: SceneJob, settings: Settings) -> SceneJob:
    """Return a scene with the settings of the command where it has none of its own."""
    return replace(
        job,
        bands=settings.bands if job.bands is None else job.bands,
        scale=settings.scale if job.scale is None else job.scale,
        keep_atmosphere=settings.keep_atmosphere if job.keep_atmosphere is None else job.keep_atmosphere,
        uncertainty=job.uncertainty or settings.uncertainty,
    )


def _open(job: SceneJob) -> LazyScene:
    return open_lazily(
        job.path,
        leave_out=parse_bands(job.bands),
        scale=job.scale,
        keep_atmosphere=bool(job.keep_atmosphere),
        uncertainty=job.uncertainty,
    )


def _unmix(
    job: SceneJob, output: Path, settings: Settings, model_of: ModelOf, engine: Engine, report: ProgressReport
) -> None:
    """Unmix a scene, and print its summary."""
    scene = _open(job)
    model, bundle, known = model_of(scene)
    _say_spectra(bundle, report)
    done = unmix_file(
        model,
        job.path,
        output,
        name=job.name,
        bundle=bundle,
        leave_out=scene.leave_out,
        scale=scene.scale,
        keep_atmosphere=scene.keep_atmosphere,
        uncertainty=scene.uncertainty,
        engine=engine,
        progress=report,
        on_scene=lambda sample: report.say_scene(job.path, scene.shape, sample),
        on_number=lambda evidence: print_number(evidence, report.console),
        drawings=_drawings,
        resume=settings.resume,
        overwrite=settings.overwrite,
        provenance=lambda: {**known, **_inputs(scene, job)},
        command=command_line(),
    )
    if done.finished_before:
        report.say(f"{output} is finished: there is nothing to resume")
    elif done.n_done_before:
        report.say(f"went on with {done.n_done_before} of {done.n_tiles} tiles that were done before")
    print_summary(open_result(output), output, screen())


def _say_spectra(bundle: xr.DataArray | None, report: ProgressReport) -> None:
    """Say what was done to spectra on reading."""
    for line in [] if bundle is None else bundle.attrs.get("reading", []):
        report.say(f"endmembers: {line}")


def _inputs(scene: LazyScene, job: SceneJob) -> dict[str, Any]:
    """Return what the provenance says of the files that a scene was read from."""
    told = {"input": input_record(job.path, scene.companions)}
    return told if job.uncertainty is None else {**told, "uncertainty": input_record(job.uncertainty)}


def _unmix_all(
    jobs: list[SceneJob], settings: Settings, model_of: ModelOf, engine: Engine, report: ProgressReport
) -> None:
    """Unmix many scenes, each into a folder of its own, and list them in a STAC collection."""
    folder = settings.output
    for name in (MODEL, COLLECTION):
        if name in {job.name.lower() for job in jobs}:
            raise ParameterError(f"a scene named {name!r}", "another name", "name it in a manifest (--manifest)")
    collection = folder / COLLECTION
    if collection.exists() and not (settings.resume or settings.overwrite):
        raise OutputError(f"{collection} exists", "a folder of no other scenes", "choose another, or give --resume")
    model, bundle, known = model_of(_open(jobs[0]))
    if isinstance(model, Method) and not settings.each:
        report.say(f"one model for {len(jobs)} scenes")
        _say_spectra(bundle, report)
        fitted = fit_to_all(
            model,
            [_open(job) for job in jobs],
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
        report.say(f"scene {number} of {len(jobs)}: {job.name}")
        try:
            _unmix(job, folder / job.name, settings, model_of, engine, report)
        except UnmixingError as error:
            failed[job.name] = error
            report.say(f"{job.name}: {error}")
    items = [item for item in folder.glob(f"*/{ITEM}") if "method" in provenance_in(item.parent)]
    if items:
        description = f"Abundances of {len(items)} scenes, with their uncertainty"
        write_collection(folder, items, identifier=folder.resolve().name, description=description)
    if failed:
        first = next(iter(failed))
        raise UnmixingError(
            f"{len(failed)} of {len(jobs)} scenes were not unmixed: {', '.join(failed)} (the first: {failed[first]})",
            "all of them",
            "mend them and go on with --resume; the others are done",
        )


def _drawings(result: xr.Dataset, colours: np.ndarray, title: str) -> dict[str, Figure]:
    return figures.figures_of(plot.picture(colours, result, title), result)
