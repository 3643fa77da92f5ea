"""Settings from the command line or a file: hyper-parameters checked against the types that a method declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unmixel.errors import ParameterError
from unmixel.methods._hyperparameters import declared_types, in_declared_form
from unmixel.methods._method import Method


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
    expected = first["msg"].removeprefix("Input should be ")
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return ParameterError(f"{where}: {name!r}", f"some of {known}", "remove it or correct its name")
    if first["type"] == "missing":
        return ParameterError(f"{where} without {name!r}", "a value for it", "add it")
    if isinstance(first["input"], dict):
        table = f"{where}: {name} with {_values_in(first['input'])}" if name else where
        return ParameterError(table, expected, "correct it")
    return ParameterError(f"{where}: {name} = {first['input']!r}", expected, "correct its value")


def _values_in(table: dict[str, Any]) -> str:
    """Return the single values of a table as a file has them."""
    single = {name: value for name, value in table.items() if not isinstance(value, dict | list)}
    return ", ".join(f"{name} = {str(value) if isinstance(value, Path) else value!r}" for name, value in single.items())
