"""`unmixel methods`: what can unmix."""

from __future__ import annotations


def methods() -> None:
    """List the unmixing methods."""
    from rich.console import Console
    from rich.table import Table

    from unmixel.registry import get_method, list_methods

    table = Table()
    for heading in ("method", "what it does", "reference"):
        table.add_column(heading)
    for name in list_methods():
        kind = get_method(name)
        table.add_row(name, kind.summary, kind.reference)
    Console().print(table)
