"""NetCDF files whose texts, attributes and dimensions lie, in ways of which the library dies or takes all memory."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import HOW, SCENE, refused

from unmixel.io import open_scene, save_scene


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"many": ["x" * 1003] * 1000}, "a heap of more than 64 kB"),
        ({f"one {i}": ["x" * 1003] for i in range(50)}, "more than 20 MB of texts"),
        ({"many": ["x"] * 1001}, "1001 texts in 'many'; expected at most 1000"),
    ],
    ids=["a list", "one by one", "a long list"],
)
def test_texts_of_netcdf_that_are_all_the_same_megabyte(texts: dict[str, list[str]], said: str, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        file["other"] = 0
        file["other"].attrs["large"] = "x" * 900_000
        for name, value in texts.items():
            file["other"].attrs.create(name, value, dtype=h5py.string_dtype())
    content = (tmp_path / "s.nc").read_bytes()
    large = content.index((900_000).to_bytes(4, "little"))
    small = re.escape((1003).to_bytes(4, "little")) + rb".{6}\0\0.{2}\0\0"
    changed, n_changed = re.subn(small, lambda _: content[large : large + 16], content, flags=re.DOTALL)
    assert n_changed == sum(len(text) == 1003 for value in texts.values() for text in value)
    (tmp_path / "s.nc").write_bytes(changed)
    refused(tmp_path / "s.nc", said)


def test_texts_of_netcdf_that_no_scene_has_are_not_read(tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        file["time"] = ["2024-06-01T00:00:00"] * 5000
        file.attrs["bands"] = [f"band {i}" for i in range(1000)]
        file["reflectance"].attrs["history"] = "x" * 900_000
    np.testing.assert_array_equal(open_scene(tmp_path / "s.nc").values, SCENE.values)


def test_texts_of_netcdf_in_chunks_and_packed(tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        for name, options in HOW.items():
            file.create_dataset(name, data=["a", "b"], dtype=h5py.string_dtype(), **options)
        file.attrs["NAME"] = ["not of a dimension", "but of the file"]
    np.testing.assert_array_equal(open_scene(tmp_path / "s.nc").values, SCENE.values)


@pytest.mark.parametrize("what", ["regions", "a region", "texts among numbers", "lists of texts"])
def test_attributes_of_netcdf_on_which_the_library_dies_or_takes_all_memory(what: str, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        values = file["reflectance"]
        if what == "a region":
            values.attrs["odd"] = values.regionref[:1]
        elif what == "regions":
            lists = np.empty(1, object)
            lists[0] = np.array([values.regionref[:1]] * 3, h5py.regionref_dtype)
            values.attrs.create("odd", lists, dtype=h5py.vlen_dtype(h5py.regionref_dtype))
        elif what == "lists of texts":
            lists = np.empty(1, object)
            lists[0] = np.array(["a", "b"], object)
            values.attrs.create("odd", lists, dtype=h5py.vlen_dtype(h5py.string_dtype()))
        else:
            values.attrs["odd"] = np.array([(1, "a")], [("number", "i4"), ("text", h5py.string_dtype())])
    refused(tmp_path / "s.nc", "parts of arrays" if "region" in what else "texts or lists in each value of 'odd'")


@pytest.mark.parametrize(
    ("name", "array", "value"),
    [
        ("DIMENSION_LIST", "reflectance", [[1, 2, 3]] * 9),
        ("DIMENSION_LIST", "reflectance", 5),
        ("DIMENSION_LABELS", "reflectance", ["a"] * 99),
        ("DIMENSION_LABELS", "reflectance", [1, 2, 3]),
        ("REFERENCE_LIST", "wavelength", np.zeros(3, [("dataset", "i2"), ("dimension", "f8", (9,))])),
        ("CLASS", "wavelength", np.array(["DIMENSION_SCALE"] * 99, "S16")),
        ("NAME", "wavelength", np.array(["wavelength"] * 99, "S99")),
    ],
)
def test_dimensions_of_netcdf_that_are_none(name: str, array: str, value: object, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    kind = None
    if isinstance(value, list) and isinstance(value[0], list):
        kind, lists = h5py.vlen_dtype("i2"), np.empty(len(value), object)
        lists[:] = [np.array(each, "i2") for each in value]
        value = lists
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        file[array].attrs.pop(name, None)
        file[array].attrs.create(name, value, dtype=kind)
    refused(tmp_path / "s.nc", f"with '{name}' of")


@pytest.mark.parametrize("where", ["heap", "list"])
def test_dimensions_of_netcdf_that_are_in_no_group(where: str, tmp_path: Path) -> None:
    path = tmp_path / "s.nc"
    save_scene(SCENE, path)
    open_scene(path)
    with h5py.File(path, "r+") as file:
        if where == "heap":
            start = h5py.h5o.get_info(file["band"].id).addr
            lists = file["reflectance"].attrs["DIMENSION_LIST"]
        else:
            start = h5py.h5o.get_info(file["reflectance"].id).addr
            values = file["x"][()]
            file["reflectance"].dims[1].detach_scale(file["x"])
            del file["x"]
            file.create_dataset("x", data=values, maxshape=(None,))
            file["reflectance"].dims[1].attach_scale(file["x"])
            lists = file["x"].attrs["REFERENCE_LIST"]
        header = np.frombuffer(path.read_bytes()[start : start + 2000], np.uint8)
        hidden = file.create_dataset("notes", data=header, track_times=False).id
        file.flush()
        place = hidden.get_offset()
    content = path.read_bytes()
    assert lists.size and content[place : place + 100] == content[start : start + 100]
    named = start.to_bytes(8, "little")
    at = content.index(named, content.index(b"GCOL")) if where == "heap" else content.index(named + b"\1\0\0\0")
    path.write_bytes(content[:at] + place.to_bytes(8, "little") + content[at + 8 :])
    refused(path, "dimensions that are in no group")
