"""Every target of the default beside what it reaches, with its baselines and what cannot be beaten, as Markdown.

``python benchmarks/targets.py --record runs.jsonl > benchmarks/results/targets.md`` runs everything, one thread for
each run. Stopped and started again it goes on from the record; runs that other sources of the package made are not
used, so leave the package alone while it runs. Progress goes to the standard error.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from environment import describe_environment
from record import Record, digest
from target_rows import SCENES, TARGETS
from target_runs import PAPER, Run, measure, runs_of
from targets_table import coverage_section, targets_section
from unmixel.errors import UnmixingError


def perform(runs: Sequence[Run], record: Record, n_processes: int) -> dict[Run, dict[str, float]]:
    """Measure the runs that are not on record, telling how far it is; a run that its method gives up is left out."""
    known = {run: dict(found) for run in runs if (found := record.of(run)) is not None}
    left = [run for run in runs if run not in known]
    print(f"{len(known)} runs on record, {len(left)} to do", file=sys.stderr, flush=True)
    started = time.perf_counter()
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(measure, run): run for run in left}
        for done, future in enumerate(as_completed(waiting), start=1):
            run = waiting[future]
            what = f"[{done}/{len(left)}, {time.perf_counter() - started:.0f} s] {run}"
            try:
                known[run] = future.result()
                record.keep(run, known[run])
            except UnmixingError as error:
                what = f"{what} failed: {error}"
            print(what, file=sys.stderr, flush=True)
    return known


def size_of(text: str) -> tuple[int, int]:
    """Return rows and columns from "20x25"."""
    rows, columns = text.split("x")
    return int(rows), int(columns)


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(SCENES), help="some of the scenes %(default)s")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0 (default: %(default)s)")
    parser.add_argument("--paper-seeds", type=int, default=3, help="the same for IDNet.paper (default: %(default)s)")
    parser.add_argument("--paper-epochs", type=int, help="epochs of IDNet.paper, for a trial (default: published)")
    parser.add_argument("--size", type=size_of, help="rows x columns of simulated scenes, for a trial: 20x25")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time (default: %(default)s)")
    parser.add_argument("--record", type=Path, help="file of JSON lines to keep runs in, and to go on from")
    parser.add_argument("--stale", action="store_true", help="use runs of other sources of the package, too")
    options = parser.parse_args(arguments)
    options.rows = options.rows.split(",")
    if unknown := set(options.rows) - set(SCENES):
        parser.error(f"rows {sorted(unknown)}: expected some of {', '.join(SCENES)}")
    return options


def main() -> None:
    """Run what was asked for and print the page."""
    options = options_of(sys.argv[1:])
    targets = [target for target in TARGETS if target.case.scene in options.rows]
    cases = list(dict.fromkeys(target.case for target in targets))
    runs = [
        run
        for case in cases
        for run in runs_of(case, options.seeds, options.paper_seeds, options.size, options.paper_epochs)
    ]
    runs.sort(key=lambda run: (run.method == PAPER, run.seed))
    started = time.perf_counter()
    known = perform(runs, Record(options.record, stale=options.stale), options.processes)
    measured = {
        (run.case, run.method): [known[r] for r in runs if (r.case, r.method) == (run.case, run.method) and r in known]
        for run in runs
    }
    print("# Targets of the default\n")
    print(f"Command: `{' '.join(['python benchmarks/targets.py', *sys.argv[1:]])}`")
    print("\n".join(["", *(f"- {line}" for line in describe_environment())]))
    print(
        f"- {options.seeds} seeds from 0 ({options.paper_seeds} of `IDNet.paper`), {options.processes} runs at a time"
    )
    cpu_h = sum(found["cpu_s"] for found in known.values()) / 3600
    print(f"- {cpu_h:.2f} CPU-hours in all, {(time.perf_counter() - started) / 3600:.2f} hours since the last start")
    print(f"- sources {digest(with_idnet=True)}{', and others (stale runs)' if options.stale else ''}")
    print(f"\n{targets_section(targets, measured)}\n\n{coverage_section(measured)}")
    for run in runs:
        if run not in known:
            print(f"\nGave up, and is not in the tables: {run}.")


if __name__ == "__main__":
    main()
