"""The error matrices of PRISMA L2D: which bands and pixels are left out for the values that they flag.

``VNIR_PIXEL_L2_ERR_MATRIX`` and its like for SWIR say of each value: 0 good, 1 invalid in level 1, 2 negative after the
atmospheric correction, 3 saturated after it. (So have them ESA SNAP and the EnMAP-Box; other codes are taken as bad as
3.) A stored 0 is no data, unless it is flagged as negative: it then stands for the lowest reflectance of the scale. Few
spectra of more than two hundred values have none that is flagged, and a pixel is used whole or not at all. So

- a band that is flagged, or without data, in more than half of the pixels is left out;
- a pixel is masked where a value of a band that is used has no data or is saturated, and where more than 5 % of those
  values are flagged in any way, bands in which the air absorbs the light not counted;
- other flagged values are kept as they are stored.

The first is decided on rows from all over the scene, since a description has to be had without reading all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io._raw import WATER_VAPOUR
from unmixel.io.hdf5 import array_of, holds
from unmixel.io.products.prisma_detectors import FIELDS, Detector, read_fields
from unmixel.io.windows import Window

_NEGATIVE, _SATURATED = 2, 3
_MOST_PIXELS, _FEW_BANDS = 0.5, 0.05
_LOOKED_AT = 16_000_000
"""Values on which it is decided which bands are left out."""
_WORST = 5


def check_errors(file: h5py.File, detector: str, shape: tuple[int, ...]) -> bool:
    """Return whether there is an error matrix of a detector, and check that it belongs to a cube of this shape.

    Raises
    ------
    SceneError
        If it has another shape, or does not hold whole numbers.
    """
    name = f"{FIELDS}/{detector}_PIXEL_L2_ERR_MATRIX"
    if not holds(file, name):
        return False
    errors = array_of(file, name, 3)
    if errors.shape != shape:
        raise SceneError(f"an error matrix of another shape than {detector}_Cube", "the same shape")
    if errors.dtype.kind not in "iu":
        raise SceneError(f"an error matrix of type {errors.dtype} for {detector}_Cube", "whole numbers")
    return True


def looked_at(
    path: Path, detectors: Sequence[Detector], declared: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which of the bands declared good are, by rows from all over the scene, and lines on what is flagged there.

    Raises
    ------
    SceneError
        If the file cannot be read.
    """
    windows = _spread_over(detectors)
    found = [_in_pixels_with_data(path, detectors, window) for window in windows]
    lost, flagged = (np.concatenate(parts) for parts in zip(*found, strict=True))
    n_pixels = len(flagged)
    if n_pixels == 0:
        return declared, []
    share = flagged.mean(axis=0)
    often = declared & (share > _MOST_PIXELS)
    good = declared & ~often
    masked = lost[:, good].any(axis=1) | _in_too_many(flagged, _counted(detectors, good))
    kept = flagged[:, good].any(axis=1) & ~masked
    notes = []
    if often.any():
        bands = "1 band" if often.sum() == 1 else f"{int(often.sum())} bands"
        notes.append(
            f"{bands} left out, flagged or without data in more than half of the pixels: "
            + _named(detectors, often, share)
        )
    n_rows = sum(window.shape[0] for window in windows)
    lines = (
        f"error matrices, by {n_pixels} pixels in {n_rows} rows: {masked.mean():.1%} masked (no data, saturated, or "
        f"flagged in more than {_FEW_BANDS:.0%} of the bands), {kept.mean():.1%} kept with single flagged values"
    )
    worst = good & (share > 0)
    return good, [*notes, lines + (f"; most often: {_named(detectors, worst, share)}" if worst.any() else "")]


def unusable(path: Path, detectors: Sequence[Detector], good: NDArray[np.bool_], window: Window) -> NDArray[np.bool_]:
    """Return which values of a window are not to be used, as (row, column, band).

    Raises
    ------
    SceneError
        If the file cannot be read.
    """
    _, lost, flagged = _faults(path, detectors, window)
    return lost | _in_too_many(flagged, _counted(detectors, good))[:, :, None]


def _faults(path: Path, detectors: Sequence[Detector], window: Window) -> tuple[NDArray, NDArray, NDArray]:
    """Return which pixels have data, which values have none or are saturated, and which are flagged in any way."""
    stored = read_fields(path, detectors, [f"{each.name}_Cube" for each in detectors], window)
    names = [f"{each.name}_PIXEL_L2_ERR_MATRIX" if each.has_errors else None for each in detectors]
    flags = read_fields(path, detectors, names, window)
    lost = (flags < 0) | (flags >= _SATURATED) | ((stored == 0) & (flags != _NEGATIVE))
    return np.asarray(stored.any(axis=2)), lost, lost | (flags != 0)


def _in_pixels_with_data(path: Path, detectors: Sequence[Detector], window: Window) -> tuple[NDArray, NDArray]:
    """Return which values are lost, and which are flagged, in the pixels of a window with data as (pixel, band)."""
    there, lost, flagged = _faults(path, detectors, window)
    return lost[there], flagged[there]


def _counted(detectors: Sequence[Detector], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the good bands in which the air lets light through."""
    wavelength = _wavelength(detectors)
    in_the_air = [(wavelength >= low) & (wavelength <= high) for low, high in WATER_VAPOUR]
    return good & ~np.any(in_the_air, axis=0)


def _in_too_many(flagged: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pixels are flagged in more than a few of the bands that count."""
    return np.count_nonzero(flagged[..., counted], axis=-1) > _FEW_BANDS * np.count_nonzero(counted)


def _spread_over(detectors: Sequence[Detector]) -> list[Window]:
    """Return windows of whole rows from all over the scene, as they lie together in the file, with values enough."""
    rows, _, columns = detectors[0].shape
    most = max(1, _LOOKED_AT // (columns * sum(len(each.used) for each in detectors)))
    height = min(max(each.block[0] if each.block else 1 for each in detectors), most, rows)
    n_blocks = -(-rows // height)
    chosen = np.linspace(0, n_blocks - 1, min(n_blocks, most // height)).round().astype(int)
    tops = [int(block) * height for block in np.unique(chosen)]
    return [Window(top, min(top + height, rows), 0, columns) for top in tops]


def _named(detectors: Sequence[Detector], asked: NDArray[np.bool_], share: NDArray[np.float64]) -> str:
    """Return the wavelengths of the worst bands of those asked for, with the share of pixels flagged."""
    worst = [band for band in np.argsort(-share, kind="stable") if asked[band]]
    shown = [f"{_wavelength(detectors)[band]:.0f} nm ({share[band]:.1%})" for band in worst[:_WORST]]
    return ", ".join(shown) + (", ..." if len(worst) > _WORST else "")


def _wavelength(detectors: Sequence[Detector]) -> NDArray[np.float64]:
    return np.concatenate([each.wavelength for each in detectors])
