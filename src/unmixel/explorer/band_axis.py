"""The bands that are drawn: the good ones along their wavelengths, with gaps where others between them are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.result import label_of_spectra
from unmixel.scene import good_bands


@dataclass(frozen=True)
class BandAxis:
    """Places along the axis of a figure. A gap adds two, at its ends: lines are NaN there, and areas have no height.

    Attributes
    ----------
    x : array, shape (place,)
        Wavelengths [nm]; numbers of bands from 1 where no wavelength is known.
    band : array of int, shape (place,)
        The good band, from 0, that is at each place or next to it.
    gap : array of bool, shape (place,)
        Whether a place is an end of a gap.
    label : str
        What `x` is, with its unit.
    values_label : str
        What spectra are, with their unit.
    """

    x: np.ndarray
    band: np.ndarray
    gap: np.ndarray
    label: str
    values_label: str

    def line(self, values: Float[np.ndarray, "*more band"]) -> Float[np.ndarray, "*more place"]:
        """Return values of good bands at all places."""
        return np.where(self.gap, np.nan, values[..., self.band])

    def area(
        self, values: Float[np.ndarray, "*more band"], below: Float[np.ndarray, "band"]
    ) -> Float[np.ndarray, "*more place"]:
        """Return an edge of an area that stands on another edge at all places; at gaps they meet."""
        return np.where(self.gap, below[self.band], values[..., self.band])


def band_axis(result: xr.Dataset) -> BandAxis:
    """Return the axis of a result.

    Examples
    --------
    >>> bands = {"wavelength": ("band", [500.0, 510, 520, 530]), "good_band": ("band", [True, True, False, True])}
    >>> axis = band_axis(xr.Dataset(coords=bands))
    >>> axis.x, axis.line(np.array([0.1, 0.2, 0.3]))
    (array([500., 510., 510., 530., 530.]), array([0.1, 0.2, nan, nan, 0.3]))
    >>> axis.area(np.array([[0.4, 0.5, 0.6]]), np.array([0.1, 0.2, 0.3]))
    array([[0.4, 0.5, 0.2, 0.3, 0.6]])
    """
    wavelength = np.asarray(result["wavelength"].values, dtype=float)
    known = bool(np.isfinite(wavelength).all())
    number = np.flatnonzero(good_bands(result))
    before = np.flatnonzero(np.diff(number) > 1)
    ends = np.repeat(before + 1, 2)
    band = np.insert(np.arange(len(number)), ends, np.stack([before, before + 1], axis=1).ravel())
    gap = np.insert(np.zeros(len(number), dtype=bool), ends, True)
    x = (wavelength if known else np.arange(len(wavelength)) + 1.0)[number]
    return BandAxis(x[band], band, gap, "wavelength [nm]" if known else "band", label_of_spectra(result))
