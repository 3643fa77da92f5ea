"""Packed datasets of HDF5: read as the library reads them, and refused if a chunk is not what it should be."""

from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unmixel import make_scene, open_scene, save_scene
from unmixel.errors import SceneError
from unmixel.io import open_lazily
from unmixel.io.hdf5_chunks import PackedDataset
from unmixel.io.windows import Window

PACKINGS: list[dict[str, Any]] = [
    {},
    {"compression": "gzip"},
    {"compression": "gzip", "shuffle": True},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"compression": "lzf"},
    {"compression": "lzf", "shuffle": True},
    {"compression": "lzf", "shuffle": True, "fletcher32": True},
    {"shuffle": True, "fletcher32": True},
]
SHORT_CHUNK = zlib.compress(bytes(10))


@given(
    values=arrays(
        st.sampled_from(["<f4", ">f4", "<f2", "<i2", ">u2", "u1", "<f8"]), (5, 7, 4), elements=st.integers(0, 99)
    ),
    chunks=st.tuples(*[st.integers(1, size) for size in (5, 7, 4)]),
    packing=st.sampled_from(PACKINGS),
    ends=st.lists(st.lists(st.integers(0, 7), min_size=2, max_size=2).map(sorted), max_size=3),
    from_row=st.integers(0, 5),
)
def test_parts_are_those_that_the_library_reads(
    values: np.ndarray, chunks: tuple[int, ...], packing: dict[str, Any], ends: list[list[int]], from_row: int
) -> None:
    with h5py.File("any", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("a", values.shape, values.dtype, chunks=chunks, fillvalue=5, **packing)
        stored[from_row:] = values[from_row:]  # what lies before may be stored nowhere
        part = tuple(slice(first, last) for first, last in ends)
        found = PackedDataset(stored.id)[part]
        np.testing.assert_array_equal(found, stored[part])
        assert found.dtype == values.dtype


@pytest.mark.parametrize("packing", PACKINGS)
def test_chunks_that_cannot_be_packed(packing: dict[str, Any]) -> None:
    values = np.random.default_rng(1).integers(0, 256, (5, 7, 4), np.uint8)
    with h5py.File("any", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("a", data=values, chunks=values.shape, **packing)
        np.testing.assert_array_equal(PackedDataset(stored.id)[()], values)


@pytest.mark.parametrize("left_out", range(4), ids=["none", "shuffle", "deflate", "both"])
def test_chunks_that_went_without_a_filter_are_read(left_out: int, tmp_path: Path) -> None:
    content = np.arange(12, dtype="<u2").reshape(3, 4)
    planes = content.view("u1").reshape(-1, 2).T.tobytes()
    shuffled = content.tobytes() if left_out & 1 else planes
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("a", (3, 4), "<u2", chunks=(3, 4), compression="gzip", shuffle=True)
        stored.id.write_direct_chunk((0, 0), shuffled if left_out & 2 else zlib.compress(shuffled), left_out)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(PackedDataset(file["a"].id)[()], content)
        np.testing.assert_array_equal(file["a"][()], content)


def test_types_that_numpy_does_not_have_are_converted() -> None:
    with h5py.File("any", "w", driver="core", backing_store=False) as file:
        kind = h5py.h5t.STD_U16LE.copy()
        kind.set_precision(12)
        packed = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        packed.set_chunk((3,))
        packed.set_deflate(4)
        stored = h5py.Dataset(h5py.h5d.create(file.id, b"a", kind, h5py.h5s.create_simple((3,)), packed))
        stored.id.write_direct_chunk((0,), zlib.compress(np.array([1, 2, 0xF003], "<u2").tobytes()))
        assert PackedDataset(stored.id)[()].tolist() == stored[()].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("packed", "left_out", "said"),
    [
        (SHORT_CHUNK, 0, "10 bytes in a chunk; expected 4000000"),
        (zlib.compress(bytes(4_000_001)), 0, "more than 4000000 bytes"),
        (zlib.compress(bytes(4_000_000))[:-4], 0, "4000000 bytes in a chunk"),
        (bytes(10), 2, "10 bytes in a chunk"),
        (b"not packed", 0, "inflate|filter"),
    ],
    ids=["short", "long", "without its end", "short and not packed", "not packed"],
)
@pytest.mark.parametrize("kind", ["<f4", "<i4"])
def test_a_chunk_that_does_not_hold_what_it_should_is_refused(
    packed: bytes, left_out: int, said: str, kind: str, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("a", (1000, 2000), kind, chunks=(1000, 1000), compression="gzip", shuffle=True)
        stored[:, 1000:] = 1
        stored.id.write_direct_chunk((0, 0), packed, left_out)
    with h5py.File(tmp_path / "a.h5") as file:
        checked = PackedDataset(file["a"].id)
        assert (checked[:, 1000:] == 1).all()
        with pytest.raises((SceneError, OSError), match=said):
            checked[0:1, 999:1001]


def test_what_a_chunk_unpacks_to_is_never_made() -> None:
    with h5py.File("any", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("a", (1000,), "u1", chunks=(1000,), compression="gzip")
        stored.id.write_direct_chunk((0,), zlib.compress(bytes(300_000_000)))
        tracemalloc.start()
        try:
            with pytest.raises(SceneError, match="more than 1000 bytes"):
                PackedDataset(stored.id)[()]
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


def matlab(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        cube = file.create_dataset("cube", (5, 6, 4), "<f4", chunks=(5, 3, 4), compression="gzip")
        cube[:] = np.linspace(0.1, 0.4, 120).reshape(5, 6, 4)
        cube.id.write_direct_chunk((0, 3, 0), SHORT_CHUNK)


def netcdf(path: Path) -> None:
    save_scene(make_scene(np.linspace(0.1, 0.4, 120).reshape(5, 6, 4), wavelength=[450, 550, 650, 850]), path)
    with h5py.File(path, "a") as file:
        whole = file["reflectance"]
        packed = file.create_dataset("packed", whole.shape, "<f4", chunks=(5, 3, 4), compression="gzip")
        for name, value in whole.attrs.items():
            if name != "DIMENSION_LIST":
                packed.attrs[name] = value
        for axis in range(3):
            packed.dims[axis].attach_scale(whole.dims[axis][0])
            whole.dims[axis].detach_scale(whole.dims[axis][0])
        packed[:] = whole[:]
        packed.id.write_direct_chunk((0, 3, 0), SHORT_CHUNK)
        del file["reflectance"]
        file.move("packed", "reflectance")


@pytest.mark.parametrize(("make", "name"), [(matlab, "s.mat"), (netcdf, "s.nc")])
def test_scenes_with_such_a_chunk_are_refused(make: Any, name: str, tmp_path: Path) -> None:
    make(tmp_path / name)
    with pytest.raises(SceneError, match=rf"{name}.* with 10 bytes in a chunk"):
        open_scene(tmp_path / name)
    with pytest.raises(SceneError, match=rf"{name}.* with 10 bytes in a chunk"):
        open_lazily(tmp_path / name).read(Window(0, 4, 3, 6))


def test_chunks_that_are_only_claimed_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file.create_dataset("cube", (5, 65536), "<i4", chunks=(1, 1), compression="gzip")
    with pytest.raises(SceneError, match="which claims"):
        open_lazily(tmp_path / "s.mat")


OTHERS = {"szip": {"compression": "szip"}, "scale-offset": {"scaleoffset": 0}, "N-bit": {}}


def write_otherwise_packed(file: h5py.File, name: str, how: str, values: np.ndarray) -> None:
    if how != "N-bit":
        more = {"compression_opts": ("nn", 4)} if how == "szip" else {}
        file.create_dataset(name, data=values, chunks=values.shape, **OTHERS[how], **more)
        return
    packed = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    packed.set_chunk(values.shape)
    packed.set_filter(h5py.h5z.FILTER_NBIT, 0, ())
    kind = h5py.h5t.STD_I16LE.copy()
    kind.set_precision(12)
    space = h5py.h5s.create_simple(values.shape)
    h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, packed))[...] = values


@pytest.mark.parametrize("how", OTHERS)
def test_what_other_filters_packed_is_refused_and_nothing_else_of_the_file(how: str, tmp_path: Path) -> None:
    values = np.arange(120, dtype="<i2").reshape(5, 6, 4)
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["cube"] = values
        file.create_group("more")
        write_otherwise_packed(file, "more/other", how, values)
    np.testing.assert_array_equal(open_scene(tmp_path / "a.mat", scale=1).values, values.T)
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        write_otherwise_packed(file, "cube", how, values)
    with pytest.raises(SceneError, match=r"b\.mat.*'/cube', which was packed by filter \d+ of HDF5; expected deflate"):
        open_scene(tmp_path / "b.mat", scale=1)


@pytest.mark.parametrize("how", OTHERS)
@pytest.mark.parametrize("name", ["reflectance", "wavelength"])
def test_netcdf_that_other_filters_packed(name: str, how: str, tmp_path: Path) -> None:
    values = np.random.default_rng(3).uniform(0.1, 0.9, (4, 6, 5)).astype("f4")
    save_scene(make_scene(values, wavelength=np.linspace(450, 850, 5)), tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        attributes = dict(file[name].attrs)
        values = np.ones(file[name].shape, "i2")
        del file[name]
        write_otherwise_packed(file, name, how, values)
        for key in attributes.keys() - {
            "DIMENSION_LIST",
            "REFERENCE_LIST",
            "CLASS",
            "NAME",
            "_Netcdf4Dimid",
            "_FillValue",
        }:
            file[name].attrs[key] = attributes[key]
    with pytest.raises(SceneError, match=r"a\.nc"):
        open_scene(tmp_path / "a.nc")


@pytest.mark.parametrize(
    ("packed", "said"),
    [(b"\x00a" * 50, "50 bytes in a chunk; expected 240"), (b"\x05abc", "a piece that is cut off")],
)
def test_chunks_that_are_not_what_lzf_packed(packed: bytes, said: str, tmp_path: Path) -> None:
    values = np.ones((5, 6, 4), "<i2")
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        stored = file.create_dataset("cube", data=values, chunks=values.shape, compression="lzf")
        stored.id.write_direct_chunk((0, 0, 0), packed)
    with pytest.raises(SceneError, match=said):
        open_scene(tmp_path / "a.mat", scale=1)
