"""PRISMA L2D: geocoded surface reflectance of two detectors, in one HDF5-EOS file (``PRS_L2D_STD_*.he5``).

``HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields`` holds ``VNIR_Cube`` and ``SWIR_Cube`` (row, band, column), uint16. Attributes
of the file say what the numbers v mean, for each detector ::

    reflectance = L2ScaleVnirMin + v (L2ScaleVnirMax - L2ScaleVnirMin) / 65535

and which bands there are (``List_Cw_Vnir``, ``List_Fwhm_Vnir``, nanometres, descending; ``List_Cw_Vnir_Flags``). A
wavelength of zero stands for a band that is not there. ``VNIR_PIXEL_L2_ERR_MATRIX`` flags single values; what follows
from that for bands and pixels is in :mod:`unmixel.io.products.prisma_errors`.

The map is in UTM (``Epsg_Code``) with pixels of 30 m. As far as known, ``Product_ULcorner_easting`` and the like are
the centres of the corner pixels: opposite corners are then one pixel less apart than the scene is wide, which is
checked to a quarter of a pixel (a northing in single precision is rounded to a metre at most). Names, flags and scales
are those on which programs that read the product agree, ASI's specification of it (issue 2.3) not being at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.acquisition_time import utc_time
from unmixel.io.hdf5 import (
    array_of,
    block_of,
    group_of,
    names_in,
    number_attribute,
    opened_hdf5,
    required_list,
    required_number,
    text_attribute,
)
from unmixel.io.products.prisma_detectors import FIELDS, Detector, read_fields
from unmixel.io.products.prisma_errors import check_errors, looked_at, unusable
from unmixel.io.windows import Window

NAME = "PRISMA L2D surface reflectance"

_SWATHS = "HDFEOS/SWATHS"
_PIXEL = 30.0
_CORNERS = {"centres of the corner pixels": 1, "outer corners of the scene": 0}
"""What corner coordinates can be, and by how many pixels opposite ones are then less apart than the scene is wide."""
_EXACT, _ROUNDED = 0.001, 0.25
"""Pixels by which corners may be off: without a word, and at all."""
_LARGEST = 65535
_OTHER_LEVELS = {
    "PRS_L1": "PRISMA L1, radiance at the top of the atmosphere",
    "PRS_L2B": "PRISMA L2B, radiance at the surface",
    "PRS_L2C": "PRISMA L2C, reflectance in the geometry of the sensor",
}


def is_mine(path: Path) -> bool:
    """Return whether a file is PRISMA, of any level."""
    return any(name.startswith("PRS_L") for name in names_in(path, _SWATHS))


def read(path: Path) -> RawScene:
    """Read the description of a PRISMA L2D scene.

    Raises
    ------
    SceneError
        If it is damaged, or PRISMA of another level.
    """
    with opened_hdf5(path) as file:
        _check_level(file)
        vnir, swir = (_detector(file, name) for name in ("Vnir", "Swir"))
        if vnir.shape[::2] != swir.shape[::2]:
            raise SceneError(
                f"{vnir.shape[::2]} pixels in VNIR and {swir.shape[::2]} in SWIR", "the same pixels in both"
            )
        crs_wkt, transform, place = _place(file, vnir.shape[0], vnir.shape[2])
        acquired = utc_time(text_attribute(file, "Product_StartTime"))
    declared, overlap = _without_overlap(vnir, swir)
    both = (vnir, swir)
    good, on_errors = looked_at(path, both, declared)
    return RawScene(
        shape=(vnir.shape[0], vnir.shape[2], len(good)),
        dtype=np.result_type(vnir.dtype, swir.dtype),
        read=partial(_read_rows, path, both),
        read_part=partial(_read_part, path, both),
        block=vnir.block,
        wavelength=np.concatenate([vnir.wavelength, swir.wavelength]),
        wavelength_unit="nm",
        fwhm=np.concatenate([vnir.fwhm, swir.fwhm]),
        good_band=good,
        gain=_for_each_band(both, lambda each: (each.highest - each.lowest) / _LARGEST),
        offset=_for_each_band(both, lambda each: each.lowest),
        crs_wkt=crs_wkt,
        transform=transform,
        product=NAME,
        acquired=acquired,
        invalid=partial(unusable, path, both, good),
        notes=(*_notes_on(both), *overlap, *on_errors, *place),
    )


def _check_level(file: h5py.File) -> None:
    swaths = tuple(map(str, group_of(file, _SWATHS)))
    if "PRS_L2D_HCO" in swaths:
        return
    what = next((said for level, said in _OTHER_LEVELS.items() if any(s.startswith(level) for s in swaths)), "PRISMA")
    raise SceneError(
        what,
        "PRISMA L2D, geocoded reflectance of the surface",
        "order or download the L2D product of the same scene",
    )


def _detector(file: h5py.File, name: str) -> Detector:
    upper = name.upper()
    stored = array_of(file, f"{FIELDS}/{upper}_Cube", 3)
    if stored.dtype.kind not in "iu":
        raise SceneError(f"values of type {stored.dtype} in {upper}_Cube", "whole numbers from 0 to 65535")
    count = stored.shape[1]
    wavelength = required_list(file, f"List_Cw_{name}", count)
    used = np.flatnonzero(wavelength > 0)
    if not used.size:
        raise SceneError(f"no wavelength in List_Cw_{name}", "a wavelength for each band")
    lowest, highest = (required_number(file, f"L2Scale{name}{end}") for end in ("Min", "Max"))
    if not lowest < highest:
        raise SceneError(f"reflectance from {lowest:g} to {highest:g} in {upper}", "the smaller one first")
    return Detector(
        name=upper,
        shape=stored.shape,
        block=block_of(stored, 0, 2),
        dtype=stored.dtype.newbyteorder("="),
        used=tuple(used.tolist()),
        wavelength=wavelength[used],
        fwhm=required_list(file, f"List_Fwhm_{name}", count)[used],
        good=required_list(file, f"List_Cw_{name}_Flags", count)[used] > 0,
        lowest=lowest,
        highest=highest,
        has_errors=check_errors(file, upper, stored.shape),
    )


def _without_overlap(vnir: Detector, swir: Detector) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which bands are good: where both detectors see a wavelength, VNIR's are; and a line on it."""
    seen = vnir.wavelength[vnir.good]
    twice = swir.good & (swir.wavelength <= (seen.max() if seen.size else 0.0))
    good = np.concatenate([vnir.good, swir.good & ~twice])
    if not twice.any():
        return good, []
    low, high = swir.wavelength[twice].min(), seen.max()
    count = _bands(int(twice.sum()), "SWIR")
    return good, [f"{count} left out: the VNIR detector sees the same light ({low:.0f} to {high:.0f} nm)"]


def _place(file: h5py.File, rows: int, columns: int) -> tuple[str | None, Affine | None, list[str]]:
    """Return where the scene is, with a line on how that was found."""
    code = number_attribute(file, "Epsg_Code")
    west, east, south, north = (
        number_attribute(file, f"Product_{corner}")
        for corner in ("ULcorner_easting", "LRcorner_easting", "LRcorner_northing", "ULcorner_northing")
    )
    try:
        with rasterio.Env():  # its messages are ours to give
            crs_wkt = CRS.from_epsg(int(code)).to_wkt() if code is not None else None
    except CRSError:
        crs_wkt = None
    if crs_wkt is None or west is None or east is None or south is None or north is None:
        return None, None, ["no place on the map: the file does not say which, or says it wrongly"]
    apart = np.array([east - west, north - south]) / _PIXEL
    off = {where: float(np.abs(apart - np.array([columns, rows]) + less).max()) for where, less in _CORNERS.items()}
    where = min(off, key=off.__getitem__)
    if not off[where] < _ROUNDED:
        return None, None, [f"no place on the map: its corners are {apart[0]:g} x {apart[1]:g} pixels of 30 m apart"]
    half = _CORNERS[where] * _PIXEL / 2
    note = f"corner coordinates of the product taken as the {where}"
    if off[where] > _EXACT:
        note += f"; they fit {columns} x {rows} pixels of 30 m to {off[where]:.2f} pixels"
    transform = Affine(_PIXEL, 0, west - half, 0, -_PIXEL, north + half)
    return crs_wkt, transform, [note]


def _for_each_band(detectors: tuple[Detector, ...], number: Callable[[Detector], float]) -> NDArray[np.float64]:
    return np.concatenate([np.full(len(each.used), number(each)) for each in detectors])


def _notes_on(detectors: tuple[Detector, ...]) -> list[str]:
    lines = [
        "stored values 0 to 65535 stand for reflectance "
        + " and ".join(f"{each.lowest:g} to {each.highest:g} ({each.name})" for each in detectors)
    ]
    for each in detectors:
        if missing := each.shape[1] - len(each.used):
            lines.append(f"{_bands(missing, each.name)} not there (wavelength 0), and not read")
        if bad := int((~each.good).sum()):
            lines.append(f"{_bands(bad, each.name)} flagged as unused by the product")
        if not each.has_errors:
            lines.append(f"no error matrix of {each.name} in the file: only values of 0 are made invalid")
    return lines


def _bands(count: int, detector: str) -> str:
    return f"{count} {detector} {'band' if count == 1 else 'bands'}"


def _read_rows(path: Path, detectors: tuple[Detector, ...], first: int, last: int) -> NDArray:
    return _read_part(path, detectors, Window(first, last, 0, detectors[0].shape[2]))


def _read_part(path: Path, detectors: tuple[Detector, ...], window: Window) -> NDArray:
    return read_fields(path, detectors, [f"{each.name}_Cube" for each in detectors], window)
