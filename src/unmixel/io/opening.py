"""From a scene file of any known format to a scene: recognise, read, calibrate once, check."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from unmixel.claims import check_claim, check_memory
from unmixel.errors import SceneError, damage_told
from unmixel.io._raw import RawScene
from unmixel.io.calibration import Calibrated, Calibration
from unmixel.io.describing import Described, describe
from unmixel.io.envi import read_envi
from unmixel.io.matlab import read_matlab
from unmixel.io.netcdf import read_netcdf
from unmixel.io.numpy_arrays import read_npy, read_npz
from unmixel.io.plausibility import looks_like_reflectance
from unmixel.io.products import product_of
from unmixel.io.recognise import Recognised, recognise
from unmixel.io.remarks import count, filling_notes, kept_notes
from unmixel.io.tiff import read_tiff
from unmixel.io.uncertainty import noise_coordinate, with_noise
from unmixel.io.windows import Window
from unmixel.io.zarr_store import read_zarr
from unmixel.scene import good_bands, make_scene

_VALUES_AT_ONCE = 16_000_000
_COORDINATE = 8


def open_scene(
    path: str | Path,
    *,
    leave_out: Sequence[Any] = (),
    scale: float | int | None = None,
    keep_atmosphere: bool = False,
    uncertainty: str | Path | None = None,
) -> xr.DataArray:
    """Open a scene file: ENVI, TIFF, MATLAB, NumPy, or NetCDF and Zarr written by unmixel.

    The format is recognised by content. Stored values v become reflectance once, ::

        reflectance = gain v + offset,    invalid where v is the fill value,

    with the numbers that the file gives. What was found and done is in ``scene.attrs["reading"]``. ``attrs["product"]``
    is what the file is, and ``attrs["acquired"]`` when the scene was taken (ISO 8601, UTC), where the file says so.

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
    keep_atmosphere : bool
        Keep the bands in which the air absorbs the light: 1350 to 1450 and 1800 to 1950 nm (water vapour), and what a
        product says besides. They are left out otherwise, but for scenes written by unmixel, whose good bands were
        decided before.
    uncertainty : path, optional
        A file of the same shape with the standard deviation of every value [reflectance], such as EMIT's
        ``..._RFLUNCERT_...``. The scene gets the coordinate ``noise_sd`` (band) from it (see
        :mod:`unmixel.io.uncertainty`), which methods go by instead of estimating the noise.

    Returns
    -------
    DataArray
        The scene (see :mod:`unmixel.scene`).

    Raises
    ------
    SceneError
        If the file cannot be read, or is no scene.
    ParameterError
        If `scale` is not positive, a range ends before it begins, or the ranges leave less than two bands.

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
    """
    file, variable = split_variable(path)
    raw = read_raw(file, variable)
    if uncertainty is not None:
        raw = read_with_noise(raw, uncertainty)
    with errors_of(file):
        return _scene_of(raw, leave_out, scale, keep_atmosphere)


@contextmanager
def errors_of(file: Path) -> Iterator[None]:
    """Say in the errors about a scene which file they are about."""
    try:
        yield
    except SceneError as error:
        if str(file) in error.given:
            raise
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
    with damage_told(path, "the name of a file", "check the path"):
        is_choice = "::" in text and not Path(text).exists()
    if is_choice:
        file, _, variable = text.rpartition("::")
        return Path(file), variable
    return Path(path), None


def read_raw(path: Path, variable: str | None = None) -> RawScene:
    """Return what the reader of its format finds in a file.

    Raises
    ------
    SceneError
        If the file cannot be read.
    """
    with damage_told(path, "a scene file", "check the path"):
        found = recognise(path)
    if variable is not None and found.format not in ("matlab", "npz"):
        raise SceneError(f"{found.path}::{variable}", "a MATLAB or .npz file to choose an array from")
    told = damage_told(found.path, "a complete scene file", "is it truncated, or damaged?")
    with told, np.errstate(over="ignore"):  # what is not finite then is refused as such
        raw = _read(found, variable)
    size = " x ".join(map(str, raw.shape))
    check_claim(found.path, f"{size} values", _claimed(raw), beside=found.product is not None)
    return raw


def _claimed(raw: RawScene) -> int:
    """Return the bytes that a scene takes in its file: its values, or a block of them, and its coordinates."""
    n_pixels = max(math.prod(raw.shape[:2]), math.prod(raw.block or (1, 1)))
    return n_pixels * raw.shape[2] * raw.dtype.itemsize + _COORDINATE * sum(raw.shape)


def _read(found: Recognised, variable: str | None) -> RawScene:
    if found.product is not None:
        return found.product.read(found.path)
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


def read_with_noise(scene: RawScene, path: str | Path) -> RawScene:
    """Return a scene with its noise, told by its uncertainty file.

    Raises
    ------
    SceneError
        If the file cannot be read, or belongs to another scene.
    """
    file, variable = split_variable(path)
    read = getattr(product_of(file), "read_uncertainty", None)
    raw = read(file) if read is not None and variable is None else read_raw(file, variable)
    with errors_of(file):
        return with_noise(scene, raw, file.name)


def _scene_of(
    raw: RawScene, leave_out: Sequence[Any], scale: float | int | None, keep_atmosphere: bool
) -> xr.DataArray:
    notes: list[str] = []
    described = describe(raw, leave_out, scale, keep_atmosphere, notes)
    check_memory(raw.shape)
    calibrated = _calibrated(raw.shape, described.calibration)
    scene = make_scene(
        calibrated.values,
        wavelength=described.wavelength,
        fwhm=described.fwhm,
        good_band=described.declared_good,
        crs_wkt=raw.crs_wkt,
        transform=raw.transform,
    )
    if raw.lookup is not None:
        scene = scene.assign_coords(lookup=raw.lookup.as_coordinate())
    scene = scene.assign_coords(noise_coordinate(raw, described))
    counts = count(scene, calibrated)
    notes.extend([*filling_notes(counts, described.calibration), *described.left_out, *scene.attrs["reading"]])
    notes.extend(kept_notes(counts, int(good_bands(scene).sum())))
    warning = looks_like_reflectance(scene)
    scene.attrs["reading"] = [*notes, warning] if warning else notes
    scene.attrs.update(origin_of(raw, described))
    return scene


def origin_of(raw: RawScene, described: Described) -> dict[str, str]:
    """Return what a scene is and when it was taken, as attributes of it; nothing of what its file does not say."""
    said = {"product": raw.product, "acquired": described.acquired}
    return {name: text for name, text in said.items() if text}


def _calibrated(shape: tuple[int, int, int], calibration: Calibration) -> Calibrated:
    """Return the reflectance of the whole scene, reading some rows at a time."""
    rows, columns, n_bands = shape
    step = max(1, _VALUES_AT_ONCE // (columns * n_bands))
    values = np.empty(shape, dtype=np.float32)
    met = np.zeros(3, dtype=np.int64)
    for first in range(0, rows, step):
        last = min(first + step, rows)
        values[first:last], *here = calibration(Window(first, last, 0, columns))
        met += here
    return Calibrated(values, *map(int, met))
