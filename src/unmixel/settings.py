"""Settings from the command line or a file: hyper-parameters checked against the types that a method declares."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import ConfigDict, Field, ValidationError, create_model

from unmixel.errors import ParameterError
from unmixel.methods._protocol import Method


def checked_hyperparameters(kind: type[Method], given: dict[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters with the types that the method declares.

    Raises
    ------
    ParameterError
        If one is unknown to the method, or its value has another type.
    """
    hints = get_type_hints(kind)
    known: dict[str, Any] = {field.name: (hints[field.name], Field(default=None)) for field in fields(kind)}
    strict = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    model = create_model("Hyperparameters", __config__=strict, **known)
    try:
        return model(**given).model_dump(include=set(given))
    except ValidationError as error:
        raise as_parameter_error(error, f"the parameters of method {kind.name!r}", ", ".join(known)) from error


def as_parameter_error(error: ValidationError, where: str, known: str) -> ParameterError:
    """Return the first finding as an error of one line."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return ParameterError(f"{where}: {name!r}", f"some of {known}", "remove it or correct its name")
    return ParameterError(f"{where}: {name} = {first['input']!r}", first["msg"], "correct its value")
