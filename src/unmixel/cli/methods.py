"""`unmixel methods`: what can unmix."""

from __future__ import annotations


def methods() -> None:
    """List the unmixing methods."""
    import typer

    from unmixel.errors import ParameterError
    from unmixel.registry import get_method, list_methods, passed_over

    for name in list_methods():
        try:
            kind = get_method(name)
        except ParameterError as error:
            typer.echo(f"{name}\n  error  {error}")
            continue
        sees = "a scene as a whole" if kind.fitted_type.neighbours else "each pixel alone"
        typer.echo(f"{name}\n  what   {kind.summary}\n  sees   {sees}\n  cite   {kind.reference}")
    for told in passed_over():
        typer.echo(told)
