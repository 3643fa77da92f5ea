"""`unmixel convert`: what was known of a scene is known of its copy, and nobody's file is replaced."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from unmixel.cli.main import run
from unmixel.io import open_scene, write_envi
from unmixel.scene import make_scene, transform_of

Unmixel = Callable[..., tuple[int, str, str]]
PLACE = Affine(2, 1, 100, 1, -2, 50)


@pytest.fixture
def unmixel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Unmixel:
    """The program: `unmixel("convert", ...)` gives exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """A scene in counts of 1/10000, its wavelengths descending, in micrometres."""
    stored = np.random.default_rng(3).integers(100, 6000, (6, 4, 5)).astype(np.int16)
    stored[0, 3] = -1
    file = tmp_path / "counts.npz"
    np.savez(file, scene=stored, wavelength=[0.85, 0.75, 0.65, 0.55, 0.45])
    return file


@pytest.mark.parametrize("name", ["out.tif", "out.img", "out.nc", "out.zarr", "out.hdr"])
def test_what_is_written_is_what_is_read(name: str, tmp_path: Path, counts: Path, unmixel: Unmixel) -> None:
    status, out, err = unmixel("convert", counts, tmp_path / name, "--scale", 10_000, "--bands", "700-800")
    assert status == 0, err
    written = tmp_path / name.replace(".hdr", ".img")
    assert out.replace("\n", "") == f"{written}: 6 x 4 x 5 (rows x columns x bands)"
    assert "values divided by 10000 (as asked)" in err
    given, back = open_scene(counts, scale=10_000, leave_out=[(700, 800)]), open_scene(written)
    np.testing.assert_array_equal(back.values, given.values)
    np.testing.assert_array_equal(back["wavelength"].values, [450, 550, 650, 750, 850])
    assert back["good_band"].values.tolist() == [True, True, True, False, True]


def test_other_programs_see_it(tmp_path: Path, unmixel: Unmixel) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.9, (5, 3, 4))
    write_envi(make_scene(values, wavelength=[450, 550, 650, 850], transform=PLACE), tmp_path / "scene.img")
    assert unmixel("convert", tmp_path / "scene.hdr", tmp_path / "copy.tif")[0] == 0
    with rasterio.open(tmp_path / "copy.tif") as file:
        assert file.transform == PLACE
        np.testing.assert_array_equal(file.read(2), values[:, :, 1].astype(np.float32))
        assert file.tags(4, ns="IMAGERY") == {"CENTRAL_WAVELENGTH_UM": "0.8500"}
    assert unmixel("convert", tmp_path / "copy.tif", tmp_path / "again.nc")[0] == 0
    assert transform_of(open_scene(tmp_path / "again.nc")) == PLACE


def test_refusals(tmp_path: Path, counts: Path, unmixel: Unmixel) -> None:
    def refused(*arguments: object) -> str:
        status, out, err = unmixel("convert", *arguments)
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        return err

    assert "ends in .tif" in refused(counts, tmp_path / "out.png")
    (tmp_path / "out.nc").write_text("mine")
    assert "exists" in refused(counts, tmp_path / "out.nc", "--scale", 10_000)
    assert (tmp_path / "out.nc").read_text() == "mine"
    assert unmixel("convert", counts, tmp_path / "out.nc", "--scale", 10_000, "--overwrite")[0] == 0
    assert "read from" in refused(tmp_path / "out.nc", tmp_path / "out.nc", "--overwrite")
    assert "does not exist" in refused(tmp_path / "nothing.img", tmp_path / "a.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.npz", "out.nc"]
