"""What to cite: for a result, by its provenance, or for everything there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from unmixel import __version__
from unmixel.datasets import describe, list_datasets
from unmixel.errors import ParameterError
from unmixel.extraction import REFERENCES
from unmixel.registry import get_method, list_methods

ADDRESS = "https://github.com/unmixel/unmixel (see CITATION.cff)"


class Citations(NamedTuple):
    """What to cite for one part of the work.

    Attributes
    ----------
    title : str
        What the part is.
    sources : list of str
        Articles, or in words who made it.
    """

    title: str
    sources: list[str]


def citations() -> list[Citations]:
    """Return what to cite for every method and extractor."""
    methods = []
    for name in list_methods():
        try:
            methods.append(f"{name}: {get_method(name).reference}")
        except ParameterError as error:
            methods.append(f"{name}: not known: {error}")
    return [
        Citations("The program", [f"unmixel {__version__}, {ADDRESS}"]),
        Citations("The method that made your maps (`unmixel cite DIR` says which that was)", methods),
        Citations("What found its endmembers", [f"{name}: {reference}" for name, reference in REFERENCES.items()]),
        Citations("The scene", ["where it is a public one, see `unmixel datasets`"]),
    ]


def citations_of(provenance: Mapping[str, Any]) -> list[Citations]:
    """Return what to cite for a result.

    Parameters
    ----------
    provenance : mapping
        Of the result (`unmixel.result.provenance_of`). What it does not say is called not known.
    """
    version = _table(provenance, "environment").get("unmixel", "of a version that is not known")
    method, reference = (provenance.get(name, "not known") for name in ("method", "reference"))
    number = [Citations("Their number", ["estimated: unmixel's own"])] if "number_of_endmembers" in provenance else []
    return [
        Citations("The program", [f"unmixel {version}, {ADDRESS}"]),
        Citations("The method that made these maps", [f"{method}: {reference}"]),
        Citations("Its endmembers", _endmembers(provenance)),
        *number,
        Citations("The scene", _scene(provenance)),
    ]


def endmembers_in_words(provenance: Mapping[str, Any]) -> str:
    """Return where the endmembers of a result are from.

    Examples
    --------
    >>> endmembers_in_words({"endmembers": {"path": "usgs.csv"}}), endmembers_in_words({})
    ('given in usgs.csv', 'not known')
    >>> endmembers_in_words({"endmembers": "extracted from the scene by vca", "model": "june/model"})
    'those of the model june/model; when it was fitted: extracted from the scene by vca'
    """
    files = [table.get("path", "a file") for name in ("endmembers", "bundle") if (table := _table(provenance, name))]
    said, model = str(provenance.get("endmembers", "not known")), provenance.get("model")
    if files:
        return f"given in {files[0]}"
    if model is None:
        return said
    if said == "given":
        return f"given to the model {model}"
    return f"those of the model {model}; when it was fitted: {said}"


def _endmembers(provenance: Mapping[str, Any]) -> list[str]:
    said, extractor = endmembers_in_words(provenance), str(provenance.get("extractor"))
    if extractor in REFERENCES:
        return [said, f"{extractor}: {REFERENCES[extractor]}"]
    return [f"{said}: whoever measured them" if said.startswith("given") else said]


def _scene(provenance: Mapping[str, Any]) -> list[str]:
    """Return what to cite for the scene of a result: a public one is known by the digests of its files."""
    digests = _table(_table(provenance, "input"), "sha256").values()
    public = [describe(name) for name in list_datasets()]
    known = [one for one in public if any(one.sha256(file) in digests for file in one.files)]
    others = ["those that its model was fitted to: whoever made them"] if "model" in provenance else []
    if known:
        return [*(f"{one.name}: {one.citation}" for one in known), *others]
    product = provenance.get("product")
    maker = f"{product}: its provider" if product else "whoever made it; `unmixel datasets` says it of public ones"
    return [maker, *others]


def _table(provenance: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = provenance.get(name)
    return found if isinstance(found, dict) else {}
