"""The maps of a result, written tile by tile into a Zarr store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.buffer.cpu import Buffer
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from unmixel.io.windows import Window
from unmixel.result import UNITS, dims_of, unit_of
from unmixel.scale.journal import sync

CHUNK = 256
"""Most rows of a chunk, and the root of its most pixels, where a tile can be cut evenly."""


class TileStore:
    """Maps of a scene in a Zarr v3 store, each tile in files of its own, so that many processes can write it.

    A tile is one shard of each map, cut into chunks if it is large, so that a few pixels can be read alone. A tile
    without valid pixels has no files: nothing but the fill value.

    Parameters
    ----------
    root : path
        The folder of the run.
    name : str
        The store in it.
    shape : tuple of int
        Rows and columns of the maps.
    tile : Window
        The first tile, at the upper left; all others have its size or end with the maps.
    """

    def __init__(self, root: Path, name: str, shape: tuple[int, int], tile: Window) -> None:
        self._root, self._path, self._shape, self._tile = root, root / name, shape, tile.shape

    def prepare(self, maps: Mapping[str, np.ndarray], provenance: Mapping[str, Any]) -> None:
        """Make an empty map for each of these, of its type and with its last axes; one that is there stays.

        Its unit is that of a result with this provenance.

        To be called by one process, before any writes.
        """
        for name, values in maps.items():
            rest = values.shape[2:]
            if (self._path / name / "zarr.json").is_file():
                array: Any = zarr.open_array(self._path / name, mode="r")
                if array.shape == (*self._shape, *rest) and array.shards[:2] == self._tile:
                    continue
            in_result = name in UNITS
            zarr.create_array(
                str(self._path / name),
                shape=(*self._shape, *rest),
                shards=(*self._tile, *rest),
                chunks=(*_chunk(self._tile), *rest),
                compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
                dtype=values.dtype,
                fill_value=np.nan if values.dtype.kind == "f" else 0,
                dimension_names=dims_of(name) if in_result else None,
                attributes={"units": unit_of(name, provenance), "grid_mapping": "spatial_ref"} if in_result else None,
                overwrite=True,
            )

    def write(self, window: Window, maps: Mapping[str, np.ndarray]) -> dict[str, str]:
        """Write a tile, wait until it is on the disk, and return the SHA-256 of each of its files."""
        digests: dict[str, str] = {}
        for name, values in maps.items():
            file = self._file_of(window, name, values.ndim)
            file.unlink(missing_ok=True)
            content = self._encoded(window, name, values)
            if content is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                sync(file.parent)
                digests[str(file.relative_to(self._root))] = hashlib.sha256(content).hexdigest()
        return digests

    def read(self, name: str) -> Any:
        """Return a map as it lies on the disk: a Zarr array, read where it is indexed."""
        return zarr.open_array(self._path / name, mode="r")

    def _encoded(self, window: Window, name: str, values: np.ndarray) -> bytes | None:
        """Return what the file of a tile holds; None if it is all fill value, which has no file."""
        described = (self._path / name / "zarr.json").read_bytes()
        content: dict[str, Any] = {"zarr.json": Buffer.from_bytes(described)}
        array: Any = zarr.open_array(MemoryStore(content), mode="r+")
        array[window.slices] = values
        written = [buffer for key, buffer in content.items() if key != "zarr.json"]
        return written[0].to_bytes() if written else None

    def _file_of(self, window: Window, name: str, n_dims: int) -> Path:
        place = (window.top // self._tile[0], window.left // self._tile[1], *[0] * (n_dims - 2))
        return self._path.joinpath(name, "c", *map(str, place))


def holds(root: Path, digests: Mapping[str, str]) -> bool:
    """Return whether the files of a tile are what they were when they were written."""
    return all((root / name).is_file() and _digest(root / name) == digests[name] for name in digests)


def _chunk(tile: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of the chunks of a tile.

    >>> _chunk((29, 1000)), _chunk((4, 20_000)), _chunk((600, 1000))
    ((29, 1000), (4, 10000), (200, 250))
    """
    rows = _part(tile[0], CHUNK)
    return rows, _part(tile[1], max(CHUNK**2 // rows, 1))


def _part(length: int, most: int) -> int:
    """Return how long equal parts of a side of a tile are, the whole side where they would be very short."""
    part = max(part for part in range(1, min(length, most) + 1) if length % part == 0)
    return part if part >= min(length, most) / 4 else length


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
