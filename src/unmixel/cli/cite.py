"""`unmixel cite`: what to cite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def cite(
    result: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="Folder that `unmixel unmix` or `apply` wrote, to cite what it used.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what to cite: for a result, or for every method."""
    from unmixel.citation import citations, citations_of
    from unmixel.errors import visible
    from unmixel.result import open_result, provenance_of

    for title, sources in citations() if result is None else citations_of(provenance_of(open_result(result))):
        typer.echo(f"{title}:")
        for source in sources:
            typer.echo(f"  {visible(' '.join(source.split()))}")
