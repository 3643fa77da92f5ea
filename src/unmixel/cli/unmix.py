"""`unmixel unmix`: a scene file -> maps, spectra and a model."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmixel.cli.options import (
    Bands,
    NEndmembers,
    OutputFolder,
    Overwrite,
    Scale,
    SceneFile,
    Seed,
    Threads,
    limit_threads,
    parse_bands,
    parse_n_endmembers,
)

if TYPE_CHECKING:
    import xarray as xr

    from unmixel.cli.run_config import RunConfig


def unmix(
    scene: SceneFile,
    output: OutputFolder,
    n_endmembers: NEndmembers = None,
    method: Annotated[str | None, typer.Option(metavar="NAME", help="See `unmixel methods`. [default: idnet]")] = None,
    endmembers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Endmembers (.sli, .csv, .nc): one spectrum for each.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Endmembers (.sli, .csv, .nc): several spectra for each."),
    ] = None,
    bands: Bands = None,
    scale: Scale = None,
    seed: Seed = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Most training epochs.")] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help='"cpu", "cuda" ...')] = None,
    threads: Threads = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Run file (TOML) with these options, and [parameters] of the method; options win.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Unmix a scene into maps, spectra and a model.

    Maps of abundances with their uncertainty come as GeoTIFF on the place of the scene; the model can be
    applied to other scenes with `unmixel apply`. Ctrl-C ends training early and keeps the best state so far.
    """
    from unmixel.cli.run_config import read_run_config

    run = read_run_config(
        config,
        method=method,
        n_endmembers=parse_n_endmembers(n_endmembers),
        endmembers=endmembers,
        bundle=bundle,
        bands=bands,
        scale=scale,
        seed=seed,
        epochs=epochs,
        device=device,
        threads=threads,
    )
    limit_threads(run.threads)
    _unmix_file(scene, output, run, overwrite=overwrite)


def _unmix_file(scene_path: Path, output: Path, run: RunConfig, *, overwrite: bool) -> None:
    from unmixel.cli.figures import figures_of
    from unmixel.cli.hyperparameters import checked_hyperparameters
    from unmixel.cli.number import print_number
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import command_line, input_record
    from unmixel.cli.screen import screen
    from unmixel.cli.summary import print_summary
    from unmixel.diagnostics import diagnose
    from unmixel.extraction import estimate_n_endmembers
    from unmixel.io import open_scene
    from unmixel.io.result_folder import write_result_folder
    from unmixel.io.whole_folder import check_output
    from unmixel.registry import get_method
    from unmixel.result import add_provenance

    leave_out = parse_bands(run.bands)
    check_output(output, overwrite=overwrite)
    kind = get_method(run.method)
    hyperparameters = run.hyperparameters
    if run.threads is not None and "threads" in {field.name for field in fields(kind)}:
        hyperparameters["threads"] = run.threads
    made = kind(**checked_hyperparameters(kind, hyperparameters))
    with ProgressReport() as report:
        start = time.perf_counter()
        scene = open_scene(scene_path, leave_out=leave_out, scale=run.scale)
        given, inputs = _given_endmembers(run, scene)
        inputs["input"] = input_record(scene_path)
        read_s = round(time.perf_counter() - start, 3)
        report.say_scene(scene, scene_path)
        if given is None and made.n_endmembers is None:
            evidence = estimate_n_endmembers(scene, seed=made.seed)
            print_number(evidence, report.console)
            made = replace(made, n_endmembers=evidence.suggested)
            inputs["number_of_endmembers"] = evidence.as_record()
        fitted = made.fit(scene, given, progress=report)
        result = diagnose(scene, fitted.unmix(scene, progress=report), fitted=fitted)
        result = add_provenance(result, command=command_line(), read_s=read_s, **inputs)
        report.say("writing maps and figures")
        figures = figures_of(scene, result)
        write_result_folder(result, output, fitted=fitted, figures=figures, overwrite=overwrite)
    print_summary(result, output, screen())


def _given_endmembers(run: RunConfig, scene: xr.DataArray) -> tuple[xr.DataArray | None, dict[str, Any]]:
    """Return the user's endmember spectra on the bands of the scene, if any, and their provenance."""
    from unmixel.cli.provenance import input_record
    from unmixel.errors import BundleError, ParameterError
    from unmixel.io import open_bundle
    from unmixel.spectra import endmember_names

    if run.endmembers and run.bundle:
        raise ParameterError("--endmembers and --bundle", "one of them", "leave one out")
    path = run.endmembers or run.bundle
    if path is None:
        return None, {}
    given = open_bundle(path, scene=scene)
    names = endmember_names(given)
    if run.endmembers and given.sizes["spectrum"] != len(names):
        raise BundleError(
            f"--endmembers {path} with {given.sizes['spectrum']} spectra of {len(names)} endmembers",
            "one spectrum for each",
            "give it as --bundle",
        )
    return given, {"endmembers" if run.endmembers else "bundle": input_record(path)}
