"""Whole numbers as they are given: by Python, by numpy, from a file; and the range of seeds."""

from __future__ import annotations

import operator
from typing import Any

from unmixel.errors import ParameterError

LARGEST_SEED = 2**31 - 1
"""Room is left above it in 32 bits, so that further seeds can be counted on from one: some libraries take no more."""


def whole_number(value: Any) -> int:
    """Return a whole number as Python's own: the same for one of numpy.

    Raises
    ------
    TypeError
        If it is something else; True and False are.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number(np.uint8(3))
    3
    """
    if isinstance(value, bool):
        raise TypeError("True and False are no whole numbers")
    return operator.index(value)


def checked_seed(seed: Any) -> int:
    """Return a seed, if it is a whole number from 0 to `LARGEST_SEED`.

    Raises
    ------
    ParameterError
        If it is not.

    Examples
    --------
    >>> checked_seed(2**31)
    Traceback (most recent call last):
    ...
    unmixel.errors.ParameterError: seed = 2147483648; expected a whole number, 0 to 2147483647; choose another
    """
    try:
        number = whole_number(seed)
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST_SEED:
        raise ParameterError(f"seed = {seed!r}", f"a whole number, 0 to {LARGEST_SEED}", "choose another")
    return number
