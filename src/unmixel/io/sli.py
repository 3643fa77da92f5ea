"""ENVI spectral libraries: spectra in a binary file (``.sli``, ``.lib``) and the header beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmixel.errors import BundleError, OutputError
from unmixel.io.calibration import as_stored
from unmixel.io.envi_header import format_field, read_envi_header
from unmixel.io.wavelength_units import to_nanometres
from unmixel.io.whole_file import written_whole
from unmixel.spectra import check_bundle, make_bundle

_DELETED = 1e30
"""Numbers of this size and more stand for nothing."""


def read_sli(data: Path, header_path: Path) -> xr.DataArray:
    """Read a spectral library; its spectra names are the labels. Bands without a value in some spectrum are dropped.

    Raises
    ------
    SceneError, BundleError
        If the header does not describe this file.
    """
    header = read_envi_header(header_path)
    if header.text("file type").lower() != "envi spectral library":
        raise BundleError(f"{data} of file type {header.text('file type') or 'unknown'!r}", "an ENVI spectral library")
    header.check_size(data)
    n_spectra, n_bands, _ = header.shape()
    values = np.fromfile(data, dtype=header.dtype(), offset=header.whole("header offset", 0))
    divisor = header.numbers("reflectance scale factor")
    with np.errstate(over="ignore", invalid="ignore"):  # spectra that are not finite are refused below
        spectra = values.reshape(n_spectra, n_bands).astype(np.float64)
        if divisor is not None and divisor[0] > 0:
            spectra /= divisor[0]
    names = header.fields.get("spectra names", [])
    if isinstance(names, str) or len(names) != n_spectra:
        raise BundleError(
            f"{header_path} with {0 if isinstance(names, str) else len(names)} spectra names for {n_spectra} spectra",
            "one for each (a name must not contain a comma)",
        )
    ignore = header.numbers("data ignore value")
    present = _present(values.reshape(n_spectra, n_bands), () if ignore is None else ignore)
    if not present.any():
        raise BundleError(f"{data} without a band that has a value in every spectrum", "complete spectra")
    wavelength, fwhm = header.numbers("wavelength"), header.numbers("fwhm")
    for name, given in (("wavelengths", wavelength), ("fwhm", fwhm)):
        if given is not None and len(given) != n_bands:
            raise BundleError(f"{header_path} with {len(given)} {name} for {n_bands} bands", "one for each")
    factor = None if wavelength is None else to_nanometres(wavelength, header.text("wavelength units"))[0]
    if wavelength is None or factor is None:
        return make_bundle(spectra[:, present], names)
    widths = None if fwhm is None else fwhm[present] * factor
    return make_bundle(spectra[:, present], names, wavelength=wavelength[present] * factor, fwhm=widths)


def _present(stored: NDArray, ignored: Iterable[float]) -> NDArray[np.bool_]:
    """Return which bands have a value in every spectrum: USGS libraries have -1.23e34 where they have none."""
    fills = [fill for value in ignored if (fill := as_stored(value, stored.dtype)) is not None]
    with np.errstate(invalid="ignore"):
        deleted = np.isfinite(stored) & (np.abs(stored.astype(np.float64)) >= _DELETED)
    return np.asarray(~(deleted | np.isin(stored, fills)).any(axis=0))


def write_sli(bundle: xr.DataArray, path: str | Path) -> None:
    """Write endmember spectra as a new ENVI spectral library (float32) with its header.

    A comma in a label becomes a semicolon, since the format separates names by commas.

    Raises
    ------
    OutputError
        If a file exists or cannot be written; nothing is left behind.
    """
    check_bundle(bundle)
    target = Path(path)
    if target.suffix.lower() == ".hdr":
        raise OutputError(
            f"{target} as a spectral library", "another suffix, such as .sli", "the header is written too"
        )
    n_spectra, n_bands = bundle.shape
    fields: dict[str, object] = {
        "description": "{endmember spectra written by unmixel}",
        "samples": n_bands,
        "lines": n_spectra,
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "reflectance scale factor": 1.0,
        "spectra names": [_plain(str(name)) for name in bundle["endmember"].values],
    }
    for name in ("wavelength", "fwhm"):
        if name in bundle.coords and np.isfinite(bundle[name].values).all():
            fields[name] = [repr(float(value)) for value in bundle[name].values]
    if "wavelength" in fields:
        fields["wavelength units"] = "Nanometers"
    text = "ENVI\n" + "".join(format_field(key, value) for key, value in fields.items())
    with written_whole(target, companions=(target.with_suffix(".hdr"),)) as (data, header):
        data.write_bytes(bundle.values.astype("<f4").tobytes())
        header.write_text(text, encoding="utf-8")


def _plain(label: str) -> str:
    return " ".join(label.translate(str.maketrans(",{}", ";()")).split())
