"""`unmixel cite`: what to cite."""

from __future__ import annotations


def cite() -> None:
    """Say what to cite."""
    import typer

    from unmixel import __version__
    from unmixel.errors import ParameterError
    from unmixel.registry import get_method, list_methods

    typer.echo(f"The program:\n  unmixel {__version__}, https://github.com/unmixel/unmixel (see CITATION.cff)\n")
    typer.echo("The method that made your maps:")
    for name in list_methods():
        try:
            reference = get_method(name).reference
        except ParameterError as error:
            reference = f"not known: {error}"
        typer.echo(f"  {name}: {reference}")
    typer.echo("\nThe scene, where it is a public one: see `unmixel datasets`.")
