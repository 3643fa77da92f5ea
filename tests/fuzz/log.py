"""What was fuzzed so far: a row for each run of a reader, and what they add up to."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

RUNS = Path(__file__).parents[2] / "benchmarks/results/fuzz_runs.csv"


class Run(NamedTuple):
    """A run of a reader.

    Attributes
    ----------
    reader : str
    guided_by : str
        By what mutants were chosen: ``ends`` (where they end) or ``coverage``.
    minutes : float
        Of computing, by all processes of the run.
    cases, findings : int
    commit : str
    """

    reader: str
    guided_by: str
    minutes: float
    cases: int
    findings: int
    commit: str


def commit_of_this() -> str:
    """Return the commit that is checked out."""
    asked = ["git", "-C", str(RUNS.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def append(run: Run, file: Path) -> None:
    """Add a row for a run."""
    is_new = not file.exists()
    with file.open("a", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        if is_new:
            writer.writerow(Run._fields)
        writer.writerow(run._replace(minutes=round(run.minutes, 2)))


def runs_in(file: Path) -> list[Run]:
    """Return the runs of a table."""
    with file.open(newline="") as table:
        return [
            Run(
                row["reader"],
                row["guided_by"],
                float(row["minutes"]),
                int(row["cases"]),
                int(row["findings"]),
                row["commit"],
            )
            for row in csv.DictReader(table)
        ]


def summary(runs: Sequence[Run], readers: Sequence[str]) -> str:
    """Return a Markdown table: what each reader had since its last finding, and ever.

    Examples
    --------
    >>> runs = [Run("npy", "ends", 2, 500, 1, "a"), Run("npy", "ends", 10, 900, 0, "b")]
    >>> print(summary(runs, ["npy"]).splitlines()[-1])
    | npy | 10.0 | 900 | 12.0 | 1,400 | 1 |
    """
    lines = [
        "| reader | minutes since the last finding | cases since | minutes | cases | findings |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for reader in readers:
        mine = [run for run in runs if run.reader == reader]
        last = max((number for number, run in enumerate(mine, start=1) if run.findings), default=0)
        counted = [
            cell
            for part in (mine[last:], mine)
            for cell in (f"{sum(run.minutes for run in part):.1f}", f"{sum(run.cases for run in part):,}")
        ]
        lines.append(f"| {' | '.join((reader, *counted, str(sum(run.findings for run in mine))))} |")
    return "\n".join(lines)
