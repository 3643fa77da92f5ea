"""Runs kept in a file, so that what was measured with the same code is not measured again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import unmixel
from target_runs import IDNET, PAPER, Run

SOURCES = Path(unmixel.__file__).parent
OF_IDNET = SOURCES / "methods" / "idnet"


@lru_cache
def digest(*, with_idnet: bool) -> str:
    """Return a digest of the package's sources, with or without those of ID-Net."""
    found = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*.py")):
        if with_idnet or not path.is_relative_to(OF_IDNET):
            found.update(str(path.relative_to(SOURCES)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


class Record:
    """Measured runs in a file of JSON lines.

    Parameters
    ----------
    path : Path, optional
        The file, made when the first run is kept; nothing is kept without one.
    stale : bool
        Use runs of other sources, too: the latest of each.
    """

    def __init__(self, path: Path | None, *, stale: bool = False) -> None:
        self._path = path
        self._found: dict[str, dict[str, float]] = {}
        for line in path.read_text().splitlines() if path is not None and path.is_file() else []:
            entry = json.loads(line)
            key = json.dumps(entry["run"], sort_keys=True)
            if stale or entry["digest"] == self._digest_for(entry["run"]["method"]):
                self._found[key] = entry["measured"]

    @staticmethod
    def _digest_for(method: str) -> str:
        return digest(with_idnet=method in (IDNET, PAPER))

    def of(self, run: Run) -> Mapping[str, float] | None:
        """Return what was measured of a run, or None."""
        return self._found.get(json.dumps(asdict(run), sort_keys=True))

    def keep(self, run: Run, measured: dict[str, float]) -> None:
        """Add a run."""
        if self._path is not None:
            entry = {"run": asdict(run), "digest": self._digest_for(run.method), "measured": measured}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, sort_keys=True) + "\n")
