"""`unmixel datasets`: the public scenes that unmixel knows."""

from __future__ import annotations


def datasets() -> None:
    """List the public scenes that unmixel knows.

    With the kind of truth each has: exact (simulated), independent (measured on the ground) or derived (an
    unmixing of the scene itself, so agreement with it is agreement with that unmixing).
    """
    import typer

    from unmixel.datasets import describe, list_datasets

    for name in list_datasets():
        found = describe(name)
        kind = "" if found.truth_kind == "none" else f"{found.truth_kind}: "
        typer.echo(f"{name}\n  scene  {found.title}\n  truth  {kind}{found.truth}\n  cite   {found.citation}")
    typer.echo('\nIn Python: scene, truth = unmixel.datasets.open_dataset("samson")')
