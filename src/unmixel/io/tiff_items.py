"""Metadata items of a TIFF: GDAL compares each with all before it, and hundreds of thousands take it hours.

They are XML in a tag of their own. (TIFF 6.0, section 2; GDAL's GTiff driver for the tag, 42112.)
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from unmixel.errors import SceneError

MOST_ITEMS = 20_000
"""For which GDAL takes about a second."""
_LARGEST = 1 << 23
"""Bytes of them all."""
_TAG = 42112
_MOST_IMAGES, _MOST_TAGS = 1000, 4096
"""In a file, with overviews and masks, and in an image: libtiff takes no more."""
_FARTHEST = 1 << 62
_ORDERS = {b"II": "<", b"MM": ">"}
_LARGE = 43
"""The version of a TIFF that may be larger than 4 GB."""


def check_items(path: Path) -> None:
    """Check that a file, if it is a TIFF, has no more than `MOST_ITEMS` metadata items.

    Raises
    ------
    SceneError
        If it has more, or more images than any.
    """
    n_items = n_bytes = 0
    with path.open("rb") as file:
        for content in _metadata_in(path, file):
            n_items += len(re.findall(rb"<item", content, re.IGNORECASE))
            n_bytes += len(content)
            if n_items > MOST_ITEMS or n_bytes > _LARGEST:
                given = f"{path} with {n_items:,} metadata items in {n_bytes:,} bytes or more"
                raise SceneError(given, f"at most {MOST_ITEMS:,} in 8 MB", "remove them: gdal_translate -nomd")


def _metadata_in(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the metadata of each image, up to a byte more than there may be."""
    head = _at(file, 0, 16)
    order = _ORDERS.get(head[:2])
    if order is None or len(head) < 16:
        return
    is_large = struct.unpack_from(f"{order}H", head, 2)[0] == _LARGE
    kinds = ("Q", "HHQ", "Q") if is_large else ("I", "HHI", "H")
    place, entry, n_entries = (struct.Struct(order + kind) for kind in kinds)
    step = entry.size + place.size
    (at,) = place.unpack_from(head, 8 if is_large else 4)
    seen: set[int] = set()
    while at and at not in seen and len(first := _at(file, at, n_entries.size)) == n_entries.size:
        if len(seen) == _MOST_IMAGES:
            raise SceneError(f"{path} with more than {_MOST_IMAGES} images", "fewer", "is it damaged?")
        seen.add(at)
        size = step * min(*n_entries.unpack(first), _MOST_TAGS)
        entries = _at(file, at + n_entries.size, size + place.size)
        for start in range(0, len(entries) - step + 1, step):
            tag, _, length = entry.unpack_from(entries, start)
            if tag == _TAG:
                (where,) = place.unpack_from(entries, start + entry.size)
                yield _at(file, where, min(length, _LARGEST + 1))
        (at,) = place.unpack_from(entries, size) if len(entries) == size + place.size else (0,)


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    if place > _FARTHEST:
        return b""
    file.seek(place)
    return file.read(size)
