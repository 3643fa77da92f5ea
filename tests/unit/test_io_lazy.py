"""Windows of a scene on disk are those of the scene read whole, and little more than a window is read."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io
import xarray as xr
import zarr
from affine import Affine

from unmixel.errors import SceneError
from unmixel.io import LazyScene, Window, kept_block, open_lazily, open_scene, save_scene
from unmixel.io.windows import natural_windows
from unmixel.scene import crs_wkt_of, make_scene, transform_of

ROWS, COLUMNS, BANDS = 37, 23, 6
EPSG = rasterio.crs.CRS.from_epsg(32632)
TRANSFORM = Affine(0.7, 0, 669639.6, 0, -0.7, 5328106.0)


def counts() -> np.ndarray:
    """Stored values with everything that makes a scene difficult: fill values, empty pixels, a constant band."""
    values = np.random.default_rng(3).integers(100, 6000, (ROWS, COLUMNS, BANDS)).astype(np.int16)
    values[:, :, 4] = 700
    values[5, 3:9, 1] = -9999
    values[30:, 20:] = 0
    values[12] = -9999
    return values


def envi(interleave: str, kind: str = "<i2", offset: int = 0) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        order = {"bil": (0, 2, 1), "bip": (0, 1, 2), "bsq": (2, 0, 1)}[interleave]
        data = bytes(offset) + counts().transpose(order).astype(kind).tobytes()
        (folder / "scene.img").write_bytes(data)
        (folder / "scene.hdr").write_text(
            f"ENVI\nsamples = {COLUMNS}\nlines = {ROWS}\nbands = {BANDS}\nheader offset = {offset}\n"
            f"data type = {'4' if 'f' in kind else '2'}\ninterleave = {interleave}\n"
            f"byte order = {int(kind[0] == '>')}\n"
            "wavelength units = Nanometers\nwavelength = {900, 800, 700, 600, 500, 400}\nbbl = {1, 1, 0, 1, 1, 1}\n"
            "data ignore value = -9999\nreflectance scale factor = 10000\n"
            "map info = {UTM, 1, 1, 669639.6, 5328106.0, 0.7, 0.7, 32, North, WGS-84}\n"
        )
        return folder / "scene.hdr"

    return write


def tiff(**profile: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "scene.tif"
        shape = {"height": ROWS, "width": COLUMNS, "count": BANDS, "dtype": "int16", "nodata": -9999}
        with rasterio.open(path, "w", **shape, crs=EPSG, transform=TRANSFORM, **profile) as file:
            file.write(np.moveaxis(counts(), 2, 0))
            for band in range(BANDS):
                file.update_tags(band + 1, wavelength=900.0 - 100 * band, wavelength_units="nm")
        return path

    return write


def as_scene() -> xr.DataArray:
    return make_scene(
        np.where(counts() == -9999, np.nan, counts() / 10_000),
        wavelength=np.linspace(400, 900, BANDS),
        crs_wkt=EPSG.to_wkt(),
        transform=TRANSFORM,
    )


def zarr_chunks(folder: Path) -> Path:
    as_scene().to_dataset(name="reflectance").to_zarr(
        folder / "scene.zarr",
        zarr_format=3,
        consolidated=False,
        encoding={"reflectance": {"chunks": (5, 8, 2), "shards": (10, 8, 6)}},
    )
    return folder / "scene.zarr"


def saved(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save_scene(as_scene(), folder / name)
        return folder / name

    return write


def netcdf_chunks(folder: Path) -> Path:
    as_scene().to_dataset(name="reflectance").to_netcdf(
        folder / "scene.nc", engine="h5netcdf", encoding={"reflectance": {"chunksizes": (9, 7, 2), "zlib": True}}
    )
    return folder / "scene.nc"


def matlab_73(axes: str, chunks: tuple[int, ...] | None = None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        values = counts()
        by_pixel = values.reshape(-1, BANDS, order="F")
        stored = {"yxb": values.T, "byx": np.moveaxis(values, 2, 0).T, "bp": by_pixel, "pb": by_pixel.T}[axes]
        with h5py.File(folder / "scene.mat", "w", userblock_size=512) as file:
            file.create_dataset("Y", data=stored, chunks=chunks)
            file["nBand"] = [[BANDS]]
            if "p" in axes:
                file["nRow"], file["nCol"] = [[ROWS]], [[COLUMNS]]
        return folder / "scene.mat"

    return write


def npy(folder: Path) -> Path:
    np.save(folder / "scene.npy", counts())
    return folder / "scene.npy"


FORMATS = {
    "bil": envi("bil"),
    "bip": envi("bip"),
    "bsq": envi("bsq"),
    "bil, other byte order": envi("bil", ">i2"),
    "bip of floats after a header": envi("bip", "<f4", offset=17),
    "bsq of floats in other byte order": envi("bsq", ">f4", offset=3),
    "TIFF by rows": tiff(driver="GTiff"),
    "TIFF by tiles": tiff(driver="GTiff", tiled=True, blockxsize=16, blockysize=16, interleave="pixel"),
    "COG": tiff(driver="COG", blocksize=128),
    "Zarr": saved("scene.zarr"),
    "Zarr, sharded": zarr_chunks,
    "NetCDF": saved("scene.nc"),
    "NetCDF, chunked": netcdf_chunks,
    "MATLAB 7.3, rows first": matlab_73("yxb"),
    "MATLAB 7.3, bands first": matlab_73("byx", chunks=(4, 10, 3)),
    "MATLAB 7.3, band by pixel": matlab_73("bp", chunks=(80, 3)),
    "MATLAB 7.3, pixel by band": matlab_73("pb"),
    "NumPy": npy,
}
ODD_WINDOWS = [
    Window(0, 1, 0, 1),
    Window(36, 37, 22, 23),
    Window(4, 7, 2, 21),
    Window(11, 37, 0, 5),
    Window(12, 13, 0, 23),
]


def assert_same(part: xr.DataArray, whole: xr.DataArray, window: Window) -> None:
    expected = whole[window.slices]
    xr.testing.assert_identical(part.drop_attrs(deep=False), expected.drop_attrs(deep=False))
    assert part.dtype == expected.dtype
    assert part.spatial_ref.attrs == expected.spatial_ref.attrs
    assert transform_of(part) == transform_of(expected)


@pytest.mark.parametrize("name", FORMATS)
def test_windows_are_those_of_the_whole_scene(tmp_path: Path, name: str) -> None:
    path = FORMATS[name](tmp_path)
    whole, lazy = open_scene(path), open_lazily(path)
    assert lazy.shape == whole.shape
    for memory in (3_000, 20_000, 10**9):
        windows = lazy.windows(memory)
        covered = np.zeros((ROWS, COLUMNS), dtype=int)
        for window in windows:
            covered[window.slices] += 1
            assert_same(lazy.read(window), whole, window)
        assert (covered == 1).all()
    for window in ODD_WINDOWS:
        assert_same(lazy.read(window), whole, window)
    sent = pickle.loads(pickle.dumps(lazy))
    assert_same(sent.read(ODD_WINDOWS[2]), whole, ODD_WINDOWS[2])
    assert set(lazy.outline.attrs["reading"]) <= set(whole.attrs["reading"])


@pytest.mark.parametrize("name", ["bil", "COG", "Zarr, sharded"])
def test_the_outline_has_the_coordinates_of_the_scene(tmp_path: Path, name: str) -> None:
    path = FORMATS[name](tmp_path)
    whole, outline = open_scene(path, leave_out=[(550, 650)]), open_lazily(path, leave_out=[(550, 650)]).outline
    assert outline.isnull().all()
    assert outline.nbytes > 0 and outline.values.strides == (0, 0, 0)
    xr.testing.assert_identical((outline * 0).fillna(0).drop_attrs(), (whole * 0).fillna(0).drop_attrs())
    assert crs_wkt_of(outline) == crs_wkt_of(whole)


def bytes_read() -> int:
    try:
        return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])
    except OSError:
        pytest.skip("bytes read are counted on Linux only")


BIG = ["bil", "bip", "bsq", "COG", "Zarr", "NetCDF", "MATLAB"]


def write_big(kind: str, folder: Path) -> Path:
    rows, columns, n_bands = 600, 200, 24
    values = np.random.default_rng(0).random((rows, columns, n_bands)).astype(np.float32)
    if kind in ("bil", "bip", "bsq"):
        order = {"bil": (0, 2, 1), "bip": (0, 1, 2), "bsq": (2, 0, 1)}[kind]
        (folder / "s.img").write_bytes(values.transpose(order).tobytes())
        (folder / "s.hdr").write_text(
            f"ENVI\nsamples = {columns}\nlines = {rows}\nbands = {n_bands}\ndata type = 4\n"
            f"interleave = {kind}\nbyte order = 0\n"
        )
        return folder / "s.img"
    if kind == "COG":
        shape = {"height": rows, "width": columns, "count": n_bands, "dtype": "float32"}
        with rasterio.open(folder / "s.tif", "w", driver="COG", blocksize=128, overviews="none", **shape) as file:
            file.write(np.moveaxis(values, 2, 0))
        return folder / "s.tif"
    if kind == "MATLAB":
        with h5py.File(folder / "s.mat", "w", userblock_size=512) as file:
            file["Y"] = values.T
        return folder / "s.mat"
    scene = make_scene(values).to_dataset(name="reflectance")
    if kind == "Zarr":
        encoding = {"reflectance": {"chunks": (50, 100, n_bands)}}
        scene.to_zarr(folder / "s.zarr", zarr_format=3, consolidated=False, encoding=encoding)
        return folder / "s.zarr"
    scene.to_netcdf(folder / "s.nc", engine="h5netcdf")
    return folder / "s.nc"


@pytest.mark.parametrize("kind", BIG)
def test_little_more_than_the_window_is_read(tmp_path: Path, kind: str) -> None:
    path = write_big(kind, tmp_path)
    before = bytes_read()
    lazy = open_lazily(path)
    opened = bytes_read() - before
    windows = lazy.windows(9_000_000)
    assert len(windows) >= 7
    assert lazy.good_band.all()
    before = bytes_read()
    part = lazy.read(windows[2])
    read = bytes_read() - before
    whole = 600 * 200 * 24 * 4
    assert opened < 0.1 * whole
    assert read < 2 * part.nbytes + 100_000
    assert read > 0.5 * part.nbytes


@pytest.mark.parametrize(("kept", "times"), [(80_000_000, 1), (130 * 100 * 12 * 4, 2)])
@pytest.mark.parametrize("kind", ["TIFF", "HDF5"])
def test_blocks_that_are_larger_than_windows_are_unpacked_once_if_they_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, kept: int, times: int
) -> None:
    monkeypatch.setattr(kept_block, "KEPT_MEMORY", kept)
    values = np.random.default_rng(0).random((500, 200, 12)).astype(np.float32)
    path = tmp_path / "s"
    if kind == "TIFF":
        tiles = {"tiled": True, "blockxsize": 96, "blockysize": 256, "interleave": "band", "compress": "deflate"}
        with rasterio.open(path, "w", "GTiff", height=500, width=200, count=12, dtype="float32", **tiles) as file:
            file.write(np.moveaxis(values, 2, 0))
    else:
        with h5py.File(path, "w", userblock_size=512) as file:
            file.create_dataset("cube", data=values.T, chunks=(8, 100, 256), compression="gzip")
    lazy = open_lazily(path, memory=12 * 22 * 100 * 25)
    assert lazy.good_band.all()
    before = bytes_read()
    for window in lazy.windows():
        np.testing.assert_array_equal(lazy.read(window).values, values[window.slices])
    assert times - 0.4 < (bytes_read() - before) / path.stat().st_size < 1.2 * times


def test_good_bands_are_found_without_reading_on(tmp_path: Path) -> None:
    path = write_big("bil", tmp_path)
    lazy = open_lazily(path)
    before = bytes_read()
    assert lazy.good_band.all()
    assert bytes_read() - before < 600 * 200 * 24 * 4 + 100_000


def test_a_band_that_changes_at_the_end_is_good(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((50, 4, 3)).astype(np.float32)
    values[:-1, :, 1] = 0.5
    np.save(tmp_path / "s.npy", values)
    lazy = open_lazily(tmp_path / "s.npy", memory=3 * 4 * 3 * 22)
    assert len(lazy.windows()) == 17
    assert lazy.good_band.tolist() == [True, True, True]


@pytest.mark.parametrize("name", ["scene.npz", "scene.mat"])
def test_formats_that_are_read_whole_give_windows_too(tmp_path: Path, name: str) -> None:
    if name.endswith("npz"):
        np.savez(tmp_path / name, counts())
    else:
        scipy.io.savemat(tmp_path / name, {"scene": counts()})
    window = Window(2, 5, 1, 4)
    expected = open_scene(tmp_path / name)[window.slices]
    np.testing.assert_array_equal(open_lazily(tmp_path / name).read(window), expected)


def test_windows_outside_and_files_cut_short(tmp_path: Path) -> None:
    path = envi("bil")(tmp_path)
    lazy: LazyScene = open_lazily(path)
    for window in (Window(0, 38, 0, 23), Window(0, 0, 0, 23), Window(0, 5, -1, 3)):
        with pytest.raises(SceneError, match="a window in 37 rows and 23 columns"):
            lazy.read(window)
    data = (tmp_path / "scene.img").read_bytes()
    (tmp_path / "scene.img").write_bytes(data[: len(data) // 2])
    with pytest.raises(SceneError, match="ends too early"):
        lazy.read(Window(30, 37, 0, 23))


def test_a_scene_without_a_usable_band(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.full((5, 4, 3), 0.5))
    with pytest.raises(SceneError, match="without one usable band"):
        _ = open_lazily(tmp_path / "s.npy").good_band


@pytest.mark.parametrize(
    ("shape", "block", "most"),
    [
        ((37, 23), (1, 23), 100),
        ((37, 23), (16, 16), 300),
        ((37, 23), (16, 16), 100),
        ((37, 23), (16, 16), 900),
        ((37, 23), (37, 1), 80),
        ((37, 23), (512, 512), 10**6),
        ((37, 23), (1, 23), 7),
        ((3, 2), (1, 2), 0),
    ],
)
def test_natural_windows_cover_every_pixel_once(shape: tuple[int, int], block: tuple[int, int], most: int) -> None:
    windows = natural_windows(shape, block, most)
    covered = np.zeros(shape, dtype=int)
    for window in windows:
        covered[window.slices] += 1
        assert window.n_pixels <= max(most, 1)
        if block[0] * block[1] <= most:
            assert window.top % block[0] == 0 and window.left % block[1] == 0
    assert (covered == 1).all()


def test_zarr_windows_follow_the_shards(tmp_path: Path) -> None:
    lazy = open_lazily(zarr_chunks(tmp_path))
    assert zarr.open_group(tmp_path / "scene.zarr")["reflectance"].shards == (10, 8, 6)
    tops = {window.top for window in lazy.windows(50_000)}
    assert tops == {0, 10, 20, 30}


def test_a_block_that_is_too_large_is_cut_evenly() -> None:
    assert [window.shape for window in natural_windows((130, 128), (128, 128), 6_000)] == [(32, 128)] * 4 + [(2, 128)]
