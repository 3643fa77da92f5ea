"""Zarr scenes, as unmixel writes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.scene_dataset import dataset_of, described_in
from unmixel.io.whole_file import written_whole

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


def read_zarr(path: Path) -> RawScene:
    """Read the description of a scene from a Zarr store; its rows are read when they are asked for.

    Raises
    ------
    SceneError
        If the store is damaged or holds something else.
    """
    return RawScene(read=partial(_read_rows, path), **described_in(_opened(path), path))


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
    try:
        return xr.open_zarr(path, consolidated=False, chunks=None, decode_coords="all")
    except (OSError, ValueError, KeyError) as error:
        raise SceneError(f"{path}: {error}", "a complete Zarr store") from error


def _read_rows(path: Path, first: int, last: int) -> NDArray:
    try:
        return np.asarray(_opened(path)["reflectance"].isel(y=slice(first, last)).values)
    except (OSError, ValueError, RuntimeError) as error:
        raise SceneError(f"{path}: {error}", "a complete Zarr store") from error
