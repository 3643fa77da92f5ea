"""`unmixel cite`: what to cite."""

from __future__ import annotations


def cite() -> None:
    """Say what to cite."""
    import typer

    from unmixel import __version__
    from unmixel.registry import get_method, list_methods

    typer.echo(f"The program:\n  unmixel {__version__}, https://github.com/unmixel/unmixel (see CITATION.cff)\n")
    typer.echo("The method that made your maps:")
    for name in list_methods():
        typer.echo(f"  {name}: {get_method(name).reference}")
    typer.echo("\nThe scene, where it is a public one: see `unmixel datasets`.")
