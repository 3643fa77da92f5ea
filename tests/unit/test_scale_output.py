"""A folder gets the result of one run at a time, of one scene, and whole."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tiled_scene import make_folder, run_tiles, whole

from unmixel.errors import ModelError, OutputError, SceneError
from unmixel.methods.fcls import FCLS
from unmixel.result import open_result
from unmixel.scale import unmix_file
from unmixel.scene import make_scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scene and a model."""
    return make_folder(tmp_path)


def test_a_second_run_in_the_same_folder_is_refused(folder: Path) -> None:
    refused = []

    def second(stage: str, numbers: object) -> None:
        if not refused:
            for more in ({}, {"resume": True}, {"overwrite": True}):
                with pytest.raises(OutputError, match=f"which process {os.getpid()} on .* is writing") as caught:
                    run_tiles(folder, **more)
                refused.append(caught)

    run_tiles(folder, progress=second)
    assert len(refused) == 3
    xr.testing.assert_equal(open_result(folder / "out"), whole(folder)[0])


def test_a_second_process_is_refused_and_a_dead_one_is_not_in_the_way(folder: Path) -> None:
    waiting = "import sys, time\nfrom unmixel.scale import unmix_file\n" + textwrap.dedent("""
        folder = sys.argv[1]
        def wait(*_):
            print("begun", flush=True)
            time.sleep(600)
        unmix_file(f"{folder}/model", f"{folder}/scene.img", f"{folder}/out", progress=wait)
    """)
    with subprocess.Popen([sys.executable, "-c", waiting, str(folder)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None and first.stdout.readline() == b"begun\n"
        with pytest.raises(OutputError, match=f"which process {first.pid} on"):
            run_tiles(folder, resume=True)
        first.kill()
    run_tiles(folder, resume=True)
    xr.testing.assert_equal(open_result(folder / "out"), whole(folder)[0])


def test_what_cannot_be_unmixed_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    values = np.full((4, 2, 2), np.nan)
    values[::2, :, 0], values[1::2, :, 1] = np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2)
    np.save(folder / "never.npy", values)
    with pytest.raises(ModelError, match="2 bands for a model of 12"):
        unmix_file(folder / "model", folder / "never.npy", folder / "out")
    bundle_scene = make_scene(np.random.default_rng(0).random((9, 2, 2)))
    fitted = FCLS(n_endmembers=2).fit(bundle_scene)
    with pytest.raises(SceneError, match="without one valid pixel"):
        unmix_file(fitted, folder / "never.npy", folder / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["model", "never.npy", "scene.hdr", "scene.img"]


def test_a_scene_that_changes_meanwhile(folder: Path) -> None:
    def touch(stage: str, numbers: object) -> None:
        os.utime(folder / "scene.img", (1, 1))

    with pytest.raises(SceneError, match="changed while it was read"):
        run_tiles(folder, progress=touch)
    assert not (folder / "out").exists()


def test_an_old_result_is_replaced_when_the_new_one_is_whole(folder: Path) -> None:
    run_tiles(folder, leave_out=[])
    (folder / "out/abundance.tif").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        run_tiles(folder, tile_memory=10**9)

    def old_is_there(stage: str, numbers: object) -> None:
        assert (folder / "out/abundance.tif").read_bytes() == b"old"

    run_tiles(folder, overwrite=True, progress=old_is_there)
    assert (folder / "out/abundance.tif").read_bytes() != b"old"
    (folder / "out/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="did not write"):
        run_tiles(folder, overwrite=True)
