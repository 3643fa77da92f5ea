"""ENVI files made byte by byte here, so that the reader can't be wrong in the same way as a writer."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from unmixel.errors import OutputError, SceneError
from unmixel.io import open_lazily, open_scene, write_envi
from unmixel.scene import crs_wkt_of, make_scene, transform_of

ROWS, COLUMNS, BANDS = 3, 4, 5
ORDER = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
TYPES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13, "i8": 14, "u8": 15}


def numbered(dtype: str = "i2") -> np.ndarray:
    """Return values (y, x, band), each of which tells its place."""
    y, x, band = np.meshgrid(np.arange(ROWS), np.arange(COLUMNS), np.arange(BANDS), indexing="ij")
    return (40 * y + 10 * x + band + 1).astype(dtype)


def write(
    folder: Path,
    values: np.ndarray,
    *,
    interleave: str = "bsq",
    big: bool = False,
    offset: int = 0,
    data: str = "scene.img",
    header: str = "scene.hdr",
    more: str = "",
) -> Path:
    stored = values.transpose(ORDER[interleave]).astype(values.dtype.newbyteorder(">" if big else "<"))
    (folder / data).write_bytes(b"\x07" * offset + stored.tobytes())
    rows, columns, bands = values.shape
    text = f"ENVI\nsamples = {columns}\nlines = {rows}\nbands = {bands}\nheader offset = {offset}\n"
    text += f"data type = {TYPES[values.dtype.str[1:]]}\ninterleave = {interleave}\nbyte order = {int(big)}\n"
    (folder / header).write_text(text + more)
    return folder / data


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_every_value_lands_in_its_place(tmp_path: Path, interleave: str, big: bool, dtype: str) -> None:
    values = numbered(dtype)
    path = write(tmp_path, values, interleave=interleave, big=big, offset=17)
    np.testing.assert_array_equal(open_scene(path).values, values.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "header"),
    [
        ("scene.dat", "scene.hdr"),
        ("scene.img", "scene.img.hdr"),
        ("scene", "scene.hdr"),
        ("a.b.bsq", "a.b.hdr"),
    ],
)
def test_header_or_data_file_may_be_given(tmp_path: Path, data: str, header: str) -> None:
    write(tmp_path, numbered(), data=data, header=header)
    by_data, by_header = open_scene(tmp_path / data), open_scene(tmp_path / header)
    np.testing.assert_array_equal(by_data.values, numbered())
    assert by_header.identical(by_data)


def test_header_fields_are_applied_once_and_recorded(tmp_path: Path) -> None:
    values = numbered() * 100
    values[1, 2, 3] = -9999
    path = write(
        tmp_path,
        values,
        more="wavelength units = Micrometers\nwavelength = {0.9, 0.8,\n 0.7, 0.6, 0.5}\n"
        "fwhm = {.05, .04, .03, .02, .01}\nbbl = {1, 0, 1, 1, 1}\ndata ignore value = -9999\n"
        "reflectance scale factor = 10000\n; a comment = 3\n",
    )
    scene = open_scene(path)
    np.testing.assert_allclose(scene.wavelength, [500, 600, 700, 800, 900])
    np.testing.assert_allclose(scene.fwhm, [10, 20, 30, 40, 50])
    assert scene.good_band.values.tolist() == [True, True, True, False, True]
    expected = (values[:, :, ::-1] / 10000).astype(np.float32)
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(scene.values, expected)
    notes = "\n".join(scene.attrs["reading"])
    assert "divided by 10000" in notes
    assert "1 values equal to the fill value -9999" in notes
    assert "bands sorted by wavelength" in notes
    assert "1 pixels masked" in notes


def test_scale_of_the_caller_replaces_that_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, numbered(), more="reflectance scale factor = 10000\n")
    np.testing.assert_array_equal(open_scene(path, scale=50).values, (numbered() / 50).astype(np.float32))


def test_gains_and_offsets_of_each_band(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        numbered(),
        more="data gain values = {1, 2, 3, 4, 5}\ndata offset values = {0, 0, 0, 0, -1}\n"
        "reflectance scale factor = 7\n",
    )
    expected = numbered() * np.array([1, 2, 3, 4, 5]) + np.array([0, 0, 0, 0, -1])
    np.testing.assert_array_equal(open_scene(path).values, expected)


def test_place_on_the_map(tmp_path: Path) -> None:
    more = "map info = {UTM, 1, 1, 669639.6, 5328106.0, 0.7, 0.7, 32, North, WGS-84, units=Meters}\n"
    scene = open_scene(write(tmp_path, numbered(), more=more))
    assert transform_of(scene) == Affine(0.7, 0, 669639.6, 0, -0.7, 5328106.0)
    assert CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == 32632
    np.testing.assert_allclose(scene.y, 5328106.0 - 0.7 * (np.arange(ROWS) + 0.5))


def test_a_stale_sidecar_does_not_shadow_the_header(tmp_path: Path) -> None:
    more = "map info = {UTM, 1, 1, 500000, 5000000, 2, 2, 32, North, WGS-84}\n"
    path = write(tmp_path, numbered(), more=more)
    path.with_name("scene.img.aux.xml").write_text(
        "<PAMDataset><GeoTransform>1, 9, 0, 1, 0, -9</GeoTransform></PAMDataset>"
    )
    assert transform_of(open_scene(path)) == Affine(2, 0, 500000, 0, -2, 5000000)


def test_latin_text_in_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, numbered())
    header = path.with_suffix(".hdr")
    header.write_bytes(header.read_bytes() + "description = {Köln, µm}\n".encode("latin-1"))
    assert open_scene(path).shape == (ROWS, COLUMNS, BANDS)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("n_after", [1, 2, 512])
def test_bytes_after_the_last_value_are_not_read(tmp_path: Path, interleave: str, n_after: int) -> None:
    path = write(tmp_path, numbered(), interleave=interleave, offset=3)
    path.write_bytes(path.read_bytes() + b"\x55" * n_after)
    scene = open_scene(path)
    np.testing.assert_array_equal(scene.values, numbered().astype(np.float32))
    assert any(line.startswith(f"{n_after} bytes after the last value") for line in scene.attrs["reading"])
    lazy = open_lazily(path, memory=1)
    for window in lazy.windows():
        np.testing.assert_array_equal(lazy.read(window).values, numbered()[window.slices])


@pytest.mark.parametrize(
    ("interleave", "key", "count", "is_refused"),
    [
        ("bsq", "lines", 5, True),
        ("bsq", "samples", 7, True),
        ("bsq", "bands", 11, False),
        ("bil", "lines", 5, False),
        ("bil", "samples", 7, True),
        ("bil", "bands", 11, True),
        ("bip", "lines", 5, False),
        ("bip", "samples", 7, True),
        ("bip", "bands", 11, True),
    ],
)
def test_a_file_that_its_header_would_scramble_is_refused(
    tmp_path: Path, interleave: str, key: str, count: int, is_refused: bool
) -> None:
    """The header tells of one less than the file holds: values are in their places only if whole planes follow."""
    values = np.arange(1, 386, dtype=np.float32).reshape(5, 7, 11)
    path = write(tmp_path, values, interleave=interleave)
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace(f"{key} = {count}", f"{key} = {count - 1}"))
    if is_refused:
        with pytest.raises(SceneError, match="the header is not its own"):
            open_scene(path)
        return
    scene = open_scene(path)
    assert scene.size < values.size
    np.testing.assert_array_equal(scene.values, values[: scene.shape[0], :, : scene.shape[2]])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("bands = 5", "bands = 6"), "144 bytes by its header"),
        (("lines = 3", "lines = 2"), "80 bytes by its header"),
        (("header offset = 0", "header offset = 3"), "123 bytes by its header"),
        (("data type = 2", "data type = 6"), "data type = 6"),
        (("data type = 2", "data type = two"), "data type = two"),
        (("interleave = bsq", "interleave = tiled"), "bil, bip or bsq"),
        (("samples = 4\n", ""), "no 'samples'"),
        (("byte order = 0", "byte order = 0\nfile compression = 1"), "uncompressed"),
        (("byte order = 0", "byte order = 0\nwavelength = {400, 500"), "never ends"),
        (("byte order = 0", "byte order = 0\nwavelength = {400, 500}"), "2 wavelengths for 5 bands"),
        (("byte order = 0", "byte order = 0\nwavelength = {a, b, c, d, e}"), "numbers"),
        (("byte order = 0", "byte order = 0\nwavelength = {5,6,7,8,9}\nwavelength units = GHz"), "'GHz'"),
        (("byte order = 0", "byte order = 0\nbbl = {1, 0}"), "bad-band list of 2 for 5 bands"),
        (("byte order = 0", "byte order = 2"), "byte order = 2"),
        (("byte order = 0", "byte order = 0\nheader offset = -4"), "header offset = -4"),
        (("byte order = 0", "byte order = 0\nminor frame offsets = {4, 4}"), "minor frame offsets = 4, 4"),
    ],
)
def test_a_wrong_header_is_one_clear_line(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    path = write(tmp_path, numbered())
    header = path.with_suffix(".hdr")
    text = header.read_text()
    assert change[0] in text
    header.write_text(text.replace(*change))
    with pytest.raises(SceneError) as caught:
        open_scene(path)
    message = str(caught.value)
    assert complaint in message
    assert "scene." in message
    assert "\n" not in message


def test_header_without_data_and_two_candidates(tmp_path: Path) -> None:
    path = write(tmp_path, numbered())
    path.with_suffix(".dat").write_bytes(path.read_bytes())
    with pytest.raises(SceneError, match=r"scene\.dat, scene\.img"):
        open_scene(path.with_suffix(".hdr"))
    path.unlink()
    path.with_suffix(".dat").unlink()
    with pytest.raises(SceneError, match="without its data file"):
        open_scene(path.with_suffix(".hdr"))


def test_two_headers_for_one_file(tmp_path: Path) -> None:
    path = write(tmp_path, numbered())
    (tmp_path / "scene.img.hdr").write_text(path.with_suffix(".hdr").read_text())
    with pytest.raises(SceneError, match="two headers"):
        open_scene(tmp_path / "scene.img.hdr")


def test_a_map_beyond_all_numbers_is_not_believed(tmp_path: Path) -> None:
    sizes = ", ".join(["1e308"] * 6)
    place = "map info = {UTM, 1, 1, 500000, 5400000, 30, 30, 33, North, WGS-84}\n"
    path = write(tmp_path, numbered(), more=f"{place}geo transform = {{{sizes}}}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert transform_of(open_scene(path)) == Affine(30, 0, 500000, 0, -30, 5400000)


def test_two_headers_that_differ(tmp_path: Path) -> None:
    path = write(tmp_path, numbered())
    other = tmp_path / "scene.img.hdr"
    other.write_text(path.with_suffix(".hdr").read_text() + "data ignore value = 7\n")
    for file in (path, path.with_suffix(".hdr"), other):
        with pytest.raises(SceneError, match="two headers"):
            open_scene(file)
    other.write_text(path.with_suffix(".hdr").read_text())
    assert open_scene(path).shape == numbered().shape


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 4), st.integers(2, 5), st.integers(2, 6)),
    seed=st.integers(0, 2**31),
    corner=st.tuples(st.integers(100_000, 900_000), st.integers(0, 9_000_000)),
    step=st.sampled_from([0.5, 0.7, 30.0, 1.25]),
)
def test_written_scenes_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    seed: int,
    corner: tuple[int, int],
    step: float,
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.3, 0.2, shape).astype(np.float32)
    values[0, 0] = np.nan
    transform = Affine(step, 0, corner[0], 0, -step, corner[1])
    scene = make_scene(
        values,
        wavelength=np.sort(rng.uniform(400, 2500, shape[2])),
        fwhm=rng.uniform(1, 20, shape[2]),
        good_band=[True] * (shape[2] - 1) + [bool(seed % 2)],
        crs_wkt=CRS.from_epsg(32632).to_wkt(),
        transform=transform,
    )
    path = tmp_path_factory.mktemp("envi") / "scene.img"
    write_envi(scene, path)
    back = open_scene(path)
    np.testing.assert_array_equal(back.values, scene.values)
    for name in ("wavelength", "fwhm", "good_band", "x", "y"):
        np.testing.assert_array_equal(back[name].values, scene[name].values)
    assert transform_of(back) == transform
    assert CRS.from_wkt(crs_wkt_of(back)).to_epsg() == 32632


def test_written_file_is_band_interleaved_by_line_and_a_crop_knows_its_place(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 7, 4)).astype(np.float32)
    scene = make_scene(values, transform=Affine(2, 0, 100, 0, -2, 50), crs_wkt=CRS.from_epsg(32632).to_wkt())
    crop = scene[1:4, 2:]
    write_envi(crop, tmp_path / "crop.img")
    stored = np.fromfile(tmp_path / "crop.img", "<f4").reshape(3, 4, 5)
    np.testing.assert_array_equal(stored, values[1:4, 2:].swapaxes(1, 2))
    with rasterio.open(tmp_path / "crop.img") as file:
        assert file.transform == Affine(2, 0, 104, 0, -2, 48)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["crop.hdr", "crop.img"]


def test_writing_never_overwrites(tmp_path: Path) -> None:
    scene = make_scene(np.random.default_rng(0).random((2, 3, 4)))
    for name in ("scene.img", "scene.hdr"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            write_envi(scene, tmp_path / "scene.img")
        assert [entry.name for entry in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()
    with pytest.raises(OutputError, match="is no folder"):
        write_envi(scene, tmp_path / "nowhere" / "scene.img")
    with pytest.raises(OutputError, match="another suffix"):
        write_envi(scene, tmp_path / "scene.hdr")
    assert not list(tmp_path.iterdir())
