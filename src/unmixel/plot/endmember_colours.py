"""How endmembers are told apart in a figure: by colours that most colour-blind readers tell apart, then by lines."""

from __future__ import annotations

from unmixel.palette import OKABE_ITO

LINES = ("-", "--", ":", "-.")
HATCHES = ("", "///", "...", "xxx")


def colour_of(endmember: int) -> str:
    """Return the colour of an endmember by its number, from 0.

    Examples
    --------
    >>> colour_of(1), colour_of(9), line_of(9)
    ('#E69F00', '#E69F00', '--')
    """
    return OKABE_ITO[endmember % len(OKABE_ITO)]


def line_of(endmember: int) -> str:
    """Return its line style: another one where colours are used again."""
    return LINES[endmember // len(OKABE_ITO) % len(LINES)]


def hatch_of(endmember: int) -> str:
    """Return the hatch of its area: another one where colours are used again."""
    return HATCHES[endmember // len(OKABE_ITO) % len(HATCHES)]
