"""What a reader finds in a scene file, before anything is done to the values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from unmixel.io.windows import Window
from unmixel.lookup import Lookup

WATER_VAPOUR = ((1350.0, 1450.0), (1800.0, 1950.0))
"""Where water vapour takes nearly all light on its way through the air [nm], ends included."""


@dataclass(frozen=True, kw_only=True)
class RawScene:
    """A scene file as it is: how to read its rows, and what it says about its values and bands.

    The reflectance of a value v is ``gain v + offset``, unless v is one of ``fill``. Numbers per band are in
    the order of the file. Nothing is applied yet, and no row has to be read before it is asked for.

    Parameters
    ----------
    shape : tuple of int
        Rows, columns and bands.
    dtype : numpy.dtype
        Of the stored values.
    read : callable
        ``read(first_row, last_row)`` gives the stored values of rows first to last, without the last, as
        (row, column, band).
    read_part : callable, optional
        ``read_part(window)`` gives the stored values of a window, with little more of the file read than that. Where
        there is none, the columns are cut out of whole rows.
    block : tuple of int, optional
        Rows and columns that lie together in the file; a single row where None.
    by_parts : bool
        False if the file had to be read whole.
    wavelength, fwhm : array, shape (band,), optional
        As written in the file, in `wavelength_unit` (empty if the file does not say).
    good_band : array of bool, shape (band,), optional
        False for bands that the file declares bad.
    noise_sd : array, shape (band,), optional
        Standard deviation of the noise [reflectance], where it is known and not to be estimated.
    gain, offset : float or array, shape (band,)
        From stored values to reflectance.
    atmosphere : tuple of (float, float)
        Ranges [nm], ends included, whose bands are left out unless they are asked for, since the air absorbs the light
        there. Empty where the file's good bands are already decided.
    fill : tuple of float
        Stored values that mean "nothing was measured here".
    crs_wkt, transform : optional
        Where the scene is, as in :func:`unmixel.scene.make_scene`.
    lookup : Lookup, optional
        Where its pixels lie on a map, if they come in the geometry of the sensor. Such a scene has no transform.
    product : str
        What the file is, where it is a known product: ``EMIT L2A reflectance``.
    acquired : str
        When the scene was taken: ISO 8601 in UTC, or empty if the file does not say.
    companions : tuple of path
        The files that the scene is read from, where they are more than the one that was given (and its ENVI header): if
        one changes, the scene has changed.
    invalid : callable, optional
        ``invalid(window)`` gives the values that the product's own quality layers call unusable: True there, as
        (row, column, band), or (row, column, 1) for whole pixels.
    notes : tuple of str
        What the reader decided on the way.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    read: Callable[[int, int], NDArray]
    read_part: Callable[[Window], NDArray] | None = None
    block: tuple[int, int] | None = None
    by_parts: bool = True
    wavelength: NDArray[np.float64] | None = None
    wavelength_unit: str = ""
    fwhm: NDArray[np.float64] | None = None
    good_band: NDArray[np.bool_] | None = None
    noise_sd: NDArray[np.float64] | None = None
    gain: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0
    atmosphere: tuple[tuple[float, float], ...] = WATER_VAPOUR
    fill: tuple[float, ...] = ()
    crs_wkt: str | None = None
    transform: Affine | None = None
    lookup: Lookup | None = None
    product: str = ""
    acquired: str = ""
    companions: tuple[Path, ...] = ()
    invalid: Callable[[Window], NDArray[np.bool_]] | None = None
    notes: tuple[str, ...] = ()

    def read_window(self, window: Window) -> NDArray:
        """Return the stored values of a window as (row, column, band)."""
        if self.read_part is not None:
            return self.read_part(window)
        return self.read(window.top, window.bottom)[:, window.left : window.right]
