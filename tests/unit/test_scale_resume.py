"""A run that was killed, or could not go on for a moment, ends as one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from killed_runs import exit_code, unmix_and_die
from tiled_scene import N_TILES, TILE_MEMORY, content, make_folder, run_tiles, whole

from unmixel.errors import ModelError, OutputError, SceneError
from unmixel.io import open_scene
from unmixel.io.lazy import LazyScene
from unmixel.io.windows import Window
from unmixel.methods.scls import SCLS
from unmixel.result import open_result
from unmixel.scale import unmix_file
from unmixel.scale.journal import Journal
from unmixel.scale.tile_work import unmix_tile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scene and a model."""
    return make_folder(tmp_path)


def kill_at(folder: Path, point: str, at: int) -> None:
    assert exit_code(unmix_and_die, folder, TILE_MEMORY, point, at) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "at", "n_done"),
    [
        ("tile", None, None),
        ("before the journal", 0, 0),
        ("before the journal", 5, 3),
        ("maps", 0, N_TILES),
        ("spectra", 0, N_TILES),
        ("before the move", 0, N_TILES),
        ("after the move", 0, N_TILES),
    ],
)
def test_a_killed_run_ends_as_an_undisturbed_one(folder: Path, point: str, at: int | None, n_done: int | None) -> None:
    if at is None:
        at = int(np.random.default_rng().integers(0, N_TILES))
        print("killed after tile", at)
    run_tiles(folder)
    undisturbed = content(folder / "out")
    (folder / "out").rename(folder / "undisturbed")
    kill_at(folder, point, at)
    assert (folder / "out").exists() == (point == "after the move")
    run = run_tiles(folder, resume=True)
    assert run.n_done_before == (at + 1 if n_done is None else n_done)
    assert content(folder / "out") == undisturbed
    assert not (folder / ".out.unfinished").exists()


def test_a_tile_cut_short_is_made_again(folder: Path) -> None:
    run_tiles(folder)
    undisturbed = content(folder / "out")
    (folder / "out").rename(folder / "undisturbed")
    kill_at(folder, "tile", 5)
    (shard,) = folder.glob(".out.unfinished/*/result/result.zarr/abundance/c/4/0/0")
    shard.write_bytes(shard.read_bytes()[:-20])
    with (folder / ".out.unfinished/journal").open("a") as journal:
        journal.write('{"tile": 6, "pixels": 301, "fi')
    run = run_tiles(folder, resume=True)
    assert run.n_done_before == 5
    assert content(folder / "out") == undisturbed


def test_resuming_begins_a_run_and_repeats_none(folder: Path) -> None:
    assert run_tiles(folder, resume=True).n_done_before == 0
    before = content(folder / "out")
    again = run_tiles(folder, resume=True)
    assert (again.n_done_before, again.n_valid) == (N_TILES, 0)
    assert content(folder / "out") == before
    with pytest.raises(OutputError, match="exists"):
        run_tiles(folder)


def test_an_unfinished_run_is_neither_lost_nor_mixed_with_another(folder: Path) -> None:
    kill_at(folder, "tile", 2)
    with pytest.raises(OutputError, match=r"unfinished run .*3 tiles"):
        run_tiles(folder)
    other = SCLS(n_endmembers=3).fit(open_scene(folder / "scene.img"))
    with pytest.raises(OutputError, match="another model"):
        unmix_file(other, folder / "scene.img", folder / "out", resume=True)
    with pytest.raises(OutputError, match="another leave_out"):
        run_tiles(folder, resume=True, leave_out=[(1, 2)])
    os.utime(folder / "scene.img", (1, 1))
    with pytest.raises(OutputError, match="another scene"):
        run_tiles(folder, resume=True)
    assert run_tiles(folder, overwrite=True).n_done_before == 0


def test_tiles_stay_as_they_were_when_a_run_goes_on(folder: Path) -> None:
    kill_at(folder, "tile", 2)
    run = run_tiles(folder, resume=True, tile_memory=10**9)
    assert (run.n_tiles, run.n_done_before) == (N_TILES, 3)


@pytest.mark.parametrize("change", [lambda tiles: tiles[::-1], lambda tiles: tiles[:-1]], ids=["order", "number"])
def test_a_run_with_tiles_in_another_order_is_not_gone_on_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[list[Window]], list[Window]]
) -> None:
    """A tile is known by its number: with another order the numbers that are done would be other pixels."""
    kill_at(folder, "tile", 2)
    windows = LazyScene.windows
    with monkeypatch.context() as patch:
        patch.setattr(LazyScene, "windows", lambda self, memory=None: change(windows(self, memory)))
        with pytest.raises(OutputError, match="with other tiles than this unmixel makes of the scene"):
            run_tiles(folder, resume=True)
    assert run_tiles(folder, resume=True).n_done_before == 3


def test_an_unfinished_run_that_does_not_tell_its_tiles_is_not_gone_on_with(folder: Path) -> None:
    kill_at(folder, "tile", 2)
    journal = folder / ".out.unfinished/journal"
    first, *others = journal.read_text().splitlines(keepends=True)
    begun = json.loads(first)
    del begun["tiles"]
    journal.write_text("".join([json.dumps(begun) + "\n", *others]))
    with pytest.raises(OutputError, match="other tiles"):
        run_tiles(folder, resume=True)
    assert run_tiles(folder, overwrite=True).n_done_before == 0


def test_a_model_that_was_changed_is_not_gone_on_with(folder: Path) -> None:
    kill_at(folder, "tile", 2)
    SCLS(n_endmembers=3).fit(open_scene(folder / "scene.img")).save(folder / "other")
    for name in ("model.json", "model.safetensors"):
        (folder / "other" / name).replace(folder / ".out.unfinished/model" / name)
    with pytest.raises(ModelError, match="which was changed"):
        run_tiles(folder, resume=True)


def test_a_scene_that_cannot_be_read_for_a_moment_costs_nothing(folder: Path) -> None:
    def lose(stage: str, numbers: dict[str, float]) -> None:
        if stage == "tiles" and numbers["tile"] == 3:
            (folder / "scene.img").rename(folder / "lost.img")

    with pytest.raises((SceneError, OSError)):
        run_tiles(folder, progress=lose)
    (folder / "lost.img").rename(folder / "scene.img")
    assert run_tiles(folder, resume=True).n_done_before == 3
    xr.testing.assert_equal(open_result(folder / "out"), whole(folder)[0])


@pytest.mark.parametrize("ballast_kb", [24, 60, 100])
def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(folder: Path, ballast_kb: int) -> None:
    run_tiles(folder, "undisturbed")
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        (disk / "ballast").write_bytes(bytes(600 * 1024 - ballast_kb * 1024))
        with pytest.raises(OutputError, match=r"cannot be written|No space|enough"):
            run_tiles(folder, "disk/out")
        assert not (disk / "out").exists()
        (disk / "ballast").unlink()
        run_tiles(folder, "disk/out", resume=True)
        assert content(disk / "out") == content(folder / "undisturbed")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_worker_of_an_earlier_run_does_no_harm(folder: Path) -> None:
    kill_at(folder, "tile", 2)
    unfinished = folder / ".out.unfinished"
    token = Journal(unfinished / "journal").lines[0]["token"]
    refused = []

    def late(stage: str, numbers: object) -> None:
        if stage == "tiles" and not refused:
            with pytest.raises(ModelError, match="holds another run"):
                unmix_tile(str(unfinished), token, 5)
            refused.append(True)

    run_tiles(folder, overwrite=True, progress=late)
    assert refused
    xr.testing.assert_equal(open_result(folder / "out"), whole(folder)[0])


def test_the_journal_forgets_a_line_cut_short(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for tile in range(3):
        journal.add({"tile": tile})
    whole_text = journal.path.read_bytes()
    for length in range(len(whole_text)):
        journal.path.write_bytes(whole_text[:length])
        again = Journal(journal.path)
        assert again.lines == [{"tile": tile} for tile in range(whole_text[:length].count(b"\n"))]
        again.add({"tile": 9})
        assert Journal(journal.path).lines[-1] == {"tile": 9}
