"""Hyper-parameters from the command line or a run file, checked against the types the method declares."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import ConfigDict, Field, ValidationError, create_model

from unmixel.cli.run_config import as_parameter_error
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
