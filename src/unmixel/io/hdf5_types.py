"""What types of HDF5 are made of: numbers, texts, and what is of variable length."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

PLACE = h5py.h5t.STD_REF_OBJ
"""The type of what leads to a whole array; on a list of what leads to parts of one, h5py 3.16 dies."""
REFERENCE = np.dtype([("length", "<u4"), ("place", "<u8"), ("number", "<u4")])
"""What is stored of a text or list of variable length, which lies elsewhere."""


def parts_of(whole: h5py.h5t.TypeID) -> Iterator[h5py.h5t.TypeID]:
    """Yield a type and the types of all that it is made of."""
    parts = [whole]
    while parts:
        part = parts.pop()
        yield part
        if isinstance(part, h5py.h5t.TypeCompoundID):
            parts.extend(part.get_member_type(i) for i in range(part.get_nmembers()))
        elif isinstance(part, (h5py.h5t.TypeVlenID, h5py.h5t.TypeArrayID, h5py.h5t.TypeEnumID)):
            parts.append(part.get_super())


def is_text(kind: h5py.h5t.TypeID) -> bool:
    """Return whether a type is that of a text of variable length."""
    return isinstance(kind, h5py.h5t.TypeStringID) and bool(kind.is_variable_str())


def has_variable(whole: h5py.h5t.TypeID) -> bool:
    """Return whether something in a type is of variable length."""
    return any(is_text(part) or isinstance(part, h5py.h5t.TypeVlenID) for part in parts_of(whole))


def has_references(whole: h5py.h5t.TypeID) -> bool:
    """Return whether something in a type lies elsewhere: what is of variable length, and what a reference leads to."""
    return has_variable(whole) or any(isinstance(part, h5py.h5t.TypeReferenceID) for part in parts_of(whole))
