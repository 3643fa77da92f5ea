"""A run that is killed while it reads or learns ends as one that was not."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from killed_runs import exit_code, learn_and_die
from tiled_scene import COLUMNS, ROWS, TILE_MEMORY, content, make_folder

from unmixel.errors import OutputError, SceneError
from unmixel.io import open_lazily, open_scene, save_scene
from unmixel.methods.fcls import FCLS
from unmixel.result import open_result, provenance_of
from unmixel.scale import fit_to_all, unmix_file
from unmixel.scene import pixels_of


def run(folder: Path, output: str, stage: str = "", at: int = 0) -> int:
    return exit_code(learn_and_die, folder, output, TILE_MEMORY, stage, at)


def test_a_run_killed_while_it_learns_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    make_folder(tmp_path)
    assert run(tmp_path, "undisturbed") == 0
    for stage, at in (("reading", 4), ("train", 1), ("train", 2), ("tiles", 3)):
        assert run(tmp_path, "killed", stage, at) == -signal.SIGKILL
        assert not (tmp_path / "killed").exists()
    assert run(tmp_path, "killed") == 0
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
    assert provenance_of(open_result(tmp_path / "killed"))["stopped"] == "all 3 epochs done"


def test_the_number_of_endmembers_is_found_and_told(tmp_path: Path) -> None:
    make_folder(tmp_path)
    told: list[object] = []
    heard: list[str] = []
    unmix_file(
        FCLS(),
        tmp_path / "scene.img",
        tmp_path / "out",
        tile_memory=TILE_MEMORY,
        on_number=told.append,
        on_scene=lambda sample: heard.extend(sample.attrs["reading"]),
    )
    provenance = provenance_of(open_result(tmp_path / "out"))
    assert len(told) == 1
    assert provenance["number_of_endmembers"]["suggested"] == provenance["parameters"]["n_endmembers"]
    whole = open_scene(tmp_path / "scene.img").attrs["reading"]
    assert set(heard) == set(whole) and provenance["scene_reading"] == heard


def test_one_model_learns_from_all_scenes(tmp_path: Path) -> None:
    make_folder(tmp_path)
    scene = open_scene(tmp_path / "scene.img")
    half = ROWS // 2
    save_scene(scene[:half], tmp_path / "north.zarr")
    save_scene(scene[half:], tmp_path / "south.zarr")
    parts = [open_lazily(tmp_path / name) for name in ("north.zarr", "south.zarr")]
    method = FCLS(n_endmembers=3)
    fitted = fit_to_all(method, parts, tmp_path / "common")
    np.testing.assert_allclose(fitted.endmembers, method.fit(scene).endmembers, rtol=1e-6)
    with pytest.raises(OutputError, match="common exists"):
        fit_to_all(method, parts, tmp_path / "common")
    again = fit_to_all(method, parts, tmp_path / "common", resume=True)
    assert again.digest() == fitted.digest()
    with pytest.raises(OutputError, match="common exists"):
        fit_to_all(FCLS(n_endmembers=2), parts, tmp_path / "common", resume=True)
    assert len(fit_to_all(FCLS(n_endmembers=2), parts, tmp_path / "common", overwrite=True).endmember) == 2
    (tmp_path / "common/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="common, which holds thesis"):
        fit_to_all(method, parts, tmp_path / "common", overwrite=True)
    assert pixels_of(scene).shape[0] < ROWS * COLUMNS


def test_scenes_of_other_bands_get_no_common_model(tmp_path: Path) -> None:
    make_folder(tmp_path)
    scene = open_scene(tmp_path / "scene.img")
    save_scene(scene[:, :, :-1], tmp_path / "fewer.zarr")
    save_scene(scene.assign_coords(wavelength=scene.wavelength + 90), tmp_path / "shifted.zarr")
    first = open_lazily(tmp_path / "scene.img")
    with pytest.raises(SceneError, match="11 bands"):
        fit_to_all(FCLS(n_endmembers=3), [first, open_lazily(tmp_path / "fewer.zarr")], tmp_path / "common")
    with pytest.raises(SceneError, match=r"band 4 at 1071\.8 nm in .*shifted"):
        fit_to_all(FCLS(n_endmembers=3), [first, open_lazily(tmp_path / "shifted.zarr")], tmp_path / "common")
    assert not (tmp_path / "common").exists()
