"""What is no scene is refused in a line that names the file; what is imperfect is taken, and noted."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from unmixel.errors import ParameterError, SceneError
from unmixel.io import looks_like_reflectance, open_scene
from unmixel.io.wavelength_units import to_nanometres
from unmixel.scene import make_scene, valid_pixels


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(0.05, 0.6, shape or (4, 6, 5))


def saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "scene.npy", array)
    return folder / "scene.npy"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("scene.hdr", b"these are notes on the flight\n", "no ENVI header"),
        ("scene.dat", b"ENVI\nsamples = 3\n", "ends in .hdr"),
        ("scene", b"", "empty"),
        ("scene.img", bytes(range(256)) * 9, "unknown format"),
        ("scene.tif", b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "PNG picture"),
        ("scene.bsq", b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 30, "JPEG picture"),
        ("scene.tif", b"II*\0" + b"\xff" * 40, "TIFF"),
        ("scene.mat", b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", "MATLAB"),
        ("scene.nc", b"\x89HDF\r\n\x1a\n" + b"\0" * 90, "NetCDF"),
        ("scene.npz", b"PK\x03\x04" + b"\0" * 90, "npz"),
        ("scene.npy", b"\x93NUMPY\x01\x00", "array"),
        (
            "product.tar.gz",
            gzip.compress(b"A-METADATA.XML", mtime=0),
            "packed by gzip; expected a scene file or the folder",
        ),
    ],
)
def test_content_that_is_no_scene(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SceneError) as caught:
        open_scene(tmp_path / name)
    message = str(caught.value)
    assert complaint in message
    assert name in message
    assert "\n" not in message
    assert "expected" in message


def test_a_product_as_it_was_downloaded_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "S2B_MSIL2A.SAFE.zip", "w") as archive:
        archive.writestr("S2B_MSIL2A.SAFE/MTD_MSIL2A.xml", "<n1/>")
    with pytest.raises(SceneError, match=r"S2B_MSIL2A\.SAFE\.zip, a ZIP archive; expected .* product; unpack it"):
        open_scene(tmp_path / "S2B_MSIL2A.SAFE.zip")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="does not exist"):
        open_scene(tmp_path / "nothing.hdr")
    with pytest.raises(SceneError, match="a folder"):
        open_scene(tmp_path)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (values(4, 6, 1), "one band"),
        (np.full((4, 6, 5), np.nan), "without one valid pixel"),
        (np.zeros((4, 6, 5)), "without one valid pixel"),
        ((values(4, 6, 3) * 255).astype(np.uint8), "colour picture"),
        (values(4, 6, 5) * 1j, "complex"),
        (values(4, 6, 5, 2), "shape"),
        (np.array([["a", "b"], ["c", "d"]]), "type"),
    ],
)
def test_arrays_that_are_no_scene(tmp_path: Path, array: np.ndarray, complaint: str) -> None:
    with pytest.raises(SceneError, match=complaint) as caught:
        open_scene(saved(tmp_path, array))
    assert "scene.npy" in str(caught.value)


def test_every_pixel_invalid_in_some_band(tmp_path: Path) -> None:
    array = values(2, 3, 4)
    array[0, :, 1] = np.nan
    array[1, :, 2] = np.nan
    with pytest.raises(SceneError, match="without one valid pixel"):
        open_scene(saved(tmp_path, array))


def test_dead_and_constant_bands_are_left_out(tmp_path: Path) -> None:
    array = values(8, 6, 5)
    array[1, 1, 2] = np.nan
    array[:, :, 3] = np.nan
    array[:, :, 4] = 0.25
    scene = open_scene(saved(tmp_path, array))
    assert scene.good_band.values.tolist() == [True, True, True, False, False]
    assert valid_pixels(scene).sum() == 47
    notes = scene.attrs["reading"]
    assert "1 band left out: invalid in every pixel" in notes
    assert "1 band left out: constant over the scene" in notes


def test_notes_on_imperfections(tmp_path: Path) -> None:
    array = values(8, 6, 5)
    array[0, 0] = -0.02
    array[1, 1, 2] = np.nan
    array[2, 2] = 0.0
    array[4:6, 2:5] = array[4, 2]
    scene = open_scene(saved(tmp_path, array))
    assert not valid_pixels(scene)[1, 1]
    assert not valid_pixels(scene)[2, 2]
    assert valid_pixels(scene).sum() == 46
    notes = scene.attrs["reading"]
    assert "1 pixels masked: zero in every band" in notes
    assert "2.17% of the values are negative (kept)" in notes
    assert "4 pixels repeat the spectrum of their left neighbour exactly (kept)" in notes


def test_ranges_to_leave_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", values(), wavelength=[500.0, 600, 700, 800, 900])
    scene = open_scene(tmp_path / "a.npz", leave_out=[(600, 700), (880.5, 2000)])
    assert scene.good_band.values.tolist() == [True, False, False, True, False]
    by_number = open_scene(saved(tmp_path, values()), leave_out=[(1, 2), (5, 5)])
    assert by_number.good_band.values.tolist() == [False, False, True, True, False]
    with pytest.raises(ParameterError, match="the smaller number first"):
        open_scene(tmp_path / "a.npz", leave_out=[(700, 600)])


@pytest.mark.parametrize("scale", [0, -1.0, float("nan")])
def test_scale_must_be_positive(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ParameterError, match="positive"):
        open_scene(saved(tmp_path, values()), scale=scale)


def test_only_some_files_have_arrays_to_choose(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"MATLAB or \.npz"):
        open_scene(f"{saved(tmp_path, values())}::Y")


def test_reading_by_blocks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = (values(9, 6, 5) * 1000).astype(np.int16)
    path = saved(tmp_path, counts)
    whole = open_scene(path, scale=1000)
    monkeypatch.setattr("unmixel.io.opening._VALUES_AT_ONCE", 2 * 6 * 5 + 1)
    by_two_rows = open_scene(path, scale=1000)
    assert by_two_rows.identical(whole)


@pytest.mark.parametrize(
    ("wavelength", "unit", "factor", "noted"),
    [
        ([0.4, 2.5], "Micrometers", 1000, False),
        ([400, 2500], "Nanometers", 1, False),
        ([8.0, 12.0], "µm", 1000, False),
        ([0.4, 2.5], "Unknown", 1000, True),
        ([400, 2500], "", 1, True),
        ([400, 2500], "Micrometers", 1, True),
        ([0.4, 2.5], "nm", 1000, True),
        ([1, 2, 3], "", None, True),
        ([7, 9], "Index", None, True),
    ],
)
def test_units_of_wavelength(wavelength: list[float], unit: str, factor: float | None, noted: bool) -> None:
    found, note = to_nanometres(wavelength, unit)
    assert found == factor
    assert bool(note) == noted


@pytest.mark.parametrize("wavelength", [[0.0, 0.0], [-1.0, 2.0], [50.0, 500.0], [4e4, 9e4]])
def test_wavelengths_without_a_possible_unit(wavelength: list[float]) -> None:
    with pytest.raises(SceneError, match="wavelengths from"):
        to_nanometres(wavelength, "")


@pytest.mark.parametrize(
    ("factor", "complaint"),
    [
        (1.0, None),
        (1.7, None),
        (100, "dividing by 100 "),
        (10_000, "dividing by 10000 "),
        (1e-4, "divided twice"),
    ],
)
def test_plausibility(factor: float, complaint: str | None) -> None:
    warning = looks_like_reflectance(make_scene(values(20, 30, 4) * factor))
    assert (warning is None) if complaint is None else (complaint in str(warning))


def test_a_no_data_value_left_in_is_suspected() -> None:
    array = values(20, 30, 4)
    array[:5] = -9999
    array[0, 0] = -9998
    assert "no-data" in str(looks_like_reflectance(make_scene(array)))


def test_an_array_without_pixels_is_refused(tmp_path):
    np.save(tmp_path / "empty.npy", np.zeros((0, 0, 40)))
    with pytest.raises(SceneError, match="at least one pixel"):
        open_scene(tmp_path / "empty.npy")


@pytest.mark.parametrize("leave_out", [(1350, 1450), "1350-1450", [(1, 2, 3)]])
def test_ranges_that_are_no_pairs_are_refused(tmp_path, leave_out):
    np.save(tmp_path / "scene.npy", np.random.default_rng(0).random((3, 4, 10)))
    with pytest.raises(ParameterError, match="pairs of numbers"):
        open_scene(tmp_path / "scene.npy", leave_out=leave_out)
