"""`unmixel simulate`: a named scene -> a file, with its exact truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmixel.whole_numbers import LARGEST_SEED

if TYPE_CHECKING:
    import xarray as xr

PRESET_NAMES = "dc1, dc2, intimate, no_pure_pixels, mixed"


def simulate(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help=f"One of {PRESET_NAMES}.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to make: .img (ENVI), .nc or .zarr. The truth goes beside it, to NAME.truth.zarr.",
            show_default=False,
        ),
    ],
    rows: Annotated[int | None, typer.Option(metavar="R", min=1, help="Rows. [default: the preset's]")] = None,
    columns: Annotated[int | None, typer.Option(metavar="C", min=1, help="Columns. [default: the preset's]")] = None,
    snr: Annotated[
        float | None,
        typer.Option(metavar="DB", help="Power of signal over noise [dB]. [default: the preset's]"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of everything random.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a scene and a truth that this command wrote before.")
    ] = False,
) -> None:
    """Make a scene whose truth is known exactly.

    The truth has the form of a result: abundances, the spectra of every pixel, noise, and the laws they were
    drawn from.
    """
    from unmixel.cli.options import limit_threads

    limit_threads(None)
    from unmixel.cli.provenance import command_line
    from unmixel.cli.screen import screen
    from unmixel.result import add_provenance, environment
    from unmixel.simulate import simulate_preset

    targets = _targets(output)
    _check_free(targets, overwrite=overwrite)
    scene, truth = simulate_preset(preset, rows=rows, columns=columns, snr_db=snr, seed=seed)
    truth = add_provenance(truth, command=command_line(), environment=environment())
    _write(scene, truth.assign_attrs(scene_file=targets[0].name), targets, overwrite=overwrite)
    size = " x ".join(map(str, scene.shape))
    screen().print(f"{targets[0]}: {size} (rows x columns x bands), {truth.attrs['snr_db']:g} dB", soft_wrap=True)
    screen().print(f"{targets[-1]}: the truth ({', '.join(truth['endmember'].values)})", soft_wrap=True)


def _targets(output: Path) -> tuple[Path, ...]:
    """Return the scene's file, its header if it is ENVI, and the truth's folder."""
    from unmixel.errors import OutputError

    data = output.with_suffix(".img") if output.suffix == ".hdr" else output
    header = (data.with_suffix(".hdr"),) if data.suffix == ".img" else ()
    if data.suffix not in (".img", ".nc", ".zarr"):
        raise OutputError(f"--output {output}", "a name that ends in .img, .nc or .zarr", "rename it")
    return data, *header, data.with_suffix(".truth.zarr")


def _check_free(targets: tuple[Path, ...], *, overwrite: bool) -> None:
    """Check that nothing is there, or only what this command wrote under the same names."""
    from unmixel.errors import OutputError, SceneError
    from unmixel.result import open_result, provenance_of

    there = [target for target in targets if target.exists() or target.is_symlink()]
    if not there:
        return
    if not overwrite:
        raise OutputError(f"{there[0]} exists", "a name that is free", "choose another or give --overwrite")
    try:
        truth = open_result(targets[-1])
        ours = provenance_of(truth).get("method") == "simulation" and truth.attrs.get("scene_file") == targets[0].name
    except SceneError:
        ours = False
    if not ours:
        raise OutputError(
            f"{there[0]} was not written by `unmixel simulate`, or its truth is gone",
            "a name that is free",
            "choose another",
        )


def _write(scene: xr.DataArray, truth: xr.Dataset, targets: tuple[Path, ...], *, overwrite: bool) -> None:
    """Write scene and truth, both or neither."""
    from unmixel.io import save_scene, write_envi
    from unmixel.io.whole_file import written_whole
    from unmixel.result import save_result

    with written_whole(targets[0], companions=targets[1:], overwrite=overwrite) as (data, *_, truth_store):
        (write_envi if data.suffix == ".img" else save_scene)(scene, data)
        save_result(truth, truth_store)
