"""HDF5 files from elsewhere: nothing outside of them is read, and nothing they claim is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from unmixel.errors import SceneError
from unmixel.io.hdf5 import (
    array_of,
    group_of,
    holds,
    list_of,
    names_in,
    numbers_attribute,
    opened_hdf5,
    required_number,
    text_attribute,
    text_in,
)
from unmixel.io.hdf5_guard import GuardedFile


def made(folder: Path, change: Callable[[h5py.File], None]) -> Path:
    path = folder / "file.h5"
    with h5py.File(path, "w") as file:
        change(file)
    return path


def linked_out(file: h5py.File) -> None:
    file["group/cube"] = h5py.ExternalLink("secret.h5", "/cube")


def linked_within(file: h5py.File) -> None:
    file["group/cube"] = h5py.SoftLink("/elsewhere")
    file["elsewhere"] = h5py.ExternalLink("secret.h5", "/cube")


def group_linked_out(file: h5py.File) -> None:
    file["group"] = h5py.ExternalLink("secret.h5", "/")


def stored_outside(file: h5py.File) -> None:
    file.create_dataset("group/cube", (2, 3, 4), "u1", external=[("secret.h5", 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 3, 4), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "cube", (2, 3, 4))
    file.create_virtual_dataset("group/cube", layout)


@pytest.mark.parametrize("change", [linked_out, linked_within, group_linked_out, stored_outside, virtual])
def test_no_other_file_is_read(tmp_path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["cube"] = np.ones((2, 3, 4), dtype=np.float32)
    path = made(tmp_path, change)
    with pytest.raises(SceneError, match=r"link to elsewhere|lies in another file"), opened_hdf5(path) as file:
        array_of(file, "group/cube", 3)
    if change is group_linked_out:
        assert names_in(path, "group") == ()


@pytest.mark.parametrize(
    ("shape", "chunks", "complaint"),
    [
        ((10**9, 10**6, 400), (1, 1, 400), "claims"),
        ((2, 3), (1, 1), "3 dimensions"),
        ((2, 0, 4), None, "none of them empty"),
        ((1000, 1000, 1000), (1000, 1000, 600), "chunks"),
    ],
)
def test_claims_are_refused(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...] | None, complaint: str
) -> None:
    path = made(tmp_path, lambda file: file.create_dataset("cube", shape, "f4", chunks=chunks))
    if complaint == "chunks":
        with path.open("ab") as file:
            file.truncate(10**7)
    with pytest.raises(SceneError, match=complaint), opened_hdf5(path) as file:
        array_of(file, "cube", 3)


def fill(file: h5py.File) -> None:
    file["list"] = [1.0, 2.0, 3.0]
    file["words"] = ["one", "two"]
    file["text"] = np.bytes_("line\nline")
    file.attrs["name"] = np.bytes_("PRISMA\n\x1b[31mred\0\0")
    file.attrs["broken"] = np.bytes_(b"\xff\xfe")
    file.attrs["number"] = np.array([4], dtype=np.int16)
    file.attrs["empty"] = h5py.Empty("f4")
    file.attrs["nan"] = np.nan
    file.attrs.create("lists", [np.arange(3), np.arange(2)], dtype=h5py.vlen_dtype(np.int32))
    file.attrs["pair"] = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    file.create_dataset("lists_of", (1,), dtype=h5py.vlen_dtype(np.uint8))


def test_texts_and_numbers_are_what_they_are_or_nothing(tmp_path: Path) -> None:
    with opened_hdf5(made(tmp_path, fill)) as file:
        assert list_of(file, "list", 3).tolist() == [1, 2, 3]
        assert text_in(file, "text") == "line\nline"
        assert (text_in(file, "words"), text_in(file, "list"), text_in(file, "nothing")) == ("", "", "")
        assert text_attribute(file, "name") == "PRISMA [31mred"
        assert text_attribute(file, "broken").isprintable()
        assert (text_attribute(file, "number"), text_attribute(file, "nothing")) == ("", "")
        assert required_number(file, "number") == 4
        assert [numbers_attribute(file, name) for name in ("empty", "lists", "pair", "nothing")] == [None] * 4
        assert [text_attribute(file, name) for name in ("empty", "lists", "pair")] == [""] * 3
        assert text_in(file, "lists_of") == ""
        assert not holds(file, "list/deeper")


@pytest.mark.parametrize(
    "ask",
    [
        lambda file: list_of(file, "list", 4),
        lambda file: array_of(file, "words", 1),
        lambda file: array_of(file, "nothing", 1),
        lambda file: group_of(file, "list"),
        lambda file: required_number(file, "nan"),
        lambda file: required_number(file, "name"),
        lambda file: file["nothing"],
        lambda file: file["list"][()].reshape(2, 2),
    ],
)
def test_what_is_not_there_is_one_clear_error(tmp_path: Path, ask: Callable[[h5py.File], object]) -> None:
    with pytest.raises(SceneError, match=r"file\.h5"), opened_hdf5(made(tmp_path, fill)) as file:
        ask(file)


def test_a_heap_without_an_end_does_not_stop_us(tmp_path: Path) -> None:
    path = made(tmp_path, lambda file: file.attrs.update({"name": "of variable length"}))
    stored = bytearray(path.read_bytes())
    first = stored.index(b"GCOL") + 16
    free = first + 16 + -(-int.from_bytes(stored[first + 8 : first + 16], "little") // 8) * 8
    assert stored[free : free + 2] == b"\0\0", "the free space behind the only text"
    stored[free + 8 : free + 16] = bytes(8)
    path.write_bytes(stored)
    with pytest.raises(SceneError, match=r"file\.h5"), opened_hdf5(path) as file:
        text_attribute(file, "name")


def free_piece_before_itself(stored: bytearray, base: int) -> None:
    heap = stored.index(b"HEAP\0")
    place = base + int.from_bytes(stored[heap + 24 : heap + 32], "little")
    stored[heap + 16 : heap + 24] = (8).to_bytes(8, "little")
    stored[place + 8 : place + 16] = (8).to_bytes(8, "little")


def free_piece_of_a_heap_with_reserved_bytes(stored: bytearray, base: int) -> None:
    free_piece_before_itself(stored, base)
    stored[stored.index(b"HEAP\0") + 5] = 42


def large_heap(stored: bytearray, base: int) -> None:
    heap = stored.index(b"GCOL")
    stored[heap + 6] = 42
    stored[heap + 8 : heap + 16] = (1 << 25).to_bytes(8, "little")
    stored.extend(bytes(1 << 25))


@pytest.mark.parametrize("base", [0, 512])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (free_piece_before_itself, "heap that never ends"),
        (free_piece_of_a_heap_with_reserved_bytes, "heap that never ends"),
        (large_heap, "more than 1 MB"),
    ],
)
def test_structures_without_an_end_are_not_read(
    tmp_path: Path, harm: Callable[[bytearray, int], None], said: str, base: int
) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", userblock_size=base) as file:
        file.create_group("group")
        file.attrs["name"] = "of variable length"
    whole = path.read_bytes()
    with GuardedFile(path) as guarded:
        assert guarded.read(len(whole)) == whole
    stored = bytearray(whole)
    harm(stored, base)
    path.write_bytes(stored)
    first = next(at for at in range(len(whole)) if whole[at] != stored[at])
    mark = max(whole.rfind(one, 0, first) for one in (b"HEAP", b"GCOL"))
    for part in (len(whole), mark, mark + 1, mark + 4):
        with GuardedFile(path) as guarded, pytest.raises(OSError, match=said):
            _ = guarded.read(part), guarded.read(len(whole) - part)


@pytest.mark.parametrize(("mark", "size"), [(b"GCOL", 1 << 40), (b"GCOL", 1 << 63), (b"HEAP", 1 << 63)])
def test_heaps_beyond_the_end_of_the_file_are_refused(tmp_path: Path, mark: bytes, size: int) -> None:
    path = made(tmp_path, lambda file: file.attrs.update({"name": "of variable length"}))
    stored = bytearray(path.read_bytes())
    heap = stored.index(mark)
    stored[heap + 8 : heap + 16] = size.to_bytes(8, "little")
    path.write_bytes(stored)
    with pytest.raises(SceneError, match=r"file\.h5"), opened_hdf5(path) as file:
        text_attribute(file, "name")


def test_what_looks_like_a_heap_in_data_is_read(tmp_path: Path) -> None:
    data = np.frombuffer(b"GCOL\1 HEAP\0 TREE\0 " * 1000, dtype=np.uint8)
    with opened_hdf5(made(tmp_path, lambda file: file.create_dataset("cube", data=data))) as file:
        assert np.array_equal(file["cube"][()], data)


def test_places_of_four_bytes_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path, fill)
    stored = bytearray(path.read_bytes())
    stored[13] = 4
    path.write_bytes(stored)
    with pytest.raises(SceneError, match="other than 8 bytes"), opened_hdf5(path):
        pass


def test_what_is_packed_twice_is_refused(tmp_path: Path) -> None:
    def twice(file: h5py.File) -> None:
        packed = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        packed.set_chunk((10,))
        packed.set_shuffle()
        packed.set_deflate(9)
        packed.set_deflate(9)
        h5py.h5d.create(file.id, b"list", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((10,)), packed)

    with pytest.raises(SceneError, match=r"'list' is packed more than once"), opened_hdf5(made(tmp_path, twice)):
        pass
