"""From a scene file of any known format to a scene: recognise, read, calibrate once, check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmixel.errors import ParameterError, SceneError
from unmixel.io._raw import RawScene
from unmixel.io.envi import read_envi
from unmixel.io.matlab import read_matlab
from unmixel.io.netcdf import read_netcdf
from unmixel.io.numpy_arrays import read_npy, read_npz
from unmixel.io.plausibility import looks_like_reflectance
from unmixel.io.recognise import Recognised, recognise
from unmixel.io.tiff import read_tiff
from unmixel.io.wavelength_units import to_nanometres
from unmixel.io.zarr_store import read_zarr
from unmixel.scene import good_bands, make_scene, valid_pixels

_VALUES_AT_ONCE = 16_000_000


def open_scene(
    path: str | Path,
    *,
    leave_out: Sequence[Any] = (),
    scale: float | int | None = None,
) -> xr.DataArray:
    """Open a scene file: ENVI, TIFF, MATLAB, NumPy, or NetCDF and Zarr written by unmixel.

    The format is recognised by content. Stored values v become reflectance once, ::

        reflectance = gain v + offset,    invalid where v is the fill value,

    with the numbers that the file gives. What was found and done is in ``scene.attrs["reading"]``.

    Parameters
    ----------
    path : path
        The file. For ENVI either the header or the data file; ``file.mat::NAME`` chooses one array of
        several.
    leave_out : sequence of (float, float)
        Ranges of bands to leave out [nm], ends included, besides those the file declares bad. Band numbers
        (from 1) if the scene has no wavelengths.
    scale : float, optional
        The stored value that stands for a reflectance of 1 (10000, say), instead of what the file says.

    Returns
    -------
    DataArray
        The scene (see :mod:`unmixel.scene`).

    Raises
    ------
    SceneError
        If the file cannot be read, or is no scene.
    ParameterError
        If `scale` is not positive, or a range ends before it begins.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "counts.npz"
    >>> counts = np.arange(24, dtype=np.int16).reshape(2, 4, 3) * 400 + 100
    >>> np.savez(file, counts=counts, wavelength=[0.45, 0.55, 0.65])
    >>> scene = open_scene(file, leave_out=[(600, 700)], scale=10_000)
    >>> scene.wavelength.values, scene.good_band.values.tolist()
    (array([450., 550., 650.]), [True, True, False])
    >>> print(*scene.attrs["reading"], sep="\\n")
    array 'counts' of the file
    stored as int16
    wavelength unit not given: 0.45 to 0.65 taken as micrometres
    values divided by 10000 (as asked)
    1 band within 600 to 700 left out as asked
    1 band left out: declared bad
    """
    if scale is not None and not (np.isfinite(scale) and scale > 0):
        raise ParameterError(f"scale = {scale}", "a positive number")
    file, variable = split_variable(path)
    raw = _read(recognise(file), variable)
    try:
        return _scene_of(raw, leave_out, scale)
    except SceneError as error:
        raise SceneError(f"{file}: {error.given}", error.expected, error.remedy) from error


def split_variable(path: str | Path) -> tuple[Path, str | None]:
    """Return the file and the variable of ``file.mat::NAME``; a file whose own name has ``::`` stays whole.

    Examples
    --------
    >>> file, variable = split_variable("flight::2/scenes.mat::field")
    >>> file.as_posix(), variable
    ('flight::2/scenes.mat', 'field')
    """
    text = str(path)
    if "::" in text and not Path(text).exists():
        file, _, variable = text.rpartition("::")
        return Path(file), variable
    return Path(path), None


def _read(found: Recognised, variable: str | None) -> RawScene:
    if variable is not None and found.format not in ("matlab", "npz"):
        raise SceneError(f"{found.path}::{variable}", "a MATLAB or .npz file to choose an array from")
    match found.format:
        case "envi" if found.header is not None:
            return read_envi(found.path, found.header)
        case "tiff":
            return read_tiff(found.path, found.header)
        case "matlab":
            return read_matlab(found.path, variable)
        case "npz":
            return read_npz(found.path, variable)
        case "npy":
            return read_npy(found.path)
        case "zarr":
            return read_zarr(found.path)
        case _:
            return read_netcdf(found.path)


def _scene_of(raw: RawScene, leave_out: Sequence[Any], scale: float | int | None) -> xr.DataArray:
    _check_spectral(raw)
    notes = [*raw.notes, f"stored as {raw.dtype.name}"]
    wavelength, fwhm = _in_nanometres(raw, notes)
    values = _calibrated(raw, scale, notes)
    good = np.ones(raw.shape[2], dtype=bool) if raw.good_band is None else raw.good_band
    if len(good) != raw.shape[2]:
        raise SceneError(f"a bad-band list of {len(good)} for {raw.shape[2]} bands", "one flag for each band")
    scene = make_scene(
        values,
        wavelength=wavelength,
        fwhm=fwhm,
        good_band=good & ~_asked_out(wavelength, raw.shape[2], leave_out, notes),
        crs_wkt=raw.crs_wkt,
        transform=raw.transform,
        reading=tuple(notes),
    )
    scene.attrs["reading"].extend(_remarks(scene))
    return scene


def _check_spectral(raw: RawScene) -> None:
    """Check that the file can hold a spectral scene at all."""
    n_bands = raw.shape[2]
    if raw.dtype.kind not in "iuf":
        raise SceneError(f"values of type {raw.dtype}", "real numbers")
    if n_bands == 1:
        raise SceneError("a scene with one band", "two or more: a spectrum in every pixel", "is it a map?")
    if raw.wavelength is not None and len(raw.wavelength) != n_bands:
        raise SceneError(
            f"{len(raw.wavelength)} wavelengths for {n_bands} bands",
            "one for each band",
            "correct the header",
        )
    if raw.dtype == np.uint8 and n_bands in (3, 4) and raw.wavelength is None:
        raise SceneError(f"a colour picture ({n_bands} bands of 8 bits)", "a scene with many spectral bands")


def _in_nanometres(raw: RawScene, notes: list[str]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if raw.wavelength is None:
        notes.append("no wavelengths in the file")
        return None, None
    factor, note = to_nanometres(raw.wavelength, raw.wavelength_unit)
    if note:
        notes.append(note)
    if factor is None:
        return None, None
    return raw.wavelength * factor, None if raw.fwhm is None else raw.fwhm * factor


def _calibrated(raw: RawScene, scale: float | int | None, notes: list[str]) -> NDArray[np.float32]:
    """Return reflectance, NaN where nothing was measured, reading some rows at a time."""
    gain, offset = (raw.gain, raw.offset) if scale is None else (1.0 / scale, 0.0)
    identity = bool(np.all(np.asarray(gain) == 1) and np.all(np.asarray(offset) == 0))
    if not identity:
        notes.append(_calibration_note(gain, offset, asked=scale is not None))
    fills = [value for value in raw.fill if _representable(value, raw.dtype)]
    rows, columns, n_bands = raw.shape
    if 0 in raw.shape:
        raise SceneError(f"an array of shape {raw.shape}", "at least one pixel and one band")
    step = max(1, _VALUES_AT_ONCE // (columns * n_bands))
    values = np.empty(raw.shape, dtype=np.float32)
    filled = empty = 0
    for first in range(0, rows, step):
        last = min(first + step, rows)
        block = raw.read(first, last)
        missing = np.isin(block, np.array(fills, dtype=raw.dtype)) if fills else np.zeros(block.shape, dtype=bool)
        filled += int(missing.sum())
        nothing = np.asarray(~block.any(axis=2))
        empty += int(nothing.sum())
        missing |= nothing[:, :, None]
        values[first:last] = block if identity else block * np.asarray(gain, np.float64) + offset
        values[first:last][missing] = np.nan
    if fills:
        notes.append(f"{filled} values equal to the fill value {', '.join(f'{v:g}' for v in fills)} made invalid")
    if 0 < empty < rows * columns:
        notes.append(f"{empty} pixels masked: zero in every band")
    return values


def _calibration_note(gain: float | NDArray, offset: float | NDArray, *, asked: bool) -> str:
    source = "as asked" if asked else "by the file"
    gains, offsets = np.unique(gain), np.unique(offset)
    if len(gains) == 1 and len(offsets) == 1 and offsets[0] == 0:
        return f"values divided by {1 / gains[0]:g} ({source})"
    if len(gains) == 1 and len(offsets) == 1:
        return f"values divided by {1 / gains[0]:g} and shifted by {offsets[0]:g} ({source})"
    return f"values scaled and shifted, each band by its own numbers ({source})"


def _representable(value: float, dtype: np.dtype) -> bool:
    if dtype.kind == "f":
        return bool(np.isfinite(value))
    limits = np.iinfo(dtype)
    return float(value).is_integer() and limits.min <= value <= limits.max


def _asked_out(
    wavelength: NDArray[np.float64] | None,
    n_bands: int,
    ranges: Sequence[Any],
    notes: list[str],
) -> NDArray[np.bool_]:
    """Return which bands lie in the ranges that the user left out."""
    where = np.arange(1, n_bands + 1) if wavelength is None else wavelength
    out = np.zeros(n_bands, dtype=bool)
    for low, high in _pairs(ranges):
        if not low <= high:
            raise ParameterError(f"a range of bands from {low:g} to {high:g}", "the smaller number first")
        inside = (where >= low) & (where <= high)
        count = int(inside.sum())
        notes.append(f"{count} {'band' if count == 1 else 'bands'} within {low:g} to {high:g} left out as asked")
        out |= inside
    return out


def _pairs(ranges: Any) -> list[tuple[float, float]]:
    """Return ranges given as pairs of numbers."""
    try:
        return [(float(low), float(high)) for low, high in ranges]
    except (TypeError, ValueError) as error:
        raise ParameterError(f"leave_out = {ranges!r}", "pairs of numbers, as in [(1350, 1450)]") from error


def _remarks(scene: xr.DataArray) -> list[str]:
    """Return what a user should know about the values, though nothing was done about it."""
    valid = valid_pixels(scene)
    values = scene.values[:, :, good_bands(scene)]
    lines = []
    negative = np.count_nonzero(values < 0) / (valid.sum() * values.shape[2])
    if negative:
        lines.append(f"{negative:.2%} of the values are negative (kept)")
    repeated = (values[:, 1:] == values[:, :-1]).all(axis=2).sum()
    if repeated:
        lines.append(f"{int(repeated)} pixels repeat the spectrum of their left neighbour exactly (kept)")
    warning = looks_like_reflectance(scene)
    return [*lines, warning] if warning else lines
