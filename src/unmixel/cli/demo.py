"""`unmixel demo`: from a scene file to maps, beside the truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmixel.cli.options import Overwrite, Threads, limit_threads
from unmixel.whole_numbers import LARGEST_SEED

if TYPE_CHECKING:
    import xarray as xr

METHODS = ("idnet", "fcls", "scls")


class DemoScene(StrEnum):
    """The scenes of the demonstration."""

    simulated = "simulated"
    samson = "samson"


def demo(
    scene: Annotated[
        DemoScene, typer.Argument(metavar="[simulated|samson]", help="A simulated scene, or a real one.")
    ] = DemoScene.simulated,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to make.")] = Path(
        "unmixel-demo"
    ),
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of everything random.")] = 0,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Unmix a scene of known truth by three methods.

    The simulated scene needs no network. "samson" is a real one: found in UNMIXEL_DATA_DIR, or downloaded.
    """
    limit_threads(threads)
    from unmixel.cli.provenance import command_line
    from unmixel.cli.scene_report import print_scene
    from unmixel.cli.screen import screen
    from unmixel.io import open_lazily, open_scene
    from unmixel.io.whole_folder import whole_folder, write_provenance
    from unmixel.result import environment, save_result

    with whole_folder(output, "demonstration", overwrite=overwrite) as folder:
        if scene is DemoScene.samson:
            path, opened, truth = _samson()
            shown = path
        else:
            path, truth = _simulated(folder, seed)
            opened, shown = open_scene(path), output / path.name
        screen().print(f"$ unmixel info {shown}", soft_wrap=True)
        print_scene(open_lazily(path), str(shown), screen())
        save_result(truth, folder / "truth.zarr")
        _unmix_and_compare(opened, truth, path, shown, folder, output, seed, threads)
        made_by = {"command": command_line(), "seed": seed, "environment": environment()}
        write_provenance(folder, "demonstration", made_by)
    screen().print(f"written to {output}/", soft_wrap=True)


def _simulated(folder: Path, seed: int) -> tuple[Path, xr.Dataset]:
    """Write the simulated scene as a user would get it, and return its file and its truth."""
    from unmixel.io import write_envi
    from unmixel.simulate import simulate_demo

    scene, truth = simulate_demo(seed=seed)
    write_envi(scene, folder / "scene.img")
    return folder / "scene.img", truth


def _samson() -> tuple[Path, xr.DataArray, xr.Dataset]:
    from unmixel.datasets import fetch, open_dataset

    opened, truth = open_dataset("samson")
    assert truth is not None
    return fetch("samson") / "Samson.mat", opened, truth


def _unmix_and_compare(
    scene: xr.DataArray,
    truth: xr.Dataset,
    path: Path,
    shown: Path,
    folder: Path,
    output: Path,
    seed: int,
    threads: int | None,
) -> None:
    """Unmix by every method into its own folder, and put the maps beside the truth."""
    from unmixel import plot
    from unmixel.benchmark.agreement import MAX_NORMALISED, agreement, in_convention_of, in_order_of
    from unmixel.cli.comparison import print_comparison
    from unmixel.cli.figures import figures_of
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import command_line, input_record
    from unmixel.cli.screen import screen
    from unmixel.diagnostics import diagnose
    from unmixel.io.result_folder import write_result_folder
    from unmixel.result import add_provenance
    from unmixel.unmixing import make_method

    n_endmembers = truth.sizes["endmember"]
    source = {**input_record(path), "path": str(shown.resolve())}
    results: dict[str, xr.Dataset] = {}
    for name in METHODS:
        command = f"$ unmixel unmix {shown} -p {n_endmembers} --method {name} -o {output / name}"
        screen().print(command, soft_wrap=True)
        with ProgressReport() as report:
            more = {} if threads is None or name != "idnet" else {"threads": threads}
            fitted = make_method(name, n_endmembers=n_endmembers, seed=seed, **more).fit(scene, progress=report)
            result = diagnose(scene, fitted.unmix(scene, progress=report), fitted=fitted)
        result = add_provenance(result, command=command_line(), input=source)
        figures = figures_of(plot.scene_rgb(scene), result)
        write_result_folder(result, folder / name, scene=scene, fitted=fitted, figures=figures)
        results[name] = in_order_of(truth, result)
    figure = plot.comparison({name: in_convention_of(truth, result) for name, result in results.items()}, truth)
    if truth.attrs.get("convention") == MAX_NORMALISED:
        figure.suptitle(f"abundances in the truth's convention: {MAX_NORMALISED}")
    figure.savefig(folder / "comparison.png", dpi=150)
    rows = {name: agreement(truth, result) for name, result in results.items()}
    print_comparison(rows, f"beside the {truth.attrs['truth_kind']} truth", screen())
