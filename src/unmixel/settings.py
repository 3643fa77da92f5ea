"""Settings from the command line or a file: hyper-parameters checked against the types that a method declares."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from unmixel.errors import ParameterError
from unmixel.methods._hyperparameters import declared_types, in_declared_form
from unmixel.methods._protocol import Method


def checked_hyperparameters(kind: type[Method], given: dict[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters with the types that the method declares.

    Raises
    ------
    ParameterError
        If one is unknown to the method, its value has another type, or the method declares one that isn't allowed.
    """
    where = f"the parameters of method {kind.name!r}: "
    known = declared_types(kind)
    if unknown := [name for name in given if name not in known]:
        raise ParameterError(f"{where}{unknown[0]!r}", f"some of {', '.join(known)}", "remove it or correct its name")
    return in_declared_form(kind, given, where)


def as_parameter_error(error: ValidationError, where: str, known: str) -> ParameterError:
    """Return the first finding as an error of one line."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return ParameterError(f"{where}: {name!r}", f"some of {known}", "remove it or correct its name")
    return ParameterError(f"{where}: {name} = {first['input']!r}", first["msg"], "correct its value")
