"""`unmixel calibrate`: a fitted model -> whether its intervals mean what they say, on pixels that it draws itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmixel.cli.options import Overwrite, Threads, limit_threads

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from rich.table import Table

SHOWN = (0.5, 0.8, 0.9, 0.95)
DRAWN = tuple(round(0.05 * step, 2) for step in range(1, 20))
LIMITS = (
    "The pixels were drawn from the model itself: this checks the model against itself, not against the ground.\n"
    "It says whether the intervals mean what they say where a scene is as the model believes; endmembers that are\n"
    "not those of the scene, and mixing that the model does not know, come on top."
)


def calibrate(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder that `unmixel unmix` wrote, or its model/.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to make.")] = Path(
        "unmixel-calibration"
    ),
    pixels: Annotated[int, typer.Option(metavar="N", min=100, help="Pixels to draw.")] = 5000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the pixels.")] = 0,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Check a model's intervals on pixels that it draws itself.

    It unmixes pixels of known abundances, drawn from its own generative model, and counts how often its intervals
    hold them. That checks the model against itself, not against the ground.
    """
    limit_threads(threads)
    from unmixel import plot
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import command_line
    from unmixel.cli.screen import screen
    from unmixel.io.whole_folder import check_output, whole_folder, write_provenance
    from unmixel.metrics import abundance_crps
    from unmixel.registry import load
    from unmixel.result import environment

    check_output(output, overwrite=overwrite)
    fitted = load(model)
    with ProgressReport() as report:
        scene, truth = fitted.simulate(pixels, seed=seed)
        result = fitted.unmix(scene, progress=report)
    true = truth["abundance"].values[:, 0]
    mean, sd = (result[name].values[:, 0] for name in ("abundance", "abundance_sd"))
    score = abundance_crps(true, mean, sd).mean(axis=0)
    coverage = _coverage(true, result, DRAWN)
    with whole_folder(output, overwrite=overwrite) as folder:
        figure = plot.reliability(_array(DRAWN), coverage, fitted.endmember, n_pixels=pixels)
        figure.axes[0].set_title(f"{fitted.method.name} on {pixels} pixels drawn from itself")
        figure.savefig(folder / "reliability.png", dpi=150)
        _write_coverage(folder / "coverage.csv", fitted.endmember, coverage, pixels)
        content = {
            "command": command_line(),
            "model": str(model.resolve()),
            "method": fitted.method.name,
            "seed": seed,
            "pixels": pixels,
            "crps": {name: float(value) for name, value in zip(fitted.endmember, score, strict=True)},
            "environment": environment(),
        }
        write_provenance(folder, content)
    screen().print(_table(truth, result, score))
    screen().print(LIMITS, soft_wrap=True)
    screen().print(f"written to {output}/: coverage.csv, provenance.json, reliability.png", soft_wrap=True)


def _coverage(true: np.ndarray, result: xr.Dataset, levels: tuple[float, ...]) -> np.ndarray:
    """Return the share of truths inside the intervals of each level, by endmember."""
    import numpy as np

    held = [(lower <= true) & (true <= upper) for lower, upper in _intervals(result, levels)]
    return np.mean(held, axis=1)


def _intervals(result: xr.Dataset, levels: tuple[float, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return the ends of the intervals of each level, shape (pixel, endmember)."""
    from unmixel.intervals import abundance_interval

    for level in levels:
        interval = abundance_interval(result, level=level)
        yield interval["lower"].values[:, 0], interval["upper"].values[:, 0]


def _table(truth: xr.Dataset, result: xr.Dataset, score: np.ndarray) -> Table:
    """Return coverages and scores by endmember, over all, and by thirds of the true abundance."""
    import numpy as np
    from rich.table import Table

    from unmixel.metrics import coverage_by_tercile

    n_pixels, true = truth.sizes["y"], truth["abundance"].values[:, 0]
    coverage = _coverage(true, result, SHOWN)
    by_third = [coverage_by_tercile(true, *ends) for ends in _intervals(result, SHOWN)]
    table = Table(
        title=f"true abundances inside the intervals [%], {n_pixels} pixels", caption="± binomial standard error"
    )
    table.add_column("level of the interval")
    for level in SHOWN:
        table.add_column(f"{100 * level:.0f} %", justify="right")
    table.add_column("CRPS [1]", justify="right")
    for k, name in enumerate(truth["endmember"].values.astype(str)):
        table.add_row(name, *_shares(coverage[:, k], n_pixels), f"{score[k]:.4f}")
    table.add_section()
    table.add_row("all", *_shares(coverage.mean(axis=1), n_pixels), f"{score.mean():.4f}")
    for i, third in enumerate(("lowest", "middle", "highest")):
        table.add_row(f"{third} third", *_shares(np.array(by_third)[:, i], n_pixels), "")
    return table


def _shares(coverage: np.ndarray, n_pixels: int) -> list[str]:
    """Return shares and their standard errors [%]; the abundances of a pixel depend on each other and count as one."""
    errors = _standard_error(coverage, n_pixels)
    return [f"{100 * share:.1f} ± {100 * error:.1f}" for share, error in zip(coverage, errors, strict=True)]


def _standard_error(coverage: np.ndarray, n_pixels: int) -> np.ndarray:
    return (coverage * (1 - coverage) / n_pixels) ** 0.5


def _array(levels: tuple[float, ...]) -> np.ndarray:
    import numpy as np

    return np.array(levels)


def _write_coverage(path: Path, names: tuple[str, ...], coverage: np.ndarray, n_pixels: int) -> None:
    from unmixel.io.csv_text import as_cell

    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["endmember", "level", "coverage", "standard_error"])
        for name, shares in zip(names, coverage.T, strict=True):
            for level, share, error in zip(DRAWN, shares, _standard_error(shares, n_pixels), strict=True):
                table.writerow([as_cell(name), level, f"{share:.6g}", f"{error:.3g}"])
