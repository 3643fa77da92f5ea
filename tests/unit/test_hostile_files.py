"""Files made to do harm: each is refused in a line, nothing is run, and nothing outside its folder is read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import rasterio
import scipy.io

from unmixel.cli.run_config import read_run_config
from unmixel.cli.scenes import scenes_of
from unmixel.errors import BundleError, ModelError, ParameterError, SceneError, UnmixingError
from unmixel.io import open_bundle, open_lazily, open_scene, save_scene, write_bundle_csv, write_envi
from unmixel.io.quality_layers import QualityLayer, check_layers
from unmixel.io.result_folder import write_result_folder
from unmixel.io.whole_folder import provenance_in
from unmixel.methods.fcls import FCLS
from unmixel.registry import load
from unmixel.result import open_result, provenance_of
from unmixel.scale.journal import Journal
from unmixel.scene import make_scene
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


# --- models, results and settings


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
