"""Fuzz readers by the lines of unmixel that mutants reach: ``python -m tests.fuzz.coverage_guided --reader envi``.

Options are those of ``python -m tests.fuzz``, and so are the mutations; which mutants are mutated further is decided by
libFuzzer. It needs ``pip install atheris``, which nothing else does.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


def _instrumented() -> AbstractContextManager[object]:
    """Have the modules of unmixel that are imported meanwhile tell which of their lines are reached."""
    if __name__ != "__main__":
        return nullcontext()
    try:
        return importlib.import_module("atheris").instrument_imports(include=["unmixel"])
    except ImportError:
        sys.exit("atheris is not installed; expected the fuzzer that is guided by coverage; pip install atheris")


with _instrumented():
    from .__main__ import main
    from .seeds import unzipped, zipped
    from .worker import Fuzzing, Report


class CoverageGuided(Fuzzing):
    """Mutants that libFuzzer chooses.

    It knows a case as one piece of bytes, a ZIP archive. It keeps what reaches other lines in the folder ``corpus``.
    """

    guided_by = "coverage"

    def _work(self, tell: Callable[[Report], None], end: float) -> None:
        atheris = importlib.import_module("atheris")
        seen = set(self.findings)
        corpus = self.folder / "corpus"
        corpus.mkdir(exist_ok=True)
        for number, case in enumerate(self._seeds):
            (corpus / f"seed-{number}").write_bytes(zipped(case))

        def tried(content: bytes) -> None:
            try:
                case = unzipped(content)
            except (zipfile.BadZipFile, OSError):
                return
            self._try(case, seen, tell)

        def mutant(content: bytes, largest: int, seed: int) -> bytes:
            try:
                changed = self._mutant(unzipped(content), random.Random(seed))
            except (zipfile.BadZipFile, OSError):
                return content
            return zipped(changed) if sum(map(len, changed.values())) <= largest else content

        seconds = max(1, int(end - time.monotonic()))
        told = (
            f"max_total_time={seconds}",
            f"seed={self.seed}",
            "max_len=2000000",
            "len_control=0",
            "cross_over=0",
            "rss_limit_mb=0",
        )
        deaths = ("handle_segv=0", "handle_bus=0", "handle_abrt=0", "handle_ill=0", "handle_fpe=0", "handle_xfsz=0")
        atheris.Setup(
            ["fuzz", *(f"-{option}" for option in (*told, *deaths)), str(corpus)], tried, custom_mutator=mutant
        )
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(CoverageGuided))
