"""`unmixel unmix`: scene files -> maps, spectra and a model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmixel.cli.options import (
    Bands,
    KeepAtmosphere,
    Manifest,
    NEndmembers,
    OutputFolder,
    Overwrite,
    Resume,
    Scale,
    SceneFiles,
    Scheduler,
    Seed,
    Threads,
    Uncertainty,
    Workers,
    limit_threads,
    parse_n_endmembers,
)

if TYPE_CHECKING:
    import xarray as xr

    from unmixel.cli.run_config import RunConfig
    from unmixel.io.lazy import LazyScene
    from unmixel.methods._method import Method

_JUDGED_PIXELS = 20_000
"""Most pixels by which the unit of a scene is judged."""


def unmix(
    output: OutputFolder,
    scenes: SceneFiles = None,
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
    keep_atmosphere: KeepAtmosphere = False,
    uncertainty: Uncertainty = None,
    seed: Seed = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", min=1, help="Most training epochs.")] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help='"cpu", "cuda" ...')] = None,
    threads: Threads = None,
    manifest: Manifest = None,
    each: Annotated[bool, typer.Option("--each", help="A model for each of many scenes, not one for all.")] = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Run file (TOML) with these options, and [parameters] of the method; options win.",
        ),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Unmix scenes into maps, spectra and a model.

    Maps of abundances with their uncertainty come as GeoTIFF on the place of the scene; the model can be
    applied to other scenes with `unmixel apply`. Ctrl-C ends training early and keeps the best state so far.
    Many scenes share one model, and each gets a folder in DIR.
    """
    from unmixel.cli.run_config import read_run_config
    from unmixel.cli.scene_runs import Settings, run_scenes

    run = read_run_config(
        config,
        method=method,
        n_endmembers=parse_n_endmembers(n_endmembers),
        endmembers=endmembers,
        bundle=bundle,
        bands=bands,
        scale=scale,
        keep_atmosphere=keep_atmosphere or None,
        uncertainty=uncertainty,
        seed=seed,
        epochs=epochs,
        device=device,
        threads=threads,
    )
    limit_threads(run.threads)
    settings = Settings(
        scenes=scenes or [],
        manifest=manifest,
        output=output,
        bands=run.bands,
        scale=run.scale,
        keep_atmosphere=run.keep_atmosphere,
        uncertainty=run.uncertainty,
        workers=workers,
        scheduler=scheduler,
        each=each,
        resume=resume,
        overwrite=overwrite,
    )
    made = _method_of(run)

    def model_of(scene: LazyScene) -> tuple[Method, xr.DataArray | None, dict[str, Any]]:
        return made, *_given_endmembers(run, scene)

    run_scenes(settings, model_of)


def _method_of(run: RunConfig) -> Method:
    from unmixel.registry import get_method
    from unmixel.settings import checked_hyperparameters

    kind = get_method(run.method)
    _check_options(kind, run)
    hyperparameters = run.hyperparameters
    if run.threads is not None and "threads" in {field.name for field in fields(kind)}:
        hyperparameters["threads"] = run.threads
    return kind(**checked_hyperparameters(kind, hyperparameters))


def _check_options(kind: type[Method], run: RunConfig) -> None:
    """Refuse options of hyper-parameters that the method doesn't have, under the names that the user gave."""
    from unmixel.cli.run_config import OF_SOME_METHODS
    from unmixel.errors import ParameterError

    for name in run.of_some_methods:
        if name not in {field.name for field in fields(kind)}:
            raise ParameterError(
                f"--{OF_SOME_METHODS[name]} for method {kind.name!r}, which does not have it",
                f"one of the methods that do: {', '.join(_methods_with(name))}",
                "leave it out, or choose another method",
            )


def _methods_with(hyperparameter: str) -> list[str]:
    """Return the names of the methods that have a hyper-parameter; one that can't be loaded is passed over."""
    from unmixel.errors import ParameterError
    from unmixel.registry import get_method, list_methods

    found = []
    for name in list_methods():
        with suppress(ParameterError):
            if hyperparameter in {field.name for field in fields(get_method(name))}:
                found.append(name)
    return found


def _given_endmembers(run: RunConfig, scene: LazyScene) -> tuple[xr.DataArray | None, dict[str, Any]]:
    """Return the user's endmember spectra on the bands of the scene, if any, and their provenance."""
    from unmixel.cli.provenance import input_record
    from unmixel.errors import BundleError, ParameterError
    from unmixel.io import open_bundle
    from unmixel.scale.sampling import sample_pixels
    from unmixel.spectra import endmember_names

    if run.endmembers and run.bundle:
        raise ParameterError("--endmembers and --bundle", "one of them", "leave one out")
    path = run.endmembers or run.bundle
    if path is None:
        return None, {}
    given = open_bundle(path, scene=scene.outline, pixels=lambda: sample_pixels(scene, _JUDGED_PIXELS).scene)
    names = endmember_names(given)
    if run.endmembers and given.sizes["spectrum"] != len(names):
        raise BundleError(
            f"--endmembers {path} with {given.sizes['spectrum']} spectra of {len(names)} endmembers",
            "one spectrum for each",
            "give it as --bundle",
        )
    record = {**input_record(path), "reading": given.attrs.get("reading", [])}
    return given, {"endmembers" if run.endmembers else "bundle": record}
