"""What is in a scene, for the screen: where it is, its bands, values, noise and how it was read."""

from __future__ import annotations

from math import atan2, degrees, hypot

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Bool, Float
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rich.console import Console
from rich.table import Table

from unmixel.cli.number import print_number
from unmixel.errors import UnmixingError
from unmixel.extraction import estimate_n_endmembers
from unmixel.io import looks_like_reflectance
from unmixel.io.lazy import LazyScene
from unmixel.io.remarks import Counts
from unmixel.lookup import lookup_of
from unmixel.preprocess import noise_told, noise_variance_of
from unmixel.scale.sampling import sample_pixels
from unmixel.scene import crs_wkt_of, good_bands, pixels_of, transform_of

SAMPLED = 12_000
"""Pixels that values, noise and endmembers are judged by, at most."""
SAMPLED_VALUES = 12_000 * 285
"""Fewer pixels of more bands: what judges them takes some 50 bytes for each value."""
WINDOW_MEMORY = 32_000_000
"""Bytes that reading a window takes."""


def print_scene(opened: LazyScene, title: str, console: Console) -> None:
    """Print what a scene is, and what speaks for each number of endmembers; it is read once, by windows."""
    n_pixels = max(1, min(SAMPLED, SAMPLED_VALUES // opened.shape[2]))
    sample = sample_pixels(opened, n_pixels, memory=WINDOW_MEMORY)
    scene, pixels = sample.scene, pixels_of(sample.scene)
    lines = _geometry(opened.outline, sample.counts) | _spectrum(scene) | _values(pixels) | _signal(scene, pixels)
    table = Table(show_header=False)
    for name, text in lines.items():
        table.add_row(name, text)
    warning = looks_like_reflectance(scene)
    for line in scene.attrs["reading"]:
        if line != warning:
            table.add_row("on reading", line)
    table.add_row("plausible", f"warning: {warning}" if warning else "yes: the values look like reflectance")
    console.print(title, soft_wrap=True)
    console.print(table)
    print_number(estimate_n_endmembers(scene), console)


def _geometry(scene: xr.DataArray, counts: Counts) -> dict[str, str]:
    rows, columns, n_bands = scene.shape
    lines = {"size": f"{rows} rows x {columns} columns x {n_bands} bands"}
    lines["coordinate system"] = _crs_name(crs_wkt_of(scene))
    transform = transform_of(scene)
    if transform is not None:
        lines["upper left corner"] = f"x {transform.c:.10g}, y {transform.f:.10g}"
        lines["pixel size"] = _pixel_size(transform)
    if (lookup := lookup_of(scene)) is not None:
        lines["coordinate system"] = "none: as the sensor saw it"
        lines["map, by its lookup table"] = (
            f"{lookup.shape[0]} rows x {lookup.shape[1]} columns, {_crs_name(lookup.crs_wkt)}, upper left corner "
            f"x {lookup.transform.c:.10g}, y {lookup.transform.f:.10g}"
        )
    masked = counts.pixels - counts.valid
    lines["invalid pixels"] = f"{masked} of {counts.pixels} ({100 * masked / counts.pixels:.3g} %)"
    return lines


def _pixel_size(transform: Affine) -> str:
    """Return the size of a pixel, and how it is turned.

    Examples
    --------
    >>> _pixel_size(Affine(30, 0, 0, 0, -30, 0))
    '30 x 30 map units'
    >>> _pixel_size(Affine.rotation(42) @ Affine.scale(5.2, -5.2))
    '5.2 x 5.2 map units, turned 42 degrees counterclockwise'
    """
    size = f"{hypot(transform.a, transform.d):.6g} x {hypot(transform.b, transform.e):.6g} map units"
    turned = degrees(atan2(transform.d, transform.a))
    return size if transform.is_rectilinear else f"{size}, turned {turned:.4g} degrees counterclockwise"


def _crs_name(wkt: str | None) -> str:
    if wkt is None:
        return "none"
    try:
        crs = CRS.from_wkt(wkt)
    except CRSError:
        return wkt
    code = crs.to_epsg()
    name = wkt.partition('"')[2].partition('"')[0]
    return f"EPSG:{code} {name}" if code else name


def _spectrum(scene: xr.DataArray) -> dict[str, str]:
    wavelength, good = scene["wavelength"].values, good_bands(scene)
    lines = {}
    if np.isfinite(wavelength).all():
        lines["wavelengths"] = f"{wavelength.min():.1f} to {wavelength.max():.1f} nm"
    else:
        lines["wavelengths"] = "unknown"
    if "fwhm" in scene.coords and np.isfinite(scene["fwhm"].values).any():
        lines["band width (fwhm)"] = f"{np.nanmedian(scene['fwhm'].values):.3g} nm (median)"
    lines["bands left out"] = f"{int((~good).sum())}" + (f": {_runs(~good)}" if (~good).any() else "")
    return lines


def _runs(flags: Bool[np.ndarray, "band"]) -> str:
    """Return the 1-based numbers of the True flags as ranges, e.g. ``1-3, 7``."""
    numbers = np.flatnonzero(flags) + 1
    groups = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{g[0]}-{g[-1]}" if len(g) > 1 else f"{g[0]}" for g in groups)


def _values(pixels: Float[np.ndarray, "pixel band"]) -> dict[str, str]:
    one, middle, ninety_nine = np.quantile(pixels, [0.01, 0.5, 0.99])
    low, high = pixels.min(), pixels.max()
    return {"values": f"{low:.4g} to {high:.4g}, median {middle:.4g}, 1 % to 99 %: {one:.4g} to {ninety_nine:.4g}"}


def _signal(scene: xr.DataArray, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, str]:
    try:
        noise_variance = noise_variance_of(scene, pixels)
    except UnmixingError as error:
        return {"noise": f"not estimated: {error}"}
    sd = np.sqrt(noise_variance)
    power = np.square(pixels, dtype=np.float64).mean(axis=0)
    signal = np.maximum(power - noise_variance, 1e-12 * power)
    snr_db = 10 * np.log10(signal / np.maximum(noise_variance, np.finfo(float).tiny))
    source = "estimated" if noise_told(scene) is None else "by the uncertainty file"
    return {
        "noise per band (sd)": f"{source}: median {np.median(sd):.3g}, {sd.min():.3g} to {sd.max():.3g}",
        "signal to noise": f"median {np.median(snr_db):.1f}, {snr_db.min():.1f} to {snr_db.max():.1f} dB",
    }
