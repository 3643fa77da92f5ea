"""From a file of endmember spectra to a bundle on the bands of a scene."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.errors import BundleError, SceneError, damage_told
from unmixel.io.bundle_csv import read_bundle_csv
from unmixel.io.ecostress import is_ecostress, read_ecostress
from unmixel.io.envi_header import is_envi_header
from unmixel.io.library import LibrarySpectrum, bundle_of, bundle_on, left_out_line
from unmixel.io.netcdf import read_bundle_netcdf
from unmixel.io.plausibility import looks_like_reflectance
from unmixel.io.recognise import recognise
from unmixel.io.sli import read_sli
from unmixel.io.splib07 import Channels, is_splib07, read_splib07
from unmixel.scene import good_bands
from unmixel.spectra import resample

_HEADER_BYTES = 32_768
_MOST_FILES = 20_000
_KNOWN = "an ENVI library (.sli with .hdr), CSV, NetCDF, or text of the USGS or ECOSTRESS library"


def open_bundle(
    path: str | Path, *, scene: xr.DataArray | None = None, pixels: Callable[[], xr.DataArray] | None = None
) -> xr.DataArray:
    """Open endmember spectra: an ENVI library (``.sli``), a CSV table, NetCDF written by unmixel, or text of the
    USGS (splib07) and ECOSTRESS libraries, one file or a folder of them.

    Spectra under the same name are variants of one endmember. Of the statistics that `unmixel unmix` writes
    (``soil mean``, ``soil sd``, ...) only the means are taken.

    Parameters
    ----------
    path : path
        The file; for an ENVI library either the header or the data file. In a folder, spectra are looked for in
        its folders, too.
    scene : DataArray, optional
        The scene to unmix: the spectra are resampled to its bands. If it is in reflectance and they are in
        percent or counts of 1/10000, they are divided, and ``bundle.attrs["reading"]`` says so. Spectra of a folder
        that don't cover its good bands are left out, which is said there, too.
    pixels : callable, optional
        Gives a scene of some of its pixels, where `scene` has none (the outline of a scene on disk). It is called
        only if the spectra are in another unit than reflectance.

    Raises
    ------
    BundleError
        If the file cannot be read, its values are not reflectance, or its wavelengths don't cover the
        scene's.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "spectra.csv"
    >>> _ = file.write_text("wavelength [um],soil,water\\n0.55,0.30,0.05\\n0.65,0.35,0.02\\n")
    >>> bundle = open_bundle(file)
    >>> bundle.endmember.values.tolist(), bundle.wavelength.values
    (['soil', 'water'], array([550., 650.]))
    """
    file = Path(path)
    if not file.exists():
        raise BundleError(f"{file}, which does not exist", "a file of endmember spectra", "check the path")
    spectra, notes = _text_spectra(file)
    if spectra:
        bundle = bundle_of(spectra, file) if scene is None else bundle_on(scene, spectra, file)
        bundle.attrs["reading"] += notes
        return bundle
    try:
        told = damage_told(file, "a complete file of endmember spectra", "is it damaged?", error=BundleError)
        with told, np.errstate(over="ignore"):  # what is not finite then is refused as such
            bundle = _means_of_statistics(_read(file))
    except SceneError as error:
        raise BundleError(error.given, error.expected, error.remedy) from error
    except BundleError as error:
        if str(file) in error.given:
            raise
        raise BundleError(f"{file}: {error.given}", error.expected, error.remedy) from error
    if scene is None:
        return bundle
    return _on_bands_of(scene, _in_units_of(scene if pixels is None else pixels, bundle, file), file)


def _text_spectra(path: Path) -> tuple[list[LibrarySpectrum], list[str]]:
    """Return the spectra of a text library, and a note on what was left out of a folder; nothing if it is none."""
    channels = Channels()
    if path.is_file():
        read = _reader_of(path, channels)
        return ([read(path)] if read else []), []
    if not path.is_dir() or (path / "zarr.json").exists():
        return [], []
    spectra: list[LibrarySpectrum] = []
    refused: list[tuple[Path, BundleError]] = []
    files = list(islice(path.rglob("*.txt"), _MOST_FILES + 1))
    if len(files) > _MOST_FILES:
        raise BundleError(f"{path}, a folder of more than {_MOST_FILES} text files", "a library", "give a folder in it")
    for file in sorted(files):
        if file.is_file() and (read := _reader_of(file, channels)) is not None:
            try:
                spectra.append(read(file))
            except BundleError as error:
                refused.append((file, error))
    if refused and not spectra:
        raise refused[0][1]
    if not spectra:
        raise BundleError(f"{path}, a folder without a spectrum", "text files of the USGS or ECOSTRESS library in it")
    return spectra, [f"{left_out_line([file for file, _ in refused])}: {refused[0][1]}"] if refused else []


def _reader_of(file: Path, channels: Channels) -> Callable[[Path], LibrarySpectrum] | None:
    """Return what reads a text file that is a spectrum of a library."""
    try:
        with file.open("rb") as opened:
            first_lines = opened.read(_HEADER_BYTES).decode("latin-1").splitlines()
    except OSError:
        return None
    if is_splib07(file, first_lines):
        return partial(read_splib07, channels=channels)
    return read_ecostress if is_ecostress(first_lines) else None


def _read(file: Path) -> xr.DataArray:
    if file.is_file() and not is_envi_header(file) and _is_text(file):
        return read_bundle_csv(file)
    found = recognise(file)
    if found.format == "envi" and found.header is not None:
        return read_sli(found.path, found.header)
    if found.format == "netcdf":
        return read_bundle_netcdf(found.path)
    raise BundleError(f"{file}, a {found.format} file", _KNOWN)


def _is_text(file: Path) -> bool:
    with file.open("rb") as opened:
        first = opened.read(4096)
    return bool(first) and not any(byte < 9 or 13 < byte < 32 for byte in first)


def _means_of_statistics(bundle: xr.DataArray) -> xr.DataArray:
    labels = [str(label) for label in bundle["endmember"].values]
    means = [i for i, label in enumerate(labels) if label.endswith(" mean")]
    names = [labels[i].removesuffix(" mean") for i in means]
    if not means or not any(f"{name} sd" in labels for name in names):
        return bundle
    return bundle.isel(spectrum=means).assign_coords(endmember=("spectrum", np.array(names)))


def _in_units_of(scene: xr.DataArray | Callable[[], xr.DataArray], bundle: xr.DataArray, file: Path) -> xr.DataArray:
    """Return a bundle in reflectance if the scene is."""
    brightest = float(np.percentile(bundle.values, 99))
    if brightest <= 2 or looks_like_reflectance(scene() if callable(scene) else scene):
        return bundle
    divisor = next((d for d in (100.0, 10_000.0) if 0.02 * d < brightest <= 1.5 * d), None)
    if divisor is None:
        raise BundleError(f"{file} with values up to {brightest:g}", "reflectance, about 0 to 1, as in the scene")
    scaled = bundle / np.float32(divisor)
    scaled.attrs["reading"] = [f"values up to {brightest:.4g} divided by {divisor:g}: the scene is in reflectance"]
    return scaled


def _on_bands_of(scene: xr.DataArray, bundle: xr.DataArray, file: Path) -> xr.DataArray:
    """Return a bundle with a value in every band of the scene."""
    wanted = np.asarray(scene["wavelength"].values, dtype=np.float64)
    given = np.asarray(bundle["wavelength"].values, dtype=np.float64)
    if not (np.isfinite(wanted).all() and np.isfinite(given).all()):
        good = good_bands(scene)
        if len(given) == good.sum() < len(wanted):
            return _on_good_bands_of(scene, bundle)
        if len(wanted) != len(given):
            side = "it has" if not np.isfinite(given).all() else "the scene has"
            raise BundleError(
                f"{file} of {len(given)} bands for a scene of {len(wanted)}, and {side} no wavelengths",
                "the same bands, or wavelengths in both",
            )
        return bundle.assign_coords({name: scene[name] for name in ("wavelength", "fwhm") if name in scene.coords})
    fwhm = scene["fwhm"].values if "fwhm" in scene.coords else None
    try:
        return resample(bundle, wanted, fwhm, good_band=good_bands(scene))
    except BundleError as error:
        raise BundleError(f"{file}: {error.given}", error.expected, error.remedy) from error


def _on_good_bands_of(scene: xr.DataArray, bundle: xr.DataArray) -> xr.DataArray:
    """Return a bundle of as many bands as the scene has good ones on all of its bands, the nearest repeated."""
    good = np.flatnonzero(good_bands(scene))
    nearest = np.abs(np.arange(scene.sizes["band"])[:, None] - good).argmin(axis=1)
    spread = bundle.drop_vars(["wavelength", "fwhm"], errors="ignore").isel(band=nearest)
    on_scene = spread.assign_coords({name: scene[name] for name in ("wavelength", "fwhm") if name in scene.coords})
    note = f"{len(good)} bands without wavelengths taken for the {len(good)} good bands of the scene"
    on_scene.attrs["reading"] = [*bundle.attrs.get("reading", []), note]
    return on_scene
