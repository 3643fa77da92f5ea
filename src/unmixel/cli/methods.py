"""`unmixel methods`: what can unmix."""

from __future__ import annotations


def methods() -> None:
    """List the unmixing methods."""
    import typer

    from unmixel.registry import get_method, list_methods

    for name in list_methods():
        kind = get_method(name)
        sees = "a scene as a whole" if kind.fitted_type.neighbours else "each pixel alone"
        typer.echo(f"{name}\n  what   {kind.summary}\n  sees   {sees}\n  cite   {kind.reference}")
