"""Attributes by which HDF5 tells the dimensions of an array from each other.

The library's functions for them take it for granted that a list is as long as an array has dimensions, and of the type
that it was made of, and write beyond their memory if it is not. (HDF5 Dimension Scale Specification.)
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from unmixel.errors import SceneError
from unmixel.io.hdf5_types import PLACE, is_text


def check_scale(path: Path, entry: h5py.Group | h5py.Dataset, name: str) -> None:
    """Check an attribute of an array, if it is one of them; to those of groups, the library's functions don't go.

    Raises
    ------
    SceneError
        If it is not as long or of the type that is expected of its name.
    """
    if not isinstance(entry, h5py.Dataset):
        return
    attribute = entry.attrs.get_id(name)
    kind = attribute.get_type()
    is_right = True
    match name:
        case "DIMENSION_LIST":
            of_places = isinstance(kind, h5py.h5t.TypeVlenID) and kind.get_super().equal(PLACE)
            is_right = of_places and attribute.shape == (entry.ndim,)
        case "DIMENSION_LABELS":
            is_right = is_text(kind) and attribute.shape == (entry.ndim,)
        case "REFERENCE_LIST":
            is_right = _is_reference_list(kind) and len(attribute.shape or ()) == 1
        case "CLASS" | "NAME":
            is_right = attribute.shape in ((), (1,))
    if not is_right:
        raise SceneError(f"{path} with {name!r} of {attribute.shape}, {type(kind).__name__}", "one of netCDF")


def entries_of(file: h5py.File) -> list[h5py.Group | h5py.Dataset]:
    """Return a file, and all that is in its groups."""
    entries: list[h5py.Group | h5py.Dataset] = [file]
    file.visititems(lambda _, entry: entries.append(entry))
    return entries


def check_places(path: Path, file: h5py.File) -> None:
    """Check that all that dimensions lead to is in a group: what is not has not been looked at, but would be opened.

    What leads back from a dimension to its arrays is followed only where that has no limit; elsewhere it may lead to
    arrays that were taken out.

    Raises
    ------
    SceneError
        If something is not.
    """
    entries = entries_of(file)
    named: list[h5py.Reference] = []
    for entry in entries:
        if not isinstance(entry, h5py.Dataset):
            continue
        if "DIMENSION_LIST" in entry.attrs:
            named.extend(place for places in entry.attrs["DIMENSION_LIST"] for place in places)
        if "REFERENCE_LIST" in entry.attrs and entry.maxshape == (None,):
            named.extend(place for place, _ in entry.attrs["REFERENCE_LIST"])
    if named and not _addresses(named) <= _addresses([entry.ref for entry in entries]):
        raise SceneError(f"{path} with dimensions that are in no group", "one of netCDF", "is it damaged?")


def _addresses(places: list[h5py.Reference]) -> set[bytes]:
    """Return what tells places of a file from each other: as HDF5 stores them."""
    with h5py.File("places", "w", driver="core", backing_store=False) as scratch:
        stored = scratch.create_dataset("places", data=places, dtype=h5py.ref_dtype, chunks=(len(places),))
        scratch.flush()
        return set(np.frombuffer(stored.id.read_direct_chunk((0,))[1], "V8").tolist())


def _is_reference_list(kind: h5py.h5t.TypeID) -> bool:
    """Return whether a type is a place and the number of a dimension."""
    if not isinstance(kind, h5py.h5t.TypeCompoundID) or kind.get_nmembers() != 2:
        return False
    return kind.get_member_type(0).equal(PLACE) and isinstance(kind.get_member_type(1), h5py.h5t.TypeIntegerID)
