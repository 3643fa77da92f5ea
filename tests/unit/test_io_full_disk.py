"""A full disk is an error that says so, and nothing is left behind: tested on a small disk in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.errors import OutputError
from unmixel.io import save_scene, write_bundle_csv, write_bundle_netcdf, write_envi, write_sli
from unmixel.io.whole_folder import provenance_in, write_provenance
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle


@pytest.fixture(params=["8k", "300k"])
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small disk can be made only by root: mount is not permitted")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_envi, "a.img"),
        (save_scene, "a.nc"),
        (save_scene, "a.zarr"),
        (save_scene, "a.img"),
        (save_scene, "a.tif"),
        (write_sli, "a.sli"),
        (write_bundle_csv, "a.csv"),
        (write_bundle_netcdf, "a.nc"),
    ],
)
def test_a_full_disk(small_disk: Path, write: Callable[[Any, Path], None], name: str) -> None:
    rng = np.random.default_rng(0)
    if write in (write_envi, save_scene):
        content = make_scene(rng.random((90, 80, 50)), wavelength=np.linspace(400, 900, 50))
    else:
        content = make_bundle(rng.random((1800, 50)), ["soil"] * 1800, wavelength=np.linspace(400, 900, 50))
    with pytest.raises(OutputError, match="enough space"):
        write(content, small_disk / name)
    assert not list(small_disk.iterdir())


def test_a_full_disk_leaves_the_provenance_without_which_nothing_goes_on(small_disk: Path) -> None:
    write_provenance(small_disk, "benchmark", {"suite": "quick"})
    before = provenance_in(small_disk)
    with pytest.raises(OutputError, match="enough space"):
        write_provenance(small_disk, "benchmark", {"suite": "quick" * 100_000})
    assert provenance_in(small_disk) == before
    assert [path.name for path in small_disk.iterdir()] == ["provenance.json"]
