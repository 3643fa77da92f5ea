"""The two detectors of PRISMA, and how their fields are read together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.io.hdf5 import array_of, opened_values
from unmixel.io.windows import Window

FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"


@dataclass(frozen=True)
class Detector:
    """One of the two detectors: its shape in the file (row, band, column), its bands that are one, and its scale."""

    name: str
    shape: tuple[int, int, int]
    block: tuple[int, int] | None
    dtype: np.dtype
    used: tuple[int, ...]
    wavelength: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    good: NDArray[np.bool_]
    lowest: float
    highest: float
    has_errors: bool


def read_fields(path: Path, detectors: Sequence[Detector], names: Sequence[str | None], window: Window) -> NDArray:
    """Return a window of a field of each detector, the bands that there are, as (row, column, band).

    A field without a name is zero.

    Raises
    ------
    SceneError
        If the file cannot be read.
    """
    rows, columns = window.slices
    parts = []
    with opened_values(path) as file:
        for each, name in zip(detectors, names, strict=True):
            if name is None:
                parts.append(np.zeros((window.shape[0], len(each.used), window.shape[1]), dtype=np.uint8))
            else:
                parts.append(array_of(file, f"{FIELDS}/{name}", 3)[rows, :, columns][:, list(each.used)])
    return np.concatenate(parts, axis=1).swapaxes(1, 2)
