"""A process that tries case after case, and another that outlives it."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .mutation import mutate_bytes
from .seeds import Case
from .structure import mutate_structure
from .targets import Target
from .trial import SECONDS, Outcome, can_be_written, lay_canary, limit_process, read_case, try_case, write_case

Report = dict[str, Any]
_CASES_IN_A_PROCESS = 1500


def in_child(work: Callable[[Callable[[Report], None]], None], log: Path) -> Iterator[Report]:
    """Do work in a process of its own under limits, and yield what it tells.

    The last report has the key ``died``: how the process ended where it did not end by itself. It is killed when it
    tells nothing for too long.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            _be_quiet(log)
            os.chdir(log.parent / "canary")
            limit_process()
            with os.fdopen(writing, "w", buffering=1) as told:
                work(lambda report: print(json.dumps(report), file=told, flush=True))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    died = ""
    with os.fdopen(reading) as told:
        while not died:
            ready, _, _ = select.select([told], [], [], 10 * SECONDS)
            if not ready:
                os.kill(child, signal.SIGKILL)
                died = "no end"
            elif line := told.readline():
                yield json.loads(line)
            else:
                break
    _, status = os.waitpid(child, 0)
    if not died and status:
        died = signal.Signals(status).name if status in set(signal.Signals) else f"exit status {status}"
    yield {"died": died}


def _be_quiet(log: Path) -> None:
    """Send what libraries print to a file, the last one's call stack too."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    faulthandler.enable()


def replay(target: Target, cases: Mapping[str, Case], scratch: Path) -> dict[str, Outcome]:
    """Try cases, each in its turn, in one process; the death of it is the outcome of the case it was at."""
    lay_canary(scratch)

    def work(tell: Callable[[Report], None]) -> None:
        for case in cases.values():
            write_case(case, scratch / "case")
            tell({"outcome": try_case(target, scratch / "case")})

    outcomes: list[Outcome] = []
    for report in in_child(work, scratch / "log"):
        if "outcome" in report:
            outcomes.append(Outcome(*report["outcome"]))
        elif report["died"]:
            outcomes.append(Outcome(report["died"], "died"))
    return dict(zip(cases, outcomes, strict=False))


class Fuzzing:
    """Mutants of what is known of a reader, tried until the time is over; mutants that end otherwise are kept.

    Attributes
    ----------
    guided_by : str
        By what mutants are kept: where they end.
    n_cases : int
    findings : dict
        For each signature of a finding what it is and the folder of a case.
    """

    guided_by = "ends"

    def __init__(self, target: Target, folder: Path, stored: Iterable[Case], seed: int) -> None:
        self.target, self.folder, self.seed = target, folder, seed
        self.n_cases = 0
        self.findings: dict[str, tuple[str, Path]] = {}
        self._known: dict[str, Case] = {}
        self._seeds = [*target.seeds(), *stored]
        self._mutating = folder / "mutating"
        """Is there while a case is made: what hangs or crashes then is no finding."""
        self._untold = 0
        """Cases that a child has tried and not told of."""
        lay_canary(folder)

    @property
    def n_outcomes(self) -> int:
        """Number of different ways in which cases ended."""
        return len(self._known)

    def run(self, seconds: float, on_finding: Callable[[str], None]) -> None:
        """Fuzz for some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.seed += 1
            (self.folder / "log").unlink(missing_ok=True)
            for report in in_child(lambda tell: self._work(tell, end), self.folder / "log"):
                self._take(report, on_finding)

    def _take(self, report: Report, on_finding: Callable[[str], None]) -> None:
        self.n_cases += report.get("n", 0)
        if report.get("died") and not self._mutating.exists():
            log = (self.folder / "log").read_text(errors="replace").partition("Extension modules:")[0][-3000:]
            place = self.folder / "findings" / f"died-{len(self.findings)}"
            write_case(read_case(self.folder / "case"), place)
            self._keep(Outcome(f"{report['died']}\n{log}", place.name), place, on_finding)
        elif "kept" in report:
            outcome, place = Outcome(*report["outcome"]), Path(report["kept"])
            if outcome.finding:
                self._keep(outcome, place, on_finding)
            else:
                self._known[outcome.signature] = read_case(place)

    def _keep(self, outcome: Outcome, place: Path, on_finding: Callable[[str], None]) -> None:
        self.findings[outcome.signature] = outcome.finding, place
        on_finding(f"{self.target.name} {place}\n{outcome.signature}\n{outcome.finding}")

    def _work(self, tell: Callable[[Report], None], end: float) -> None:
        rng = random.Random(self.seed)
        known = dict(self._known)
        seen = {*known, *self.findings}
        for _ in range(_CASES_IN_A_PROCESS):
            if time.monotonic() > end:
                break
            pool = self._seeds if not known or rng.random() < 0.5 else list(known.values())
            case = self._mutant(rng.choice(pool), rng)
            outcome = self._try(case, seen, tell)
            if outcome is not None and not outcome.finding:
                known[outcome.signature] = case
        tell({"n": self._untold})

    def _mutant(self, case: Case, rng: random.Random) -> Case:
        faulthandler.dump_traceback_later(9 * SECONDS)
        self._mutating.touch()
        mutant = mutated(case, rng)
        self._mutating.unlink()
        return mutant

    def _try(self, case: Case, seen: set[str], tell: Callable[[Report], None]) -> Outcome | None:
        """Try a case; tell of it, and return what came of it, where none ended so before.

        One that is too large to be written is passed over.
        """
        if not can_be_written(case):
            return None
        faulthandler.dump_traceback_later(9 * SECONDS)
        write_case(case, self.folder / "case")
        outcome = try_case(self.target, self.folder / "case")
        faulthandler.cancel_dump_traceback_later()
        self._untold += 1
        is_new = outcome.signature not in seen
        if is_new:
            seen.add(outcome.signature)
            kept = self.folder / ("findings" if outcome.finding else "known") / _digest(outcome.signature)
            write_case(case, kept)
            tell({"n": self._untold, "outcome": outcome, "kept": str(kept)})
        elif self._untold >= 20:
            tell({"n": self._untold})
        else:
            return None
        self._untold = 0
        return outcome if is_new else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def mutated(case: Case, rng: random.Random) -> Case:
    """Return a case with one mutation or some."""
    changed = dict(case)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 8))):
        if not changed:
            return changed
        name = rng.choice(list(changed))
        if rng.random() < 0.02:
            del changed[name]
        else:
            mutate = mutate_bytes if rng.random() < 0.4 else lambda c, r, n=name: mutate_structure(n, c, r)
            changed[name] = mutate(changed[name], rng)
    return changed
