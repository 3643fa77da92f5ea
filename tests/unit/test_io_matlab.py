"""MATLAB files: both versions must give the same scene, whatever the layout."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from unmixel.errors import SceneError
from unmixel.io import open_scene
from unmixel.io.matlab import read_matlab

ROWS, COLUMNS, BANDS = 4, 6, 5


def scene_values() -> np.ndarray:
    return np.random.default_rng(5).uniform(0.05, 0.6, (ROWS, COLUMNS, BANDS))


def pixel_matrix(values: np.ndarray) -> np.ndarray:
    """Return (band, pixel), pixels counted down the columns, as MATLAB's reshape would."""
    return values.reshape(-1, values.shape[2], order="F").T


def write_mat(path: Path, version: str, variables: dict[str, object]) -> Path:
    """Write variables as MATLAB would: version 7.3 is HDF5 with reversed axes behind a user block."""
    arrays = {name: np.atleast_2d(np.asarray(value)) for name, value in variables.items()}
    if version == "5":
        scipy.io.savemat(path, arrays, do_compression=True)
        return path
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            stored = file.create_dataset(name, data=array.T)
            stored.attrs["MATLAB_class"] = np.bytes_(
                {"f8": "double", "i8": "int64", "u2": "uint16"}[array.dtype.str[1:]]
            )
    with path.open("r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


both = pytest.mark.parametrize("version", ["5", "7.3"])


@both
@pytest.mark.parametrize(
    "names", [("Y", "nRow", "nCol"), ("V", "lines", "cols"), ("Y", "H", "W"), ("X", "rows", "columns")]
)
def test_pixel_matrix(tmp_path: Path, version: str, names: tuple[str, str, str]) -> None:
    matrix, rows, columns = names
    truth = np.random.default_rng(0).random((ROWS, COLUMNS, 2))
    content = {
        matrix: pixel_matrix(scene_values()),
        rows: ROWS,
        columns: COLUMNS,
        "A": pixel_matrix(truth),
        "S_GT": truth,
    }
    scene = open_scene(write_mat(tmp_path / "s.mat", version, content))
    np.testing.assert_array_equal(scene.values, scene_values().astype(np.float32))


@both
@pytest.mark.parametrize("layout", ["cube", "bands first", "pixels first"])
def test_other_layouts(tmp_path: Path, version: str, layout: str) -> None:
    values = scene_values()
    content: dict[str, object] = {"wavelength": np.linspace(0.4, 0.8, BANDS)}
    if layout == "cube":
        content |= {"anything": values, "GT": values[:, :, :2]}
    elif layout == "bands first":
        content |= {"anything": np.moveaxis(values, 2, 0)}
    else:
        content |= {"Y": pixel_matrix(values).T, "nRow": ROWS, "nCol": COLUMNS}
    scene = open_scene(write_mat(tmp_path / "s.mat", version, content))
    np.testing.assert_array_equal(scene.values, values.astype(np.float32))
    np.testing.assert_allclose(scene.wavelength, [400, 500, 600, 700, 800])


@both
@pytest.mark.parametrize("layout", ["cube", "bands first", "matrix", "pixels first"])
def test_rows_are_read_alone_as_in_the_whole(tmp_path: Path, version: str, layout: str) -> None:
    values = scene_values()
    sized: dict[str, object] = {"nRow": ROWS, "nCol": COLUMNS, "nBand": BANDS}
    array = {
        "cube": values,
        "bands first": np.moveaxis(values, 2, 0),
        "matrix": pixel_matrix(values),
        "pixels first": pixel_matrix(values).T,
    }[layout]
    raw = read_matlab(write_mat(tmp_path / "s.mat", version, sized | {"Y": array}))
    np.testing.assert_array_equal(raw.read(1, 3), values[1:3])
    np.testing.assert_array_equal(raw.read(0, ROWS), values)


@both
def test_max_value_stands_for_a_reflectance_of_one(tmp_path: Path, version: str) -> None:
    counts = np.round(scene_values() * 5000).astype(np.uint16)
    content = {"Y": pixel_matrix(counts), "nRow": ROWS, "nCol": COLUMNS, "maxValue": 5000.0}
    path = write_mat(tmp_path / "s.mat", version, content)
    scene = open_scene(path)
    np.testing.assert_array_equal(scene.values, (counts / 5000).astype(np.float32))
    assert "maxValue = 5000 of the file taken as a reflectance of 1" in scene.attrs["reading"]
    np.testing.assert_array_equal(open_scene(path, scale=10_000).values, (counts / 10_000).astype(np.float32))


@both
def test_a_table_of_pixels(tmp_path: Path, version: str) -> None:
    matrix = np.random.default_rng(0).random((BANDS, 24))
    scene = open_scene(write_mat(tmp_path / "s.mat", version, {"Y": matrix}))
    np.testing.assert_array_equal(scene.values[:, 0], matrix.T.astype(np.float32))
    assert "no numbers of rows and columns in the file: a table of pixels" in scene.attrs["reading"]


@both
def test_which_of_two_arrays(tmp_path: Path, version: str) -> None:
    values = scene_values()
    path = write_mat(tmp_path / "s.mat", version, {"clean": values, "noisy": values + 1})
    with pytest.raises(SceneError) as caught:
        open_scene(path)
    assert "clean (4 x 6 x 5), noisy (4 x 6 x 5)" in str(caught.value)
    assert "s.mat::clean" in str(caught.value)
    np.testing.assert_array_equal(open_scene(f"{path}::noisy").values, (values + 1).astype(np.float32))
    with pytest.raises(SceneError, match="without an array 'other'"):
        open_scene(f"{path}::other")


@both
def test_no_array_at_all(tmp_path: Path, version: str) -> None:
    with pytest.raises(SceneError, match="without an array of numbers"):
        open_scene(write_mat(tmp_path / "s.mat", version, {"nRow": 4, "nCol": 6}))


@both
def test_a_truncated_file_is_an_error_wherever_it_ends(tmp_path: Path, version: str) -> None:
    content = {"Y": pixel_matrix(scene_values()), "nRow": ROWS, "nCol": COLUMNS}
    path = write_mat(tmp_path / "s.mat", version, content)
    whole = path.read_bytes()
    lengths = range(16, len(whole), 41) if version == "5" else range(600, len(whole), len(whole) // 20)
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(SceneError, match=r"s\.mat"):
            open_scene(path)


@pytest.mark.parametrize("packed", [False, True])
def test_flags_of_truth_values_are_used(packed: bool, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 6, 5))
    flags = np.array([True, False, True, True, False])
    scipy.io.savemat(tmp_path / "5.mat", {"cube": values, "good_band": flags}, do_compression=packed)
    with h5py.File(tmp_path / "7.mat", "w", userblock_size=512) as file:
        file["cube"], file["good_band"], file["mask"] = values.T, flags[:, None].astype("u1"), np.ones((9, 6, 4), "u1")
        for name in ("good_band", "mask"):
            file[name].attrs["MATLAB_class"] = np.bytes_("logical")
    for name in ("5.mat", "7.mat"):
        assert open_scene(tmp_path / name).good_band.values.tolist() == flags.tolist()


def test_what_is_not_used_is_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file["cube"] = np.random.default_rng(0).random((5, 6, 4))
        for name in ("title", "Wavelength", "other"):
            file.create_dataset(name, shape=(1_000_000, 1), dtype="f8")
    tracemalloc.start()
    open_scene(tmp_path / "s.mat")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_zeros_after_the_last_variable_are_damage(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "s.mat", {"cube": np.ones((4, 6, 5))})
    with (tmp_path / "s.mat").open("ab") as file:
        file.write(bytes(1000))
    with pytest.raises(SceneError, match="an element of kind 0"):
        open_scene(tmp_path / "s.mat")
