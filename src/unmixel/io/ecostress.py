"""Spectra of the ECOSTRESS spectral library (before: ASTER), as text.

Lines of ``Name: value``, an empty one, and two columns, in either order of wavelengths::

    Name: Construction Concrete
    ...
    X Units: Wavelength (micrometers)
    Y Units: Reflectance (percent)
    First X Value: 0.3000
    Last X Value: 15.0000
    Number of X Values: 561
    Additional Information: none

     0.3000   8.8200

(https://speclib.jpl.nasa.gov.) Real files have lines among the columns that are no pair of numbers: they are left out,
and a note says how many values are there of those announced.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unmixel.errors import BundleError
from unmixel.io.library import LibrarySpectrum, plain_name, read_text

HEADER_LINES = 80
_FACTORS = {"micrometer": 1000.0, "micrometre": 1000.0, "micron": 1000.0, "nanometer": 1.0, "nanometre": 1.0}


def is_ecostress(first_lines: Sequence[str]) -> bool:
    """Return whether a file that begins so is a spectrum of this library."""
    keys = {line.partition(":")[0].strip().lower() for line in first_lines[:HEADER_LINES] if ":" in line}
    return {"name", "x units", "y units"} <= keys


def read_ecostress(file: Path) -> LibrarySpectrum:
    """Read a spectrum.

    Raises
    ------
    BundleError
        If it is no reflectance over wavelengths, or has no values.
    """
    lines = read_text(file)
    fields = _fields(lines)
    if not {"name", "x units", "y units"} <= fields.keys():
        raise BundleError(f"{file}, which is not of the ECOSTRESS library", "lines 'Name:', 'X Units:' and 'Y Units:'")
    x_units, y_units = fields["x units"].lower(), fields["y units"].lower()
    factor = next((factor for unit, factor in _FACTORS.items() if unit in x_units), None)
    if factor is None or "wavelength" not in x_units:
        raise BundleError(f"{file} over {fields['x units']!r}", "wavelengths in micrometers or nanometers")
    if "reflectance" not in y_units:
        raise BundleError(f"{file} of {fields['y units']!r}", "reflectance")
    pairs = [pair for line in lines if (pair := _pair(line)) is not None]
    if not pairs:
        raise BundleError(f"{file} without values", "two columns below the header", "is it complete?")
    wavelength, values = np.array(pairs).T
    order = np.argsort(wavelength, kind="stable")
    announced = fields.get("number of x values", "")
    short = announced.isdecimal() and announced.lstrip("0") != str(len(pairs))
    return LibrarySpectrum(
        plain_name(fields["name"]) or file.stem,
        file,
        wavelength[order] * factor,
        np.full(len(pairs), np.nan),
        values[order] / (100.0 if "percent" in y_units else 1.0),
        (f"{file.name}: {len(pairs)} values, {announced[:20]} announced",) if short else (),
    )


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """Return what the lines of the header say, the first of each name."""
    fields: dict[str, str] = {}
    for line in lines[:HEADER_LINES]:
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def _pair(line: str) -> tuple[float, float] | None:
    """Return a wavelength and its value, None if a line has something else."""
    parts = line.split()
    if len(parts) != 2:
        return None
    try:
        wavelength, value = float(parts[0]), float(parts[1])
    except ValueError:
        return None
    return (wavelength, value) if np.isfinite([wavelength, value]).all() and 0 < wavelength < 1e9 else None
