"""ENVI spectral libraries: spectra in a binary file (``.sli``, ``.lib``) and the header beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.errors import BundleError, OutputError
from unmixel.io.envi_header import format_field, read_envi_header
from unmixel.io.wavelength_units import to_nanometres
from unmixel.io.whole_file import written_whole
from unmixel.spectra import check_bundle, make_bundle


def read_sli(data: Path, header_path: Path) -> xr.DataArray:
    """Read a spectral library; its spectra names are the labels.

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
    wavelength, fwhm = header.numbers("wavelength"), header.numbers("fwhm")
    if wavelength is None:
        return make_bundle(spectra, names)
    if len(wavelength) != n_bands:
        raise BundleError(f"{header_path} with {len(wavelength)} wavelengths for {n_bands} bands", "one for each")
    factor, _ = to_nanometres(wavelength, header.text("wavelength units"))
    if factor is None:
        return make_bundle(spectra, names)
    return make_bundle(spectra, names, wavelength=wavelength * factor, fwhm=None if fwhm is None else fwhm * factor)


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
