"""What a hyper-parameter may be: what a file of JSON gives back as it was, so that a loaded model is the saved one.

These are bool, int, float, str, None, a `Literal` of such values, tuples of these, and unions of these.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from numbers import Real
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from unmixel.errors import ParameterError
from unmixel.whole_numbers import whole_number

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", NoneType: "None"}
"""The types of single values, and how messages call them."""
ALLOWED = "bool, int, float, str, None, Literal, tuples of these, or several of them joined by |"


@functools.cache
def declared_types(kind: type) -> Mapping[str, Any]:
    """Return the type of each hyper-parameter of a method.

    Raises
    ------
    ParameterError
        If a type can't be found when the program runs, or is none that a saved model keeps.
    """
    return {field.name: _declared(kind, field.name) for field in fields(kind)}


def in_declared_form(kind: type, given: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return hyper-parameters in the types that the method declares.

    Numbers of numpy become Python's, whole numbers become floats where these are declared, and lists become tuples.

    Parameters
    ----------
    kind : type of Method
    given : mapping of str to value
        Some of its hyper-parameters.
    where : str
        What messages begin with.

    Raises
    ------
    ParameterError
        If a value is of another type, or the method declares one that isn't allowed.
    """
    types, form = declared_types(kind), {}
    defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    for name, value in given.items():
        try:
            form[name] = _in_form(types[name], value)
        except (TypeError, ValueError, OverflowError) as error:
            remedy = f"leave it out for its default, {defaults[name]!r}" if name in defaults else "correct its value"
            raise ParameterError(f"{where}{name} = {value!r}", _in_words(types[name]), remedy) from error
    return form


def _declared(kind: type, name: str) -> Any:
    owner = next(one for one in kind.__mro__ if name in inspect.get_annotations(one))
    annotation = inspect.get_annotations(owner)[name]
    what = f"the hyper-parameter {name} of {kind.__name__}, of type {annotation}"
    try:
        module = vars(sys.modules[owner.__module__])
        declared = get_type_hints(SimpleNamespace(__annotations__={name: annotation}), module, dict(vars(owner)))[name]
    except Exception as error:  # whatever comes of evaluating text
        raise ParameterError(
            f"{what}, which cannot be found when the program runs ({type(error).__name__}: {error})",
            "a type that is imported, and not for TYPE_CHECKING only",
            f"use one of {ALLOWED}",
        ) from error
    if not _is_allowed(declared):
        raise ParameterError(what, ALLOWED, "files of models keep nothing else")
    return declared


def _is_allowed(declared: Any) -> bool:
    origin, parts = get_origin(declared), get_args(declared)
    if origin is Literal:
        return all(type(value) in WORDS for value in parts)
    if origin is tuple:
        return all(part is Ellipsis or _is_allowed(part) for part in parts)
    return all(map(_is_allowed, parts)) if origin in (Union, UnionType) else declared in WORDS


def _in_form(declared: Any, value: Any) -> Any:
    """Return a value in a declared type, or raise a TypeError, a ValueError or an OverflowError."""
    origin, parts = get_origin(declared), get_args(declared)
    if origin is Literal:
        return _in_first_form([type(one) for one in parts if one == value], value)
    if origin is tuple:
        return _tuple_in_form(parts, value)
    if origin in (Union, UnionType):
        return _in_first_form(sorted(parts, key=lambda part: part is not type(value)), value)
    if declared is int:
        return whole_number(value)
    if declared is float and isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    if declared is bool and isinstance(value, bool | np.bool_):
        return bool(value)
    if declared in (str, NoneType) and isinstance(value, declared):
        return value
    raise TypeError(f"{type(value).__name__}, not {declared}")


def _in_first_form(choices: list[Any], value: Any) -> Any:
    for declared in choices:
        try:
            return _in_form(declared, value)
        except (TypeError, ValueError, OverflowError):
            continue
    raise TypeError(f"{type(value).__name__}, not one of {choices}")


def _tuple_in_form(parts: tuple[Any, ...], values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise TypeError(f"{type(values).__name__}, not tuple")
    each = [parts[0]] * len(values) if parts[1:] == (Ellipsis,) else parts
    return tuple(_in_form(declared, value) for declared, value in zip(each, values, strict=True))


def _in_words(declared: Any) -> str:
    origin, parts = get_origin(declared), get_args(declared)
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if origin is tuple and parts[1:] == (Ellipsis,):
        return f"a tuple, each of it {_in_words(parts[0])}"
    if origin is tuple:
        return f"a tuple of {len(parts)}: {', '.join(map(_in_words, parts))}"
    return " or ".join(map(_in_words, parts)) if origin in (Union, UnionType) else WORDS[declared]
