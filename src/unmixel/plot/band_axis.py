"""The axis of bands: wavelengths, with gaps where bands are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, Int


@dataclass(frozen=True)
class BandAxis:
    """Where the bands of a spectrum lie.

    Attributes
    ----------
    x : array, shape (place,)
        Wavelengths [nm], or numbers of the bands from 1.
    label : str
        What they are, with the unit.
    order : array, shape (place,)
        The band at each place, -1 for a gap between bands.
    """

    x: Float[np.ndarray, "place"]
    label: str
    order: Int[np.ndarray, "place"]

    def with_gaps(self, spectrum: Float[np.ndarray, "*spectra band"]) -> Float[np.ndarray, "*spectra place"]:
        """Return spectra over all bands, left-out ones NaN, at the places of the axis."""
        return np.where(self.order >= 0, spectrum[..., self.order], np.nan)


def band_axis(result: xr.Dataset) -> BandAxis:
    """Return the axis for the spectra of a result; a step of over three times the median one becomes a gap.

    Examples
    --------
    >>> result = xr.Dataset(coords={"wavelength": ("band", [500.0, 510.0, 520.0, 600.0])})
    >>> band_axis(result).with_gaps(np.array([0.1, 0.2, 0.3, 0.4]))
    array([0.1, 0.2, 0.3, nan, 0.4])
    """
    wavelength = np.asarray(result["wavelength"].values, dtype=float)
    bands = np.arange(len(wavelength))
    if not np.isfinite(wavelength).all():
        return BandAxis(bands + 1.0, "band", bands)
    steps = np.diff(wavelength)
    after = np.flatnonzero(steps > 3 * np.median(steps)) if len(steps) else np.array([], dtype=int)
    places = np.insert(wavelength, after + 1, wavelength[after] + steps[after] / 2)
    return BandAxis(places, "wavelength [nm]", np.insert(bands, after + 1, -1))
