"""HDF5 files in which structures lie in each other, lead back to themselves, or are not what leads to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import VALUES, header_around, refused, size_at, with_checksum

from unmixel.io import open_scene
from unmixel.io.hdf5_contents import check_hdf5

USER_BLOCK = 512
OLD, NEW = ("earliest", "v108"), ("v110", "v110")


def places_of(mark: bytes, content: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(mark), content)]


def stored(place: int) -> bytes:
    """Return a place in the file as other structures have it."""
    return (place - USER_BLOCK).to_bytes(8, "little")


def damaged(path: Path, said: str, harm: Callable[[bytearray], None]) -> None:
    """Harm a whole file, which is then refused."""
    check_hdf5(path)
    np.testing.assert_array_equal(open_scene(path).values, VALUES)
    content = bytearray(path.read_bytes())
    harm(content)
    path.write_bytes(content)
    refused(path, said)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file of old structures: a tree of chunks of two levels, and groups."""
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=USER_BLOCK, libver=OLD) as file:
        file.create_dataset("cube", data=VALUES.T, chunks=(1, 1, 1))
        for name in ("some", "other"):
            file.create_group(name)["list"] = np.arange(3.0)
            for number in range(30):
                file[name].attrs[f"note {number}"] = number
    return path


def root_of_chunks(content: bytes) -> int:
    (root,) = (node for node in places_of(b"TREE\x01", content) if content[node + 5] == 1)
    return root


KEY = 8 + 8 * 4
"""Bytes of a key in a tree of chunks of three dimensions."""


def test_a_tree_of_chunks_under_itself(old: Path) -> None:
    def harm(content: bytearray) -> None:
        root = root_of_chunks(content)
        at = root + 24 + KEY
        content[at : at + 8] = stored(root)

    damaged(old, "a tree whose nodes are not what it says", harm)


def test_a_tree_with_the_same_chunks_twice(old: Path) -> None:
    def harm(content: bytearray) -> None:
        first = root_of_chunks(content) + 24 + KEY
        second = first + 8 + KEY
        content[second : second + 8] = content[first : first + 8]

    damaged(old, "structures that lie in each other", harm)


def test_chunks_where_links_are(old: Path) -> None:
    def harm(content: bytearray) -> None:
        at = content.index(stored(root_of_chunks(content)))
        content[at : at + 8] = stored(places_of(b"TREE\x00", content)[1])

    damaged(old, "a tree whose nodes are not what it says", harm)


def test_a_tree_of_links_under_itself(old: Path) -> None:
    def harm(content: bytearray) -> None:
        node = content.index(b"TREE\x00")
        content[node + 5] = 1
        content[node + 32 : node + 40] = stored(node)

    damaged(old, "a tree whose nodes are not what it says", harm)


def test_a_tree_with_the_same_links_twice(old: Path) -> None:
    def harm(content: bytearray) -> None:
        node = content.index(b"TREE\x00")
        content[node + 6] = 2
        content[node + 48 : node + 56] = content[node + 32 : node + 40]

    damaged(old, "structures that lie in each other", harm)


def test_a_tree_of_links_that_leads_to_none(old: Path) -> None:
    def harm(content: bytearray) -> None:
        node = content.index(b"TREE\x00")
        content[node + 32 : node + 40] = stored(node)

    damaged(old, "links lie where there are none", harm)


def test_the_names_of_one_group_where_those_of_another_are(old: Path) -> None:
    def harm(content: bytearray) -> None:
        _, first, second = places_of(b"HEAP\x00", content)
        content[second + 24 : second + 32] = content[first + 24 : first + 32]

    damaged(old, "structures that lie in each other", harm)


def test_a_group_whose_names_take_no_bytes(old: Path) -> None:
    def harm(content: bytearray) -> None:
        heap = places_of(b"HEAP\x00", content)[1]
        content[heap + 8 : heap + 16] = bytes(8)

    damaged(old, "a group without a heap of names", harm)


def test_two_groups_with_the_same_links(old: Path) -> None:
    def harm(content: bytearray) -> None:
        _, first, second = places_of(b"TREE\x00", content)
        content[:] = content.replace(stored(second), stored(first))

    damaged(old, "structures that lie in each other", harm)


def test_two_headers_that_go_on_at_the_same_place(old: Path) -> None:
    def harm(content: bytearray) -> None:
        first, second, *_ = (m.end() for m in re.finditer(rb"\x10\0\x10\0\0\0\0\0(?=.{6}\0\0.{6}\0\0)", content))
        content[second : second + 16] = content[first : first + 16]

    damaged(old, "structures that lie in each other", harm)


@pytest.fixture(params=[NEW, ("latest", "latest")], ids=["v110", "latest"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file with two of each structure of new HDF5."""
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=USER_BLOCK, libver=request.param) as file:
        file["cube"] = VALUES.T
        values = np.arange(400.0)
        for name in ("some", "other"):
            of = file.create_group(name)
            of.create_dataset("fixed", data=values, chunks=(2,), compression="gzip")
            of.create_dataset("growing", data=values, chunks=(1,), maxshape=(None,), compression="gzip")
            both = {"chunks": (4, 4), "maxshape": (None, None), "compression": "gzip"}
            of.create_dataset("both", data=values.reshape(20, 20), **both)
            for number in range(70):
                of.attrs[f"note {number}"] = number
        all_three = {"chunks": (1, 2, 4), "maxshape": (None, None, None), "compression": "gzip"}
        file.create_dataset("some/three", data=values.reshape(5, 4, 20), **all_three)
    return path


@pytest.mark.parametrize(
    ("parent", "at", "mark"),
    [
        (b"FAHD", 16, b"FADB"),
        (b"EAHD", 60, b"EAIB"),
        (b"EAIB", None, b"EADB"),
        (b"EAIB", None, b"EASB"),
        (b"EASB", None, b"EADB"),
        (b"BTHD\x00\x0b", 16, b"BT"),
        (b"BTHD\x00\x08", 16, b"BT"),
        (b"FRHP", 132, b"FH"),
    ],
)
def test_what_lies_in_two_structures(parent: bytes, at: int | None, mark: bytes, new: Path) -> None:
    def harm(content: bytearray) -> None:
        whole = bytes(content)
        first, second = places_of(parent, whole)[:2]

        def leading(start: int) -> int:
            """Return where in a structure the place of one of the kind is that is looked for."""
            places = {stored(place) for place in places_of(mark, whole)}
            fields = [at] if at is not None else range(14, size_at(whole, start))
            return next(field for field in fields if whole[start + field :][:8] in places)

        there = whole[first + leading(first) :][:8]
        content[:] = with_checksum(whole, second, size_at(whole, second), leading(second), there)

    damaged(new, "structures that lie in each other", harm)


@pytest.mark.parametrize("mark", [b"FAHD", b"EAHD", b"BTHD\x00\x0b"])
def test_a_list_of_packed_chunks_where_none_is_packed(mark: bytes, new: Path) -> None:
    def harm(content: bytearray) -> None:
        whole = bytes(content)
        start, size = header_around(whole, whole.index(stored(whole.index(mark))))
        filters = whole.index(b"\x0b", start + 16)
        while whole[filters : filters + 4] not in (b"\x0b\x0c\0\0", b"\x0b\x0c\0\x01"):
            filters = whole.index(b"\x0b", filters + 1)
        content[:] = with_checksum(whole, start, size, filters - start, b"\0")

    damaged(new, "a list of chunks that is not of", harm)


def test_a_list_of_chunks_of_other_dimensions(new: Path) -> None:
    def harm(content: bytearray) -> None:
        whole = bytes(content)
        *trees, of_three = sorted(places_of(b"BTHD\x00\x0b", whole), key=lambda tree: whole[tree + 10])
        leading = whole.index(stored(trees[0]))
        start, size = header_around(whole, leading)
        content[:] = with_checksum(whole, start, size, leading - start, stored(of_three))

    damaged(new, "a list of chunks of other dimensions", harm)


@pytest.mark.parametrize(
    ("mark", "at", "changed", "said"),
    [
        (b"EAHD", 9, b"\x03", "an array of no blocks"),
        (b"EAHD", 9, b"\0", "an array of no blocks"),
        (b"EAHD", 10, b"\x05", "an array of no blocks"),
        (b"EAHD", 10, b"\x80", "structures that lie in each other"),
        (b"EAHD", 7, b"\xff", "an array of no blocks"),
        (b"EAHD", 6, b"\x08", "beyond the end of the file|of other dimensions|lie in each other"),
        (b"FAHD", 6, b"\x08", "a list of chunks of other dimensions"),
        (b"FAHD", 8, bytes([0, 0, 0, 1]), "beyond the end of the file"),
        (b"FRHP", 110, b"\0\x80", "a heap of no blocks"),
        (b"FRHP", 140, b"\x50\0", "a heap of no blocks"),
        (b"FRHP", 140, b"\x0f\0", "beyond the end of the file|structures that lie in each other"),
    ],
)
def test_numbers_of_new_structures(mark: bytes, at: int, changed: bytes, said: str, new: Path) -> None:
    def harm(content: bytearray) -> None:
        whole = bytes(content)
        start = whole.index(mark)
        content[:] = with_checksum(whole, start, size_at(whole, start), at, changed)

    damaged(new, said, harm)


@pytest.mark.parametrize("versions", [OLD, NEW], ids=["old", "new"])
@pytest.mark.parametrize("where", ["dataset", "attribute", "one of many attributes"])
def test_a_named_type_that_is_itself_elsewhere(where: str, versions: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=USER_BLOCK, libver=versions) as file:
        cube = file.create_dataset("cube", data=VALUES.T)
        file["z"] = np.dtype([("a", "i4"), ("b", "f4")])
        if where == "dataset":
            file.create_dataset("of the kind", (3,), file["z"])
        else:
            for number in range(70 if "many" in where else 0):
                cube.attrs[f"note {number}"] = number
            cube.attrs.create("of the kind", np.zeros(3, file["z"].dtype), dtype=file["z"])
        header = h5py.h5o.get_info(file["z"].id).addr

    def harm(content: bytearray) -> None:
        version = b"\x16" if versions == OLD else b"\x36"
        at = content.index(version + bytes([2, 0, 0, 8]), USER_BLOCK + header)
        there = bytes([3, 2]) + header.to_bytes(8, "little")
        if versions == OLD:
            content[at - 4] = 3
            content[at : at + len(there)] = there
        else:
            whole = bytes(content)
            start, size = header_around(whole, at)
            content[:] = with_checksum(whole, start, size, at - 1 - start, bytes([3]) + there)

    damaged(path, "a type that is not where it is said to be", harm)


def test_texts_of_a_named_type_that_claim_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=USER_BLOCK, libver=OLD) as file:
        cube = file.create_dataset("cube", data=VALUES.T)
        file["kind"] = h5py.string_dtype()
        cube.attrs.create("name", "x" * 1003, dtype=file["kind"])

    def harm(content: bytearray) -> None:
        length = content.index((1003).to_bytes(4, "little"))
        content[length : length + 4] = (2**31).to_bytes(4, "little")

    damaged(path, "a text or list that claims 2147483648 bytes", harm)
