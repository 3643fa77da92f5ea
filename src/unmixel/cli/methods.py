"""`unmixel methods`: what can unmix."""

from __future__ import annotations


def methods() -> None:
    """List the unmixing methods."""
    import typer

    from unmixel.registry import get_method, list_methods

    for name in list_methods():
        kind = get_method(name)
        typer.echo(f"{name}\n  what   {kind.summary}\n  cite   {kind.reference}")
