"""`unmixel calibrate`: a fitted model -> whether its intervals mean what they say, on pixels that it draws itself."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmixel.cli.options import Overwrite, Threads, limit_threads
from unmixel.whole_numbers import LARGEST_SEED

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from unmixel.self_check import SelfCheck

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
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of the pixels.")] = 0,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Check a model's intervals on pixels that it draws itself.

    It unmixes pixels of known abundances, drawn from its own generative model, and counts how often its intervals
    hold them. That checks the model against itself, not against the ground.
    """
    limit_threads(threads)
    import numpy as np

    from unmixel import plot
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import command_line
    from unmixel.cli.screen import screen
    from unmixel.io.whole_folder import check_output, whole_folder, write_provenance
    from unmixel.metrics import abundance_crps
    from unmixel.registry import load
    from unmixel.result import environment
    from unmixel.self_check import check_itself

    check_output(output, "calibration", overwrite=overwrite)
    fitted = load(model)
    with ProgressReport() as report:
        check = check_itself(fitted, pixels, seed=seed, progress=report)
    mean, sd = (check.result[name].values[:, 0] for name in ("abundance", "abundance_sd"))
    score = abundance_crps(check.true_abundance, mean, sd).mean(axis=0)
    coverage = check.coverage(DRAWN)
    with whole_folder(output, "calibration", overwrite=overwrite) as folder:
        figure = plot.reliability(np.array(DRAWN), coverage, fitted.endmember, n_pixels=pixels)
        figure.axes[0].set_title(f"{fitted.method.name} on {pixels} pixels drawn from itself")
        figure.savefig(folder / "reliability.png", dpi=150)
        _write_coverage(folder / "coverage.csv", check)
        content = {
            "command": command_line(),
            "model": str(model.resolve()),
            "method": fitted.method.name,
            "seed": seed,
            "pixels": pixels,
            "crps": {name: float(value) for name, value in zip(fitted.endmember, score, strict=True)},
            "environment": environment(),
        }
        write_provenance(folder, "calibration", content)
    screen().print(_table(check, score))
    screen().print(LIMITS, soft_wrap=True)
    screen().print(f"written to {output}/: coverage.csv, provenance.json, reliability.png", soft_wrap=True)


def _table(check: SelfCheck, score: np.ndarray) -> Table:
    """Return coverages and scores by endmember, over all, and by thirds of the true abundance."""
    import numpy as np
    from rich.table import Table

    from unmixel.metrics import coverage_by_tercile

    n_pixels, true = check.truth.sizes["y"], check.true_abundance
    coverage = check.coverage(SHOWN)
    by_third = [coverage_by_tercile(true, *check.interval(level)) for level in SHOWN]
    table = Table(
        title=f"true abundances inside the intervals [%], {n_pixels} pixels", caption="± binomial standard error"
    )
    table.add_column("level of the interval")
    for level in SHOWN:
        table.add_column(f"{100 * level:.0f} %", justify="right")
    table.add_column("CRPS [1]", justify="right")
    for k, name in enumerate(check.truth["endmember"].values.astype(str)):
        table.add_row(name, *_shares(check, coverage[:, k]), f"{score[k]:.4f}")
    table.add_section()
    table.add_row("all", *_shares(check, coverage.mean(axis=1)), f"{score.mean():.4f}")
    for i, third in enumerate(("lowest", "middle", "highest")):
        table.add_row(f"{third} third", *_shares(check, np.array(by_third)[:, i]), "")
    return table


def _shares(check: SelfCheck, coverage: np.ndarray) -> list[str]:
    """Return shares and their standard errors [%]."""
    errors = check.standard_error(coverage)
    return [f"{100 * share:.1f} ± {100 * error:.1f}" for share, error in zip(coverage, errors, strict=True)]


def _write_coverage(path: Path, check: SelfCheck) -> None:
    from unmixel.io.csv_text import as_cell

    names = check.truth["endmember"].values.astype(str)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["endmember", "level", "coverage", "standard_error"])
        for name, shares in zip(names, check.coverage(DRAWN).T, strict=True):
            for level, share, error in zip(DRAWN, shares, check.standard_error(shares), strict=True):
                table.writerow([as_cell(name), level, f"{share:.6g}", f"{error:.3g}"])
