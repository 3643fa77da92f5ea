"""Mutations that know HDF5: of its objects, and of the places that its structures name."""

from __future__ import annotations

import io
import math
import random
import re
import struct
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numcodecs.jenkins import jenkins_lookup3
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io.hdf5_contents import check_hdf5
from unmixel.io.hdf5_types import has_references, is_text

from .mutation import CANARY, NUMBERS, SIZES, TEXTS, TYPES, mutate_bytes

_MARKS = re.compile(b"OHDR|OCHK|FRHP|FHIB|BTHD|BTIN|BTLF|FSHD|FSSE|FADB|FAHD|EAHD|EAIB|EASB|EADB")
LARGEST_STRUCTURE = 2000
"""Bytes of a structure of which the checksum is looked for."""


def mutate_hdf5(content: bytes, rng: random.Random) -> bytes:
    """Change an object of a file, a pointer in it, its messages, a structure that has a checksum, or some bytes."""
    if rng.random() < 0.25:
        return _lead_elsewhere(content, rng)
    if rng.random() < 0.1 and (headers := _old_headers(content)):
        return _mix_messages(content, headers, rng)
    if rng.random() < 0.3 and (found := _MARKS.findall(content)):
        return _with_checksum(content, rng.choice(found), rng)
    if rng.random() < 0.2 or not _has_an_end(content):
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


def _has_an_end(content: bytes) -> bool:
    """Return whether the library can change a file and come back."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            check_hdf5(Path(file.name))
        except SceneError:
            return False
        return True


def _with_checksum(content: bytes, mark: bytes, rng: random.Random) -> bytes:
    """Change a structure of new HDF5, and make its checksum right again."""
    start = rng.choice([match.start() for match in re.finditer(re.escape(mark), content)])
    size = next((size for size in range(6, LARGEST_STRUCTURE) if _ends(content, start, size)), None)
    if size is None:
        return mutate_bytes(content, rng)
    places = [match.start() for match in _MARKS.finditer(content)]
    structure = bytearray(content[start : start + size])
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(4, size)
        if rng.random() < 0.5:
            structure[at] = rng.choice((0, 1, 2, 16, 127, 128, 255, structure[at] ^ 1 << rng.randrange(8)))
        else:
            number = rng.choice((*places, 0, 2**31, 2**63, rng.randrange(len(content))))
            structure[at : at + 8] = number.to_bytes(8, "little")[: size - at]
    checksum = jenkins_lookup3(bytes(structure), 0).to_bytes(4, "little")
    return content[:start] + bytes(structure) + checksum + content[start + size + 4 :]


def _ends(content: bytes, start: int, size: int) -> bool:
    """Return whether the checksum of a structure comes after so many bytes."""
    end = start + size
    return content[end : end + 4] == jenkins_lookup3(content[start:end], 0).to_bytes(4, "little")


def _lead_elsewhere(content: bytes, rng: random.Random) -> bytes:
    """Put what can be a place in the file where another one is, or beside it where levels and counts are."""
    words = [int.from_bytes(content[at : at + 8], "little") for at in range(0, len(content) - 7, 8)]
    places = [8 * number for number, word in enumerate(words) if 0 < word < len(content)]
    if not places:
        return mutate_bytes(content, rng)
    here, there = rng.choice(places), rng.choice(places)
    moved = content[:here] + content[there : there + 8] + content[here + 8 :]
    node = content.find(b"TREE", rng.randrange(len(content)))
    if node < 0 or rng.random() < 0.5:
        return moved
    return moved[: node + 5] + bytes([rng.choice((0, 1, 2, 255))]) + moved[node + 6 :]


def _old_headers(content: bytes) -> dict[int, list[tuple[int, int, int]]]:
    """Return kind, place and size of the messages of each header without checksums, by where it begins."""
    headers = {}
    for start in range(0, len(content) - 16, 8):
        version, n_messages, n_references, size = struct.unpack_from("<HHII", content, start)
        if version != 1 or not (0 < n_messages < 100 and 0 < n_references < 100 and 0 < size < 10_000):
            continue
        messages, at = [], start + 16
        while at + 8 <= min(start + 16 + size, len(content)):
            kind, length = struct.unpack_from("<HH", content, at)
            messages.append((kind, at + 8, length))
            at += 8 + length
        if at == start + 16 + size and all(kind < 25 for kind, _, _ in messages):
            headers[start] = messages
    return headers


def _mix_messages(content: bytes, headers: dict[int, list[tuple[int, int, int]]], rng: random.Random) -> bytes:
    """Let an object have a message of another one, or say that its own is in the header of another one."""
    messages = [message for header in headers.values() for message in header]
    kind, at, size = rng.choice(messages)
    if rng.random() < 0.5:
        others = [place for other, place, length in messages if (other, length) == (kind, size) and place != at]
        place = rng.choice(others or [at])
        return content[:at] + content[place : place + size] + content[at + size :]
    base = max(content.find(b"\x89HDF"), 0)
    where = bytes([rng.choice((1, 2, 3)), rng.choice((0, 1, 2))]) + (rng.choice([*headers]) - base).to_bytes(
        8, "little"
    )
    where = where[:size]
    return content[: at - 4] + bytes([rng.choice((2, 3))]) + content[at - 3 : at] + where + content[at + len(where) :]


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
        if key in where.attrs:
            del where.attrs[key]
        return
    if rng.random() < 0.2:
        kind, values = _odd_values(where, rng)
        where.attrs.create(key, values, dtype=kind)
        return
    given = rng.choice((*plain, rng.choice(TEXTS).replace("\0", ""), rng.choice(NUMBERS), *references))
    where.attrs.create(key, np.bytes_(given) if isinstance(given, bytes) else given)


def _odd_values(where: Any, rng: random.Random) -> tuple[Any, NDArray]:
    """Return values of a type that has texts, lists or places in it, and the type."""
    part = rng.choice((h5py.string_dtype(), h5py.ref_dtype, h5py.regionref_dtype, np.dtype("i2")))
    one: Any = 7 if part.kind == "i" else where.ref
    if part is h5py.regionref_dtype:
        one = where.regionref[...] if isinstance(where, h5py.Dataset) and where.shape else h5py.RegionReference()
    elif h5py.check_string_dtype(part):
        one = "text"
    match rng.randrange(3):
        case 0 if part is not h5py.regionref_dtype:  # of which h5py itself dies
            values = np.empty(rng.choice((1, 2, 9)), object)
            for number in range(len(values)):
                values[number] = np.array([one] * rng.randrange(4), part)
            return h5py.vlen_dtype(part), values
        case 1:
            kind = np.dtype([("a", "i4"), ("b", part)])
        case _:
            kind = np.dtype([("a", part, (2,))])
    values = np.zeros(rng.choice((1, 3)), kind)
    for name in (kind.names or ())[-1:]:
        values[name] = one
    return kind, values


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
    attributes = _plain_attributes(file[name]) if name in file else {}
    old = file[name].shape if name in file and isinstance(file[name], h5py.Dataset) else (4, 6, 5)
    kind = rng.choice((*TYPES, "f4", "f4", h5py.string_dtype(), np.dtype([("a", "f4"), ("b", "i2")]), h5py.ref_dtype))
    shape = old if rng.random() < 0.3 and old is not None else tuple(rng.choice(SIZES) for _ in range(rng.randrange(5)))
    if name in file:
        del file[name]
    more: dict[str, Any] = {}
    if shape:
        more["chunks"] = tuple(min(max(size, 1), rng.choice((1, 5, 64, 2**20))) for size in shape)
        more["maxshape"] = tuple(size or None for size in shape)
        if rng.random() < 0.4:
            more |= {"compression": "gzip", "shuffle": True}
    is_text = h5py.check_string_dtype(np.dtype(kind)) is not None
    if is_text and rng.random() < 0.3:
        more["fillvalue"] = "text"
    made = file.create_dataset(name, shape=shape, dtype=kind, **more)
    if is_text and rng.random() < 0.7 and math.prod(shape) < 1000:
        made[...] = "text"
    for key, value in attributes.items():
        if key not in ("CLASS", "NAME"):
            made.attrs[key] = value


def _plain_attributes(entry: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Return the attributes that a library which reads them survives."""
    kinds = {key: entry.attrs.get_id(key).get_type() for key in entry.attrs}
    return {key: entry.attrs[key] for key, kind in kinds.items() if is_text(kind) or not has_references(kind)}
