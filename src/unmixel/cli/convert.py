"""`unmixel convert`: a scene -> the same scene in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmixel.cli.options import Bands, KeepAtmosphere, Scale, SceneFile, limit_threads, parse_bands


def convert(
    scene: SceneFile,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="File to make: .tif (cloud-optimised GeoTIFF), .img (ENVI), .nc (CF-NetCDF) or .zarr.",
            show_default=False,
        ),
    ],
    bands: Bands = None,
    scale: Scale = None,
    keep_atmosphere: KeepAtmosphere = False,
    orthorectify: Annotated[
        bool,
        typer.Option("--orthorectify", help="Put a scene as its sensor saw it (EMIT) on the map, nearest pixel."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT; a folder only if it is a scene that unmixel wrote.")
    ] = False,
) -> None:
    """Write a scene in another format, with all that is known of it.

    Its values become reflectance as in every other command; wavelengths, widths, bands that are left out, place and
    time stay with it. It is read and written by parts, so that its size does not matter.
    """
    limit_threads(None)
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.screen import screen
    from unmixel.io import open_lazily, save_scene
    from unmixel.lookup import lookup_of

    opened = open_lazily(scene, leave_out=parse_bands(bands), scale=scale, keep_atmosphere=keep_atmosphere)
    target = output.with_suffix(".img") if output.suffix.lower() == ".hdr" else output
    with ProgressReport() as progress:
        save_scene(opened, target, orthorectify=orthorectify, overwrite=overwrite, progress=progress)
        progress.say_scene(scene, opened.shape, opened.outline)
        lookup = lookup_of(opened.outline)
        if lookup is not None and not orthorectify and target.suffix.lower() not in (".nc", ".zarr"):
            progress.say(
                f"{target} has no place on the map: .nc and .zarr keep the lookup table, --orthorectify uses it"
            )
    rows, columns = lookup.shape if lookup is not None and orthorectify else opened.shape[:2]
    n_bands = opened.shape[2]
    screen().print(f"{target}: {rows} x {columns} x {n_bands} (rows x columns x bands)", soft_wrap=True)
