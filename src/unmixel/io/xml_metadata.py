"""Metadata files in XML, read without trust: no entities, nothing from elsewhere, no endless nesting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError

LARGEST = 64_000_000
"""Bytes; the metadata of a scene take a few million."""
_DEEPEST, _MOST = 100, 1_000_000
"""Elements within each other, and in all."""


def read_xml(path: Path) -> Element:
    """Return the root of an XML file; names are without their namespace.

    A document type is refused, and with it all entities: metadata need none, and a few lines of them can expand to
    more than any memory holds, or name another file.

    Raises
    ------
    SceneError
        If the file is missing, too large, no XML, or has a document type.
    """
    try:
        n_bytes = path.stat().st_size
        if n_bytes > LARGEST:
            raise SceneError(f"{path} of {n_bytes} bytes", f"metadata of at most {LARGEST} bytes")
        return _parsed(path.read_bytes(), path)
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror or error}", "a readable metadata file") from error
    except (ExpatError, ValueError, LookupError) as error:
        raise SceneError(f"{path}: {error}", "complete XML", "is it truncated?") from error


def _parsed(content: bytes, path: Path) -> Element:
    parser, builder = ParserCreate(), TreeBuilder()
    depth = n_elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, n_elements
        depth, n_elements = depth + 1, n_elements + 1
        if n_elements > _MOST:
            raise SceneError(f"{path} with more than {_MOST} elements", "metadata of a scene")
        if depth > _DEEPEST:
            raise SceneError(f"{path} with elements in {depth} others", f"at most {_DEEPEST}")
        builder.start(name.rpartition(":")[2], attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition(":")[2])

    def refuse(*_: object) -> None:
        raise SceneError(f"{path} with a document type", "metadata without one: it could name entities or other files")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)
    return builder.close()


def begins_with(path: Path, *marks: bytes, within: int = 65_536) -> bool:
    """Return whether a file has all marks near its beginning; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            beginning = file.read(within)
    except OSError:
        return False
    return all(mark in beginning for mark in marks)


def text_at(root: Element, place: str) -> str:
    """Return the text of the first element at a place, without blanks around it; empty if there is none."""
    return (root.findtext(place) or "").strip()


def number_at(root: Element, place: str, path: Path) -> float:
    """Return the finite number at a place.

    Raises
    ------
    SceneError
        If there is none.
    """
    text = text_at(root, place)
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise SceneError(f"{path} with {place} = {text[:60] or 'nothing'}", "a number", "is the file damaged?")
    return number


def numbers_of(elements: Sequence[Element], name: str, path: Path) -> NDArray[np.float64]:
    """Return a number of each element: that of its child of this name.

    Raises
    ------
    SceneError
        If it is missing in some, or no finite number.
    """
    return np.array([number_at(element, name, path) for element in elements], dtype=np.float64)
