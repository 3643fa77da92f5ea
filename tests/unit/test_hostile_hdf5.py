"""HDF5 files whose structures lie, in ways of which the library dies; and whole ones of every kind."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import HOW, SHUFFLED, VALUES, checksum_of, header_around, refused, with_checksum

from unmixel.io import open_scene
from unmixel.io.hdf5 import opened_hdf5, texts_in
from unmixel.io.hdf5_contents import check_hdf5
from unmixel.io.hdf5_guard import GuardedFile
from unmixel.io.hdf5_headers import messages
from unmixel.io.hdf5_heaps import FractalHeap


@pytest.mark.parametrize("user_block", [0, 512])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("versions", [("earliest", "v108"), ("v108", "v108"), ("v110", "latest"), ("latest", "latest")])
def test_whole_files_of_every_kind_are_taken(
    versions: tuple[str, str], ordered: bool, user_block: int, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    with h5py.File(tmp_path / "s.h5", "w", libver=versions, track_order=ordered, userblock_size=user_block) as file:
        wide = file.create_group("wide", track_order=ordered)
        for number in range(1500):
            wide[f"link {number}"] = h5py.SoftLink("/list")
        for number in range(0, 1500, 7):
            del wide[f"link {number}"]
        file.create_dataset("list", data=random.random((80, 90)), chunks=(2, 2))
        packed = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        file.create_dataset("packed list", data=random.random((40, 50)), chunks=(2, 2), **packed)
        file.create_dataset("to grow", data=random.random((10, 10)), maxshape=(100, 50), chunks=(3, 4))
        file.create_dataset("empty list", (10, 10), "f4", chunks=(3, 4))
        file.create_dataset("one", data=random.random((5, 5)), chunks=(5, 5))
        file.create_dataset("packed one", data=random.random((5, 5)), chunks=(5, 5), compression="gzip")
        file.create_dataset("rows", data=random.random((3000, 3)), chunks=(1, 3), maxshape=(None, 3))
        file["rows"].resize((1000, 3))
        file.create_dataset("packed rows", data=random.random((500, 30)), chunks=(1, 30), maxshape=(None, 30), **packed)
        file.create_dataset("both", data=random.random((100, 100)), chunks=(2, 3), maxshape=(None, None))
        file.create_dataset("packed both", data=random.random((99, 99)), chunks=(3, 3), maxshape=(None, None), **packed)
        for number in range(400):
            file["list"].attrs[f"note {number}"] = "text " * (number % 9)
        for number in range(0, 400, 3):
            del file["list"].attrs[f"note {number}"]
        if versions[0] != "earliest":
            file["list"].attrs["huge"] = random.random(50_000)
            for number in range(40):
                file["rows"].attrs[f"long {number}"] = random.random(700)
        file["kind"] = np.dtype([("a", "i4"), ("b", h5py.vlen_dtype("f4"))])
        file.create_dataset("of the kind", (3,), file["kind"])
        file.create_dataset("of the kind, in chunks", (3,), file["kind"], chunks=(2,))
        for how, options in {"one": {}, "in chunks": {"chunks": (2,)}, "packed": SHUFFLED}.items():
            file.create_dataset(f"texts, {how}", data=["x", "", "z"], dtype=h5py.string_dtype(), **options)
            file.create_dataset(f"fixed texts, {how}", data=np.array(["x", "", "z"], "S1"), **options)
            several = file.create_dataset(f"several, {how}", (3,), [("a", "i4"), ("b", h5py.string_dtype())], **options)
            several[1] = (1, "y")
            file.create_dataset(f"places, {how}", (3,), h5py.ref_dtype, **options)[:] = file.ref
        file["nothing"], file["number"] = h5py.Empty("f4"), 5.0
    check_hdf5(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert len(file["wide"]) == 1500 - 215
        assert len(file["list"].attrs) == 400 - 134 + (versions[0] != "earliest")


@pytest.mark.parametrize("packed", [None, "gzip", "lzf"])
def test_a_chunk_of_hdf5_shorter_than_its_checksum(packed: str | None, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        how = {"chunks": VALUES.T.shape, "fletcher32": True, "compression": packed}
        cube = file.create_dataset("cube", data=VALUES.T, **how)
        whole = cube.id.read_direct_chunk((0, 0, 0))[1]
    np.testing.assert_array_equal(open_scene(tmp_path / "s.mat").values, VALUES)
    with h5py.File(tmp_path / "s.mat", "r+") as file:
        file["cube"].id.write_direct_chunk((0, 0, 0), whole[:3])
    refused(tmp_path / "s.mat", "with 3 bytes in a chunk of 'cube'")


@pytest.mark.parametrize(("name", "said"), [("cube", "a name twice"), ("cu/f", "a name that is a path")])
def test_names_in_a_group_that_may_lead_to_another(name: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cube"], file["cubf"] = VALUES.T, 1.0
    check_hdf5(path)
    content = path.read_bytes()
    assert content.count(b"cubf") == 1
    path.write_bytes(content.replace(b"cubf", name.encode()))
    refused(path, said)


@pytest.mark.parametrize("kind", [15, 24])
def test_what_hdf5_reads_before_anything_else(kind: int, tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=512, libver="latest", fs_strategy="fsm", fs_persist=True) as file:
        file["cube"] = VALUES.T
    np.testing.assert_array_equal(open_scene(path).values, VALUES)
    content = path.read_bytes()
    start, size = header_around(content, content.index(b"OHDR") + 7)
    assert start == 512 + int.from_bytes(content[532:540], "little")
    assert content[start + 23] == 23
    path.write_bytes(with_checksum(content, start, size, 23, bytes([kind])))
    refused(path, "messages that objects share")


@pytest.mark.parametrize(("versions", "root"), [(("earliest", "v108"), 64), (("latest", "latest"), 36)])
def test_a_root_of_hdf5_that_is_no_group(versions: tuple[str, str], root: int, tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=512, libver=versions) as file:
        file["cube"] = VALUES.T
        place = h5py.h5o.get_info(file["cube"].id).addr.to_bytes(8, "little")
    content = path.read_bytes()
    if root == 36:
        path.write_bytes(with_checksum(content, 512, 44, root, place))
    else:
        path.write_bytes(content[: 512 + root] + place + content[512 + root + 8 :])
    refused(path, "root is not a group")


@pytest.mark.parametrize("size", [1, 31, 48, 1085])
@pytest.mark.parametrize("kind", ["texts", "places", "numbers"])
def test_a_chunk_of_hdf5_of_another_size(kind: str, size: int, tmp_path: Path) -> None:
    types = {"texts": h5py.string_dtype(), "places": h5py.ref_dtype, "numbers": "f8"}
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cube"] = VALUES.T
        values = {"texts": ["a", "b", "c"], "places": [file.ref] * 3, "numbers": [1.0, 2.0, 3.0]}[kind]
        several = file.create_dataset("several", data=values, dtype=types[kind], chunks=(2,))
        stored = several.id.get_chunk_info(1)
    check_hdf5(path)
    content = path.read_bytes()
    key = stored.size.to_bytes(4, "little") + bytes(4) + (2).to_bytes(8, "little")
    assert content.count(key) == 1
    path.write_bytes(content.replace(key, size.to_bytes(4, "little") + key[4:]))
    refused(path, f"with {size} bytes in a chunk of 'several'")


TEXTS = bytes.fromhex("19010100 10000000")
"""How a type message of HDF5 begins that says: UTF-8 texts of any length."""


@pytest.mark.parametrize("kind", ["text", "texts", "compound", "dataset", "array"])
def test_a_type_of_hdf5_that_there_is_not(kind: str, tmp_path: Path) -> None:
    texts = h5py.string_dtype()
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        cube = file.create_dataset("cube", data=VALUES.T)
        if kind == "dataset":
            file.create_dataset("title", data=["a"], dtype=texts)
        elif kind == "texts":
            cube.attrs.create("title", ["a", "b"], dtype=texts)
        elif kind == "text":
            file.attrs["title"] = "a"
        else:
            value = np.zeros(1, [("n", "i4"), ("title", texts, (2,) if kind == "array" else ())])
            value["title"] = "a"
            file.attrs["title"] = value
    np.testing.assert_array_equal(open_scene(tmp_path / "s.mat").values, VALUES)
    content = (tmp_path / "s.mat").read_bytes()
    assert content.count(TEXTS) == 1
    (tmp_path / "s.mat").write_bytes(content.replace(TEXTS, TEXTS[:1] + b"\x0a" + TEXTS[2:]))
    refused(tmp_path / "s.mat", "'title' is of no type of HDF5")


def test_a_filling_of_no_size_in_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file.create_dataset("cube", VALUES.T.shape, "f4", VALUES.T, fillvalue=None)
    filling = bytes.fromhex("05000800 01000000 02020201 00000000")
    content = (tmp_path / "s.mat").read_bytes()
    assert content.count(filling) == 1
    (tmp_path / "s.mat").write_bytes(content.replace(filling, filling[:-1] + b"\x80"))
    refused(tmp_path / "s.mat", "damaged|truncated")


def written_as_new(path: Path) -> bytes:
    """Write MATLAB 7.3 with all the structures of new HDF5; return its content."""
    with h5py.File(path, "w", libver="latest", userblock_size=512, track_order=True) as file:
        cube = file.create_dataset("cube", data=VALUES.T, chunks=(2, 3, 2))
        file.create_group("about")
        file.create_dataset("grown", data=VALUES[0], chunks=(1, 5), maxshape=(None, 5))
        file.create_dataset("grown both", data=VALUES[0], chunks=(1, 5), maxshape=(None, None))
        for number in range(70):
            file[f"link {number}"] = h5py.SoftLink("/about")
            cube.attrs[f"note {number}"] = number
    np.testing.assert_array_equal(open_scene(path).values, VALUES)
    return path.read_bytes()


LINKS, ATTRIBUTES, BOTH = b"BTHD\x00\x05", b"BTHD\x00\x08", b"BTHD\x00\x0a"
"""The first bytes of trees of links by name, attributes by name and chunks."""


@pytest.mark.parametrize(
    ("mark", "size", "at", "changed", "said"),
    [
        (LINKS, 34, 5, b"\x08", "leads to a tree of another kind"),
        (LINKS, 34, 6, (1 << 24).to_bytes(4, "little"), "no kind that there is"),
        (LINKS, 34, 10, b"\0", "no kind that there is"),
        (LINKS, 34, 26, b"\x01", "says it has what it has not"),
        (LINKS, 34, 24, b"\0", "nodes are not what it says"),
        (LINKS, 34, 12, b"\0", "nodes are not what it says"),
        (LINKS, 34, 16, bytes(8), "nodes are not what it says"),
        (ATTRIBUTES, 34, 26, b"\x01", "says it has what it has not"),
        (BOTH, 34, 5, b"\x01", "leads to a tree of another kind"),
        (BOTH, 34, 26, b"\xff", "says it has what it has not"),
        (b"FRHP", 142, 110, b"\0\0", "a heap of no blocks"),
        (b"FRHP", 142, 112, bytes(8), "a heap of no blocks"),
        (b"FRHP", 142, 22, (600).to_bytes(8, "little"), "a tree of another kind"),
        (b"EAHD", 68, 48, b"\x01", "more chunks than the file can hold"),
        (b"FAHD", 24, 8, b"\x01", "with room for 1 chunks of 'cube'; expected for 12"),
    ],
)
def test_what_structures_of_new_hdf5_say_of_themselves_holds(
    mark: bytes, size: int, at: int, changed: bytes, said: str, tmp_path: Path
) -> None:
    content = written_as_new(tmp_path / "s.mat")
    (tmp_path / "s.mat").write_bytes(with_checksum(content, content.index(mark), size, at, changed))
    assert said in refused(tmp_path / "s.mat", "s.mat")


def test_a_header_of_hdf5_leads_to_trees_of_its_kind(tmp_path: Path) -> None:
    content = written_as_new(tmp_path / "s.mat")
    places = {mark: (content.index(mark) - 512).to_bytes(8, "little") for mark in (LINKS, ATTRIBUTES, BOTH)}
    for mark, other in ((LINKS, ATTRIBUTES), (ATTRIBUTES, BOTH), (BOTH, LINKS)):
        leading = content.index(places[mark])
        start, size = header_around(content, leading)
        (tmp_path / "s.mat").write_bytes(with_checksum(content, start, size, leading - start, places[other]))
        refused(tmp_path / "s.mat", "leads to a tree of another kind")


def test_attributes_of_new_hdf5_do_not_lie_among_what_is_shared(tmp_path: Path) -> None:
    content = written_as_new(tmp_path / "s.mat")
    start = content.index(b"BTLF\x00\x08")
    (size,) = {
        n for n in range(6, 600) if content[start + n : start + n + 4] == checksum_of(content[start : start + n])
    }
    (tmp_path / "s.mat").write_bytes(with_checksum(content, start, size, 6 + 8, b"\x02"))
    refused(tmp_path / "s.mat", "s.mat")


def test_a_list_of_chunks_that_is_none(tmp_path: Path) -> None:
    content = written_as_new(tmp_path / "s.mat")
    leading = content.index((content.index(b"FAHD") - 512).to_bytes(8, "little"))
    start, size = header_around(content, leading)
    elsewhere = (content.index(b"FADB") - 512).to_bytes(8, "little")
    (tmp_path / "s.mat").write_bytes(with_checksum(content, start, size, leading - start, elsewhere))
    refused(tmp_path / "s.mat", "leads to no array")


@pytest.mark.parametrize("size", [None, 1 << 30, 1 << 16])
def test_a_header_that_goes_on_in_itself_or_nowhere(size: int | None, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512, libver="earliest") as file:
        cube = file.create_dataset("cube", data=VALUES.T)
        for number in range(30):
            cube.attrs[f"note {number}"] = number
        header = h5py.h5o.get_info(cube.id).addr
    content = (tmp_path / "s.mat").read_bytes()
    at = content.index(bytes.fromhex("1000100000000000"), 512 + header) + 8
    told = content[at + 8 : at + 16] if size is None else size.to_bytes(8, "little")
    place = header + 16 if size is None else int.from_bytes(content[at : at + 8], "little")
    (tmp_path / "s.mat").write_bytes(content[:at] + place.to_bytes(8, "little") + told + content[at + 16 :])
    refused(tmp_path / "s.mat", "s.mat")


@pytest.mark.parametrize("mark", [b"BTHD", b"FRHP", b"EAHD"])
def test_pixels_that_look_like_the_beginning_of_a_structure(mark: bytes, tmp_path: Path) -> None:
    values = VALUES.copy()
    values.view(np.uint8).reshape(-1)[40:45] = [*mark, 0]
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512, libver="latest") as file:
        file["cube"] = values.T
    with GuardedFile(tmp_path / "s.mat") as guarded, h5py.File(guarded) as file:
        np.testing.assert_array_equal(file["cube"][()].T, values)


@pytest.mark.parametrize("versions", [("earliest", "v108"), ("v114", "v114")], ids=["old", "new"])
@pytest.mark.parametrize("value", ["x" * 1003, ["y", "x" * 1003]], ids=["text", "list"])
@pytest.mark.parametrize("where", ["cube", "kind", "group"])
def test_a_text_that_claims_gigabytes(
    value: str | list[str], where: str, versions: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=512, libver=versions) as file:
        file["cube"] = VALUES
        file["kind"] = np.dtype("f4")
        file.create_group("group")
        file[where].attrs.create("name", value, dtype=h5py.string_dtype())
    content = path.read_bytes()
    check_hdf5(path)
    length = content.index((1003).to_bytes(4, "little"))
    if content.rfind(b"OHDR", 0, length) >= 0:
        start, size = header_around(content, length)
        path.write_bytes(with_checksum(content, start, size, length - start, (2**31).to_bytes(4, "little")))
    else:
        path.write_bytes(content[:length] + (2**31).to_bytes(4, "little") + content[length + 4 :])
    refused(path, "a text or list that claims 2147483648 bytes")


def stored_texts(file: h5py.File, how: str) -> h5py.Dataset:
    """Write ["y", a text of 1003 bytes] in one of the ways that HDF5 has for it."""
    kind = h5py.string_dtype()
    if how == "compact":
        stored = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        stored.set_layout(h5py.h5d.COMPACT)
        logical = h5py.h5t.py_create(kind, logical=True)
        made = h5py.h5d.create(file.id, b"names", logical, h5py.h5s.create_simple((2,)), stored)
        texts = h5py.Dataset(made)
        texts[:] = ["y", "x" * 1003]
        return texts
    if how == "fill":
        return file.create_dataset("names", (2,), kind, fillvalue="x" * 1003, chunks=(2,))
    return file.create_dataset("names", data=["y", "x" * 1003], dtype=kind, **HOW.get(how, {}))


@pytest.mark.parametrize("how", ["together", "compact", "fill", "in chunks", "packed", "shuffled"])
@pytest.mark.parametrize("versions", [("earliest", "v108"), ("v114", "v114")], ids=["old", "new"])
def test_a_text_of_a_dataset_that_claims_gigabytes(versions: tuple[str, str], how: str, tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    with h5py.File(path, "w", userblock_size=512, libver=versions) as file:
        file["cube"] = VALUES
        stored_texts(file, how)
    check_hdf5(path)
    with opened_hdf5(path) as file:
        assert texts_in(file, "names") == (["x" * 1003] * 2 if how == "fill" else ["y", "x" * 1003])
    claimed = (2**31).to_bytes(4, "little")
    content = path.read_bytes()
    length = rb"\xeb\x03\0\0(?!\0\0\0\0)"
    if how in ("packed", "shuffled"):
        with h5py.File(path, "r+") as file:
            left_out, packed = file["names"].id.read_direct_chunk((0,))
            content = zlib.compress(re.sub(length, claimed, zlib.decompress(packed)))
            file["names"].id.write_direct_chunk((0,), content, left_out)
    elif how in ("compact", "fill") and versions[0] == "v114":
        place = re.search(length, content).start()
        start, size = header_around(content, place)
        path.write_bytes(with_checksum(content, start, size, place - start, claimed))
    else:
        path.write_bytes(re.sub(length, claimed, content))
    refused(path, "a text or list that claims 2147483648 bytes")


@pytest.mark.parametrize("n_attributes", [9, 300, 5000])
def test_all_attributes_in_a_heap_are_found(n_attributes: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w", libver="latest") as file:
        for number in range(n_attributes):
            file.attrs[f"note {number}"] = "x" * (number % 900)
        file.attrs.create("long", ["x"] * 400, dtype=h5py.string_dtype())
        header = h5py.h5o.get_info(file.id).addr
    content = (tmp_path / "s.h5").read_bytes()
    found = [message.content for message in messages(reader_of(content), header) if message.kind == 21]
    heap, tree = (int.from_bytes(found[0][at : at + 8], "little") for at in (2, 10))
    objects = list(FractalHeap(reader_of(content), heap).objects_of(tree))
    names = {each[9 : 9 + each[2] - 1].decode() for each in objects}
    assert names == {*(f"note {number}" for number in range(n_attributes)), "long"}
    assert len(objects) == len(names)


def reader_of(content: bytes) -> Callable[[int, int], bytes]:
    return lambda place, size: content[place : place + size]


@pytest.mark.parametrize("n_texts", [1, 400])
def test_a_text_in_a_heap_that_claims_gigabytes(n_texts: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512, libver="latest") as file:
        file["cube"] = VALUES
        for number in range(20):
            file["cube"].attrs[f"note {number}"] = number
        file["cube"].attrs.create("name", ["x" * 1003] * n_texts, dtype=h5py.string_dtype())
    content = bytearray((tmp_path / "s.mat").read_bytes())
    check_hdf5(tmp_path / "s.mat")
    heap = (content.index(b"GCOL") - 512).to_bytes(8, "little")
    length = content.index((1003).to_bytes(4, "little") + heap)
    block = content.rfind(b"FHDB", 0, length)
    is_in_block = n_texts == 1
    if is_in_block:
        size, stored = block_around(bytes(content), block)
    content[length : length + 4] = (2**31).to_bytes(4, "little")
    if is_in_block:
        content[stored : stored + 4] = bytes(4)
        content[stored : stored + 4] = checksum_of(bytes(content[block : block + size]))
    (tmp_path / "s.mat").write_bytes(content)
    refused(tmp_path / "s.mat", "a text or list that claims 2147483648 bytes")


def block_around(content: bytes, block: int) -> tuple[int, int]:
    """Return the size of a block of a heap, and where its checksum is."""
    stored = block + 13 + 5
    for size in (1 << power for power in range(9, 17)):
        blank = content[block:stored] + bytes(4) + content[stored + 4 : block + size]
        if checksum_of(bytes(blank)) == content[stored : stored + 4]:
            return size, stored
    raise AssertionError("no block")
