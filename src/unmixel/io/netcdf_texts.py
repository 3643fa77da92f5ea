"""The texts of a NetCDF file, of which xarray reads all attributes and indexes when it opens one.

A text of variable length lies in a heap, of a megabyte at most, and any number of attributes may refer to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from unmixel.claims import SMALL
from unmixel.errors import SceneError
from unmixel.io.hdf5_guard import LARGEST_COLLECTION, GuardedFile
from unmixel.io.hdf5_texts import MOST_TEXTS
from unmixel.io.hdf5_types import PLACE, has_references, has_variable, is_text, parts_of
from unmixel.io.netcdf_scales import check_scale, entries_of

_LARGEST_OF_A_LIST = 1 << 16
"""Bytes of a heap that a long list of texts refers to."""
_NUMBERS = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)
_READ = "endmember"
"""The variable of texts that unmixel reads."""


def unread_texts(file: h5py.File) -> list[str]:
    """Return the names of variables that xarray need not know."""
    return [name for name, entry in file.items() if name != _READ and is_of_texts(entry)]


def check_texts(path: Path, file: h5py.File) -> None:
    """Check that texts and lists of variable length, but for the :func:`unread_texts`, are small all together.

    Raises
    ------
    SceneError
        If they are not.
    OSError
        If one of a long list is large.
    """
    left = SMALL
    with GuardedFile(path, _LARGEST_OF_A_LIST) as guarded, h5py.File(guarded, "r") as for_lists:
        for value in _values(path, file, for_lists):
            left -= _size(value)
            if left < 0:
                raise SceneError(f"{path} with more than {SMALL // 10**6} MB of texts", "fewer", "is it damaged?")


def _values(path: Path, file: h5py.File, for_lists: h5py.File) -> Iterator[Any]:
    for entry in entries_of(file):
        for name in entry.attrs:
            check_scale(path, entry, name)
            attribute = entry.attrs.get_id(name)
            kind = attribute.get_type()
            if isinstance(kind, _NUMBERS) or (isinstance(kind, h5py.h5t.TypeStringID) and not is_text(kind)):
                continue
            if _is_of_lists_of_more(kind):
                raise SceneError(f"{path} with texts or lists in each value of {name!r}", "texts, or lists of numbers")
            if any(isinstance(part, h5py.h5t.TypeReferenceID) and not part.equal(PLACE) for part in parts_of(kind)):
                raise SceneError(f"{path} with {name!r}, which leads to parts of arrays", "one without, from netCDF")
            n_values = int(np.prod(attribute.shape or ()))
            _check_number(path, name, n_values)
            is_short = n_values * LARGEST_COLLECTION <= SMALL
            yield (file if is_short else for_lists)[entry.name].attrs[name]
    if is_of_texts(texts := file.get(_READ)):
        _check_number(path, _READ, texts.size)
        if texts.ndim != 1 or not is_text(texts.id.get_type()):
            raise SceneError(f"{path}, whose {_READ!r} is not a list of texts", "one, with the names of endmembers")
        for number in range(texts.size):
            yield texts[number]


def _is_of_lists_of_more(kind: h5py.h5t.TypeID) -> bool:
    """Return whether a type has lists, but is not one of numbers or places: none else are known to be read safely."""
    if isinstance(kind, h5py.h5t.TypeVlenID):
        return not isinstance(kind.get_super(), (*_NUMBERS, h5py.h5t.TypeReferenceID))
    return has_variable(kind) and not is_text(kind)


def _check_number(path: Path, name: str, n_values: int) -> None:
    if n_values > MOST_TEXTS:
        raise SceneError(f"{path} with {n_values} texts in {name!r}", f"at most {MOST_TEXTS}", "is it damaged?")


def is_of_texts(entry: h5py.Group | h5py.Dataset | None) -> bool:
    """Return whether something is a dataset with texts, lists or references in its values."""
    return isinstance(entry, h5py.Dataset) and has_references(entry.id.get_type())


def _size(value: Any) -> int:
    """Return about how many bytes a value takes."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, np.ndarray):
        return sum(map(_size, value.flat)) if value.dtype.hasobject else value.nbytes
    return 0
