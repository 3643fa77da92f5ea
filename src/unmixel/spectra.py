"""Endmember spectra: bundles, endmember sets and libraries, and their resampling to a sensor.

An **endmember bundle** is an :class:`xarray.DataArray` with dims ``(spectrum, band)``, the coordinate ``endmember``
(the label of each spectrum) on ``spectrum``, and ``wavelength`` and ``fwhm`` [nm] on ``band``. An endmember set is a
bundle with one spectrum for each label; a spectral library is a bundle with many labels. The order of the endmembers
is the order in which their labels first appear.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from unmixel.errors import BundleError


def make_bundle(
    spectra: ArrayLike,
    endmember: Sequence[str],
    *,
    wavelength: ArrayLike | None = None,
    fwhm: ArrayLike | None = None,
) -> xr.DataArray:
    """Make a bundle of endmember spectra.

    Parameters
    ----------
    spectra : array, shape (spectrum, band)
        Reflectance.
    endmember : sequence of str, length (spectrum,)
        The endmember each spectrum belongs to; spectra of one endmember need not be neighbours.
    wavelength, fwhm : array, shape (band,), optional
        Band centres and full widths at half maximum [nm].

    Raises
    ------
    BundleError
        If the shapes don't agree, or a value is not finite.

    Examples
    --------
    >>> bundle = make_bundle([[0.1, 0.2], [0.5, 0.4], [0.1, 0.3]], ["water", "soil", "water"])
    >>> endmember_names(bundle)
    ['water', 'soil']
    >>> endmember_means(bundle)
    array([[0.1 , 0.25],
           [0.5 , 0.4 ]], dtype=float32)
    """
    values = np.array(spectra, dtype=np.float32)
    labels = np.array([str(name) for name in endmember], dtype=object)
    if values.ndim != 2 or 0 in values.shape:
        raise BundleError(f"endmember spectra of shape {values.shape}", "a non-empty (spectrum, band) table")
    if len(labels) != len(values):
        raise BundleError(f"{len(labels)} endmember labels for {len(values)} spectra", "one for each spectrum")
    coords: dict[str, object] = {"endmember": ("spectrum", labels.astype(str))}
    for name, given in (("wavelength", wavelength), ("fwhm", fwhm)):
        numbers = np.full(values.shape[1], np.nan) if given is None else np.asarray(given, dtype=float).ravel()
        if len(numbers) != values.shape[1]:
            raise BundleError(f"{len(numbers)} {name} values for {values.shape[1]} bands", "one for each band")
        coords[name] = ("band", numbers, {"units": "nm"})
    bundle = xr.DataArray(values, dims=("spectrum", "band"), coords=coords, name="reflectance")
    check_bundle(bundle)
    return bundle


def check_bundle(bundle: xr.DataArray) -> None:
    """Check that an array meets the schema of a bundle.

    Raises
    ------
    BundleError
        If it does not.
    """
    remedy = "make a bundle with unmixel.make_bundle or unmixel.open_bundle"
    if not isinstance(bundle, xr.DataArray) or bundle.dims != ("spectrum", "band"):
        given = bundle.dims if isinstance(bundle, xr.DataArray) else type(bundle).__name__
        raise BundleError(f"a bundle that is {given}", "a DataArray with dims ('spectrum', 'band')", remedy)
    if "endmember" not in bundle.coords:
        raise BundleError("a bundle without labels", "the coordinate 'endmember' on 'spectrum'", remedy)
    if not np.isfinite(bundle.values).all():
        bad = int((~np.isfinite(bundle.values)).any(axis=1).sum())
        raise BundleError(f"a bundle with {bad} spectra that are not finite", "a number in every band", remedy)


def endmember_names(bundle: xr.DataArray) -> list[str]:
    """Return the endmembers in the order in which their labels first appear."""
    return list(dict.fromkeys(str(name) for name in bundle["endmember"].values))


def spectra_of(bundle: xr.DataArray, endmember: str) -> Float[np.ndarray, "spectrum band"]:
    """Return the spectra of one endmember."""
    return np.asarray(bundle.values[bundle["endmember"].values.astype(str) == endmember], dtype=np.float32)


def endmember_means(bundle: xr.DataArray) -> Float[np.ndarray, "endmember band"]:
    """Return the mean spectrum of every endmember."""
    return np.stack([spectra_of(bundle, name).mean(axis=0) for name in endmember_names(bundle)])
