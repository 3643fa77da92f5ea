"""Zarr stores that can be opened without harm: they stay in their folder, and hold no more than belongs in them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from unmixel.claims import check_chunks, check_claim
from unmixel.errors import SceneError, damage_told
from unmixel.zarr_chunks import bounded_chunks, unbounded_codec


def open_store(path: Path, **options: Any) -> xr.Dataset:
    """Open a Zarr v3 store that was checked, lazily."""
    with bounded_chunks():
        return xr.open_zarr(path, consolidated=False, chunks=None, zarr_format=3, **options)


def check_store(path: Path) -> None:
    """Check that nothing in a Zarr store leads out of its folder, and that no array or chunk claims or hides too much.

    Raises
    ------
    SceneError
        If something does, or the store is damaged.
    """
    with damage_told(path, "a folder that can be read", "check who may read it"):
        odd = next(_not_inside(path, path.resolve()), None)
    if odd is not None:
        what = f"a link to {odd.resolve()}" if odd.is_symlink() else "a device or a pipe"
        raise SceneError(f"{odd}, {what}", "a store with all of its data", "copy it in")
    with damage_told(path, "a complete Zarr v3 store", "is it truncated?"):
        group = zarr.open_group(path, mode="r", zarr_format=3, use_consolidated=False)
        for name, array in group.arrays():
            values = max(math.prod(array.shape), math.prod(array.shards or array.chunks))
            check_claim(path, f"its {name!r}", values * array.dtype.itemsize)
            check_chunks(path, f"its {name!r}", array.shape, array.chunks)
            metadata: Any = array.metadata
            if codec := unbounded_codec(metadata.codecs):
                raise SceneError(
                    f"{path}, whose {name!r} is packed by {codec}", "zstd, Blosc or nothing", "write it again"
                )


def _not_inside(folder: Path, inside: Path) -> Iterator[Path]:
    """Yield the links that lead out of a store, and what is neither file nor folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                if not Path(entry.path).resolve().is_relative_to(inside):
                    yield Path(entry.path)
            elif entry.is_dir():
                yield from _not_inside(Path(entry.path), inside)
            elif not entry.is_file():
                yield Path(entry.path)
