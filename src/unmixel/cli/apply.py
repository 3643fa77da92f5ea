"""`unmixel apply`: a fitted model and other scenes -> maps."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from unmixel.cli.options import (
    Bands,
    KeepAtmosphere,
    Manifest,
    OutputFolder,
    Overwrite,
    Resume,
    Scale,
    SceneFiles,
    Scheduler,
    Threads,
    Workers,
    limit_threads,
)


def apply(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder that `unmixel unmix` wrote, or its model/.", show_default=False),
    ],
    output: OutputFolder,
    scenes: SceneFiles = None,
    manifest: Manifest = None,
    bands: Bands = None,
    scale: Scale = None,
    keep_atmosphere: KeepAtmosphere = False,
    threads: Threads = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Unmix other scenes by a fitted model. Many scenes get a folder each in DIR."""
    limit_threads(threads)
    from unmixel.cli.scene_runs import Settings, run_scenes
    from unmixel.registry import load

    fitted = load(model)
    if threads is not None and "threads" in {field.name for field in fields(fitted.method)}:
        changed: dict[str, Any] = {"threads": threads}
        fitted.method = replace(fitted.method, **changed)
    settings = Settings(
        scenes=scenes or [],
        manifest=manifest,
        output=output,
        bands=bands,
        scale=scale,
        keep_atmosphere=keep_atmosphere,
        workers=workers,
        scheduler=scheduler,
        resume=resume,
        overwrite=overwrite,
    )
    run_scenes(settings, lambda scene: (fitted, None, {"model": str(model.resolve())}))
