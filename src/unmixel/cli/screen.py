"""The screen: stdout for results, stderr for what happens meanwhile; brackets are text, not markup."""

from __future__ import annotations

from rich.console import Console


def screen(*, stderr: bool = False) -> Console:
    """Return the console to print on."""
    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=False)
