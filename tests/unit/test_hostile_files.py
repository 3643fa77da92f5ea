"""Files made to do harm: each is refused in a line, nothing is run, and nothing outside its folder is read."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from hostile import BUNDLE, SCENE, VALUES, refused, written_tiff

from unmixel.cli.scenes import scenes_of
from unmixel.errors import BundleError, ModelError, ParameterError, SceneError
from unmixel.io import open_bundle, open_scene, save_scene, write_envi
from unmixel.io.hdf5 import opened_hdf5, text_attribute, texts_in
from unmixel.io.result_folder import write_result_folder
from unmixel.methods.fcls import FCLS
from unmixel.registry import load
from unmixel.result import open_result


class RunsCode:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


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
        refused(tmp_path / "s.mat", f"with {kept} bytes in a chunk of 'cube'; expected {VALUES.nbytes} bytes in each")
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


@pytest.mark.parametrize("tiled", [False, True])
def test_a_block_of_jpeg_is_not_filled_up_from_memory(tiled: bool, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 200, (5, 20, 40), np.uint8)
    how = {"dtype": "uint8", "compress": "jpeg", "interleave": "band"}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 9, 0, -1, 9)}
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled else {}
    with rasterio.open(tmp_path / "s.tif", "w", "GTiff", 40, 20, 5, **how, **place, **tiles) as file:
        file.write(values)
    stored = open_scene(tmp_path / "s.tif", scale=255).values
    assert np.abs(255 * stored - np.moveaxis(values, 0, 2)).mean() < 30
    content = (tmp_path / "s.tif").read_bytes()
    rows, columns = (16, 16) if tiled else (20, 40)
    frame = bytes.fromhex("ffc0000b08") + rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    last = content.rindex(frame)
    (tmp_path / "s.tif").write_bytes(content[: last + 7] + (8).to_bytes(2, "big") + content[last + 9 :])
    refused(tmp_path / "s.tif", f"{rows} x 8 pixels in a block of band 5; expected {rows} x {columns}")


@pytest.mark.parametrize(
    "layout", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}], ids=["plain", "large", "big-endian"]
)
def test_metadata_items_of_a_tiff_that_take_gdal_hours(layout: dict[str, str], tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((2, 3, 4), np.float32)
    for number in (15_000, 20_001):
        how = {"dtype": "float32", "transform": rasterio.Affine(1, 0, 9, 0, -1, 9), **layout}
        with rasterio.open(tmp_path / "s.tif", "w", "GTiff", 4, 3, 2, **how) as file:
            file.write(values)
            for band in (1, 2):
                file.update_tags(band, WAVELENGTH=500 + band)
            file.update_tags(long="x" * 40 * number)
        content = (tmp_path / "s.tif").read_bytes()
        long = re.search(b'<Item name="long">(x+)</Item>', content)
        items = b"".join(b'<Item name="%d" sample="0">y</Item>' % item for item in range(number))
        room = len(long[0])
        (tmp_path / "s.tif").write_bytes(content.replace(long[0], items[:room].ljust(room)))
        if number == 15_000:
            np.testing.assert_array_equal(open_scene(tmp_path / "s.tif").values, np.moveaxis(values, 0, 2))
    refused(tmp_path / "s.tif", "metadata items in .* expected at most 20,000")
