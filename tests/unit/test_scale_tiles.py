"""Unmixing by tiles gives what unmixing the whole scene gives, and a run that was killed ends as one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr
from affine import Affine
from killed_runs import exit_code, unmix_and_die
from tiled_scene import BANDS, COLUMNS, N_TILES, ROWS, TILE_MEMORY, content, make_folder

from unmixel.diagnostics import diagnose
from unmixel.errors import ModelError, OutputError, SceneError
from unmixel.io import open_scene, save_scene, write_envi
from unmixel.io.cog import stream_cog, write_cog
from unmixel.io.lazy import LazyScene
from unmixel.io.result_folder import write_result_folder
from unmixel.io.windows import Window, natural_windows
from unmixel.methods._fitted import Fitted
from unmixel.methods.fcls import FCLS
from unmixel.methods.scls import SCLS
from unmixel.registry import load
from unmixel.result import open_result, provenance_of
from unmixel.scale import TileRun, sample_pixels, unmix_file
from unmixel.scale.journal import Journal
from unmixel.scale.tile_work import unmix_tile
from unmixel.scene import make_scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scene and a model."""
    return make_folder(tmp_path)


def run_tiles(folder: Path, output: str = "out", **more: object) -> TileRun:
    return unmix_file(folder / "model", folder / "scene.img", folder / output, **({"tile_memory": TILE_MEMORY} | more))


def whole(folder: Path, fitted: Fitted | None = None) -> tuple[xr.Dataset, Path]:
    fitted = fitted or load(folder / "model")
    scene = open_scene(folder / "scene.img")
    result = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    write_result_folder(result, folder / "whole", scene=scene, fitted=fitted)
    return open_result(folder / "whole"), folder / "whole"


def assert_alike(mine: object, theirs: object) -> None:
    """Check that two records are the same up to the rounding of sums."""
    if isinstance(theirs, dict):
        assert isinstance(mine, dict) and mine.keys() == theirs.keys()
        for name in theirs:
            assert_alike(mine[name], theirs[name])
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-12)
    else:
        assert mine == theirs


@pytest.mark.parametrize("memory", [TILE_MEMORY, 20 * BANDS * 22, 10**9])
def test_tiles_give_the_files_of_the_whole(folder: Path, memory: int) -> None:
    expected, where = whole(folder)
    run = run_tiles(folder, tile_memory=memory)
    result = open_result(folder / "out")
    xr.testing.assert_equal(result, expected)
    assert {name: v.attrs for name, v in result.data_vars.items()} == {
        n: v.attrs for n, v in expected.data_vars.items()
    }
    assert result.spatial_ref.attrs == expected.spatial_ref.attrs
    assert run.n_valid == int(expected.abundance.notnull().all("endmember").sum())
    theirs, mine = content(where), content(folder / "out")
    files = [name for name in theirs if "result.zarr" not in name and name != "provenance.json"]
    assert {"abundance.tif", "outside_reach.tif", "scene.tif", "endmembers.sli", "model/model.safetensors"} < set(files)
    assert [name for name in files if mine[name] != theirs[name]] == []
    listed = [json.loads(content["provenance.json"])["files"] for content in (mine, theirs)]
    assert [name for name in listed[0] if name != "item.json"] == listed[1]
    assert result.outside_reach[33, 5:9].all() and result.outside_reach.sum() < 40
    assert_alike(provenance_of(result)["diagnosis"], provenance_of(expected)["diagnosis"])
    assert set(provenance_of(expected)) - set(provenance_of(result)) == {"unmix_s"}
    assert sorted(path.name for path in folder.iterdir() if "out" in path.name) == ["out"]


@pytest.mark.parametrize("kind", ["zarr", "tif", "nc"])
def test_other_formats_and_blocks(folder: Path, kind: str) -> None:
    scene = open_scene(folder / "scene.img")
    path = folder / f"again.{kind}"
    if kind == "tif":
        shape = {"height": ROWS, "width": COLUMNS, "count": BANDS, "dtype": "float32", "nodata": -1.0}
        blocks = {"tiled": True, "blockxsize": 16, "blockysize": 16}
        with rasterio.open(path, "w", driver="GTiff", **shape, **blocks) as file:
            file.write(np.moveaxis(scene.fillna(-1.0).values, 2, 0))
            for band, wavelength in enumerate(scene.wavelength.values):
                file.update_tags(band + 1, wavelength=wavelength, wavelength_units="nm")
    else:
        save_scene(scene, path)
    fitted = load(folder / "model")
    again = open_scene(path, keep_atmosphere=True)
    expected = diagnose(again, fitted.unmix(again), fitted=fitted)
    run = unmix_file(folder / "model", path, folder / "out", tile_memory=TILE_MEMORY)
    assert run.n_tiles > 4
    xr.testing.assert_equal(open_result(folder / "out").drop_attrs(), expected.drop_attrs())


def test_idnet_by_tiles(folder: Path) -> None:
    from unmixel.methods.idnet import IDNet

    sample = sample_pixels_of(folder)
    fitted = IDNet(n_endmembers=3, n_epochs=1, steps_per_epoch=2).fit(sample)
    expected, _ = whole(folder, fitted)
    run = unmix_file(fitted, folder / "scene.img", folder / "out", tile_memory=TILE_MEMORY)
    assert run.n_tiles == N_TILES
    result = open_result(folder / "out")
    xr.testing.assert_equal(result, expected)
    assert_alike(provenance_of(result)["diagnosis"], provenance_of(expected)["diagnosis"])
    assert {"abundance_sd", "latent_mean", "nonlinearity_degree"} < set(result)
    assert (folder / "out/nonlinearity.tif").read_bytes() == (folder / "whole/nonlinearity.tif").read_bytes()


def sample_pixels_of(folder: Path) -> xr.DataArray:
    from unmixel.io import open_lazily

    return sample_pixels(open_lazily(folder / "scene.img"), 400).scene


def test_masked_tiles_cost_nothing(folder: Path) -> None:
    run_tiles(folder)
    abundance = zarr.open_array(folder / "out/result.zarr/abundance", mode="r")
    assert abundance.shards == (7, COLUMNS, 3)
    shards = sorted(int(path.name) for path in (folder / "out/result.zarr/abundance/c").iterdir())
    assert shards == [0, 3, 4, 5, 6, 7, 8]
    result = open_result(folder / "out")
    assert result.abundance[7:21].isnull().all() and result.reconstruction_rmse[40, 3:30].isnull().all()
    assert result.abundance[21:40].notnull().all()


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


def test_progress_has_numbers_that_make_sense(folder: Path) -> None:
    said = []
    run = run_tiles(folder, progress=lambda stage, numbers: said.append((stage, dict(numbers))))
    for stage, unit, total in (("reading", "window", N_TILES), ("tiles", "tile", N_TILES), ("writing", "map", 4)):
        assert [numbers[unit] for one, numbers in said if one == stage] == list(range(1, total + 1))
        assert all(numbers["of"] == total for one, numbers in said if one == stage)
    tiles = [numbers for stage, numbers in said if stage == "tiles"]
    assert tiles[-1]["s left"] == 0 and tiles[0]["s left"] > 0
    assert all(numbers["px/s"] > 0 for numbers in tiles)
    assert tiles[-1]["MB"] * 1e6 <= run.peak_memory


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


MEMORY = """
    import sys
    from pathlib import Path
    from unmixel.io import open_scene
    from unmixel.registry import load
    from unmixel.scale import unmix_file

    def largest():
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

    folder, scene, how = sys.argv[1:]
    unmix_file(f"{folder}/model", f"{folder}/warm.img", f"{folder}/warm_{how}_{scene}", tile_memory=4_000_000)
    Path("/proc/self/clear_refs").write_text("5")
    before = largest()
    if how == "tiles":
        unmix_file(f"{folder}/model", f"{folder}/{scene}.img", f"{folder}/{how}_{scene}", tile_memory=4_000_000)
    else:
        load(f"{folder}/model").unmix(open_scene(f"{folder}/{scene}.img"))
    print(largest() - before)
"""


def test_memory_does_not_grow_with_the_scene(tmp_path: Path) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("resident memory is measured on Linux only")
    rng = np.random.default_rng(0)
    spectra = rng.uniform(0.05, 0.6, (3, 50))
    for name, rows in (("warm", 110), ("small", 400), ("large", 1200)):
        values = (rng.dirichlet(np.ones(3), (rows, 200)) @ spectra).astype(np.float32)
        write_envi(make_scene(values, wavelength=np.linspace(450, 2400, 50)), tmp_path / f"{name}.img")
    FCLS(n_endmembers=3).fit(open_scene(tmp_path / "small.img")).save(tmp_path / "model")

    def growth(how: str) -> int:
        peaks = [
            subprocess.run(
                [sys.executable, "-c", textwrap.dedent(MEMORY), str(tmp_path), scene, how],
                capture_output=True,
                check=True,
            ).stdout
            for scene in ("small", "large")
        ]
        return int(peaks[1]) - int(peaks[0])

    more = 800 * 200 * 50 * 4
    by_tiles, whole_scene = growth("tiles"), growth("whole")
    assert by_tiles < more / 2
    assert whole_scene > more


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


def test_a_scene_that_cannot_be_read_for_a_moment_costs_nothing(folder: Path) -> None:
    def lose(stage: str, numbers: dict[str, float]) -> None:
        if stage == "tiles" and numbers["tile"] == 3:
            (folder / "scene.img").rename(folder / "lost.img")

    with pytest.raises((SceneError, OSError)):
        run_tiles(folder, progress=lose)
    (folder / "lost.img").rename(folder / "scene.img")
    assert run_tiles(folder, resume=True).n_done_before == 3
    xr.testing.assert_equal(open_result(folder / "out"), whole(folder)[0])


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


def test_a_model_that_was_changed_is_not_gone_on_with(folder: Path) -> None:
    kill_at(folder, "tile", 2)
    SCLS(n_endmembers=3).fit(open_scene(folder / "scene.img")).save(folder / "other")
    for name in ("model.json", "model.safetensors"):
        (folder / "other" / name).replace(folder / ".out.unfinished/model" / name)
    with pytest.raises(ModelError, match="which was changed"):
        run_tiles(folder, resume=True)
