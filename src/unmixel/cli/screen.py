"""The screen: stdout for results, stderr for what happens meanwhile; what a file says is text, and nothing else."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from unmixel.errors import visible


class _Screen(Console):
    """A console on which no name can move the cursor, change colours or hide what stands before it."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Return the text with what a terminal would obey as escapes."""
        return super().render_str("\n".join(map(visible, text.split("\n"))), **how)


def screen(*, stderr: bool = False) -> Console:
    """Return the console to print on, with brackets as text and not as markup."""
    return _Screen(stderr=stderr, markup=False, highlight=False, soft_wrap=False)
