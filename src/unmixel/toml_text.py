"""TOML that somebody else may have written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from unmixel.claims import read_small
from unmixel.errors import ParameterError

LARGEST = 4_000_000
"""Bytes of a file of settings."""
_BETWEEN_KEYS = re.compile(r"[=,{}\[\]\n]")
_DEEPEST = 100
"""Dots in a key: tomllib takes time by their square."""
_MOST_BITS = 63
"""And a sign; one of thousands, written in hexadecimal, cannot even be shown."""


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ParameterError
        If it cannot be read, is too large, is no TOML, has a key of more than 100 parts, or a number that TOML has not.
    """
    try:
        text = read_small(path, LARGEST, error=ParameterError).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{what} {path} ({error})", "a readable file, in UTF-8") from error
    if any(part.count(".") > _DEEPEST for part in _BETWEEN_KEYS.split(text)):
        raise ParameterError(f"{what} {path} with more than {_DEEPEST} dots in a key", "a few tables")
    try:
        read = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{what} {path} ({error})", "readable TOML") from error
    values: list[Any] = [read]
    while values:
        value = values.pop()
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise ParameterError(f"{what} {path} with a number of {value.bit_length()} bits", "at most 64, as TOML has")
        if isinstance(value, (dict, list)):
            values.extend(value.values() if isinstance(value, dict) else value)
    return read
