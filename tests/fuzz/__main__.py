"""Fuzz readers for some time: ``python -m tests.fuzz --minutes 30 --reader envi``.

What was found is told on stderr, and lies in the folder that is told; ``--keep FOLDER --reader NAME`` adds a case
to the corpus, which the tests replay. Each run adds a row to ``benchmarks/results/fuzz_runs.csv``, and ``--summary``
prints what they add up to.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

from .corpus import keep, stored_cases
from .log import RUNS, Run, append, commit_of_this, runs_in, summary
from .targets import TARGETS
from .trial import read_case
from .worker import Fuzzing


def main(kind: type[Fuzzing] = Fuzzing) -> int:
    """Fuzz the readers that were asked for; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz readers and loaders.")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each reader, by the clock")
    parser.add_argument("--reader", action="append", choices=sorted(TARGETS), help="all, if left out")
    parser.add_argument("--seed", type=int, default=0, help="other numbers give other mutants")
    parser.add_argument("--folder", type=Path, help="for what is found")
    parser.add_argument("--log", type=Path, default=RUNS, help="the table to which the run is added")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="only add this case to the corpus of the reader")
    parser.add_argument("--summary", action="store_true", help="only print what all runs add up to")
    asked = parser.parse_args()
    if asked.summary:
        print(summary(runs_in(asked.log), list(TARGETS)))
        return 0
    if asked.keep is not None:
        print(keep(asked.reader[0], read_case(asked.keep)))
        return 0
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    found = 0
    for name in asked.reader or TARGETS:
        fuzzing = kind(TARGETS[name], folder / name, stored_cases(name).values(), asked.seed)
        commit, began = commit_of_this(), _computed()
        fuzzing.run(60 * asked.minutes, lambda text: print(f"\n{text}", file=sys.stderr, flush=True))
        run = Run(name, kind.guided_by, (_computed() - began) / 60, fuzzing.n_cases, len(fuzzing.findings), commit)
        append(run, asked.log)
        print(f"{name}: {run.cases:,} cases in {run.minutes:.1f} min, {run.findings} findings", flush=True)
        found += run.findings
    if found:
        print(f"{found} findings in {folder}", file=sys.stderr)
    return 1 if found else 0


def _computed() -> float:
    """Return the seconds that all children of this process have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
