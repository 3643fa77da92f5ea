"""`unmixel datasets`: the public scenes that unmixel knows."""

from __future__ import annotations


def datasets() -> None:
    """List the public scenes that unmixel knows."""
    from rich.console import Console
    from rich.table import Table

    from unmixel.datasets import describe, list_datasets

    table = Table()
    for heading in ("name", "scene", "truth", "cite"):
        table.add_column(heading)
    for name in list_datasets():
        found = describe(name)
        table.add_row(name, found.title, found.truth, found.citation)
    Console().print(table)
