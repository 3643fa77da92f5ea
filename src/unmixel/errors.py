"""Every error that unmixel raises on purpose: what was given, what was expected, what to do."""

from __future__ import annotations

import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

DAMAGE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, AssertionError),
    *(EOFError, MemoryError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What libraries raise about files that are damaged, or made to do harm."""
_LONGEST = 600
"""Characters of each part of an error: a hostile file may have a name of a million."""


class UnmixingError(Exception):
    """The root of every error unmixel raises on purpose.

    Parameters
    ----------
    given : str
        What was given, with its name (a file, a parameter and its value).
    expected : str, optional
        What was expected instead.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(UnmixingError("scene.hdr has 3 bands", "at least 4 for 4 endmembers", "lower -p"))
    scene.hdr has 3 bands; expected at least 4 for 4 endmembers; lower -p
    """

    def __init__(self, given: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(given, expected, remedy)
        self.given, self.expected, self.remedy = given, expected, remedy

    def __str__(self) -> str:
        parts = [self.given, self.expected and f"expected {self.expected}", self.remedy]
        return "; ".join(_shortened(visible(" ".join(part.split()))) for part in parts if part)


@contextmanager
def damage_told(
    what: object, expected: str, remedy: str, *, error: type[UnmixingError] | None = None
) -> Iterator[None]:
    """Turn what a library raises about a file into a `SceneError`, or another one of this module.

    Only calls of other libraries that read the file belong inside.

    Examples
    --------
    >>> with damage_told("a.npy", "a complete array", "is it truncated?"):
    ...     {}["shape"]
    Traceback (most recent call last):
    ...
    unmixel.errors.SceneError: a.npy, which cannot be read (KeyError: 'shape'); expected a complete array; ...
    """
    try:
        yield
    except _damage() as damage:
        reason = f"{type(damage).__name__}: {damage}" if str(damage) else type(damage).__name__
        raise (error or SceneError)(f"{what}, which cannot be read ({reason})", expected, remedy) from damage


def _damage() -> tuple[type[Exception], ...]:
    """Return `DAMAGE`, and errors of GDAL, for which rasterio has no public name, where it is loaded."""
    gdal = sys.modules.get("rasterio._err")
    return DAMAGE if gdal is None else (*DAMAGE, gdal.CPLE_BaseError)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


def visible(text: str) -> str:
    r"""Return text with what a terminal would obey, or not show, written as an escape.

    Examples
    --------
    >>> print(visible("soil \x1b[31m \u202e"))
    soil \x1b[31m \u202e
    """
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


class SceneError(UnmixingError):
    """A scene, or a file that should hold one, cannot be used."""


class NoValidPixelError(SceneError):
    """A scene has nothing that can be unmixed."""


class BundleError(UnmixingError):
    """Endmember spectra, or a file that should hold them, cannot be used."""


class ParameterError(UnmixingError):
    """A parameter is out of its range, or unknown."""


class ModelError(UnmixingError):
    """A saved model cannot be read, or does not fit the scene."""


class TrainingError(UnmixingError):
    """Training diverged or could not start."""


class OutputError(UnmixingError):
    """Results cannot be written."""


class EngineError(UnmixingError):
    """The processes that should do the work can't be reached, or died."""


class DatasetError(UnmixingError):
    """A named public scene is unknown, or could not be downloaded and verified."""
