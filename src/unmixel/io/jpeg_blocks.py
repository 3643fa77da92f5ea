"""Blocks of a TIFF that JPEG packed: each must have as many pixels as its place.

The library fills up a block of fewer with whatever is in memory. (TIFF Technical Note 2; ITU-T T.81, section B.2.2.)
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import rasterio
from rasterio.enums import Compression, Interleaving

from unmixel.errors import SceneError

_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Markers of the segment that says how many pixels there are."""
_MOST_SEGMENTS = 1000


def check_jpeg_blocks(path: Path, file: rasterio.DatasetReader) -> None:
    """Check the blocks of an open TIFF, if JPEG packed them.

    Raises
    ------
    SceneError
        If one has fewer pixels than its place, or says nothing of them.
    """
    if file.driver != "GTiff" or file.compression != Compression.jpeg:
        return
    status = path.stat()
    _check_once(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=100)
def _check_once(path: Path, _size: int, _changed: int) -> None:
    """Check the blocks of a file; again if it has changed."""
    with rasterio.open(path, driver="GTiff") as file, path.open("rb") as raw:
        tile = file.block_shapes[0] if file.profile["tiled"] else None  # tiles are whole, also beyond the edge
        for band in file.indexes if file.interleaving == Interleaving.band else (1,):
            for (row, column), window in file.block_windows(band):
                offset = file.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
                if offset is None:  # nothing is stored there
                    continue
                height, width = tile or (window.height, window.width)
                rows, columns = _pixels_in(raw, int(offset))
                if rows < height or columns < width:
                    raise SceneError(
                        f"{path} with {rows} x {columns} pixels in a block of band {band}",
                        f"{height} x {width}",
                        "is it damaged?",
                    )


def _pixels_in(raw: BinaryIO, offset: int) -> tuple[int, int]:
    """Return rows and columns of the JPEG image at a place; 0 if it does not say."""
    raw.seek(offset + 2)
    for _ in range(_MOST_SEGMENTS):
        head = raw.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            break
        if head[1] in _FRAMES:
            frame = raw.read(5)
            return int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
        raw.seek(int.from_bytes(head[2:], "big") - 2, 1)
    return 0, 0
