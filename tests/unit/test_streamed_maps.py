"""Maps written window by window are the files of maps written whole, or an error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from unmixel.io.cog import stream_cog, write_cog
from unmixel.io.windows import natural_windows


def test_streamed_maps_are_the_bytes_of_those_written_whole(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).random((530, 301, 2)).astype(np.float32)
    maps[100:120, 30:] = np.nan
    described = {"bands": ["a", "b"], "unit": "1", "transform": Affine(2, 0, 5, 0, -2, 9), "tags": {"quantity": "q"}}
    write_cog(maps, tmp_path / "whole.tif", **described)
    for number, block in enumerate([(1, 301), (64, 64), (530, 1)]):
        windows = natural_windows((530, 301), block, 7_000)
        stream_cog(lambda w: maps[w.slices], windows, (530, 301), tmp_path / f"{number}.tif", **described)
        assert (tmp_path / f"{number}.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("rows", [40, 700])
def test_a_map_that_is_not_what_was_written_is_noticed(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = np.random.default_rng(0).random((rows, 50, 1)).astype(np.float32)
    maps[3] = np.nan
    copy = rasterio.shutil.copy

    def damaging(source: Path, target: Path, **how: object) -> None:
        copy(source, target, **how)
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
            file.write(np.nextafter(maps[-1:, -1:, 0], 2), 1, window=((rows - 1, rows), (49, 50)))

    windows = natural_windows((rows, 50), (1, 50), 1_000)
    stream_cog(lambda w: maps[w.slices], windows, (rows, 50), tmp_path / "map.tif", bands=["a"], unit="1")
    monkeypatch.setattr(rasterio.shutil, "copy", damaging)
    with pytest.raises(OSError, match="not what was written"):
        stream_cog(lambda w: maps[w.slices], windows, (rows, 50), tmp_path / "map.tif", bands=["a"], unit="1")
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize(
    "size_kb", [300, 2_000, 4_000, 5_000, 5_800, 6_400, 7_000, 7_600, 8_200, 9_500, 11_000, 16_000]
)
def test_a_map_that_does_not_fit_on_the_disk_is_an_error(tmp_path: Path, size_kb: int) -> None:
    maps = np.random.default_rng(0).random((700, 600, 2)).astype(np.float32)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        windows = natural_windows((700, 600), (1, 600), 100_000)
        described = {"bands": ["a", "b"], "unit": "1"}
        try:
            stream_cog(lambda w: maps[w.slices], windows, (700, 600), disk / "map.tif", **described)
        except OSError:
            assert size_kb < 16_000
        else:
            write_cog(maps, tmp_path / "whole.tif", **described)
            assert (disk / "map.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
        assert {path.name for path in disk.iterdir()} <= {"map.tif"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
