"""Files whose sizes are not true: nothing is made that is only claimed."""

from __future__ import annotations

import gzip
import json
import os
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
from hostile import BUNDLE, SCENE, VALUES, refused, written_tiff

from unmixel.benchmark.suite import read_suite
from unmixel.cli.run_config import read_run_config
from unmixel.cli.scenes import scenes_of
from unmixel.errors import BundleError, ModelError, ParameterError, SceneError
from unmixel.io import open_bundle, open_lazily, open_scene, save_scene, write_bundle_netcdf
from unmixel.io.quality_layers import QualityLayer, check_layers
from unmixel.io.whole_folder import provenance_in
from unmixel.methods.fcls import FCLS
from unmixel.registry import load
from unmixel.result import open_result, save_result

PETABYTE = (1_000_000, 1_000_000, 250)


@pytest.fixture
def traced_peak() -> Iterator[Callable[[], int]]:
    """Give what says the most bytes that Python held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


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
    for read in (read_run_config, read_suite):
        with pytest.raises(ParameterError, match="too large; expected at most"):
            read(tmp_path / "list.toml")
    with_a_hole(tmp_path / "provenance.json", '{"written_by": "unmixel 1"}')
    assert provenance_in(tmp_path) == {}
    FCLS().fit(SCENE, BUNDLE).save(tmp_path / "model")
    with_a_hole(tmp_path / "model/model.json", "{}")
    with pytest.raises(ModelError, match="too large; expected at most"):
        load(tmp_path / "model")


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
        (bytes.fromhex("28b52ffde0") + (1 << 62).to_bytes(8, "little") + bytes(30), ZSTD, "ends within a frame"),
        (gzip.compress(b"", mtime=0) * 100 + gzip.compress(bytes(40), mtime=0), GZIP, "many files of gzip"),
    ],
    ids=["two frames", "half a frame", "empty blocks", "no end", "empty members"],
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


def test_texts_that_are_only_claimed_are_not_made(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    save_result(FCLS().fit(SCENE, BUNDLE).unmix(SCENE), store)
    described = store / "endmember/zarr.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"codecs": [{"name": "vlen-utf8"}]}))
    texts = b"".join(len(text).to_bytes(4, "little") + text for text in (b"soil", b"water", b"tree"))
    (store / "endmember/c/0").write_bytes((3).to_bytes(4, "little") + texts)
    assert open_result(store).endmember.values.tolist() == ["soil", "water", "tree"]
    (store / "endmember/c/0").write_bytes((3 + 2**28).to_bytes(4, "little") + texts)
    with pytest.raises(SceneError, match="claims 268435459 texts, where 3 belong"):
        open_result(store)


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


@pytest.mark.parametrize("shape", [(2**40, 0), (0, 2**40), (2**62, 100, 0)])
@pytest.mark.parametrize("kind", ["f4", h5py.string_dtype()], ids=["numbers", "texts"])
@pytest.mark.parametrize("name", ["reflectance", "endmember"])
def test_what_has_no_values_is_not_gone_through(
    name: str, kind: object, shape: tuple[int, ...], tmp_path: Path, traced_peak: Callable[[], int]
) -> None:
    write_bundle_netcdf(BUNDLE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        del file[name]
        of_one = tuple(1 for _ in shape)
        file.create_dataset(name, shape, kind, maxshape=(None,) * len(shape), chunks=of_one, compression="gzip")
    with pytest.raises(BundleError, match=r"s\.nc"):
        open_bundle(tmp_path / "s.nc")
    assert traced_peak() < 50e6


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


@pytest.mark.parametrize("shape", ["samples = 1\nlines = 1000000000", "samples = 1000000000\nlines = 1"])
def test_a_scene_of_a_thousand_million_lines_is_refused(shape: str, tmp_path: Path) -> None:
    (tmp_path / "s.hdr").write_text(f"ENVI\n{shape}\nbands = 2\ndata type = 1\ninterleave = bip\n")
    with (tmp_path / "s.img").open("wb") as file:
        file.truncate(2_000_000_000)
    refused(tmp_path / "s.hdr", "1000000000 .*; expected at most 10000000; cut it")
