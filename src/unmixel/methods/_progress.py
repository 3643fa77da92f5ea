"""How callers hear how far fitting and unmixing are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Progress = Callable[[str, Mapping[str, float]], None]
"""Called with a stage and its numbers, e.g. ``progress("train", {"epoch": 3, "of": 30, "loss": -1.2})``."""
