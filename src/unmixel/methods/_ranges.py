"""Numbers that must lie in a range."""

from __future__ import annotations

from math import inf

from unmixel.errors import ParameterError

SMALLEST, LARGEST = 1e-30, 1e30
"""Of any number but 0, without its sign: it is finite, and not 0, in single precision."""


def check_range(
    parameters: object,
    *names: str,
    expected: str,
    remedy: str = "",
    least: int | float = -inf,
    above: int | float = -inf,
    most: int | float = inf,
    below: int | float = inf,
    optional: bool = False,
) -> None:
    """Refuse attributes that are not numbers in a range: at least `least`, above `above`, and so on.

    Any that is not 0 must be from `SMALLEST` to `LARGEST`, whatever its sign.

    Parameters
    ----------
    parameters : object
        What has the attributes, such as a method.
    *names : str
    expected, remedy : str
        What the error says of the range, and of what to do.
    least, above, most, below : float
        Smallest number that is allowed, or largest that is not; and the same at the upper end.
    optional : bool
        Whether None is allowed, too.

    Raises
    ------
    ParameterError
        If one is out of the range, or NaN.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check_range(SimpleNamespace(rate=0.0), "rate", above=0, expected="a number above 0")
    Traceback (most recent call last):
    ...
    unmixel.errors.ParameterError: rate = 0.0; expected a number above 0
    """
    for name in names:
        value = getattr(parameters, name)
        if optional and value is None:
            continue
        if not (least <= value <= most and above < value < below):
            raise ParameterError(f"{name} = {value}", expected, remedy)
        if value != 0 and not SMALLEST <= abs(value) <= LARGEST:
            raise ParameterError(f"{name} = {value}", f"0, or a number from {SMALLEST:g} to {LARGEST:g}")
