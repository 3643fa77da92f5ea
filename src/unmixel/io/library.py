"""Spectra of a library, each on its own wavelengths, and the bundle that they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.claims import read_small
from unmixel.errors import BundleError
from unmixel.scene import good_bands
from unmixel.spectra import make_bundle, resample

LARGEST_FILE = 2_000_000
"""Bytes of a text file that can be one spectrum."""
_NAMED = 3
_LONGEST, BRIGHTEST = 1e6, 1e6
"""Wavelengths [nm] and reflectances from there on are none."""


class LibrarySpectrum(NamedTuple):
    """A spectrum as its file has it.

    Attributes
    ----------
    name : str
        What it is a spectrum of.
    file : Path
    wavelength, fwhm : array, shape (sample,)
        Nanometres; the widths are NaN where nobody says them.
    reflectance : array, shape (sample,)
        NaN where nothing was measured.
    notes : tuple of str
        What was decided on the way.
    """

    name: str
    file: Path
    wavelength: Float[np.ndarray, "sample"]
    fwhm: Float[np.ndarray, "sample"]
    reflectance: Float[np.ndarray, "sample"]
    notes: tuple[str, ...] = ()


def plain_name(text: str) -> str:
    """Return a name as one line of characters that can be shown.

    >>> plain_name("Construction  Concrete\\x00\\n")
    'Construction Concrete'
    """
    return "".join(character for character in " ".join(text.split()) if character.isprintable()).strip()


def read_text(file: Path) -> list[str]:
    """Return the lines of a file that can be one spectrum.

    Raises
    ------
    BundleError
        If it is too large, or cannot be read.
    """
    try:
        return read_small(file, LARGEST_FILE, error=BundleError).decode("latin-1").splitlines()
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror or error}", "a readable file") from error


def bundle_of(spectra: Sequence[LibrarySpectrum], path: Path) -> xr.DataArray:
    """Return spectra on the same wavelengths as a bundle; samples that some spectrum lacks are dropped.

    Raises
    ------
    BundleError
        If their wavelengths differ, or no sample is in all of them.
    """
    first = spectra[0]
    for other in spectra[1:]:
        if not np.array_equal(other.wavelength, first.wavelength):
            raise BundleError(
                f"{path} with spectra on different wavelengths ({first.file.name}, {other.file.name})",
                "the scene whose bands they are resampled to",
                "give it (scene=), or open spectra of one instrument alone",
            )
    values = np.array([spectrum.reflectance for spectrum in spectra])
    real = (first.wavelength > 0) & (first.wavelength < _LONGEST)
    present = (np.abs(values) < BRIGHTEST).all(axis=0) & real
    if not present.any():
        raise BundleError(f"{path} without a wavelength that has a value in every spectrum", "complete spectra")
    order = np.argsort(first.wavelength, kind="stable")
    order = order[present[order]]
    bundle = make_bundle(
        values[:, order],
        [spectrum.name for spectrum in spectra],
        wavelength=first.wavelength[order],
        fwhm=first.fwhm[order],
    )
    bundle.attrs["reading"] = list(dict.fromkeys(line for spectrum in spectra for line in spectrum.notes))
    return bundle


def bundle_on(scene: xr.DataArray, spectra: Sequence[LibrarySpectrum], path: Path) -> xr.DataArray:
    """Return spectra on the bands of a scene, each resampled from its own wavelengths.

    Of several, those that don't cover the good bands of the scene are left out, and ``attrs["reading"]`` says so.

    Raises
    ------
    BundleError
        If none covers them.
    """
    wanted = np.asarray(scene["wavelength"].values, dtype=np.float64)
    if not np.isfinite(wanted).all():
        raise BundleError(f"{path} for a scene without wavelengths", "wavelengths in both")
    fwhm = scene["fwhm"].values if "fwhm" in scene.coords else None
    found: list[xr.DataArray] = []
    notes: list[str] = []
    left_out: list[tuple[Path, BundleError]] = []
    for spectrum in spectra:
        try:
            found.append(resample(bundle_of([spectrum], spectrum.file), wanted, fwhm, good_band=good_bands(scene)))
            notes.extend(spectrum.notes)
        except BundleError as error:
            left_out.append((spectrum.file, error))
    if not found:
        file, why = left_out[0]
        raise BundleError(f"{file}: {why.given}", why.expected, why.remedy) from why
    if left_out:
        notes.append(f"{left_out_line([file for file, _ in left_out])}: not over all good bands of the scene")
    bundle = make_bundle(
        np.concatenate([one.values for one in found]),
        [str(name) for one in found for name in one["endmember"].values],
        wavelength=wanted,
        fwhm=fwhm,
    )
    bundle.attrs["reading"] = list(dict.fromkeys(notes))
    return bundle


def left_out_line(files: Sequence[Path]) -> str:
    """Return a line on files that are left out, the first of them by name.

    >>> left_out_line([Path(f"{letter}.txt") for letter in "abcde"])
    '5 files left out (a.txt, b.txt, c.txt and 2 more)'
    """
    named = ", ".join(file.name for file in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return f"{len(files)} {'file' if len(files) == 1 else 'files'} left out ({named}{more})"
