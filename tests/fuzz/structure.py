"""Mutations that know the format: they change what a file says, and leave it a file of its kind."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from unmixel.io.hdf5_guard import COLLECTION, heap_ends

from .mutation import CANARY, NUMBERS, TEXTS, mutate_bytes
from .seeds import zipped
from .structure_of_products import mutate_jpeg_2000, mutate_xml

Mutator = Callable[[bytes, random.Random], bytes]
_SIZES = (0, 1, 2, 3, 4, 5, 6, 7, 100, 2**16, 2**31, 2**40, 2**62)
_TYPES = ("u1", "<i2", ">i4", "i8", "u8", "f2", "f4", ">f8", "c8", "S4", "S0", "?", "V3")


def mutate_structure(name: str, content: bytes, rng: random.Random) -> bytes:
    """Return content with one mutation that fits its format, told by its first bytes and its name."""
    return _mutator_of(name, content)(content, rng)


def _mutator_of(name: str, content: bytes) -> Mutator:
    if content.startswith(b"\x89HDF") or content[512:520].startswith(b"\x89HDF"):
        return _hdf5
    if content.startswith(b"PK"):
        return _zip
    if content.startswith(b"\x93NUMPY"):
        return _npy
    if content.startswith((b"II*\0", b"MM\0*")):
        return _tiff
    if content.startswith(b"MATLAB"):
        return _matlab_5
    if content[4:8] == b"jP  ":
        return mutate_jpeg_2000
    if name.lower().endswith(".xml"):
        return mutate_xml
    if name.endswith(".json"):
        return _json
    if name.endswith(".safetensors"):
        return _safetensors
    return mutate_bytes


def _json(content: bytes, rng: random.Random) -> bytes:
    try:
        whole = json.loads(content)
    except ValueError:
        return mutate_bytes(content, rng)
    _change_node(whole, rng)
    return json.dumps(whole).encode()


def _change_node(whole: Any, rng: random.Random) -> None:
    holders = [node for node in _nodes(whole) if isinstance(node, (dict, list)) and node]
    if not holders:
        return
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = rng.choice(list(_nodes(whole)))
        case 2 if isinstance(holder, dict):
            holder[rng.choice((*TEXTS, *list(holder)))] = holder[key]
        case _:
            holder[key] = _odd(rng)
    try:
        json.dumps(whole)
    except (ValueError, RecursionError):  # a node that holds itself
        holder[key] = None


def _odd(rng: random.Random) -> Any:
    deep: Any = 0
    for _ in range(400):
        deep = [deep]
    plain = (None, True, False, [], {}, [[]], {"a": {}}, deep, [0] * 1000, -1, 0, 1, 2**31, 2**63, 2**64, 10**40, 0.5)
    return rng.choice((*plain, float("nan"), 1e308, rng.choice(TEXTS), rng.choice(NUMBERS), list(range(9))))


def _nodes(node: Any) -> Any:
    yield node
    if isinstance(node, dict):
        for inner in node.values():
            yield from _nodes(inner)
    elif isinstance(node, list):
        for inner in node[:20]:
            yield from _nodes(inner)


def _safetensors(content: bytes, rng: random.Random) -> bytes:
    size = int.from_bytes(content[:8], "little")
    if rng.random() < 0.2 or size > len(content):
        return mutate_bytes(content, rng)
    header, data = content[8 : 8 + size], content[8 + size :]
    header = rng.choice((_json, _json, mutate_bytes))(header, rng)
    return len(header).to_bytes(8, "little") + header + data


def _zip(content: bytes, rng: random.Random) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, zlib.error, RuntimeError):
        return mutate_bytes(content, rng)
    if not members:
        return mutate_bytes(content, rng)
    name = rng.choice(list(members))
    match rng.randrange(5):
        case 0:
            members[rng.choice((f"{CANARY}.npy", "/etc/x.npy", "wavelength.npy", "a"))] = members.pop(name)
        case 1:
            del members[name]
        case _:
            members[name] = rng.choice((_npy, _npy, mutate_bytes))(members[name], rng)
    return zipped(members)


def _npy(content: bytes, rng: random.Random) -> bytes:
    if len(content) < 12 or rng.random() < 0.2:
        return mutate_bytes(content, rng)
    size = int.from_bytes(content[8:10], "little")
    header, data = content[10 : 10 + size], content[10 + size :]
    if rng.random() < 0.5:
        shape = tuple(rng.choice(_SIZES) for _ in range(rng.randrange(5)))
        kind = rng.choice((*_TYPES, "O", "<M8[s]", "<U9", "|V0", "garbage"))
        header = repr({"descr": kind, "fortran_order": rng.random() < 0.5, "shape": shape}).encode() + b"\n"
    else:
        header = mutate_bytes(header, rng)
    return content[:8] + (len(header) % 65536).to_bytes(2, "little") + header + data


def _tiff(content: bytes, rng: random.Random) -> bytes:
    """Change one field of the first directory: its tag, type, count or value."""
    order = "<" if content[:2] == b"II" else ">"
    start = struct.unpack(f"{order}I", content[4:8].ljust(4, b"\0"))[0]
    if start + 2 > len(content):
        return mutate_bytes(content, rng)
    n_fields = struct.unpack(f"{order}H", content[start : start + 2])[0]
    at = start + 2 + 12 * rng.randrange(max(1, n_fields))
    field = content[at : at + 12].ljust(12, b"\0")
    tag, kind, count, value = struct.unpack(f"{order}HHII", field)
    match rng.randrange(4):
        case 0:
            kind = rng.choice((0, 1, 2, 3, 4, 5, 12, 16, 255))
        case 1:
            count = rng.choice((0, 1, 2, 65536, 2**31, 2**32 - 1))
        case 2:
            tag = rng.choice(
                (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 339, 42112, 42113, 65000)
            )
        case _:
            value = rng.choice((0, 1, 2, 3, 5, 7, 8, 16, 32, 64, 255, 65535, 2**20, 2**24, 2**31, 2**32 - 1))
            if kind == 3 and order == ">" and value < 65536:
                value <<= 16
    return content[:at] + struct.pack(f"{order}HHII", tag, kind, count, value) + content[at + 12 :]


def _matlab_5(content: bytes, rng: random.Random) -> bytes:
    """Change one element, inside its compression if it has one."""
    at, elements = 128, []
    while at + 8 <= len(content):
        kind, size = struct.unpack("<II", content[at : at + 8])
        elements.append((at, kind, content[at + 8 : at + 8 + size]))
        at += 8 + size
    if not elements or rng.random() < 0.2:
        return mutate_bytes(content, rng)
    start, kind, inner = rng.choice(elements)
    end = start + 8 + len(inner)
    if kind == 15:
        try:
            inner = zlib.compress(mutate_bytes(zlib.decompress(inner), rng))
        except zlib.error:
            return mutate_bytes(content, rng)
    else:
        inner = mutate_bytes(inner, rng)
    return content[:start] + struct.pack("<II", kind, len(inner)) + inner + content[end:]


def _hdf5(content: bytes, rng: random.Random) -> bytes:
    heaps = (content[found.start() :] for found in re.finditer(re.escape(COLLECTION), content))
    if rng.random() < 0.2 or not all(map(heap_ends, heaps)):
        return mutate_bytes(content, rng)
    opened = io.BytesIO(content)
    user_block = 0 if content.startswith(b"\x89HDF") else 512
    try:
        with h5py.File(opened, "r+") as file:
            names: list[str] = []
            file.visit(names.append)
            _change_object(file, rng.choice(names) if names else "new", rng)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, OverflowError, MemoryError):
        return mutate_bytes(content, rng)
    changed = opened.getvalue()
    return changed if user_block == 0 or changed[512:516] == b"\x89HDF" else content[:512] + changed


def _change_object(file: h5py.File, name: str, rng: random.Random) -> None:
    match rng.randrange(8):
        case 0:
            del file[name]
        case 1:
            _link(file, name, rng)
        case 2 | 3:
            _replace(file, name, rng)
        case 4:
            file.create_group(name + rng.choice(("", "/x", "_x")))
        case _:
            where = file if name not in file or rng.random() < 0.2 else file[name]
            key = rng.choice([*where.attrs, "MATLAB_class", "MATLAB_empty", "_FillValue", "scale_factor", "units"])
            _set_attribute(where, key, rng)


def _set_attribute(where: Any, key: str, rng: random.Random) -> None:
    plain = (
        0,
        -1,
        1e308,
        float("nan"),
        2**63,
        "",
        "x",
        "9" * 3000,
        b"\xff\xfe",
        [],
        [1, 2],
        ["a", "b"],
        h5py.Empty("f"),
    )
    references = (where.ref, where.file.ref)
    if rng.random() < 0.2:
        where.attrs.pop(key, None)
        return
    given = rng.choice((*plain, rng.choice(TEXTS).replace("\0", ""), rng.choice(NUMBERS), *references))
    where.attrs.create(key, np.bytes_(given) if isinstance(given, bytes) else given)


def _link(file: h5py.File, name: str, rng: random.Random) -> None:
    if name in file:
        del file[name]
    match rng.randrange(4):
        case 0:
            file[name] = h5py.SoftLink(rng.choice(("/", f"/{name}", "/nothing", "/a/b/c", ".")))
        case 1:
            file[name] = h5py.ExternalLink(f"{CANARY}.h5", rng.choice(("/", "/reflectance", "/cube")))
        case 2:
            stored = [(f"{CANARY}.img", 0, 480)]
            file.create_dataset(name, shape=(5, 6, 4), dtype="f4", external=stored)
        case _:
            layout = h5py.VirtualLayout(shape=(5, 6, 4), dtype="f4")
            layout[:] = h5py.VirtualSource(f"{CANARY}.h5", "cube", shape=(5, 6, 4))
            file.create_virtual_dataset(name, layout)


def _replace(file: h5py.File, name: str, rng: random.Random) -> None:
    """Put a dataset of another shape or type in the place of one; large ones have no data behind them."""
    attributes = dict(file[name].attrs) if name in file else {}
    old = file[name].shape if name in file and isinstance(file[name], h5py.Dataset) else (4, 6, 5)
    kind = rng.choice((*_TYPES, "f4", "f4", h5py.string_dtype(), np.dtype([("a", "f4"), ("b", "i2")]), h5py.ref_dtype))
    shape = (
        old if rng.random() < 0.3 and old is not None else tuple(rng.choice(_SIZES) for _ in range(rng.randrange(5)))
    )
    if name in file:
        del file[name]
    more: dict[str, Any] = {}
    if shape and 0 not in shape:
        more["chunks"] = tuple(min(size, rng.choice((1, 5, 64, 2**20))) for size in shape)
        if rng.random() < 0.4:
            more |= {"compression": "gzip", "shuffle": True}
    made = file.create_dataset(name, shape=shape, dtype=kind, **more)
    for key, value in attributes.items():
        if key not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"):
            made.attrs[key] = value
