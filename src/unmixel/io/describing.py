"""What is known of a scene from its description alone: its bands, and how stored values become reflectance."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import ParameterError, SceneError
from unmixel.io._raw import RawScene
from unmixel.io.acquisition_time import utc_time
from unmixel.io.calibration import Calibration
from unmixel.io.wavelength_units import to_nanometres

FEWEST = 2
"""Bands without which there is nothing to unmix."""
_LONGEST_SIDE = 10_000_000
"""Rows or columns, whose coordinates are kept in memory: 200 MB for so many."""


class Described(NamedTuple):
    """The bands of a scene in the order of the file, and its calibration.

    Attributes
    ----------
    wavelength, fwhm : array, shape (band,), or None
        Nanometres.
    declared_good : array of bool, shape (band,)
        False where the file or the user leaves the band out, or the air does.
    atmosphere : array of bool, shape (band,)
        True where a band would be good but for the air.
    calibration : Calibration
    acquired : str
        When the scene was taken (`unmixel.io.acquisition_time.utc_time`).
    left_out : list of str
        A line on each range of bands that is left out.
    """

    wavelength: NDArray[np.float64] | None
    fwhm: NDArray[np.float64] | None
    declared_good: NDArray[np.bool_]
    atmosphere: NDArray[np.bool_]
    calibration: Calibration
    acquired: str
    left_out: list[str]


def describe(
    raw: RawScene, leave_out: Sequence[Any], scale: float | int | None, keep_atmosphere: bool, notes: list[str]
) -> Described:
    """Check what a reader found, and add to the notes what was decided.

    Raises
    ------
    SceneError
        If the file can hold no spectral scene.
    ParameterError
        If `scale` is not positive, a range ends before it begins, or the ranges leave less than two bands.
    """
    if scale is not None and not (isinstance(scale, Real) and 0 < scale <= sys.float_info.max):
        raise ParameterError(f"scale = {scale}", "a positive number")
    _check_numbers(raw, scale)
    _check_spectral(raw)
    acquired = utc_time(raw.acquired)
    notes.extend([*_origin(raw, acquired), *raw.notes, f"stored as {raw.dtype.name}"])
    wavelength, fwhm = _in_nanometres(raw, notes)
    calibration = Calibration(raw, scale)
    notes.extend(calibration.notes())
    good = np.ones(raw.shape[2], dtype=bool) if raw.good_band is None else raw.good_band
    if len(good) != raw.shape[2]:
        raise SceneError(f"a bad-band list of {len(good)} for {raw.shape[2]} bands", "one flag for each band")
    n_bad = int((~good).sum())
    left_out = [f"{n_bad} {'band' if n_bad == 1 else 'bands'} left out: declared bad"] if n_bad else []
    asked_out = _asked_out(wavelength, raw.shape[2], leave_out, left_out)
    _check_some_left(wavelength, good, asked_out)
    good = good & ~asked_out
    atmosphere = np.zeros_like(good)
    if wavelength is not None and not keep_atmosphere:
        atmosphere = _in_the_air(wavelength, good, raw.atmosphere, left_out)
    return Described(wavelength, fwhm, good & ~atmosphere, atmosphere, calibration, acquired, left_out)


def _origin(raw: RawScene, acquired: str) -> list[str]:
    """Return what the file is, and when its scene was taken, where it says; not what its notes say already."""
    lines = (raw.product, f"acquired {acquired}" if acquired else "")
    return [line for line in lines if line and line not in raw.notes]


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
    if min(raw.shape) < 1:
        raise SceneError(f"an array of shape {raw.shape}", "at least one pixel and one band")
    if max(raw.shape[:2]) > _LONGEST_SIDE:
        rows, columns, _ = raw.shape
        raise SceneError(f"{rows} rows and {columns} columns", f"at most {_LONGEST_SIDE}", "cut it into parts")


def _check_numbers(raw: RawScene, scale: float | int | None) -> None:
    """Check that what the file says of bands and values are numbers."""
    for name in ("wavelength", "fwhm", "good_band", "gain", "offset"):
        given = getattr(raw, name)
        dimensions = (0, 1) if name in ("gain", "offset") else (1,)
        if given is not None and (np.ndim(given) not in dimensions or np.asarray(given).dtype.kind not in "biuf"):
            raise SceneError(f"{name.replace('_', ' ')} that is no list of numbers", "a number for each band")
    if scale is None and (not np.any(raw.gain) or not np.isfinite(raw.gain).all()):
        raise SceneError("gains of the file that are zero or not finite", "numbers", "correct them, or give the scale")


def _in_nanometres(raw: RawScene, notes: list[str]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if raw.wavelength is None:
        notes.append("no wavelengths in the file")
        return None, None
    wavelength, fwhm = _quiet(raw.wavelength), None if raw.fwhm is None else _quiet(raw.fwhm)
    factor, note = to_nanometres(wavelength, raw.wavelength_unit)
    if note:
        notes.append(note)
    if factor is None:
        return None, None
    with np.errstate(over="ignore"):
        return wavelength * factor, None if fwhm is None else fwhm * factor


def _quiet(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers of a file without signalling NaNs, which are not what functions for NaN expect."""
    return np.where(np.isnan(numbers), np.nan, numbers)


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


def _check_some_left(
    wavelength: NDArray[np.float64] | None, good: NDArray[np.bool_], asked_out: NDArray[np.bool_]
) -> None:
    """Check that what the user leaves out is not all that the file has, or all but a band."""
    n_good, n_left = int(good.sum()), int((good & ~asked_out).sum())
    if n_left >= min(FEWEST, n_good):
        return
    where = np.flatnonzero(good) + 1 if wavelength is None else wavelength[good]
    extent = f"{np.nanmin(where):g} to {np.nanmax(where):g}{' (their numbers)' if wavelength is None else ' nm'}"
    raise ParameterError(
        f"ranges to leave out that leave {n_left} of the {n_good} bands from {extent}",
        f"at least {FEWEST} bands left to unmix",
        "leave out fewer (--bands)",
    )


def _in_the_air(
    wavelength: NDArray[np.float64], good: NDArray[np.bool_], ranges: Sequence[tuple[float, float]], notes: list[str]
) -> NDArray[np.bool_]:
    """Return which of the good bands lie where the air absorbs the light; none if no other would be left."""
    inside = [good & (wavelength >= low) & (wavelength <= high) for low, high in ranges]
    absorbed = np.any(inside, axis=0) if inside else np.zeros_like(good)
    if (absorbed == good).all():
        return np.zeros_like(good)
    for (low, high), there in zip(ranges, inside, strict=True):
        if count := int(there.sum()):
            bands = "band" if count == 1 else "bands"
            notes.append(f"{count} {bands} within {low:g} to {high:g} nm left out: the air absorbs there")
    return absorbed


def _pairs(ranges: Any) -> list[tuple[float, float]]:
    """Return ranges given as pairs of numbers."""
    try:
        return [(float(low), float(high)) for low, high in ranges]
    except (TypeError, ValueError) as error:
        raise ParameterError(f"leave_out = {ranges!r}", "pairs of numbers, as in [(1350, 1450)]") from error
