"""Whether a run begins, goes on or is refused, and what is kept of one that fails."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unmixel.errors import EngineError, OutputError, UnmixingError
from unmixel.scale.journal import Journal
from unmixel.scale.plan import JOURNAL, TRAINING
from unmixel.scale.run_folder import discard


def begin(
    folder: Path,
    output: Path,
    identity: Mapping[str, Any],
    details: Callable[[], Mapping[str, Any]],
    *,
    resume: bool,
    overwrite: bool,
) -> Journal:
    """Return the journal of the run to go on with, or of a new one.

    Parameters
    ----------
    folder : path
        The folder of the run.
    output : path
        What it makes.
    identity : mapping
        Decides whether a run that is there is the same.
    details : callable
        What else a new run is known by; not asked of one that goes on.
    resume, overwrite : bool

    Raises
    ------
    OutputError
        If there is an unfinished run that is not to be resumed, or is another one.
    """
    journal = Journal(folder / JOURNAL)
    if journal.lines and resume:
        others = differences(journal.lines[0]["identity"], identity)
        if others:
            raise OutputError(
                f"an unfinished run in {output} with another {others}",
                "the model and the scene it was begun with, unchanged",
                "start again (--overwrite), or choose another folder",
            )
        return journal
    if journal.lines and not overwrite:
        n_tiles = sum("tile" in line for line in journal.lines)
        raise OutputError(
            f"an unfinished run in {output} ({n_tiles} tiles)",
            "to know what to do with it",
            "go on with it (--resume), forget it (--overwrite), or choose another folder",
        )
    discard(folder)
    journal = Journal(folder / JOURNAL)
    journal.add({"identity": identity, **details(), "token": secrets.token_hex(16)})
    return journal


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say by name what differs between the identities of two runs; of a method, which of its parameters."""
    return " and ".join(_differing(before, now))


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in now.items():
        was = before.get(name)
        if was == value:
            continue
        if isinstance(was, dict) and isinstance(value, dict) and was.get("method") == value.get("method"):
            mine, theirs = value.get("parameters", {}), was.get("parameters")
            parameters = [key for key in mine if isinstance(theirs, dict) and mine[key] != theirs.get(key)]
            yield f"{name} ({', '.join(parameters)})" if parameters else name
        else:
            yield name


@contextmanager
def kept_if_worth_it(folder: Path) -> Iterator[None]:
    """Forget a run that bad input ended before it learnt anything; what has learnt something is kept to go on with."""
    try:
        yield
    except (OutputError, EngineError):
        raise
    except UnmixingError:
        if not (folder / TRAINING).exists() and not any("model" in line for line in Journal(folder / JOURNAL).lines):
            discard(folder)
        raise
