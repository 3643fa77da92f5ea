"""Fuzz readers for some time: ``python -m tests.fuzz --minutes 30 --reader envi``.

Prints a line of Markdown for each reader, and what was found on stderr. What was found lies in the folder that is told;
``--keep FOLDER --reader NAME`` adds a case to the corpus, which the tests replay.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .corpus import keep, stored_cases
from .targets import TARGETS
from .trial import read_case
from .worker import Fuzzing


def main() -> int:
    """Fuzz the readers that were asked for; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz readers and loaders.")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each reader")
    parser.add_argument("--reader", action="append", choices=sorted(TARGETS), help="all, if left out")
    parser.add_argument("--seed", type=int, default=0, help="other numbers give other mutants")
    parser.add_argument("--folder", type=Path, help="for what is found")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="only add this case to the corpus of the reader")
    asked = parser.parse_args()
    if asked.keep is not None:
        print(keep(asked.reader[0], read_case(asked.keep)))
        return 0
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    found = 0
    print("| reader | cases | minutes | kinds of outcome | findings |\n| --- | --- | --- | --- | --- |", flush=True)
    for name in asked.reader or TARGETS:
        fuzzing = Fuzzing(TARGETS[name], folder / name, stored_cases(name).values(), asked.seed)
        began = time.monotonic()
        fuzzing.run(60 * asked.minutes, lambda text: print(f"\n{text}", file=sys.stderr, flush=True))
        minutes = (time.monotonic() - began) / 60
        row = (name, f"{fuzzing.n_cases:,}", f"{minutes:.1f}", fuzzing.n_outcomes, len(fuzzing.findings))
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        found += len(fuzzing.findings)
    if found:
        print(f"{found} findings in {folder}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
