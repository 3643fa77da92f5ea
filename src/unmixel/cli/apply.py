"""`unmixel apply`: a fitted model and another scene -> maps."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from unmixel.cli.options import (
    Bands,
    OutputFolder,
    Overwrite,
    Scale,
    SceneFile,
    Threads,
    limit_threads,
    parse_bands,
)


def apply(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder that `unmixel unmix` wrote, or its model/.", show_default=False),
    ],
    scene: SceneFile,
    output: OutputFolder,
    bands: Bands = None,
    scale: Scale = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Unmix another scene by a fitted model."""
    limit_threads(threads)
    from unmixel.cli.figures import figures_of
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import command_line, input_record
    from unmixel.cli.screen import screen
    from unmixel.cli.summary import print_summary
    from unmixel.diagnostics import diagnose
    from unmixel.io import open_scene
    from unmixel.io.result_folder import write_result_folder
    from unmixel.io.whole_folder import check_output
    from unmixel.registry import load
    from unmixel.result import add_provenance

    check_output(output, overwrite=overwrite)
    fitted = load(model)
    if threads is not None and "threads" in {field.name for field in fields(fitted.method)}:
        changed: dict[str, Any] = {"threads": threads}
        fitted.method = replace(fitted.method, **changed)
    opened = open_scene(scene, leave_out=parse_bands(bands), scale=scale)
    source = input_record(scene)
    with ProgressReport() as report:
        report.say_scene(opened, scene)
        result = diagnose(opened, fitted.unmix(opened, progress=report), fitted=fitted)
        result = add_provenance(result, command=command_line(), input=source, model=str(model.resolve()))
        figures = figures_of(opened, result)
        write_result_folder(result, output, fitted=fitted, figures=figures, overwrite=overwrite)
    print_summary(result, output, screen())
