"""Plain NumPy scenes: one array (``.npy``), or arrays with wavelengths beside them (``.npz``)."""

from __future__ import annotations

import math
import zipfile
from functools import partial
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from unmixel.claims import SMALL, check_claim, check_memory
from unmixel.errors import DAMAGE, SceneError
from unmixel.io._raw import RawScene
from unmixel.io.mapped import MappedArray

UNPACK = "unpack it, and give what it holds"

_BESIDE = ("wavelength", "fwhm", "good_band")
_LONGEST_HEADER = 16_384
"""Bytes; NumPy writes no header of more than 10000."""
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of others, `zipfile` unpacks all that is in some bytes."""
_LENGTHS = 26
"""Where the lengths are in what a ZIP archive has before each file; they and the texts that they count follow."""


def read_npy(path: Path) -> RawScene:
    """Read the description of an array (y, x, band) or (pixel, band); it is mapped, not loaded.

    Raises
    ------
    SceneError
        If the file is damaged, or holds objects or another number of axes.
    """
    try:
        with path.open("rb") as file:
            header = _header(file)
        stored = _mapped(path, header, header.start)
    except DAMAGE as error:
        raise SceneError(f"{path}: {error}", "a complete array of numbers") from error
    shape = _shape(path, stored.shape)
    return RawScene(shape=shape, dtype=stored.dtype.newbyteorder("="), **_parts(path, stored, shape))


def read_npz(path: Path, variable: str | None = None) -> RawScene:
    """Read a scene from a ``.npz`` file: the largest array, and what is known of its bands beside it.

    An array that is compressed is loaded, another is mapped.

    Raises
    ------
    SceneError
        If the file is damaged, holds objects or no array, or it is not clear which array is the scene.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith(".npy") for name in archive.namelist()):
                raise SceneError(f"{path}, a ZIP archive", "a scene file or the folder of a product", UNPACK)
            headers = {info.filename.removesuffix(".npy"): _member_header(archive, info) for info in archive.infolist()}
            name = _choose(path, headers, variable)
            shape = _shape(path, headers[name].shape)
            check_claim(path, repr(name), math.prod(shape) * headers[name].dtype.itemsize)
            mapped = archive.getinfo(f"{name}.npy").compress_type == zipfile.ZIP_STORED
            if not mapped:
                check_memory(shape)
            found = _mapped_member(path, name) if mapped else _member(archive, name)
            beside = {key: np.ravel(_member(archive, key)) for key in _BESIDE if _is_short(headers.get(key))}
    except DAMAGE as error:
        raise SceneError(f"{path}: {error}", "a complete .npz file with arrays of numbers") from error
    flags = beside.get("good_band")
    return RawScene(
        shape=shape,
        dtype=found.dtype.newbyteorder("=") if mapped else found.dtype,
        by_parts=mapped,
        wavelength=beside.get("wavelength"),
        fwhm=beside.get("fwhm"),
        good_band=None if flags is None else flags > 0,
        notes=(f"array {name!r} of the file",),
        **(_parts(path, found, shape) if isinstance(found, np.memmap) else {"read": partial(_rows_of, found)}),
    )


class _Header(NamedTuple):
    """Shape and type of an array, whether its first axis goes fastest, and where it begins in its file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    in_fortran_order: bool
    start: int


def _header(opened: IO[bytes] | BufferedIOBase) -> _Header:
    """Return what an open file says of its array."""
    file = BytesIO(opened.read(_LONGEST_HEADER))
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, in_fortran_order, dtype = read(file)
    if min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape}")
    return _Header(shape, dtype, in_fortran_order, file.tell())


def _member_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Header:
    """Return what a file of an archive says of its array, checked against its size."""
    if info.compress_type not in _COMPRESSIONS:
        raise ValueError(f"{info.filename}, packed otherwise than by NumPy")
    with archive.open(info) as file:
        header = _header(file)
    if header.start + math.prod(header.shape) * header.dtype.itemsize != info.file_size:
        raise ValueError(f"{info.filename} of {info.file_size} bytes with an array of shape {header.shape}")
    return header


def _member(archive: zipfile.ZipFile, name: str) -> NDArray:
    with archive.open(f"{name}.npy") as file:
        return npy_format.read_array(file, allow_pickle=False)


def _mapped_member(path: Path, name: str) -> np.memmap:
    """Return an array that lies in an archive as it is."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        header = _member_header(archive, info)
    with path.open("rb") as file:
        file.seek(info.header_offset + _LENGTHS)
        lengths = np.frombuffer(file.read(4), "<u2").astype(int)  # of its name, and of what else is said of it
    return _mapped(path, header, info.header_offset + _LENGTHS + 4 + int(lengths.sum()) + header.start)


def _mapped(path: Path, header: _Header, start: int) -> np.memmap:
    """Return an array of numbers that begins somewhere in a file, none of it read yet."""
    if header.dtype.kind not in "biufc":
        raise ValueError(f"an array of type {header.dtype}")
    order: Literal["C", "F"] = "F" if header.in_fortran_order else "C"
    return np.memmap(path, header.dtype, "r", start, header.shape, order)


def _parts(path: Path, stored: np.memmap, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return how a mapped array is read by windows, and which rows and columns lie together."""
    down_columns = stored.flags.f_contiguous
    mapped = MappedArray(path, stored.dtype, stored.offset, shape, "bxy" if down_columns else "yxb")
    block = (shape[0], 1) if down_columns and shape[1] > 1 else None
    return {"read": mapped.read_rows, "read_part": mapped.read_part, "block": block}


def _is_short(header: _Header | None) -> bool:
    return header is not None and math.prod(header.shape) * header.dtype.itemsize <= SMALL


def _choose(path: Path, headers: dict[str, _Header], variable: str | None) -> str:
    """Return the name of the array that is the scene."""
    candidates = {
        name: header for name, header in headers.items() if len(header.shape) in (2, 3) and header.dtype.kind in "iuf"
    }
    sizes = {name: math.prod(header.shape) for name, header in candidates.items()}
    largest = [name for name, size in sizes.items() if size == max(sizes.values())]
    name = variable or ("reflectance" if "reflectance" in candidates else largest[0] if len(largest) == 1 else "")
    if name not in candidates:
        listed = ", ".join(f"{name} {header.shape}" for name, header in headers.items()) or "nothing"
        raise SceneError(
            f"{path} with {listed}",
            "one array (y, x, band) or (pixel, band)",
            f"choose one as {path.name}::NAME",
        )
    return name


def _shape(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    if len(shape) != 3:
        raise SceneError(f"{path} with an array of shape {shape}", "(y, x, band) or (pixel, band)")
    return shape[0], shape[1], shape[2]


def _rows_of(stored: NDArray, first: int, last: int) -> NDArray:
    rows = stored[first:last]
    return np.asarray(rows if rows.ndim == 3 else rows[:, None, :])
