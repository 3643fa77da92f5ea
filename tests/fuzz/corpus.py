"""Hostile files that once did harm, or that only a particular check refuses: folders by reader."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def stored_cases(reader: str) -> list[Path]:
    """Return the folders of the cases of a reader."""
    return sorted(path for path in (CORPUS / reader).glob("*") if path.is_dir())
