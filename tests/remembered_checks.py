"""Shape-checked signatures at a bearable price: what has passed once in the same shapes is not checked again.

Whether arguments suit annotations of jaxtyping follows from their types, and from the number types and shapes of
arrays: their look. A call that looks like one that has passed, and whose result looks like one that has passed with it,
would pass again. Every other call is checked in full, and so is every call with a container in it: beartype checks
one of its items at random.
"""

from __future__ import annotations

import functools
import inspect
import re
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from types import FunctionType
from typing import Any

import jaxtyping

OF_ANY_LENGTH = re.compile(r"\btuple\[.*, \.\.\.\]")
LONGEST_LITERAL = 80
"""What is longer is no `Literal`, wherever it differs from another string."""
CONTAINERS = (Sequence, Set, Mapping)
check = jaxtyping.jaxtyped


def install() -> None:
    """Check the signatures of all modules of unmixel that are imported from now on."""
    jaxtyping.jaxtyped = remembering  # by this name the import hook decorates every function
    jaxtyping.install_import_hook("unmixel", "beartype.beartype")


def remembering(*, typechecker: Callable) -> Callable:
    """Decorate like jaxtyping's own decorator, and remember what has passed."""

    def decorate(decorated: Any) -> Any:
        checked = check(decorated, typechecker=typechecker)
        forgetful = not isinstance(decorated, FunctionType) or inspect.isgeneratorfunction(decorated)
        if forgetful or any(OF_ANY_LENGTH.search(str(told)) for told in decorated.__annotations__.values()):
            return checked
        return _remember(decorated, checked, typechecker)

    return decorate


def _remember(function: FunctionType, checked: Callable, typechecker: Callable) -> Callable:
    passed: dict[Hashable, set[Hashable]] = {}
    result_checked = functools.cache(lambda: _only_the_result(function, typechecker))

    @functools.wraps(checked)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            asked = (*map(look, args), *((name, look(value)) for name, value in kwargs.items()))
        except HasContents:
            return checked(*args, **kwargs)
        known = passed.get(asked)
        result = checked(*args, **kwargs) if known is None else function(*args, **kwargs)
        try:
            answered = look(result)
        except HasContents:
            answered = None
        if known is None:
            passed[asked] = {answered} - {None}
        elif answered not in known:
            result_checked()(result, args, kwargs)
            known.update({answered} - {None})
        return result

    return call


def _only_the_result(function: FunctionType, typechecker: Callable) -> Callable[[Any, tuple, dict], None]:
    """Return what checks a result and the arguments it was made of, under the name and annotations of a function."""
    results: list[Any] = []
    lock = threading.Lock()

    def give_result(*args: Any, **kwargs: Any) -> Any:
        return results[0]

    code, closure = give_result.__code__, give_result.__closure__
    in_its_module = FunctionType(code, function.__globals__, function.__name__, None, closure)
    checked = check(functools.wraps(function)(in_its_module), typechecker=typechecker)

    def check_result(result: Any, args: tuple, kwargs: dict) -> None:
        __tracebackhide__ = True
        with lock:
            results[:] = [result]
            try:
                checked(*args, **kwargs)
            finally:
                results.clear()

    return check_result


class HasContents(Exception):
    """A container says too little by its look."""


def look(value: Any) -> Hashable:
    """Return all that a check sees of a value.

    Raises
    ------
    HasContents
        If the value is a container, unless it is a tuple: a plain one is checked item by item, and a named one by name.

    Examples
    --------
    >>> import numpy as np
    >>> look(np.zeros((2, 3)))
    (<class 'numpy.ndarray'>, (2, 3), dtype('float64'))
    >>> look((1, "a"))
    (<class 'tuple'>, <class 'int'>, (<class 'str'>, 'a'))
    """
    kind = type(value)
    seen = _KINDS.get(kind)
    if seen is None:
        seen = _KINDS[kind] = _way_to_see(kind)
    return seen(value)


_KINDS: dict[type, Callable[[Any], Hashable]] = {
    tuple: lambda value: (tuple, *map(look, value)),
    str: lambda value: (str, value[:LONGEST_LITERAL]),
}


def _way_to_see(kind: type) -> Callable[[Any], Hashable]:
    if hasattr(kind, "shape") and hasattr(kind, "dtype"):
        return lambda value: (kind, value.shape, value.dtype)
    if issubclass(kind, type):
        return lambda value: (kind, value)
    if issubclass(kind, CONTAINERS) and not issubclass(kind, tuple | bytes):
        return _refuse
    return lambda value: kind


def _refuse(value: Any) -> Hashable:
    raise HasContents
