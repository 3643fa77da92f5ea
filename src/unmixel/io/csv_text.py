"""Names in tables: a spreadsheet calculates a cell that begins like a formula, whoever wrote it."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What such a cell begins with."""
_MARK = "'"


def as_cell(name: str) -> str:
    """Return a name as a cell that no spreadsheet calculates: after an apostrophe if it begins like a formula.

    Examples
    --------
    >>> as_cell("=HYPERLINK(A1)"), as_cell("soil")
    ("'=HYPERLINK(A1)", 'soil')
    """
    return _MARK + name if name.startswith((*FORMULA, _MARK)) else name


def from_cell(cell: str) -> str:
    """Return the name that `as_cell` made a cell of; any other cell is a name as it is.

    Examples
    --------
    >>> from_cell(as_cell("-1")), from_cell(as_cell("'quoted'")), from_cell("'s Gravenhage")
    ('-1', "'quoted'", "'s Gravenhage")
    """
    return cell[1:] if cell.startswith(tuple(_MARK + first for first in (*FORMULA, _MARK))) else cell
