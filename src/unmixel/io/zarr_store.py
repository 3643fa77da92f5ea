"""Zarr scenes, as unmixel writes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from unmixel.errors import damage_told
from unmixel.io._raw import RawScene
from unmixel.io.scene_dataset import dataset_of, described_in
from unmixel.io.whole_file import written_whole
from unmixel.io.windows import Window
from unmixel.zarr_contents import check_store

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


def read_zarr(path: Path) -> RawScene:
    """Read the description of a scene from a Zarr store; its rows are read when they are asked for.

    Raises
    ------
    SceneError
        If the store is damaged or holds something else.
    """
    check_store(path)
    dataset = _opened(path)
    described = described_in(dataset, path)
    encoding = dataset["reflectance"].encoding
    together = encoding.get("shards") or encoding.get("chunks")
    return RawScene(
        read=partial(_read_rows, path),
        read_part=partial(_read_part, path),
        block=together[:2] if together else None,
        **described,
    )


def write_zarr(scene: xr.DataArray, path: Path) -> None:
    """Write a scene to a new Zarr v3 store.

    Raises
    ------
    OutputError
        If the folder exists or cannot be written; nothing is left behind.
    """
    content: dict[str, Buffer] = {}
    dataset_of(scene).to_zarr(MemoryStore(content), mode="w-", zarr_format=3, consolidated=False)
    with written_whole(path) as (folder,):
        for key, buffer in content.items():  # Zarr's own writer goes on in the background after a failure
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(buffer.to_bytes())


def _opened(path: Path) -> xr.Dataset:
    with damage_told(path, "a complete Zarr store", "is it truncated?"):
        return xr.open_zarr(path, consolidated=False, chunks=None, decode_coords="all", zarr_format=3)


def _read_rows(path: Path, first: int, last: int) -> NDArray:
    return _read(path, slice(first, last), slice(None))


def _read_part(path: Path, window: Window) -> NDArray:
    return _read(path, *window.slices)


def _read(path: Path, rows: slice, columns: slice) -> NDArray:
    with damage_told(path, "a complete Zarr store", "is it truncated?"):
        return np.asarray(_opened(path)["reflectance"].isel(y=rows, x=columns).values)
