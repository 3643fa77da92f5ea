"""What ends a process of the fuzzer, and what is no finding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import worker
from .seeds import Case
from .targets import Target
from .trial import LARGEST_FILE

SMALL: Case = {"s.txt": b"small"}


def mutants() -> Iterator[Case]:
    """One that fits, one that is too large by a byte, and others that fit."""
    yield SMALL
    yield {"s.txt": bytes(LARGEST_FILE + 1)}
    while True:
        yield SMALL


def test_a_mutant_that_is_too_large_to_be_written_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, tried = mutants(), tmp_path / "tried"
    monkeypatch.setattr(worker, "mutated", lambda case, rng: next(made))
    monkeypatch.setattr(worker, "_CASES_IN_A_PROCESS", 4)

    def opened(path: Path) -> None:
        with tried.open("a") as told:
            told.write(f"{path.stat().st_size}\n")

    target = Target("made_up", lambda: [SMALL], opened, ("s.txt",))
    fuzzing = worker.Fuzzing(target, tmp_path / "fuzz", [], seed=0)
    found: list[str] = []
    reports = list(worker.in_child(lambda tell: fuzzing._work(tell, time.monotonic() + 60), tmp_path / "fuzz" / "log"))
    for report in reports:
        fuzzing._take(report, found.append)
    assert reports[-1] == {"died": ""}, "the process went on to its end"
    assert found == []
    assert fuzzing.findings == {}
    assert tried.read_text().split() == ["5", "5", "5"]
    assert fuzzing.n_cases == 3


def test_a_mutant_of_the_largest_size_is_tried(tmp_path: Path) -> None:
    target = Target("made_up", list, lambda path: None, ("s.txt",))
    (outcome,) = worker.replay(target, {"largest": {"s.txt": bytes(LARGEST_FILE)}}, tmp_path).values()
    assert outcome == ("", "opened")


def test_the_death_of_the_process_is_a_finding(tmp_path: Path) -> None:
    def dies(path: Path) -> None:
        raise SystemExit(3)

    target = Target("made_up", lambda: [SMALL], dies, ("s.txt",))
    fuzzing = worker.Fuzzing(target, tmp_path / "fuzz", [], seed=0)
    found: list[str] = []
    for report in worker.in_child(lambda tell: fuzzing._work(tell, time.monotonic() + 60), tmp_path / "fuzz" / "log"):
        fuzzing._take(report, found.append)
    assert len(found) == len(fuzzing.findings) == 1
