"""Zarr scenes, as unmixel writes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from unmixel.errors import DAMAGE, damage_told
from unmixel.io._raw import RawScene
from unmixel.io.scene_dataset import dataset_of, described_in, without_pixels
from unmixel.io.windowed_scene import WindowedScene
from unmixel.io.windows import Window
from unmixel.scene import DIMS
from unmixel.zarr_contents import check_store, open_store

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer

_CHUNK_ROWS = 32
_CHUNK_VALUES = 1_000_000


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


def stream_zarr(scene: WindowedScene, path: Path) -> None:
    """Write a scene to a new Zarr v3 store, window by window and never whole in memory.

    Raises
    ------
    OSError
        If the store cannot be written.
    """
    content: dict[str, Buffer] = {}
    others, attributes = without_pixels(dataset_of(scene.outline))
    others.to_zarr(MemoryStore(content), mode="w-", zarr_format=3, consolidated=False)
    zarr.create_array(
        MemoryStore(content),
        name="reflectance",
        shape=scene.shape,
        chunks=(*chunk_within(scene.windows[0].shape, *scene.shape[1:]), scene.shape[2]),
        dtype="float32",
        fill_value=np.nan,
        dimension_names=DIMS,
        attributes=attributes,
    )
    _write(content, path)
    described = content["reflectance/zarr.json"]
    for window, values in scene.parts():
        part = {"zarr.json": described}
        array: Any = zarr.open_array(MemoryStore(part), mode="r+")
        array[window.slices] = values
        _write({key: buffer for key, buffer in part.items() if key != "zarr.json"}, path / "reflectance")


def chunk_within(window: tuple[int, int], columns: int, n_bands: int) -> tuple[int, int]:
    """Return rows and columns of chunks of about 4 MB, all bands together, none of which lies in two windows.

    Examples
    --------
    >>> chunk_within((48, 1242), 1242, 285), chunk_within((37, 100), 200, 285), chunk_within((5, 7), 7, 4)
    ((24, 146), (37, 50), (5, 7))
    """
    rows = _even_part(window[0], _CHUNK_ROWS)
    most = max(1, _CHUNK_VALUES // (rows * n_bands))
    return rows, min(columns, most) if window[1] == columns else _even_part(window[1], most)


def is_scene_store(path: Path) -> bool:
    """Return whether a folder is a scene that unmixel wrote."""
    try:
        return bool(zarr.open_group(path, mode="r").attrs.get("unmixel_content") == "scene")
    except DAMAGE:
        return False


def _even_part(length: int, most: int) -> int:
    """Return how long equal parts of a length can be, the whole length where they would be very short."""
    part = max(part for part in range(1, min(length, most) + 1) if length % part == 0)
    return part if 4 * part >= min(length, most) else length


def _write(content: Mapping[str, Buffer], folder: Path) -> None:
    """Write files of a store; Zarr's own writer goes on in the background after a failure."""
    for key, buffer in content.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(buffer.to_bytes())


def _opened(path: Path) -> xr.Dataset:
    with damage_told(path, "a complete Zarr store", "is it truncated?"):
        return open_store(path, decode_coords="all")


def _read_rows(path: Path, first: int, last: int) -> NDArray:
    return _read(path, slice(first, last), slice(None))


def _read_part(path: Path, window: Window) -> NDArray:
    return _read(path, *window.slices)


def _read(path: Path, rows: slice, columns: slice) -> NDArray:
    with damage_told(path, "a complete Zarr store", "is it truncated?"):
        return np.asarray(_opened(path)["reflectance"].isel(y=rows, x=columns).values)
