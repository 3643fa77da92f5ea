"""Hostile files that once did harm: an archive for each case, in a folder for each reader."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .seeds import Case, unzipped, zipped

CORPUS = Path(__file__).parent / "corpus"


def stored_cases(reader: str) -> dict[str, Case]:
    """Return the cases of a reader by name."""
    return {path.stem: unzipped(path.read_bytes()) for path in sorted((CORPUS / reader).glob("*.zip"))}


def keep(reader: str, case: Case) -> Path:
    """Add a case to those of a reader, under a name made of its content."""
    content = b"".join(name.encode() + b"\0" + case[name] for name in sorted(case))
    path = CORPUS / reader / f"{hashlib.sha256(content).hexdigest()[:12]}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(case))
    return path
