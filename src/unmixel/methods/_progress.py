"""How callers hear how far fitting and unmixing are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Progress = Callable[[str, Mapping[str, float]], None]
"""Called with a stage and its numbers, e.g. ``progress("train", {"epoch": 3, "of": 30, "loss": -1.2})``."""


def stage_of(progress: Progress | None, stage: str) -> Callable[[Mapping[str, float]], None] | None:
    """Return what hears the numbers of one stage and passes them on; None if nobody listens.

    Examples
    --------
    >>> stage_of(lambda stage, numbers: print(stage, numbers), "unmix")({"round": 1})
    unmix {'round': 1}
    """
    return (lambda numbers: progress(stage, numbers)) if progress else None
