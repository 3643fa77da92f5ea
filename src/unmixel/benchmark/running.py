"""A suite, run by run, into a folder: what is there is not done again."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from unmixel.benchmark.isolation import WORK, run_isolated
from unmixel.benchmark.suite import Run, Suite
from unmixel.benchmark.table import Row, read_table, write_table
from unmixel.errors import DAMAGE, OutputError
from unmixel.io.whole_file import written_whole
from unmixel.io.whole_folder import check_output, provenance_in, unwritable, write_provenance

TABLE, RUNS, LOCK = "table.parquet", "runs", "lock"
Told = Callable[[int, int, Row], None]
"""Called after each run with how many are done, of how many, and its row."""


def run_suite(
    suite: Suite,
    folder: str | Path,
    *,
    workers: int = 1,
    threads: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    provenance: dict[str, Any] | None = None,
    told: Told = lambda done, total, row: None,
) -> list[Row]:
    """Run a suite and write its table, ``table.parquet`` in the folder.

    Each run is a file in ``runs/`` as soon as it is done, so that a benchmark that was stopped can go on. A run that
    fails or goes beyond its limits is a row that says why.

    Parameters
    ----------
    suite : Suite
        See `unmixel.benchmark.suite.read_suite`.
    folder : path
        The folder to make.
    workers : int
        Runs at a time. Times are worth something with one, on a machine that does nothing else.
    threads : int
        Threads of each run.
    resume : bool
        Go on in a folder that is there: do the runs of the suite that it doesn't have, and those ended by a limit
        that is now higher. To do a run again, remove its file. A folder without ``runs/`` gets it from the table.
    overwrite : bool
        Replace a folder that a benchmark wrote.
    provenance : dict, optional
        What else ``provenance.json`` says.
    told : callable, optional
        Told how far it is.

    Returns
    -------
    list of dict
        The rows of the table, in the order of the suite.

    Raises
    ------
    OutputError
        If the folder exists and may not be used, another process works in it, or it cannot be written.
    """
    folder = Path(folder)
    with _own_folder(folder, resume=resume, overwrite=overwrite) as runs_folder:
        about = {"suite": suite.model_dump(mode="json"), **(provenance or {})}
        write_provenance(folder, "benchmark", about)
        known = {run.name: row for run in suite.runs if (row := _row_in(runs_folder, run)) is not None}
        left = [run for run in suite.runs if run.name not in known]
        for run, row in _done(left, runs_folder, workers, threads):
            row = {**row, "workers": workers, "threads": threads}
            _write_row(row, runs_folder)
            known[run.name] = row
            told(len(known), len(suite.runs), row)
        rows: list[Row] = [known[run.name] for run in suite.runs]
        write_table(rows, folder / TABLE)
        write_provenance(folder, "benchmark", about)
    return rows


def _done(runs: Sequence[Run], folder: Path, workers: int, threads: int) -> Iterator[tuple[Run, dict[str, Any]]]:
    """Do runs, some at a time, and yield each with its row when it is done; end them all if anything is raised."""
    stopping = threading.Event()
    with ThreadPoolExecutor(workers) as pool:
        waiting: dict[Future, Run] = {}
        try:
            for run in runs:
                waiting[pool.submit(_unless_stopping, run, folder, threads, stopping)] = run
            for future in as_completed(waiting):
                row = future.result()
                assert row is not None
                yield waiting[future], row
        finally:
            stopping.set()


def _unless_stopping(run: Run, folder: Path, threads: int, stopping: threading.Event) -> dict[str, Any] | None:
    return None if stopping.is_set() else run_isolated(run, folder, threads=threads, stopping=stopping)


def _restore_runs(folder: Path) -> None:
    """Make ``runs/``, with what the table has, if there is one."""
    rows = read_table(folder / TABLE) if (folder / TABLE).exists() else []
    (folder / RUNS).mkdir()
    for row in rows:
        _write_row(row, folder / RUNS)


def _write_row(row: Row, folder: Path) -> None:
    with written_whole(folder / f"{Path(row['run']).name}.json", overwrite=True) as (path,):
        path.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


def _row_in(folder: Path, run: Run) -> dict[str, Any] | None:
    """Return the row of a run that is done; None if it isn't, or was ended by a limit that is now higher."""
    try:
        row = json.loads((folder / f"{run.name}.json").read_text(encoding="utf-8"))
    except DAMAGE:
        return None
    if not isinstance(row, dict) or "status" not in row:
        return None
    limits = {"time limit": ("limit_s", run.limits.seconds), "memory limit": ("limit_gb", run.limits.memory_gb)}
    column, limit = limits.get(row["status"], ("", 0.0))
    return None if column and limit > (row.get(column) or 0.0) else row


@contextmanager
def _own_folder(folder: Path, *, resume: bool, overwrite: bool) -> Iterator[Path]:
    """Make the folder, lock it, and yield its folder of runs."""
    goes_on = resume and "suite" in provenance_in(folder)
    if not goes_on:
        empty = folder.is_dir() and not any(folder.iterdir())
        check_output(folder, "benchmark", overwrite=overwrite or empty)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"the output folder {folder}, in which another benchmark runs", "one that no other process is writing"
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        for path in [] if goes_on else [path for path in folder.iterdir() if path.name != LOCK]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for abandoned in (folder / RUNS).glob(f"{WORK}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        if not (folder / RUNS).exists():
            _restore_runs(folder)
        yield folder / RUNS
    finally:
        lock.release()
