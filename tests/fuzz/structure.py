"""Mutations that know the format: they change what a file says, and leave it a file of its kind."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from .mutation import CANARY, NUMBERS, SIZES, TEXTS, TYPES, mutate_bytes
from .seeds import zipped
from .structure_of_hdf5 import mutate_hdf5
from .structure_of_products import mutate_jpeg_2000, mutate_xml

Mutator = Callable[[bytes, random.Random], bytes]


def mutate_structure(name: str, content: bytes, rng: random.Random) -> bytes:
    """Return content with one mutation that fits its format, told by its first bytes and its name."""
    return _mutator_of(name, content)(content, rng)


def _mutator_of(name: str, content: bytes) -> Mutator:
    if content.startswith(b"\x89HDF") or content[512:520].startswith(b"\x89HDF"):
        return mutate_hdf5
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
    except (ValueError, RecursionError):
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
        shape = tuple(rng.choice(SIZES) for _ in range(rng.randrange(5)))
        kind = rng.choice((*TYPES, "O", "<M8[s]", "<U9", "|V0", "garbage"))
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
