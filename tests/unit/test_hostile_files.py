"""Files made to do harm: each is refused in a line, nothing is run, and nothing outside its folder is read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pickle
import shutil
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import rasterio
import scipy.io
import xarray as xr
from safetensors.numpy import load_file, save_file

from unmixel.cli.run_config import read_run_config
from unmixel.cli.scenes import scenes_of
from unmixel.errors import BundleError, ModelError, ParameterError, SceneError, UnmixingError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io import Window, open_bundle, open_lazily, open_scene, save_scene, write_bundle_csv, write_envi
from unmixel.io.hdf5 import opened_hdf5, text_attribute, texts_in
from unmixel.io.quality_layers import QualityLayer, check_layers
from unmixel.io.result_folder import write_result_folder
from unmixel.io.whole_folder import provenance_in
from unmixel.methods.fcls import FCLS
from unmixel.registry import load
from unmixel.result import open_result, provenance_of, save_result
from unmixel.scale.journal import Journal
from unmixel.scene import make_scene, transform_of
from unmixel.spectra import make_bundle
from unmixel.train.checkpoint import load_checkpoint

VALUES = np.random.default_rng(3).uniform(0.05, 0.6, (4, 6, 5)).astype(np.float32)
SCENE = make_scene(VALUES, wavelength=np.linspace(450, 850, 5))
BUNDLE = make_bundle(VALUES[0, :3], ["soil", "water", "tree"], wavelength=np.linspace(450, 850, 5))
PETABYTE = (1_000_000, 1_000_000, 250)


class RunsCode:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def refused(path: Path, words: str) -> str:
    """Both ways to open a scene refuse it; return what is said."""
    with pytest.raises(SceneError, match=words):
        open_lazily(path)
    with pytest.raises(SceneError, match=words) as caught:
        open_scene(path)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.fixture
def traced_peak() -> Iterator[Callable[[], int]]:
    """Give what says the most bytes that Python held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


# --- files elsewhere


def test_an_envi_header_names_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.img").write_bytes(VALUES.tobytes())
    (tmp_path / "scenes").mkdir()
    header = tmp_path / "scenes/s.hdr"
    fields = "samples = 6\nlines = 4\nbands = 5\ndata type = 4\ninterleave = bip\n"
    header.write_text(f"ENVI\ndata file = ../secret.img\nfile = ../secret.img\n{fields}")
    refused(header, "without its data file")


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../b", "..", "a\\b", "NUL", "a\x00b", "\x1b[31m", ".x"])
def test_a_manifest_makes_no_output_elsewhere(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", VALUES)
    (tmp_path / "list.toml").write_text(f'[[scene]]\npath = "s.npy"\nname = {json.dumps(name)}\n')
    with pytest.raises(ParameterError, match=r"the name|min_length|string") as caught:
        scenes_of([], tmp_path / "list.toml")
    assert str(caught.value).isprintable()


def external_link(file: h5py.File) -> None:
    file["Y"] = h5py.ExternalLink("../secret.h5", "/Y")


def external_link_in_a_group(file: h5py.File) -> None:
    file["a/b/Y"] = h5py.ExternalLink("../secret.h5", "/Y")
    file["cube"] = VALUES


def external_storage(file: h5py.File) -> None:
    file.create_dataset("Y", shape=(24, 5), dtype="f4", external=[("../secret.img", 0, 480)])


def virtual_dataset(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(24, 5), dtype="f4")
    layout[:] = h5py.VirtualSource("../secret.h5", "Y", shape=(24, 5))
    file.create_virtual_dataset("Y", layout)


@pytest.mark.parametrize("lead", [external_link, external_link_in_a_group, external_storage, virtual_dataset])
@pytest.mark.parametrize("name", ["s.mat", "s.nc"])
def test_hdf5_stays_in_its_file(lead: Callable[[h5py.File], None], name: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["Y"] = VALUES.reshape(24, 5)
    (tmp_path / "secret.img").write_bytes(VALUES.tobytes())
    (tmp_path / "scenes").mkdir()
    path = tmp_path / "scenes" / name
    with h5py.File(path, "w", userblock_size=512 if name == "s.mat" else 0) as file:
        lead(file)
    said = refused(path, "lies in another file")
    assert "'Y'" in said or "'a/b/Y'" in said


@pytest.mark.parametrize("lead", [external_storage, virtual_dataset])
def test_hdf5_stays_in_its_file_behind_any_user_block(lead: Callable[[h5py.File], None], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=1024) as file:
        lead(file)
    with (tmp_path / "s.mat").open("r+b") as written:
        written.write(b"MATLAB 7.3 MAT-file")
    refused(tmp_path / "s.mat", "lies in another file")


@pytest.mark.parametrize("is_group_above", [False, True])
def test_groups_in_groups_come_to_an_end(is_group_above: bool, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        group = file
        for _ in range(50 if is_group_above else 200):
            group = group.create_group("g")
        if is_group_above:
            group["above"] = file["g"]
    if is_group_above:
        np.testing.assert_array_equal(open_scene(tmp_path / "s.nc").values, VALUES)
    else:
        refused(tmp_path / "s.nc", "more than 100 groups")


def test_many_texts_in_one_place_are_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.attrs.create("title", ["a", "b"], dtype=h5py.string_dtype())
        file.attrs["name"] = "x" * 2_000_000
        file.create_dataset("texts", data=["a"] * 101, dtype=h5py.string_dtype())
    with opened_hdf5(tmp_path / "s.h5") as file:
        assert text_attribute(file, "title") == ""
        with pytest.raises(SceneError, match="no list of texts"):
            texts_in(file, "texts")
    with pytest.raises(SceneError, match="more than 1 MB"), opened_hdf5(tmp_path / "s.h5") as file:
        text_attribute(file, "name")


@pytest.mark.parametrize(
    ("kept", "shuffled"), [(10, False), (10, True), (480, False)], ids=["short", "short and shuffled", "whole"]
)
def test_a_short_chunk_of_hdf5_is_not_filled_up_from_memory(kept: int, shuffled: bool, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        cube = file.create_dataset("cube", VALUES.T.shape, "f4", chunks=VALUES.T.shape, shuffle=shuffled)
        cube.id.write_direct_chunk((0, 0, 0), np.ascontiguousarray(VALUES.T).tobytes()[:kept])
    if kept < VALUES.nbytes:
        refused(tmp_path / "s.mat", f"with {kept} bytes in 1 chunks of 'cube'; expected {VALUES.nbytes} bytes")
    else:
        np.testing.assert_array_equal(open_scene(tmp_path / "s.mat").values, VALUES)


def test_a_soft_link_that_leads_nowhere_is_passed_over(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file["cube"] = VALUES.T
        file["nothing"] = h5py.SoftLink("/not/there")
    np.testing.assert_array_equal(open_scene(tmp_path / "s.mat").values, VALUES)
    with h5py.File(tmp_path / "s.mat", "r+") as file:
        file["round"] = h5py.SoftLink("/round")
    refused(tmp_path / "s.mat", "too many links")


def test_links_out_of_a_zarr_store(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    save_scene(SCENE, store)
    chunk = next(path for path in (store / "reflectance/c").rglob("*") if path.is_file())
    chunk.rename(tmp_path / "secret")
    chunk.symlink_to(tmp_path / "secret")
    refused(store, "a link to")
    chunk.unlink()
    (tmp_path / "secret").rename(chunk)
    (tmp_path / "link.zarr").symlink_to(store)
    np.testing.assert_array_equal(open_scene(tmp_path / "link.zarr").values, VALUES)


def test_links_out_of_a_result(tmp_path: Path) -> None:
    write_result_folder(FCLS().fit(SCENE, BUNDLE).unmix(SCENE), tmp_path / "out")
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "out/result.zarr/abundance/zarr.json").unlink()
    (tmp_path / "out/result.zarr/abundance/zarr.json").symlink_to(tmp_path / "secret")
    with pytest.raises(SceneError, match="a link to"):
        open_result(tmp_path / "out")


@pytest.mark.parametrize("name", ["s.tif", "s.vrt", "s.img"])
def test_other_formats_of_gdal_are_not_opened(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.img"
    secret.write_bytes(VALUES.tobytes())
    band = f'<VRTRasterBand dataType="Float32"><SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>'
    (tmp_path / name).write_text(f'<VRTDataset rasterXSize="6" rasterYSize="4">{band}</VRTRasterBand></VRTDataset>')
    refused(tmp_path / name, "unknown format")


@pytest.mark.parametrize("suffix", [".msk", ".ovr", ".MSK"])
def test_other_formats_beside_a_tiff_are_not_opened(suffix: str, tmp_path: Path) -> None:
    profile = {"dtype": "float32", "transform": rasterio.Affine.scale(2.0)}
    with rasterio.open(tmp_path / "s.tif", "w", "GTiff", 6, 4, 5, **profile) as file:
        file.write(np.moveaxis(VALUES, 2, 0))
    (tmp_path / f"s.tif{suffix}").write_text("<GDAL_WMS><Service name='TMS'><ServerUrl>http://x</ServerUrl></Service>")
    refused(tmp_path / "s.tif", f"s.tif{suffix}, which is no TIFF")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.npy")
    refused(tmp_path / "s.npy", "a device or a pipe")


def written_tiff(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(path, "w", "GTiff", 6, 4, 5, dtype="float32") as file,
    ):
        file.write(np.moveaxis(VALUES, 2, 0))
    return path


@pytest.mark.parametrize(
    "name", ["s.tif.aux.xml", "s.tfw", "s.wld", "s.tif.msk", "s.IMD", "s_RPC.TXT", "s_metadata.xml"]
)
def test_a_pipe_beside_a_tiff_is_not_waited_for(name: str, tmp_path: Path) -> None:
    written_tiff(tmp_path / "s.tif")
    os.mkfifo(tmp_path / name)
    with pytest.raises(SceneError, match="a device or a pipe"):
        open_scene(tmp_path / "s.tif")


@pytest.mark.parametrize("name", ["s.sta", "s.img.hdr", "s.img.ovr"])
def test_a_pipe_beside_an_envi_file_is_not_opened(name: str, tmp_path: Path) -> None:
    write_envi(SCENE, tmp_path / "s.img")
    os.mkfifo(tmp_path / name)
    np.testing.assert_array_equal(open_scene(tmp_path / "s.img").values, VALUES)


def test_a_pipe_among_the_bands_of_a_product_is_not_waited_for(tmp_path: Path) -> None:
    for band in range(1, 243):
        os.mkfifo(tmp_path / f"EO1H0370332004123110KZ_B{band:03d}_L1T.TIF")
    with pytest.raises(SceneError, match="which is no file"):
        open_scene(tmp_path)


def test_a_pipe_among_the_files_of_a_library_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" splib07a Record=7: Quartz HS32.4B BECKb RREF\n0.1\n0.2\n")
    os.mkfifo(tmp_path / "wavelengths.txt")
    with pytest.raises(BundleError, match="no files of 2 wavelengths"):
        open_bundle(tmp_path / "a.txt")


def test_a_name_does_not_ask_gdal_for_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = written_tiff(tmp_path / "secret/s.tif")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(secret, "r+") as file:
        file.write(np.moveaxis(VALUES + 1, 2, 0))
    monkeypatch.chdir(tmp_path)
    name = Path(f"GTIFF_DIR:1:{secret}")
    written_tiff(name)
    np.testing.assert_array_equal(open_scene(name).values, VALUES)


@pytest.mark.parametrize("pattern", ["**/*.npy", "**", "a/**/*.npy", "**/**/*.npy"])
def test_links_that_lead_back_are_not_followed(pattern: str, tmp_path: Path) -> None:
    for folder in ("a", "a/b"):
        (tmp_path / folder).mkdir()
        for name in ("one", "two"):
            (tmp_path / folder / name).symlink_to(tmp_path, target_is_directory=True)
    np.save(tmp_path / "a/b/s.npy", VALUES)
    assert [job.path for job in scenes_of([tmp_path / pattern], None)] == [tmp_path / "a/b/s.npy"]


# --- sizes that are not true


def with_a_hole(path: Path, beginning: str) -> Path:
    """Write a file of 20 GB that takes no room."""
    path.write_text(beginning)
    os.truncate(path, 20_000_000_000)
    return path


def test_texts_with_holes_are_not_read_whole(tmp_path: Path) -> None:
    with_a_hole(tmp_path / "s.hdr", "ENVI\n")
    (tmp_path / "s.img").write_bytes(VALUES.tobytes())
    written_tiff(tmp_path / "t.tif")
    with_a_hole(tmp_path / "t.tif.aux.xml", "<PAMDataset>")
    for name in ("s.hdr", "s.img", "t.tif"):
        with pytest.raises(SceneError, match="too large; expected at most"):
            open_scene(tmp_path / name)
    table = with_a_hole(tmp_path / "s.csv", "wavelength,a\n" * 400)
    library = with_a_hole(tmp_path / "s.txt", " splib07a Record=7: Quartz HS32.4B BECKb RREF\n")
    for file in (tmp_path / "s.img", table, library):
        with pytest.raises(BundleError, match="too large; expected at most"):
            open_bundle(file)
    for file in (table, with_a_hole(tmp_path / "list.toml", "a = 1\n")):
        with pytest.raises(ParameterError, match="too large; expected at most"):
            scenes_of([], file)
    with pytest.raises(ParameterError, match="too large; expected at most"):
        read_run_config(tmp_path / "list.toml")


def test_a_block_that_a_quality_layer_only_claims_is_not_made(tmp_path: Path) -> None:
    tiles = {"tiled": True, "blockxsize": 32768, "blockysize": 32768, "sparse_ok": True, "compress": "deflate"}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / "layer.tif", "w", "GTiff", 6, 4, 1, dtype="uint8", **tiles),
    ):
        pass
    with pytest.raises(SceneError, match=r"claims 1\.07 GB for a block"):
        check_layers([QualityLayer(tmp_path / "layer.tif", values=(1,))], (4, 6))


def envi_of_a_petabyte(folder: Path) -> Path:
    shape = "samples = 1000000\nlines = 1000000\nbands = 250\ndata type = 4\ninterleave = bil\n"
    (folder / "s.hdr").write_text(f"ENVI\n{shape}")
    (folder / "s.img").write_bytes(bytes(1000))
    return folder / "s.hdr"


def npy_of_a_petabyte(folder: Path) -> Path:
    with (folder / "s.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": PETABYTE})
    return folder / "s.npy"


def npz_of_a_petabyte(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "s.npz", "w") as archive:
        archive.writestr("a.npy", npy_of_a_petabyte(folder).read_bytes())
    return folder / "s.npz"


def hdf5_of_a_petabyte(folder: Path) -> Path:
    with h5py.File(folder / "s.mat", "w", userblock_size=512) as file:
        file.create_dataset("cube", shape=PETABYTE, dtype="f4", chunks=(100, 100, 10), compression="gzip")
    return folder / "s.mat"


def netcdf_of_a_petabyte(folder: Path) -> Path:
    save_scene(SCENE, folder / "s.nc")
    with h5py.File(folder / "s.nc", "r+") as file:
        del file["reflectance"]
        file.create_dataset("reflectance", shape=PETABYTE, dtype="f4", chunks=(100, 100, 10))
    return folder / "s.nc"


def zarr_of_a_petabyte(folder: Path) -> Path:
    save_scene(SCENE, folder / "s.zarr")
    described = folder / "s.zarr/reflectance/zarr.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"shape": PETABYTE}))
    return folder / "s.zarr"


def zarr_with_a_chunk_of_a_petabyte(folder: Path) -> Path:
    save_scene(SCENE, folder / "s.zarr")
    described = folder / "s.zarr/wavelength/zarr.json"
    grid = {"name": "regular", "configuration": {"chunk_shape": [10**15]}}
    described.write_text(json.dumps(json.loads(described.read_text()) | {"chunk_grid": grid}))
    return folder / "s.zarr"


def tiff_of_a_petabyte(folder: Path) -> Path:
    import rasterio

    profile = {"width": 400_000, "height": 400_000, "count": 200, "dtype": "float32", "sparse_ok": True}
    profile |= {"tiled": True, "blockxsize": 65536, "blockysize": 65536, "compress": "deflate", "bigtiff": "yes"}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(folder / "s.tif", "w", **profile):
        pass
    return folder / "s.tif"


def matlab_5_of_a_petabyte(folder: Path) -> Path:
    scipy.io.savemat(folder / "s.mat", {"cube": VALUES}, do_compression=True)
    content = (folder / "s.mat").read_bytes()
    inner = zlib.decompress(content[136:]).replace(np.array([4, 6, 5], "<i4").tobytes(), np.array(PETABYTE, "<i4"))
    packed = zlib.compress(inner)
    (folder / "s.mat").write_bytes(content[:132] + len(packed).to_bytes(4, "little") + packed)
    return folder / "s.mat"


@pytest.mark.parametrize(
    "claim",
    [
        *(envi_of_a_petabyte, npy_of_a_petabyte, npz_of_a_petabyte, hdf5_of_a_petabyte, netcdf_of_a_petabyte),
        *(zarr_of_a_petabyte, zarr_with_a_chunk_of_a_petabyte, tiff_of_a_petabyte, matlab_5_of_a_petabyte),
    ],
)
def test_a_petabyte_in_a_kilobyte_is_refused(claim: Callable[[Path], Path], tmp_path: Path) -> None:
    said = refused(claim(tmp_path), "claims|bytes|complete")
    assert "MemoryError" not in said
    assert "allocate" not in said


@pytest.mark.parametrize(("kind", "shape"), [("S0", (-1,)), ("<U0", (4, 5)), ("<f4", (-2, -3, 5)), ("V0", (2, 3, 4))])
def test_arrays_that_numpy_cannot_map_are_refused(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    with (tmp_path / "s.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
        file.write(bytes(100))
    refused(tmp_path / "s.npy", "an array of")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_tiff_of_too_many_bands_is_refused(tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "s.tif", "w", width=2, height=2, count=4001, dtype="uint8", driver="GTiff"):
        pass
    refused(tmp_path / "s.tif", "with 4001 bands; expected at most 4000")


@pytest.mark.parametrize("name", ["s.npz", "s.mat"])
def test_a_bomb_is_refused_before_it_is_unpacked(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = np.zeros((1000, 1000, 8), np.uint8)
    if name == "s.npz":
        np.savez_compressed(tmp_path / name, zeros)
    else:
        scipy.io.savemat(tmp_path / name, {"cube": zeros}, do_compression=True)
    monkeypatch.setattr("unmixel.claims.SMALL", 1_000_000)
    monkeypatch.setattr("unmixel.claims.RATIO", 100)
    refused(tmp_path / name, "which claims 8 MB")


GZIP = {"name": "gzip", "configuration": {"level": 5}}
ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
BLOSC = {"name": "blosc", "configuration": {"typesize": 1, "cname": "lz4", "clevel": 5, "shuffle": "noshuffle"}}


@pytest.mark.parametrize(
    ("packed", "codec", "said"),
    [
        (numcodecs.Zstd().encode(bytes(30_000_000)), ZSTD, "unpacks to 3e\\+07 bytes"),
        (numcodecs.Blosc().encode(bytes(30_000_000)), BLOSC, "unpacks to 3e\\+07 bytes"),
        (bytes.fromhex("28b52ffd005801000000"), ZSTD, "does not say what it holds"),
        (b"not zstd", ZSTD, "no frame of zstd"),
        (gzip.compress(bytes(30_000_000), mtime=0), GZIP, "unpacks to 3e\\+07 bytes"),
        (gzip.compress(b"", mtime=0) + gzip.compress(bytes(30_000_000), mtime=0), GZIP, "unpacks to 3e\\+07 bytes"),
        (b"not gzip", GZIP, "header"),
    ],
    ids=["zstd", "blosc", "zstd without size", "not zstd", "gzip", "second member of gzip", "not gzip"],
)
@pytest.mark.parametrize("sharded", [False, True])
def test_a_bomb_of_zarr_is_not_unpacked(
    packed: bytes, codec: dict[str, object], said: str, sharded: bool, tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    save_scene(SCENE, store)
    described = store / "wavelength/zarr.json"
    content = json.loads(described.read_text())
    content["codecs"] = [content["codecs"][0], codec]
    if sharded:
        index = np.array([0, len(packed)], "<u8").tobytes()
        packed += index
        inner = {"chunk_shape": [5], "codecs": content["codecs"], "index_location": "end"}
        inner["index_codecs"] = [content["codecs"][0]]
        content["codecs"] = [{"name": "sharding_indexed", "configuration": inner}]
    described.write_text(json.dumps(content))
    (store / "wavelength/c/0").write_bytes(packed)
    refused(store, said)


@pytest.mark.parametrize(
    ("packed", "codec", "said"),
    [
        (numcodecs.Zstd().encode(bytes(40)) + numcodecs.Zstd().encode(bytes(30_000_000)), ZSTD, "than one frame"),
        (numcodecs.Zstd().encode(bytes(40))[:-1], ZSTD, "than one frame"),
        (bytes.fromhex("28b52ffd2028") + bytes(3000), ZSTD, "many small blocks"),
        (gzip.compress(b"", mtime=0) * 100 + gzip.compress(bytes(40), mtime=0), GZIP, "many files of gzip"),
    ],
    ids=["two frames", "half a frame", "empty blocks", "empty members"],
)
def test_a_chunk_of_zarr_is_one_frame(packed: bytes, codec: dict[str, object], said: str, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.zarr")
    described = tmp_path / "s.zarr/wavelength/zarr.json"
    content = json.loads(described.read_text())
    described.write_text(json.dumps(content | {"codecs": [content["codecs"][0], codec]}))
    (tmp_path / "s.zarr/wavelength/c/0").write_bytes(packed)
    refused(tmp_path / "s.zarr", said)


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("level", [1, 5, 19])
def test_chunks_packed_by_zstd_are_read(level: int, checksum: bool, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.zarr")
    described = tmp_path / "s.zarr/reflectance/zarr.json"
    values = np.random.default_rng(0).integers(0, 99, (300, 300, 5)).astype("<f4") / 99
    content = json.loads(described.read_text()) | {"shape": values.shape}
    content["codecs"] = [
        content["codecs"][0],
        {"name": "zstd", "configuration": {"level": level, "checksum": checksum}},
    ]
    content["chunk_grid"]["configuration"]["chunk_shape"] = values.shape
    described.write_text(json.dumps(content))
    for name in ("y", "x"):
        for path in [tmp_path / "s.zarr" / name]:
            shutil.rmtree(path, ignore_errors=True)
    (chunk := tmp_path / "s.zarr/reflectance/c/0/0/0").write_bytes(
        numcodecs.Zstd(level=level, checksum=checksum).encode(values)
    )
    assert chunk.stat().st_size > 1000
    np.testing.assert_array_equal(open_scene(tmp_path / "s.zarr").values, values)


def test_a_pipe_in_a_store_is_not_waited_for(tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.zarr")
    (tmp_path / "s.zarr/wavelength/c/0").unlink()
    os.mkfifo(tmp_path / "s.zarr/wavelength/c/0")
    with pytest.raises(SceneError, match="c/0, a device or a pipe"):
        open_scene(tmp_path / "s.zarr")


def test_chunks_that_are_only_claimed_are_not_looked_for(tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.zarr")
    for name, shape in (("reflectance", [400_000, 1, 5]), ("y", [400_000]), ("x", [1])):
        described = tmp_path / "s.zarr" / name / "zarr.json"
        content = json.loads(described.read_text()) | {"shape": shape}
        content["chunk_grid"]["configuration"]["chunk_shape"] = [1] * len(shape)
        described.write_text(json.dumps(content))
    refused(tmp_path / "s.zarr", "which claims")


def test_netcdf_is_not_padded_to_the_dimensions_it_claims(tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        for name in ("map_y", "map_x"):
            file.create_dataset(name, (18_000,), "i1", maxshape=(None,), chunks=(1000,)).make_scale(name)
        for name in ("lookup_row", "lookup_column"):
            table = file.create_dataset(name, (1, 1), "i4", maxshape=(None, None), chunks=(1, 1))
            table.dims[0].attach_scale(file["map_y"])
            table.dims[1].attach_scale(file["map_x"])
        file["lookup_ref"] = 0
        file["lookup_ref"].attrs["GeoTransform"] = "0 1 0 0 0 1"
    refused(tmp_path / "s.nc", "which claims 1.3 GB for 'lookup_row'")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_the_header_of_an_array_is_no_bomb(packing: int, tmp_path: Path, traced_peak: Callable[[], int]) -> None:
    with zipfile.ZipFile(tmp_path / "s.npz", "w", packing) as archive, archive.open("a.npy", "w") as member:
        member.write(b"\x93NUMPY\x02\x00" + (100_000_000).to_bytes(4, "little"))
        for _ in range(100):
            member.write(b" " * 1_000_000)
    refused(tmp_path / "s.npz", "otherwise than by NumPy|EOF")
    assert traced_peak() < 20_000_000


def test_a_store_packed_by_gzip_is_read(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    save_scene(SCENE, store)
    described = store / "wavelength/zarr.json"
    content = json.loads(described.read_text())
    content["codecs"] = [content["codecs"][0], GZIP]
    described.write_text(json.dumps(content))
    (store / "wavelength/c/0").write_bytes(gzip.compress(SCENE.wavelength.values.astype("<f8").tobytes()))
    np.testing.assert_array_equal(open_scene(store).wavelength, SCENE.wavelength)


def test_a_scene_larger_than_memory_is_refused_whole_and_opened_lazily(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "s.npy", VALUES)
    monkeypatch.setattr("unmixel.claims._memory", lambda: 900)
    with pytest.raises(SceneError, match=r"480 bytes\) for 900 bytes of memory.*open_lazily"):
        open_scene(tmp_path / "s.npy")
    assert open_lazily(tmp_path / "s.npy").shape == VALUES.shape


def test_a_container_has_the_memory_that_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "s.npy", VALUES)
    monkeypatch.setattr("unmixel.claims._OF_CONTAINER", tmp_path / "memory.max", raising=False)
    (tmp_path / "memory.max").write_text("900\n")
    with pytest.raises(SceneError, match=r"for 900 bytes of memory"):
        open_scene(tmp_path / "s.npy")
    (tmp_path / "memory.max").write_text("max\n")
    assert open_scene(tmp_path / "s.npy").shape == VALUES.shape


# --- code in files


def test_no_pickle_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    objects = np.empty((2, 2, 3), dtype=object)
    objects[:] = RunsCode(mark)
    np.save(tmp_path / "s.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "s.npz", a=VALUES, wavelength=objects)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(RunsCode(mark)))
    for name in ("s.npy", "s.npz", "bare.npy"):
        refused(tmp_path / name, ".")
    (tmp_path / "model").mkdir()
    for name in ("model.json", "model.safetensors"):
        (tmp_path / "model" / name).write_bytes(pickle.dumps(RunsCode(mark)))
    with pytest.raises(ModelError):
        load(tmp_path / "model")
    assert not mark.exists()


@pytest.mark.parametrize("codec", ["pickle", "numcodecs.pickle", "msgpack2", "numcodecs.json2"])
def test_no_codec_that_runs_code(codec: str, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    store = tmp_path / "s.zarr"
    save_scene(SCENE, store)
    described = store / "wavelength/zarr.json"
    content = json.loads(described.read_text())
    content["codecs"] = [{"name": codec, "configuration": {}}]
    described.write_text(json.dumps(content))
    for chunk in (store / "wavelength/c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(pickle.dumps(RunsCode(mark)))
    refused(store, "complete Zarr")
    assert not mark.exists()


# --- numbers that are none, or of something else


@pytest.mark.parametrize(
    ("noise", "dims", "said"),
    [
        (np.ones(4), ["y"], r"noise of shape \(4,\)"),
        (np.float64(3), [], r"noise of shape \(\)"),
        (np.ones((4, 5)), ["y", "band"], r"noise of shape \(4, 5\)"),
        (np.zeros(5), ["band"], "without values in 5"),
    ],
    ids=["rows", "one", "both", "zero"],
)
def test_noise_that_is_not_that_of_the_bands(noise: np.ndarray, dims: list[str], said: str, tmp_path: Path) -> None:
    save_scene(SCENE.assign_coords(noise_sd=("band", np.ones(5))), tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        del file["noise_sd"]
        stored = file.create_dataset("noise_sd", data=noise)
        for number, dim in enumerate(dims):
            stored.dims[number].attach_scale(file[dim])
    refused(tmp_path / "s.nc", said)


@pytest.mark.parametrize("transform", ["5e5 0 0 5.4e6 0 0", "nan nan nan nan nan nan", "0 inf 0 0 0 1"])
def test_a_map_in_one_place_is_none(transform: str, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        file["spatial_ref"].attrs["GeoTransform"] = transform
    refused(tmp_path / "s.nc", "a map with the geotransform")


def test_what_another_program_cuts_out_of_a_scene_keeps_its_place(tmp_path: Path) -> None:
    place = rasterio.Affine(30.0, 0.0, 5e5, 0.0, -30.0, 5.4e6)
    save_scene(make_scene(VALUES, wavelength=SCENE.wavelength, transform=place), tmp_path / "s.nc")
    with xr.open_dataset(tmp_path / "s.nc", engine="h5netcdf", decode_coords="all") as whole:
        whole.isel(y=slice(1, 4), x=slice(2, None)).to_netcdf(tmp_path / "part.nc", engine="h5netcdf")
    part = open_scene(tmp_path / "part.nc")
    np.testing.assert_array_equal(part.values, VALUES[1:, 2:])
    assert transform_of(part) == place @ rasterio.Affine.translation(2, 1)


@pytest.mark.parametrize("wavelength", [[450, 550, 650, 750, np.inf], np.linspace(450, 850, 4), np.full(5, "a")])
def test_an_uncertainty_with_odd_wavelengths(wavelength: np.typing.ArrayLike, tmp_path: Path) -> None:
    for name, given in (("s", np.linspace(450, 850, 5)), ("sd", wavelength)):
        np.savez(tmp_path / f"{name}.npz", values=VALUES, wavelength=given)
    for one, other in (("s", "sd"), ("sd", "s"), ("sd", "sd")):
        with pytest.raises(SceneError):
            open_lazily(tmp_path / f"{one}.npz", uncertainty=tmp_path / f"{other}.npz").read(Window(0, 1, 0, 1))


def test_an_error_of_long_names_is_short(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file["a" * 3000], file["b" * 3000] = VALUES, VALUES
    assert len(refused(tmp_path / "s.mat", "several arrays")) < 2000


# --- models, results and settings


@pytest.mark.parametrize(
    "told",
    [
        *({"scale": scale} for scale in ("x", [1, 2], 10**400, {"a": 1}, -1)),
        {"path": 5},
        {"path": ["a"]},
        {"leave_out": 5},
    ],
    ids=str,
)
def test_a_scene_that_a_result_tells_wrongly(told: dict[str, object], tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", VALUES)
    write_result_folder(FCLS().fit(SCENE, BUNDLE).unmix(SCENE), tmp_path / "out")
    described = tmp_path / "out/provenance.json"
    scene = {"path": str(tmp_path / "s.npy"), **told}
    described.write_text(json.dumps(json.loads(described.read_text()) | {"scene": scene}))
    opened = OpenedResult(tmp_path / "out")
    assert opened.scene is None
    assert opened.without_scene


@pytest.mark.parametrize(
    ("header", "endmembers", "said"),
    [
        ({"endmember": ["x" * 5000, "b", "c"]}, 1.0, "a name of 5000 characters"),
        ({"record": {"fitted_to_values_up_to": 10**400}}, 1.0, "a number of 401 digits"),
        ({}, np.nan, "not finite"),
        ({}, 1e30, "beyond 1e.15"),
    ],
    ids=["name", "number", "nan", "huge"],
)
def test_a_model_that_no_method_saved(header: dict[str, object], endmembers: float, said: str, tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    (model / "model.json").write_text(json.dumps(json.loads((model / "model.json").read_text()) | header))
    state = load_file(model / "model.safetensors")
    save_file({name: array * np.float32(endmembers) for name, array in state.items()}, model / "model.safetensors")
    with pytest.raises(UnmixingError, match=said):
        load(model)


def saved_model(folder: Path) -> Path:
    FCLS().fit(SCENE, BUNDLE).save(folder / "model")
    return folder / "model"


@pytest.mark.parametrize(
    "lie",
    [
        {"endmembers": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 10**15]}},
        {"endmembers": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 60]}},
        {"endmembers": {"dtype": "F32", "shape": [3, 5], "data_offsets": [60, 0]}},
        {"endmembers": {"dtype": "F32", "shape": [-3, 5], "data_offsets": [0, 60]}},
        {"other": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}},
    ],
)
def test_safetensors_that_lie(lie: dict[str, object], tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    header = json.dumps(lie).encode()
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(60))
    with pytest.raises(ModelError):
        load(model)


HARMFUL_JSON = {
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "a long number": '{"format": ' + "9" * 6000 + "}",
    "a long text": json.dumps({"format": "x" * 5_000_000}),
    "NaN": '{"format": NaN}',
    "a key twice": '{"format": 1, "format": []}',
    "nothing": "",
}


@pytest.mark.parametrize("kind", HARMFUL_JSON)
def test_json_of_a_model_made_to_do_harm(kind: str, tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    (model / "model.json").write_text(HARMFUL_JSON[kind])
    with pytest.raises(ModelError) as caught:
        load(model)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("kind", HARMFUL_JSON)
def test_json_of_a_result_made_to_do_harm(kind: str, tmp_path: Path) -> None:
    write_result_folder(FCLS().fit(SCENE, BUNDLE).unmix(SCENE), tmp_path / "out")
    described = tmp_path / "out/result.zarr/zarr.json"
    content = json.loads(described.read_text())
    content["attributes"]["provenance"] = HARMFUL_JSON[kind]
    described.write_text(json.dumps(content))
    try:
        assert isinstance(provenance_of(open_result(tmp_path / "out")), dict)
    except SceneError as error:
        assert len(str(error)) < 3000


@pytest.mark.parametrize("kind", HARMFUL_JSON)
def test_json_of_folders_made_to_do_harm(kind: str, tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text(HARMFUL_JSON[kind])
    assert provenance_in(tmp_path) == {}
    (tmp_path / "journal").write_text('{"token": "a"}\n' + HARMFUL_JSON[kind] + "\n")
    assert Journal(tmp_path / "journal").lines[0] == {"token": "a"}
    (tmp_path / "checkpoint").write_text(HARMFUL_JSON[kind])
    with pytest.raises(ModelError):
        load_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", ["run.toml", "list.toml"])
@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 50_000, "a = " + "{b=" * 50_000, "a = " + "1" * 10_000, "a." * 50_000 + "a = 1", "\x00", "\xff"],
)
def test_settings_made_to_do_harm(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(ParameterError):
        read_run_config(tmp_path / name) if name == "run.toml" else scenes_of([], tmp_path / name)


# --- names

NAMES = ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "'quoted'", "'=1", "a,b", 'a"b', "a\nb", "'s Gravenhage", "[red]x"]


def test_names_that_spreadsheets_calculate(tmp_path: Path) -> None:
    spectra = np.random.default_rng(0).uniform(0.1, 0.9, (len(NAMES), 4))
    bundle = make_bundle(spectra, NAMES, wavelength=np.linspace(450, 850, 4))
    write_bundle_csv(bundle, tmp_path / "spectra.csv")
    cells = next(csv.reader(io.StringIO((tmp_path / "spectra.csv").read_text(), newline="")))
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert open_bundle(tmp_path / "spectra.csv").endmember.values.tolist() == NAMES


def test_names_in_the_table_of_a_result(tmp_path: Path) -> None:
    bundle = BUNDLE.assign_coords(endmember=("spectrum", ["=1+1", "@b", "soil"]))
    write_result_folder(FCLS().fit(SCENE, bundle).unmix(SCENE), tmp_path / "out")
    header = (tmp_path / "out/endmembers.csv").read_text().splitlines()[0].split(",")
    assert {"'=1+1 mean", "'@b mean", "soil mean"} <= set(header)
    assert open_bundle(tmp_path / "out/endmembers.csv").endmember.values.tolist() == ["=1+1", "@b", "soil"]


def test_no_name_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    from unmixel.cli.screen import screen

    table = Table(title="[red]title\x1b[2J")
    table.add_row("a\x1b[31mb\x07", "[bold]c\x9b31m\u202ed")
    screen().print(table)
    screen().print("[red]file\x1b]0;title\x07.npy\nsecond line", soft_wrap=True)
    printed = capsys.readouterr().out
    assert not [mark for mark in printed if not mark.isprintable() and mark != "\n"]
    for shown in ("[red]title\\x1b[2J", "a\\x1b[31mb\\x07", "[bold]c\\x9b31m\\u202ed", "[red]file", "\nsecond line"):
        assert shown in printed


def test_no_error_commands_the_terminal() -> None:
    said = str(UnmixingError("\x1b[2J\x1b[31mred.npy\x07\u202e", "x" * 10**6))
    assert said.isprintable()
    assert "\\x1b[31mred.npy\\x07" in said
    assert len(said) < 2500


@pytest.mark.parametrize("name", ["wavelength", "good_band"])
def test_a_result_without_its_bands_is_refused(name: str, tmp_path: Path) -> None:
    result = FCLS().fit(SCENE, BUNDLE).unmix(SCENE)
    save_result(result, tmp_path / "whole.zarr")
    save_result(result.drop_vars(name), tmp_path / "without.zarr")
    open_result(tmp_path / "whole.zarr")
    with pytest.raises(SceneError, match=f"without the numbers {name}"):
        open_result(tmp_path / "without.zarr")


def test_a_model_in_half_precision_is_loaded_without_a_warning(tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    state = load_file(model / "model.safetensors")
    save_file({name: array.astype(np.float16) for name, array in state.items()}, model / "model.safetensors")
    assert load(model).endmember == ("soil", "water", "tree")
