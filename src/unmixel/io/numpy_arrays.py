"""Plain NumPy scenes: one array (``.npy``), or arrays with wavelengths beside them (``.npz``)."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene

_BESIDE = ("wavelength", "fwhm", "good_band")


def read_npy(path: Path) -> RawScene:
    """Read the description of an array (y, x, band) or (pixel, band); its rows are mapped, not loaded.

    Raises
    ------
    SceneError
        If the file is damaged, or holds objects or another number of axes.
    """
    stored = _mapped(path)
    return RawScene(shape=_shape(path, stored), dtype=stored.dtype, read=partial(_rows_of_file, path))


def read_npz(path: Path, variable: str | None = None) -> RawScene:
    """Read a scene from a ``.npz`` file: the largest array, and what is known of its bands beside it.

    Raises
    ------
    SceneError
        If the file is damaged, holds objects, or it is not clear which array is the scene.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise SceneError(f"{path}: {error}", "a complete .npz file with arrays of numbers") from error
    candidates = {name: array for name, array in arrays.items() if array.ndim in (2, 3) and array.dtype.kind in "iuf"}
    listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
    sizes = {name: array.size for name, array in candidates.items()}
    largest = [name for name, size in sizes.items() if size == max(sizes.values())]
    name = variable or ("reflectance" if "reflectance" in candidates else largest[0] if len(largest) == 1 else "")
    if name not in candidates:
        raise SceneError(
            f"{path} with {listed}",
            "one array (y, x, band) or (pixel, band)",
            f"choose one as {path.name}::NAME",
        )
    beside = {key: np.ravel(arrays[key]) for key in _BESIDE if key in arrays}
    flags = beside.get("good_band")
    return RawScene(
        shape=_shape(path, arrays[name]),
        dtype=arrays[name].dtype,
        read=partial(_rows_of, arrays[name]),
        by_parts=False,
        wavelength=beside.get("wavelength"),
        fwhm=beside.get("fwhm"),
        good_band=None if flags is None else flags > 0,
        notes=(f"array {name!r} of the file",),
    )


def _shape(path: Path, stored: NDArray) -> tuple[int, int, int]:
    if stored.ndim == 2:
        return stored.shape[0], 1, stored.shape[1]
    if stored.ndim != 3:
        raise SceneError(f"{path} with an array of shape {stored.shape}", "(y, x, band) or (pixel, band)")
    return stored.shape[0], stored.shape[1], stored.shape[2]


def _rows_of(stored: NDArray, first: int, last: int) -> NDArray:
    rows = stored[first:last]
    return np.asarray(rows if rows.ndim == 3 else rows[:, None, :])


def _mapped(path: Path) -> NDArray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SceneError(f"{path}: {error}", "a complete array of numbers") from error


def _rows_of_file(path: Path, first: int, last: int) -> NDArray:
    return _rows_of(_mapped(path), first, last)
