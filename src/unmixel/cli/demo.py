"""`unmixel demo`: from a scene file to maps, beside the truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmixel.cli.options import Overwrite, Threads, limit_threads

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
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of everything random.")] = 0,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Unmix a scene of known truth by three methods.

    The simulated scene needs no network. "samson" is a real one: found in UNMIXEL_DATA_DIR, or downloaded.
    """
    limit_threads(threads)
    from rich.console import Console

    from unmixel.cli.provenance import command_line
    from unmixel.cli.scene_report import print_scene
    from unmixel.io import open_scene
    from unmixel.io.whole_folder import whole_folder, write_provenance
    from unmixel.result import environment, save_result

    console = Console()
    with whole_folder(output, overwrite=overwrite) as folder:
        if scene is DemoScene.samson:
            opened, truth, shown = _samson()
        else:
            path, truth = _simulated(folder, seed)
            opened, shown = open_scene(path), str(output / path.name)
        console.print(f"$ unmixel info {shown}", highlight=False, markup=False)
        print_scene(opened, shown, console)
        save_result(truth, folder / "truth.zarr")
        _unmix_and_compare(opened, truth, shown, folder, output, seed)
        write_provenance(folder, {"command": command_line(), "seed": seed, "environment": environment()})
    console.print(f"written to {output}/", highlight=False, markup=False)


def _simulated(folder: Path, seed: int) -> tuple[Path, xr.Dataset]:
    """Write the simulated scene as a user would get it."""
    from unmixel.io import write_envi
    from unmixel.simulate import simulate_demo

    scene, truth = simulate_demo(seed=seed)
    write_envi(scene, folder / "scene.img")
    return folder / "scene.img", truth


def _samson() -> tuple[xr.DataArray, xr.Dataset, str]:
    from unmixel.datasets import open_dataset

    opened, truth = open_dataset("samson")
    assert truth is not None
    return opened, truth, "samson"


def _unmix_and_compare(
    scene: xr.DataArray, truth: xr.Dataset, shown: str, folder: Path, output: Path, seed: int
) -> None:
    from rich.console import Console

    from unmixel import plot
    from unmixel.cli.comparison import Agreement, agreement, in_order_of, print_comparison
    from unmixel.cli.figures import figures_of
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import add_provenance, command_line
    from unmixel.io.result_folder import write_result_folder
    from unmixel.unmixing import make_method

    console = Console()
    ordered: dict[str, Any] = {}
    found: dict[str, Agreement] = {}
    n_endmembers = truth.sizes["endmember"]
    for name in METHODS:
        target = output / name
        console.print(
            f"$ unmixel unmix {shown} -p {n_endmembers} --method {name} -o {target}",
            highlight=False,
            markup=False,
        )
        with ProgressReport() as report:
            fitted = make_method(name, n_endmembers=n_endmembers, seed=seed).fit(scene, progress=report)
            result = add_provenance(
                fitted.unmix(scene, progress=report), command=command_line(), input={"path": shown}
            )
            figures = figures_of(scene, result)
            write_result_folder(result, folder / name, fitted=fitted, figures=figures)
        ordered[name] = in_order_of(truth, result)
        found[name] = agreement(truth, ordered[name])
    plot.comparison(ordered, truth).savefig(folder / "comparison.png", dpi=150)
    kind = truth.attrs.get("truth_kind", "known")
    print_comparison(found, f"{shown}: beside the {kind} truth", console)
