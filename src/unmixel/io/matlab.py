"""MATLAB scenes, version 5 and 7.3: pixel matrices and three-dimensional arrays as the unmixing field shares
them.

A pixel matrix is ``Y`` or ``V`` of shape (band, pixel) with the numbers of rows and columns beside it
(``nRow`` and ``nCol``, ``lines`` and ``cols``, ``H`` and ``W`` ...). MATLAB counts pixels down the columns:
pixel i lies in row i modulo rows. A three-dimensional array has the shape (row, column, band), under any
name. ``wavelength``, ``fwhm`` and a list of good bands are used where they are there, and so is
``maxValue``, the count that stands for a reflectance of 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unmixel.claims import check_claim, check_memory
from unmixel.errors import DAMAGE, SceneError
from unmixel.io._raw import RawScene
from unmixel.io.doubles import in_doubles
from unmixel.io.hdf5 import opened_values
from unmixel.io.hdf5_chunks import PackedDataset
from unmixel.io.hdf5_guard import GuardedFile
from unmixel.io.mapped import MappedArray
from unmixel.io.matlab_5 import Variable, list_variables, load_variable
from unmixel.io.windows import Window

_ROWS = {"nrow", "nrows", "rows", "row", "lines", "h", "height", "n_rows"}
_COLUMNS = {"ncol", "ncols", "cols", "col", "columns", "samples", "w", "width", "n_cols"}
_BANDS = {"nband", "nbands", "bands", "band", "n_bands"}
_WAVELENGTH = {"wavelength", "wavelengths", "wl", "lambda", "wave"}
_LOGICAL = "logical"
_NUMERIC = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_FLAGS = ("good_band", "good_bands", "bbl")
_BESIDE = {*_ROWS, *_COLUMNS, *_BANDS, *_WAVELENGTH, *_FLAGS, "fwhm", "maxvalue", "slectbands"}
_LONGEST_LIST = 100_000
"""Numbers in what lies beside a scene: wavelengths, flags, sizes."""


@dataclass(frozen=True)
class _Layout:
    """Where rows, columns and bands are in a variable of the file."""

    name: str
    shape: tuple[int, int, int]
    axes: str  # "yxb", "byx", "bp" or "pb", in MATLAB's order; p = pixels down the columns


def read_matlab(path: Path, variable: str | None = None) -> RawScene:
    """Read the description of a MATLAB scene. A compressed variable of version 5 is read whole.

    Parameters
    ----------
    path : path
        The file.
    variable : str, optional
        The variable to take; by default the largest that can be a scene.

    Raises
    ------
    SceneError
        If the file is damaged, or no variable or several could be the scene.
    """
    hdf5 = h5py.is_hdf5(path)
    try:
        older = {} if hdf5 else list_variables(path)
        shapes = _shapes_of_hdf5(path) if hdf5 else {name: variable.shape for name, variable in older.items()}
        beside = {name.lower(): name for name, shape in shapes.items() if 0 < max(shape) == math.prod(shape)}
        load = partial(_load_from_hdf5, path) if hdf5 else lambda name: load_variable(path, older[name])
        used = {name: beside[name] for name in _BESIDE & beside.keys() if max(shapes[beside[name]]) <= _LONGEST_LIST}
        small = {name: np.ravel(load(stored)) for name, stored in used.items()}
        layout = _choose(path, shapes, small, variable)
        if hdf5:
            with h5py.File(path) as file:
                dtype = file[layout.name].dtype
                block = _block(layout, file[layout.name].chunks)
            read: Callable[[int, int], NDArray] = partial(_read_hdf5_rows, path, layout)
            parts: dict[str, Any] = {"read_part": partial(_read_hdf5_part, path, layout), "block": block}
        else:
            check_claim(path, repr(layout.name), math.prod(layout.shape) * older[layout.name].dtype.itemsize)
            dtype, read, parts = _older(path, older[layout.name], layout)
    except DAMAGE as error:
        raise SceneError(f"{path}: {error}", "a complete MATLAB file", "is it truncated?") from error
    return _raw_scene(layout, dtype, read, small, parts)


def _older(
    path: Path, variable: Variable, layout: _Layout
) -> tuple[np.dtype, Callable[[int, int], NDArray], dict[str, Any]]:
    """Return type, reader and parts of a variable of version 5: read at once if it is compressed."""
    dtype = variable.dtype.newbyteorder("=")
    if not variable.compressed:
        axes = "bxy" if layout.axes in ("yxb", "pb") else "xyb"
        mapped = MappedArray(path, variable.dtype, variable.place(), layout.shape, axes)
        return dtype, mapped.read_rows, {"read_part": mapped.read_part, "block": _block(layout, None)}
    check_memory(layout.shape)
    whole = _as_scene(load_variable(path, variable), layout).astype(dtype, copy=False)
    return dtype, partial(_rows_of, whole), {"by_parts": False}


def _raw_scene(
    layout: _Layout,
    dtype: np.dtype,
    read: Callable[[int, int], NDArray],
    small: Mapping[str, NDArray],
    parts: Mapping[str, Any],
) -> RawScene:
    n_bands = layout.shape[2]
    notes = [f"variable {layout.name!r} of the MATLAB file"]
    if layout.axes in ("bp", "pb") and layout.shape[1] == 1:
        notes.append("no numbers of rows and columns in the file: a table of pixels")
    gain, maximum = 1.0, small.get("maxvalue")
    if maximum is not None and maximum[0] > 1:
        gain = 1.0 / float(maximum[0])
        notes.append(f"maxValue = {float(maximum[0]):g} of the file taken as a reflectance of 1")
    if "slectbands" in small and len(small["slectbands"]) == n_bands:
        chosen = small["slectbands"]
        notes.append(f"the sensor's bands {int(chosen.min())} to {int(chosen.max())}, {n_bands} of them (SlectBands)")
    wavelength = next((small[name] for name in sorted(_WAVELENGTH & small.keys())), None)
    flags = next((small[name] for name in _FLAGS if name in small), None)
    return RawScene(
        shape=layout.shape,
        dtype=dtype,
        read=read,
        wavelength=None if wavelength is None else in_doubles(wavelength),
        fwhm=in_doubles(small["fwhm"]) if "fwhm" in small else None,
        good_band=None if flags is None else flags > 0,
        gain=gain,
        notes=tuple(notes),
        **parts,
    )


def _choose(
    path: Path, shapes: Mapping[str, tuple[int, ...]], small: Mapping[str, NDArray], variable: str | None
) -> _Layout:
    """Return the variable that is the scene, and how it lies."""
    rows, columns = (_first_whole(small, names) for names in (_ROWS, _COLUMNS))
    pixels = rows * columns if rows and columns and min(rows, columns) > 0 else None
    n_bands = _first_whole(small, _BANDS)
    if n_bands is None:
        n_bands = next((small[name].size for name in sorted(_WAVELENGTH & small.keys())), None)
    arrays = {name: shape for name, shape in shapes.items() if max(shape) != math.prod(shape) and len(shape) <= 3}
    if variable is not None:
        if variable not in arrays:
            raise SceneError(
                f"{path} without an array {variable!r}",
                f"one of {_listed(arrays)}",
                "choose it as FILE.mat::NAME",
            )
        name = variable
    else:
        placed = {name: s for name, s in arrays.items() if len(s) == 3 or (pixels and pixels in s)}
        name = _largest(path, placed or arrays)
    shape = arrays[name]
    if len(shape) == 3:
        if n_bands is not None and shape[0] == n_bands != shape[2]:
            return _Layout(name, (shape[1], shape[2], shape[0]), "byx")
        return _Layout(name, (shape[0], shape[1], shape[2]), "yxb")
    if pixels is not None and pixels in shape:
        across = shape[1] == pixels
        return _Layout(name, (rows or 0, columns or 0, shape[0] if across else shape[1]), "bp" if across else "pb")
    across = name in ("Y", "V") or shape[0] <= shape[1]
    if n_bands in shape:
        across = shape[0] == n_bands
    return _Layout(name, (max(shape[across], 1), 1, shape[not across]), "bp" if across else "pb")


def _largest(path: Path, arrays: Mapping[str, tuple[int, ...]]) -> str:
    if not arrays:
        raise SceneError(
            f"{path} without an array of numbers",
            "a (row, column, band) array, or a matrix Y with nRow, nCol",
        )
    sizes = {name: math.prod(shape) for name, shape in arrays.items()}
    largest = [name for name in sizes if sizes[name] == max(sizes.values())]
    known = [name for name in ("Y", "V") if name in largest]
    if len(largest) > 1 and not known:
        raise SceneError(
            f"{path} with several arrays that could be the scene: {_listed(arrays)}",
            "one",
            f"choose one as {path.name}::{largest[0]}",
        )
    return known[0] if known else largest[0]


def _listed(arrays: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} ({' x '.join(map(str, shape))})" for name, shape in sorted(arrays.items())) or "none"


def _first_whole(small: Mapping[str, NDArray], names: set[str]) -> int | None:
    found = [small[name] for name in sorted(names & small.keys()) if small[name].size == 1]
    return int(found[0][0]) if found else None


def _as_scene(values: NDArray, layout: _Layout) -> NDArray:
    """Return a whole variable, in MATLAB's order, as (row, column, band)."""
    rows, columns, n_bands = layout.shape
    if layout.axes == "byx":
        return np.moveaxis(values, 0, 2)
    if layout.axes == "yxb":
        return values
    pixels = values if layout.axes == "pb" else values.T
    return pixels.reshape(columns, rows, n_bands).swapaxes(0, 1)


def _rows_of(whole: NDArray, first: int, last: int) -> NDArray:
    return whole[first:last]


def _read_hdf5_rows(path: Path, layout: _Layout, first: int, last: int) -> NDArray:
    rows, columns, _ = layout.shape
    with opened_values(path) as file:
        stored = PackedDataset(file[layout.name].id)  # HDF5 lists MATLAB's axes in reverse
        if layout.axes == "yxb":
            return stored[:, :, first:last].T
        if layout.axes == "byx":
            return np.moveaxis(stored[:, first:last, :].T, 0, 2)
        if last - first == rows:
            return _as_scene(stored[()].T, layout)
        runs = [slice(column * rows + first, column * rows + last) for column in range(columns)]
        by_column = [stored[run] if layout.axes == "bp" else stored[:, run].T for run in runs]
    return np.stack(by_column, axis=1)


def _block(layout: _Layout, chunks: tuple[int, ...] | None) -> tuple[int, int]:
    """Return the rows and columns that lie together: MATLAB goes down the columns."""
    rows = layout.shape[0]
    if chunks is None:
        return rows, 1
    if layout.axes == "yxb":
        return chunks[2], chunks[1]
    if layout.axes == "byx":
        return chunks[1], chunks[0]
    return rows, max(1, chunks[0 if layout.axes == "bp" else 1] // rows)


def _read_hdf5_part(path: Path, layout: _Layout, window: Window) -> NDArray:
    rows, _, n_bands = layout.shape
    (y, x), pixels = window.slices, slice(window.left * rows, window.right * rows)
    with opened_values(path) as file:
        stored = PackedDataset(file[layout.name].id)
        match layout.axes:
            case "yxb":
                return stored[:, x, y].T
            case "byx":
                return stored[x, y, :].swapaxes(0, 1)
            case "bp":
                by_column = stored[pixels]
            case _:
                by_column = stored[:, pixels].T
    return by_column.reshape(window.shape[1], rows, n_bands).swapaxes(0, 1)[y]


def _shapes_of_hdf5(path: Path) -> dict[str, tuple[int, ...]]:
    with GuardedFile(path) as guarded, h5py.File(guarded, "r") as file:
        return {
            name: tuple(reversed(entry.shape))
            for name, entry in file.items()
            if isinstance(entry, h5py.Dataset)
            and "MATLAB_empty" not in entry.attrs
            and entry.dtype.kind in "iuf"
            and entry.ndim >= 1
            and _is_numeric(entry)
        }


def _is_numeric(entry: h5py.Dataset) -> bool:
    """Return whether a dataset is an array of numbers for MATLAB, or a list of flags."""
    name = entry.attrs.get("MATLAB_class", b"double").decode()
    return name in _NUMERIC or (name == _LOGICAL and max(entry.shape) == entry.size)


def _load_from_hdf5(path: Path, name: str) -> NDArray:
    with opened_values(path) as file:
        return PackedDataset(file[name].id)[()].T
