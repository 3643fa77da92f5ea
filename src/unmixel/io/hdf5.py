"""HDF5 files from elsewhere: opened read-only, with nothing in them believed, and all damage said as a SceneError.

Only what lies in the file itself is read, and only what it can hold: :mod:`unmixel.io.hdf5_contents` sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io.doubles import in_doubles
from unmixel.io.hdf5_chunks import PackedDataset
from unmixel.io.hdf5_contents import check_contents
from unmixel.io.hdf5_guard import SIGNATURE, GuardedFile
from unmixel.io.windows import Window

_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
_LARGEST_CHUNK = 256_000_000
"""Bytes; a chunk is always read whole."""
_LONGEST_LIST = 100_000
_LONGEST_TEXT = 1 << 20
_MOST_TEXTS = 100
"""They may all be the same place in the file, of a megabyte."""


@contextmanager
def opened_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file to see what is in it. What is wrong with it is said with its path.

    Raises
    ------
    SceneError
        If it is damaged, then or while it is read.
    """
    with _damage_told(path), GuardedFile(path) as raw, h5py.File(raw, "r") as file:
        check_contents(path, file)
        yield file


@contextmanager
def opened_values(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file to read from datasets of numbers, as fast as can be, and nothing else.

    Raises
    ------
    SceneError
        If it is damaged, then or while it is read.
    """
    with _damage_told(path), h5py.File(path, "r") as file:
        yield file


def names_in(path: Path, group: str) -> tuple[str, ...]:
    """Return the names in a group of an HDF5 file; none if there is no such file or group, or it is damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.h5"
    >>> with h5py.File(path, "w") as file:
    ...     _ = file.create_group("outer/inner")
    >>> names_in(path, "outer"), names_in(path, "elsewhere"), names_in(path.parent, "outer")
    (('inner',), (), ())
    """
    try:
        with path.open("rb") as first:
            if first.read(8) != SIGNATURE:
                return ()
        with GuardedFile(path) as raw, h5py.File(raw, "r") as file:
            found = _entry(file, group)
            return tuple(map(str, found)) if isinstance(found, h5py.Group) else ()
    except (*_DAMAGE, SceneError):
        return ()


def group_of(file: h5py.File, name: str) -> h5py.Group:
    """Return a group of a file.

    Raises
    ------
    SceneError
        If it is not there, or only a link to elsewhere.
    """
    found = _entry(file, name)
    if not isinstance(found, h5py.Group):
        raise SceneError(f"no group {name!r}", "a complete product", "is it the whole file?")
    return found


def holds(file: h5py.File, name: str) -> bool:
    """Return whether there is something of that name in the file itself."""
    return _entry(file, name) is not None


def array_of(file: h5py.File, name: str, n_dimensions: int) -> PackedDataset:
    """Return a dataset of numbers, from which parts can be read.

    Raises
    ------
    SceneError
        If it is not there, has other dimensions or no numbers, or is stored in chunks that are too large.
    """
    found = _entry(file, name)
    if not isinstance(found, h5py.Dataset):
        raise SceneError(f"no dataset {name!r}", "a complete product", "is it the whole file?")
    if found.dtype.kind not in "iuf":
        raise SceneError(f"{name!r} with values of type {found.dtype}", "real numbers")
    if found.ndim != n_dimensions or 0 in found.shape:
        raise SceneError(f"{name!r} of shape {found.shape}", f"{n_dimensions} dimensions, none of them empty")
    if found.chunks and prod(found.chunks) * found.dtype.itemsize > _LARGEST_CHUNK:
        raise SceneError(f"{name!r}, stored in chunks of {found.chunks} values", "chunks of at most 256 MB")
    return PackedDataset(found.id)


def list_of(file: h5py.File, name: str, count: int) -> NDArray[np.float64]:
    """Return a one-dimensional dataset of so many numbers.

    Raises
    ------
    SceneError
        If it is not there, or holds another number of them.
    """
    found = array_of(file, name, 1)
    if len(found) != count or count > _LONGEST_LIST:
        raise SceneError(f"{len(found)} numbers in {name!r}", f"{count} of them")
    return in_doubles(found[()])


def text_in(file: h5py.File, name: str) -> str:
    """Return a dataset that is one text; empty if it is not there, or is something else."""
    found = _entry(file, name)
    if not isinstance(found, h5py.Dataset) or found.size != 1 or found.dtype.itemsize > _LONGEST_TEXT:
        return ""
    if not isinstance(found.id.get_type(), h5py.h5t.TypeStringID):
        return ""
    return _as_text(np.ravel(PackedDataset(found.id)[()])[0])


def texts_in(file: h5py.File, name: str) -> list[str]:
    """Return a one-dimensional dataset of texts.

    Raises
    ------
    SceneError
        If it is not there, or is something else.
    """
    found = _entry(file, name)
    is_text = isinstance(found, h5py.Dataset) and isinstance(found.id.get_type(), h5py.h5t.TypeStringID)
    if not isinstance(found, h5py.Dataset) or not is_text or found.ndim != 1 or found.size > _MOST_TEXTS:
        raise SceneError(f"no list of texts {name!r}", "a complete product", "is it the whole file?")
    return [_as_text(text) for text in PackedDataset(found.id)[()]]


def text_attribute(entry: h5py.Group | h5py.Dataset, name: str) -> str:
    """Return an attribute as a text on one line; empty if it is not there, or is no text."""
    value = _attribute(entry, name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.flat[0]
    return " ".join("".join(c if c.isprintable() else " " for c in _as_text(value)).split())


def number_attribute(entry: h5py.Group | h5py.Dataset, name: str) -> float | None:
    """Return an attribute as a finite number; None if it is not there, or is no such number."""
    numbers = numbers_attribute(entry, name)
    if numbers is None or numbers.size != 1 or not np.isfinite(numbers[0]):
        return None
    return float(numbers[0])


def numbers_attribute(entry: h5py.Group | h5py.Dataset, name: str) -> NDArray[np.float64] | None:
    """Return an attribute as an array of numbers; None if it is not there, or holds no numbers."""
    value = _attribute(entry, name)
    if value is None or isinstance(value, (h5py.Empty, str, bytes)):
        return None
    numbers = np.ravel(value)
    return in_doubles(numbers) if numbers.dtype.kind in "iufb" else None


def required_number(entry: h5py.Group | h5py.Dataset, name: str) -> float:
    """Return an attribute that is a finite number.

    Raises
    ------
    SceneError
        If it is not there, or is none.
    """
    number = number_attribute(entry, name)
    if number is None:
        raise SceneError(f"no number {name!r}", "a complete product", "is it damaged?")
    return number


def required_list(entry: h5py.Group | h5py.Dataset, name: str, count: int) -> NDArray[np.float64]:
    """Return an attribute of so many numbers.

    Raises
    ------
    SceneError
        If it is not there, or holds another number of them.
    """
    numbers = numbers_attribute(entry, name)
    if numbers is None or len(numbers) != count:
        given = "no numbers" if numbers is None else f"{len(numbers)} numbers"
        raise SceneError(f"{given} in {name!r}", f"{count}, one for each band")
    return numbers


def block_of(stored: h5py.Dataset, y: int, x: int) -> tuple[int, int] | None:
    """Return the rows and columns that lie together, where rows are axis `y` and columns axis `x`; None for lines."""
    return (stored.chunks[y], stored.chunks[x]) if stored.chunks else None


def read_band_first(path: Path, name: str, window: Window) -> NDArray:
    """Return a window of a dataset (band, row, column) as (row, column, band).

    Raises
    ------
    SceneError
        If the file cannot be read.
    """
    rows, columns = window.slices
    with opened_values(path) as file:
        values = array_of(file, name, 3)[:, rows, columns]
    return np.moveaxis(values.astype(values.dtype.newbyteorder("="), copy=False), 0, 2)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except SceneError as error:
        if str(path) in error.given:
            raise
        raise SceneError(f"{path}: {error.given}", error.expected, error.remedy) from error
    except _DAMAGE as error:
        raise SceneError(f"{path}: {error}", "a complete HDF5 file", "is it truncated?") from error


def _entry(file: h5py.File, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return what has that name in the file itself, or None; links to elsewhere are not followed."""
    here: Any = file
    for part in filter(None, name.split("/")):
        if not isinstance(here, h5py.Group) or not here.id.links.exists(part.encode()):
            return None
        if here.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise SceneError(f"a link to elsewhere, {part!r}", "everything in one file")
        here = here[part]
    return here


def _attribute(entry: h5py.Group | h5py.Dataset, name: str) -> Any:
    """Return an attribute of numbers, or of one text; None for others, on which the library may break."""
    if not h5py.h5a.exists(entry.id, name.encode()):
        return None
    found = h5py.h5a.open(entry.id, name.encode())
    kinds = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeStringID)
    most = 1 if isinstance(found.get_type(), h5py.h5t.TypeStringID) else _LONGEST_LIST
    if not isinstance(found.get_type(), kinds) or prod(found.shape or ()) > most:
        return None
    return entry.attrs[name]


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").rstrip("\0")
    return value.encode("utf-8", errors="replace").decode() if isinstance(value, str) else ""
