"""`unmixel benchmark`: scenes x methods x seeds -> one table and one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from unmixel.cli.options import OutputFolder, Overwrite, Resume, limit_threads

if TYPE_CHECKING:
    from unmixel.benchmark.table import Row


def benchmark(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE", help="quick, paper, independent, simulated, or a file of yours (TOML).", show_default=False
        ),
    ],
    output: OutputFolder,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Runs at a time. Times are worth something with 1.")
    ] = 1,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads of each run.")] = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Compare methods on scenes with a truth, over several seeds.

    Every run is a process of its own with limits of time and memory; one that fails is a row that says why. DIR gets
    table.parquet, a row for each run, and benchmark.html: rankings, maps, spectra, accuracy against time.
    """
    limit_threads(threads)
    from unmixel.benchmark.page import write_page
    from unmixel.benchmark.running import run_suite
    from unmixel.benchmark.suite import read_suite
    from unmixel.cli.progress import ProgressReport
    from unmixel.cli.provenance import command_line
    from unmixel.cli.screen import screen

    asked = read_suite(suite)
    with ProgressReport() as report:

        def told(done: int, total: int, row: Row) -> None:
            report.say(f"[{done}/{total}] {in_words(row)}")
            if report.console.is_terminal:
                report("benchmark", {"run": done, "of": total})

        try:
            rows = run_suite(
                asked,
                output,
                workers=workers,
                threads=threads,
                resume=resume,
                overwrite=overwrite,
                provenance={"command": command_line()},
                told=told,
            )
        except KeyboardInterrupt:
            report.say("unmixel: interrupted; what is done is kept: the same command with --resume goes on with it")
            raise typer.Exit(130) from None
    page = write_page(output)
    failed = sum(row["status"] != "ok" for row in rows)
    screen().print(f"written: {page} and {output / 'table.parquet'}: {len(rows)} rows, {failed} failed", soft_wrap=True)


def in_words(row: Row) -> str:
    """Return what became of a run, on one line.

    Examples
    --------
    >>> run = {"scene": "dc1", "endmembers": "true", "method": "fcls", "seed": 0}
    >>> in_words({**run, "status": "time limit", "error": "not finished after 9 s"})
    'dc1 (true), fcls, seed 0: time limit: not finished after 9 s'
    >>> in_words({**run, "status": "ok", "abundance_rmse_as_truth": 0.05, "seconds": 1.5})
    'dc1 (true), fcls, seed 0: abundance RMSE 0.0500, 1.5 s'
    """
    what = f"{row['scene']} ({row['endmembers']}), {row['method']}, seed {row['seed']}"
    if row["status"] != "ok":
        return f"{what}: {row['status']}: {row['error']}"
    error = row.get("area_error")
    found = f"area error {error:.4f}" if error is not None else f"abundance RMSE {row['abundance_rmse_as_truth']:.4f}"
    return f"{what}: {found}, {row['seconds']:.1f} s"
