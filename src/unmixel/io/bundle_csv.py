"""Endmember spectra as tables of text, one spectrum in each column or in each row."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmixel.claims import read_small
from unmixel.errors import BundleError
from unmixel.io.csv_text import as_cell, from_cell
from unmixel.io.library import BRIGHTEST
from unmixel.io.wavelength_units import NANOMETRES, to_nanometres
from unmixel.io.whole_file import written_whole
from unmixel.spectra import check_bundle, make_bundle

LARGEST = 64_000_000
"""Bytes of a table; a thousand spectra of a thousand bands take ten million."""
_OF_WAVELENGTHS = ("wavelength", "wl", "lambda", "nm", "um")
_OF_BANDS = (*_OF_WAVELENGTHS, "band", "channel", "#")
"""What the header of the first column begins with if there is a spectrum in each of the others."""
_LAYOUTS = "a column of wavelengths and a column for each spectrum, or a row of wavelengths and a row for each"


def read_bundle_csv(path: Path) -> xr.DataArray:
    """Read endmember spectra from a table, in either of two layouts.

    =========================  ==================================================================
    a spectrum in each column  the header names the endmembers; the first column has the wavelengths
    a spectrum in each row     the header has the wavelengths; the first column names the endmembers
    =========================  ==================================================================

    A column ``fwhm`` is taken as the band widths, in its own unit if it names one (``fwhm_nm``). Spectra under the same
    name are variants of one endmember. Bands are sorted by wavelength; those without a value in some spectrum (or one
    beyond a million, which stands for none), or without a wavelength where others have one, are dropped. An empty
    column of wavelengths is none.

    Raises
    ------
    BundleError
        If the table is in neither layout, or holds something else than numbers.
    """
    header, rows = _table(path)
    numbers = [_number(cell) for cell in header]
    first_number = next((i for i, value in enumerate(numbers) if value is not None), len(header))
    in_rows = 0 < first_number < len(header) and all(value is not None for value in numbers[first_number:])
    if in_rows and not (header[0].strip().lower().startswith(_OF_BANDS) and all(_is_number(row[0]) for row in rows)):
        wavelength: NDArray[np.float64] | None = np.array(numbers[first_number:], dtype=np.float64)
        labels = [from_cell(row[0].strip(" ")) for row in rows]
        spectra, fwhm = _values(path, [row[first_number:] for row in rows]), None
        unit = unit_of_widths = ""
    else:
        names = [name.strip().lower() for name in header]
        widths = next((i for i, name in enumerate(names) if i and name.startswith("fwhm")), None)
        columns = [i for i, name in enumerate(names) if i and i != widths and name not in ("good_band", "bbl")]
        table = _values(path, rows)
        labels, spectra = [from_cell(header[i].strip(" ")) for i in columns], table[:, columns].T
        wavelength = table[:, 0] if names[0].startswith(_OF_WAVELENGTHS) else None
        fwhm, unit = (None if widths is None else table[:, widths]), _unit(names[0])
        unit_of_widths = "" if widths is None else _unit(names[widths])
        if wavelength is None and not names[0].startswith(_OF_BANDS):
            raise BundleError(f"{path} whose first column is {header[0]!r}", _LAYOUTS, "call the column 'wavelength'")
    return _bundle(path, spectra, labels, wavelength, fwhm, (unit, unit_of_widths))


def write_bundle_csv(bundle: xr.DataArray, path: str | Path) -> None:
    """Write endmember spectra as a new table: wavelength and fwhm [nm], then a column for each spectrum.

    Raises
    ------
    OutputError
        If the file exists or cannot be written; nothing is left behind.
    """
    check_bundle(bundle)
    n_bands = bundle.sizes["band"]
    columns: dict[str, list[str]] = {}
    for name in ("wavelength", "fwhm"):
        if name in bundle.coords and np.isfinite(bundle[name].values).all():
            columns[f"{name}_nm"] = [repr(float(value)) for value in bundle[name].values]
    if "wavelength_nm" not in columns:
        columns = {"band": [str(number) for number in range(1, n_bands + 1)]}
    head = [*columns, *(as_cell(str(label)) for label in bundle["endmember"].values)]
    body = [*columns.values(), *([f"{value:.9g}" for value in spectrum] for spectrum in bundle.values)]
    with written_whole(Path(path)) as (target,), target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(zip(*body, strict=True))


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = read_small(path, LARGEST, error=BundleError).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}, which is no text", "a table of endmember spectra") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(StringIO(text, newline=""), delimiter=separator) if any(map(str.strip, row))]
    except csv.Error as error:
        raise BundleError(f"{path} ({error})", "a table of endmember spectra", "check its quotes") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise BundleError(f"{path} with {len(rows)} rows of {len(rows[0]) if rows else 0} cells", _LAYOUTS)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise BundleError(f"{path} with {len(row)} cells in row {number}", f"{len(rows[0])} as in the header")
    return rows[0], rows[1:]


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _is_number(cell: str) -> bool:
    return not cell.strip() or _number(cell) is not None


def _values(path: Path, rows: list[list[str]]) -> NDArray[np.float64]:
    try:
        return np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows])
    except ValueError as error:
        raise BundleError(f"{path}: {error}", f"numbers: {_LAYOUTS}") from error


def _unit(name: str) -> str:
    """Return the unit in a column's name: ``wavelength_nm``, ``wavelength [um]``."""
    words = name.replace("_", " ").replace("[", " ").replace("]", " ").replace("(", " ").replace(")", " ").split()
    return next((word for word in words if word in ("nm", "um", "µm", "μm", "micrometers", "nanometers")), "")


def _bundle(
    path: Path,
    spectra: NDArray[np.float64],
    labels: list[str],
    wavelength: NDArray[np.float64] | None,
    fwhm: NDArray[np.float64] | None,
    units: tuple[str, str],
) -> xr.DataArray:
    present = np.asarray((np.abs(spectra) < BRIGHTEST).all(axis=0))
    if not present.any():
        raise BundleError(f"{path} without a band that has a value in every spectrum", "complete spectra")
    unit, unit_of_widths = units
    factor = None if wavelength is None else to_nanometres(wavelength, unit)[0]
    if wavelength is None or factor is None:
        return make_bundle(spectra[:, present], labels)
    present &= np.isfinite(wavelength)
    if not present.any():
        raise BundleError(f"{path} without a band that has a wavelength and every value", "complete spectra")
    of_widths = factor if unit_of_widths in ("", unit) else NANOMETRES[unit_of_widths]
    order = np.argsort(wavelength, kind="stable")
    order = order[present[order]]
    return make_bundle(
        spectra[:, order],
        labels,
        wavelength=wavelength[order] * factor,
        fwhm=None if fwhm is None else fwhm[order] * of_widths,
    )
