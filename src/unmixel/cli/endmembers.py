"""`unmixel endmembers`: a scene file -> a file of endmember spectra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmixel.cli.options import (
    Bands,
    KeepAtmosphere,
    NEndmembers,
    Scale,
    SceneFile,
    Seed,
    Threads,
    limit_threads,
    parse_bands,
    parse_n_endmembers,
)
from unmixel.errors import OutputError


def endmembers(
    scene: SceneFile,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File to make: .csv, .sli or .nc.", show_default=False),
    ],
    n_endmembers: NEndmembers = None,
    extractor: Annotated[
        str, typer.Option(metavar="NAME", help="clusters, evidence, vca, nfindr, atgp, spa or sisal.")
    ] = "clusters",
    bundle_kind: Annotated[
        str,
        typer.Option(metavar="NAME", help='"angle", "batch" (many spectra for each endmember) or "none" (one).'),
    ] = "angle",
    bands: Bands = None,
    scale: Scale = None,
    keep_atmosphere: KeepAtmosphere = False,
    seed: Seed = None,
    threads: Threads = None,
) -> None:
    """Find endmember spectra in a scene.

    The file is for a look, or for `unmixel unmix --bundle FILE`.
    """
    limit_threads(threads)
    from unmixel.cli.number import print_number
    from unmixel.cli.screen import screen
    from unmixel.extraction import estimate_n_endmembers, extract
    from unmixel.io import open_scene, write_bundle_csv, write_bundle_netcdf, write_sli
    from unmixel.spectra import endmember_names

    number = parse_n_endmembers(n_endmembers)
    writers = {".csv": write_bundle_csv, ".sli": write_sli, ".nc": write_bundle_netcdf}
    if output.suffix not in writers:
        raise OutputError(f"--output {output}", f"a name that ends in {', '.join(writers)}", "rename it")
    if output.exists():
        raise OutputError(f"{output} exists", "a file that does not", "remove it or choose another")
    opened = open_scene(scene, leave_out=parse_bands(bands), scale=scale, keep_atmosphere=keep_atmosphere)
    if not isinstance(number, int):
        evidence = estimate_n_endmembers(opened, seed=seed or 0)
        print_number(evidence, screen())
        number = evidence.suggested
    found = extract(opened, number, extractor=extractor, bundle=bundle_kind, seed=seed or 0)
    writers[output.suffix](found, output)
    n_names = len(endmember_names(found))
    typer.echo(f"{found.sizes['spectrum']} spectra of {n_names} endmembers written to {output}")
