"""`unmixel cite`: what to cite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

ADDRESS = "https://github.com/unmixel/unmixel (see CITATION.cff)"


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
    from unmixel.errors import visible

    for title, lines in _everything() if result is None else _used_for(result):
        typer.echo(f"{title}:")
        for line in lines:
            typer.echo(f"  {visible(' '.join(line.split()))}")


def _everything() -> list[tuple[str, list[str]]]:
    """Return what to cite for every method and extractor."""
    from unmixel import __version__
    from unmixel.errors import ParameterError
    from unmixel.extraction import REFERENCES
    from unmixel.registry import get_method, list_methods

    methods = []
    for name in list_methods():
        try:
            methods.append(f"{name}: {get_method(name).reference}")
        except ParameterError as error:
            methods.append(f"{name}: not known: {error}")
    return [
        ("The program", [f"unmixel {__version__}, {ADDRESS}"]),
        ("The method that made your maps (`unmixel cite DIR` says which that was)", methods),
        ("What found its endmembers", [f"{name}: {reference}" for name, reference in REFERENCES.items()]),
        ("The scene", ["where it is a public one, see `unmixel datasets`"]),
    ]


def _used_for(folder: Path) -> list[tuple[str, list[str]]]:
    """Return what to cite for a result, by its provenance.

    Raises
    ------
    SceneError
        If there is no result in the folder.
    """
    from unmixel.result import open_result, provenance_of

    provenance = provenance_of(open_result(folder))
    version = _table(provenance, "environment").get("unmixel", "of a version that is not known")
    method, reference = (provenance.get(name, "not known") for name in ("method", "reference"))
    return [
        ("The program", [f"unmixel {version}, {ADDRESS}"]),
        ("The method that made these maps", [f"{method}: {reference}"]),
        ("Its endmembers", _endmembers(provenance)),
        *([("Their number", ["estimated: unmixel's own"])] if "number_of_endmembers" in provenance else []),
        ("The scene", _scene(provenance)),
    ]


def _endmembers(provenance: dict[str, Any]) -> list[str]:
    """Return where the endmembers of a result are from, and what to cite for it."""
    from unmixel.extraction import REFERENCES

    for name in ("endmembers", "bundle"):
        if given := _table(provenance, name):
            return [f"given in {given.get('path', 'a file')}: whoever measured them"]
    said = str(provenance.get("endmembers", "not known"))
    if said == "given":
        return ["given: whoever measured them"]
    extractor = re.search(r"\bextracted (?:from the scene )?by (\w+)", said)
    reference = REFERENCES.get(extractor.group(1)) if extractor else None
    return [f"{said}: {reference}" if reference else said]


def _scene(provenance: dict[str, Any]) -> list[str]:
    """Return what to cite for the scene of a result: a public one is known by the digests of its files."""
    from unmixel.datasets import describe, list_datasets

    digests = _table(_table(provenance, "input"), "sha256").values()
    public = [describe(name) for name in list_datasets()]
    known = [one for one in public if any(one.sha256(file) in digests for file in one.files)]
    if known:
        return [f"{one.name}: {one.citation}" for one in known]
    product = provenance.get("product")
    return [f"{product}: its provider" if product else "whoever made it; `unmixel datasets` says it of public ones"]


def _table(provenance: dict[str, Any], name: str) -> dict[str, Any]:
    found = provenance.get(name)
    return found if isinstance(found, dict) else {}
