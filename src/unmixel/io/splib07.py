"""Spectra of the USGS Spectral Library Version 7 as text (``ASCIIdata_splib07a``, ``splib07b``, convolved ones).

A spectrum is a file of one column under one line, as in ``splib07a_Alunite_GDS84_Na03_BECKb_AREF.txt``::

     splib07a Record=247: Alunite GDS84 Na03            BECKb AREF
     3.1234567e-001
    -1.2300000e+034

-1.23e34 is a deleted channel. The line ends with the spectrometer, with a letter for the purity of its wavelengths, and
the kind of measurement: AREF, RREF and RTGC are reflectance (absolute, relative, and of AVIRIS on the ground), TRAN is
transmittance. Wavelengths and the widths of the channels are in files of the same form in a folder above, such as
``splib07a_Wavelengths_BECK_Beckman_0.2-3.0_microns.txt`` and ``splib07a_Bandpass_(FWHM)_BECK_Beckman_in_microns.txt``,
in micrometres unless their names say nm. The spectra in ``errorbars`` are none. (Kokaly and others, 2017,
https://doi.org/10.3133/ds1035, and the README of its data.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import BundleError
from unmixel.io.library import LibrarySpectrum, plain_name, read_text

_FIRST_LINE = re.compile(r"\s{0,9}(\S{1,60})\s+Record=\s{0,9}\d{1,9}:\s{0,9}(.{1,200})")
_REFLECTANCE = ("AREF", "RREF", "RTGC")
_KINDS = (*_REFLECTANCE, "TRAN")
_OF_CHANNELS = ("wavelength", "bandpass", "wavenumber", "_srf_", "specrespfunction")
_DELETED = 1e30
"""Numbers of this size and more stand for nothing."""
_LEVELS_UP = 3


def title_of(first_line: str) -> str | None:
    """Return what the first line of a file says, None if the file is not of this library.

    Examples
    --------
    >>> title_of(" splib07a Record=247: Alunite GDS84 Na03            BECKb AREF")
    'Alunite GDS84 Na03 BECKb AREF'
    """
    found = _FIRST_LINE.match(first_line[:300])
    return (plain_name(found[2]) or None) if found else None


def is_splib07(file: Path, first_lines: Sequence[str]) -> bool:
    """Return whether a file is a spectrum of this library: not the wavelengths of others, nor their errors."""
    title = title_of(first_lines[0]) if first_lines else None
    if title is None or file.parent.name.lower() == "errorbars" or file.name.lower().startswith("errorbar"):
        return False
    return title.split()[-1].upper() in _KINDS or not any(word in file.name.lower() for word in _OF_CHANNELS)


class Channels:
    """The files of wavelengths and widths of the channels, each read once."""

    def __init__(self) -> None:
        self._columns: dict[tuple[Path, str], list[tuple[str, NDArray[np.float64]]]] = {}

    def beside(self, file: Path, what: str, count: int, spectrometer: str) -> list[NDArray[np.float64]]:
        """Return the different columns of so many numbers [nm] that can belong to a file, from the nearest folder.

        Of several, those are taken whose names have the most of the name of the spectrometer.
        """
        above = file.resolve().parent
        for folder in [above, *above.parents][:_LEVELS_UP]:
            columns = [(name, column) for name, column in self._in(folder, what) if len(column) == count]
            if not columns:
                continue
            likeness = [_common(spectrometer, name) for name, _ in columns]
            best = [column for (_, column), alike in zip(columns, likeness, strict=True) if alike == max(likeness)]
            return [
                one for i, one in enumerate(best) if not any(np.array_equal(one, other, True) for other in best[:i])
            ]
        return []

    def _in(self, folder: Path, what: str) -> list[tuple[str, NDArray[np.float64]]]:
        if (folder, what) not in self._columns:
            files = (path for path in sorted(folder.glob("*.txt")) if what in path.name.lower() and path.is_file())
            self._columns[folder, what] = [
                (file.name, column) for file in files if (column := _channels(file)) is not None
            ]
        return self._columns[folder, what]


def read_splib07(file: Path, channels: Channels) -> LibrarySpectrum:
    """Read a spectrum with the wavelengths and widths that lie beside it or in a folder above.

    Raises
    ------
    BundleError
        If it is no reflectance, holds something else than numbers, or its wavelengths are not there.
    """
    title, values = _column(file)
    words = title.split()
    kind, spectrometer = (words[-1].upper(), words[-2]) if len(words) > 2 else ("", "")
    if kind == "TRAN":
        raise BundleError(f"{file}, a transmittance ({title})", "reflectance")
    name = " ".join(words[:-2]) if kind in _REFLECTANCE else title
    wavelengths = channels.beside(file, "wavelength", len(values), spectrometer)
    if len(wavelengths) != 1:
        raise BundleError(
            f"{file} with {len(wavelengths) or 'no'} files of {len(values)} wavelengths beside it or above it",
            "one: ..._Wavelengths_...txt, as the library has it",
            "keep the folders of the library as they were",
        )
    widths = channels.beside(file, "bandpass", len(values), spectrometer)
    fwhm = widths[0] if len(widths) == 1 else np.full(len(values), np.nan)
    return LibrarySpectrum(name, file, wavelengths[0], fwhm, values)


def _common(spectrometer: str, file_name: str) -> int:
    """Return how many letters of the name of a spectrometer a file name has as a word begins.

    >>> _common("ASDFRb", "splib07a_Bandpass_(FWHM)_ASDFR_StandardResolution.txt")
    5
    >>> _common("ASDFRb", "splib07a_Wavelengths_ASD_0.35-2.5_microns_2151_ch.txt")
    3
    """
    words = [word for word in re.split(r"[^A-Za-z0-9]+", file_name.upper()) if word]
    name = spectrometer.upper()
    lengths = (next((n for n in range(len(name), 2, -1) if word.startswith(name[:n])), 0) for word in words)
    return max(lengths, default=0)


def _channels(file: Path) -> NDArray[np.float64] | None:
    """Return the wavelengths or widths [nm] in a file, None if it is another one."""
    try:
        title, column = _column(file)
    except BundleError:
        return None
    in_nanometres = re.search(r"(\b|_)(nm|nanometers?)(\b|_)", f"{title} {file.name}")
    return column * (1.0 if in_nanometres else 1000.0)


def _column(file: Path) -> tuple[str, NDArray[np.float64]]:
    """Return the title of a file and its numbers, NaN where a channel is deleted."""
    lines = read_text(file)
    title = title_of(lines[0]) if lines else None
    if title is None:
        raise BundleError(f"{file}, which is not of the USGS library", "'splib07a Record=' on its first line")
    try:
        values = np.array([float(line) for line in lines[1:] if line.strip()])
    except ValueError as error:
        raise BundleError(f"{file}: {error}", "one number in each line") from error
    if not len(values):
        raise BundleError(f"{file} without a number", "one in each line", "is it complete?")
    values[~(np.abs(values) < _DELETED)] = np.nan
    return title, values
