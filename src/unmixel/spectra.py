"""Endmember spectra: bundles, endmember sets and libraries, and their resampling to a sensor.

An **endmember bundle** is an :class:`xarray.DataArray` with dims ``(spectrum, band)``, the coordinate
``endmember`` (the label of each spectrum) on ``spectrum``, and ``wavelength`` and ``fwhm`` [nm] on
``band``. An endmember set is a bundle with one spectrum for each label; a spectral library is a bundle with
many labels. The order of the endmembers is the order in which their labels first appear.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from unmixel.errors import BundleError

SAME_NM = 1e-3
"""Wavelengths closer than this are the same [nm]."""
LONGEST_NAME = 1000
"""Characters of the name of an endmember."""
NODES = np.linspace(-1.5, 1.5, 61)
"""Where a band's response is evaluated, in units of its full width at half maximum."""


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
    if any(given is not None and np.iscomplexobj(given) for given in (spectra, wavelength, fwhm)):
        raise BundleError("endmember spectra or wavelengths of complex numbers", "real numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(spectra, dtype=np.float32)
    labels = np.array([str(name) for name in endmember], dtype=object)
    check_names(labels.tolist())
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


def check_names(names: Sequence[str]) -> None:
    """Check that no name of an endmember is so long that all of them, of the same length in an array, fill memory.

    Raises
    ------
    BundleError
        If one is.
    """
    longest = max(map(len, names), default=0)
    if longest > LONGEST_NAME:
        raise BundleError(f"an endmember with a name of {longest} characters", f"at most {LONGEST_NAME}")


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


def resample(
    bundle: xr.DataArray,
    wavelength: ArrayLike,
    fwhm: ArrayLike | None = None,
    *,
    good_band: ArrayLike | None = None,
) -> xr.DataArray:
    r"""Resample spectra to the bands of a sensor by their Gaussian response.

    .. math:: \hat m_l = \frac{\int g_l(\lambda) \, m(\lambda) \, d\lambda}{\int g_l(\lambda) \, d\lambda},
              \qquad g_l(\lambda) = \exp\left(-4 \ln 2 \, \frac{(\lambda - \lambda_l)^2}{F_l^2 - F_s^2}\right)

    where :math:`\lambda_l` and :math:`F_l` are centre and full width at half maximum of band l, :math:`F_s`
    is the width that the spectra already have (0 if unknown), and :math:`m(\lambda)` is linear between
    their samples. Where the spectra are coarser than the sensor (:math:`F_s \ge F_l`, or samples more than
    :math:`F_l / 2` apart), they are interpolated linearly. At the sensor's own wavelengths (within 0.001
    nm) nothing changes.

    Parameters
    ----------
    bundle : DataArray
        Spectra with their wavelengths, in any order.
    wavelength : array, shape (band,)
        Band centres of the sensor [nm].
    fwhm : array, shape (band,), optional
        Their full widths at half maximum [nm]. Where NaN or not given: the distance to the neighbouring
        bands.
    good_band : array of bool, shape (band,), optional
        Bands that the spectra must cover; all when None. In another band that they don't cover, the nearest
        sample is used.

    Returns
    -------
    DataArray
        The bundle on the bands of the sensor.

    Raises
    ------
    BundleError
        If wavelengths are unknown, the spectra don't reach within half a width of a good band's centre, or
        they have a gap there: no sample within the band's width or three times their median spacing.

    Examples
    --------
    >>> library = make_bundle([[0.1, 0.2, 0.3, 0.4]], ["soil"], wavelength=[400.0, 500.0, 600.0, 700.0])
    >>> resample(library, [450.0, 600.0], [10.0, 10.0]).values
    array([[0.15, 0.3 ]], dtype=float32)
    """
    check_bundle(bundle)
    source, source_fwhm = _on_band(bundle, "wavelength"), np.nan_to_num(_on_band(bundle, "fwhm"))
    target = np.asarray(wavelength, dtype=float).ravel()
    for what, centres in (("a bundle", source), ("bands", target)):
        if not np.isfinite(centres).all():
            raise BundleError(f"{what} without wavelengths to resample", "wavelengths in nm for both")
    order = np.argsort(source, kind="stable")
    source, source_fwhm = source[order], source_fwhm[order]
    values = np.asarray(bundle.values, dtype=np.float64)[:, order]
    if len(source) == len(target) and np.abs(source - target).max() <= SAME_NM:
        resampled = values
    else:
        widths = _widths(target, fwhm)
        needed = np.full(len(target), True) if good_band is None else np.asarray(good_band, dtype=bool)
        _check_coverage(source, target, widths, needed)
        _check_gaps(source, target, widths, needed)
        resampled = _through_bands(values, source, source_fwhm, target, widths)
    result = make_bundle(
        resampled,
        [str(name) for name in bundle["endmember"].values],
        wavelength=target,
        fwhm=np.full(len(target), np.nan) if fwhm is None else fwhm,
    )
    result.attrs = dict(bundle.attrs)
    return result


def _on_band(bundle: xr.DataArray, name: str) -> Float[np.ndarray, "band"]:
    """Return a coordinate of the bands as floats; NaN where there is none."""
    if name not in bundle.coords:
        return np.full(bundle.sizes["band"], np.nan)
    return np.asarray(bundle[name].values, dtype=float)


def _widths(centres: Float[np.ndarray, "band"], fwhm: ArrayLike | None) -> Float[np.ndarray, "band"]:
    """Return the full width at half maximum of each band, from the distance of the bands where unknown."""
    spacing = np.zeros(len(centres))
    if len(centres) > 1:
        order = np.argsort(centres, kind="stable")
        spacing[order] = np.gradient(centres[order])
    if fwhm is None:
        return spacing
    given = np.asarray(fwhm, dtype=float).ravel()
    if len(given) != len(centres):
        raise BundleError(f"{len(given)} fwhm values for {len(centres)} bands", "one for each band")
    return np.where(np.isfinite(given), given, spacing)


def _check_coverage(
    source: Float[np.ndarray, "sample"],
    target: Float[np.ndarray, "band"],
    widths: Float[np.ndarray, "band"],
    good: Bool[np.ndarray, "band"],
) -> None:
    uncovered = good & ((target < source[0] - widths / 2) | (target > source[-1] + widths / 2))
    if not uncovered.any():
        return
    sides = (target[uncovered & (target < source[0])], target[uncovered & (target > source[-1])])
    ranges = [f"{side.min():.1f}-{side.max():.1f} nm" for side in sides if side.size]
    raise BundleError(
        f"spectra from {source[0]:.1f} to {source[-1]:.1f} nm for bands at {' and '.join(ranges)}",
        f"spectra that cover all {int(good.sum())} good bands",
        "use other spectra, or leave these bands out",
    )


def _check_gaps(
    source: Float[np.ndarray, "sample"],
    target: Float[np.ndarray, "band"],
    widths: Float[np.ndarray, "band"],
    good: Bool[np.ndarray, "band"],
) -> None:
    after = np.clip(np.searchsorted(source, target), 1, max(len(source) - 1, 1))
    before, after = source[after - 1], source[np.minimum(after, len(source) - 1)]
    nearest = np.minimum(np.abs(target - before), np.abs(target - after))
    spacing = float(np.median(np.diff(source))) if len(source) > 1 else 0.0
    unknown = good & (nearest > np.maximum(widths, 3 * spacing))
    if not unknown.any():
        return
    first = int(np.flatnonzero(unknown)[0])
    inside = target[unknown & (before == before[first])]
    raise BundleError(
        f"spectra without a sample from {before[first]:.1f} to {after[first]:.1f} nm for bands at "
        f"{inside.min():.1f}-{inside.max():.1f} nm",
        f"spectra that cover all {int(good.sum())} good bands",
        "use other spectra, or leave these bands out",
    )


def _through_bands(
    values: Float[np.ndarray, "spectrum sample"],
    source: Float[np.ndarray, "sample"],
    source_fwhm: Float[np.ndarray, "sample"],
    target: Float[np.ndarray, "band"],
    widths: Float[np.ndarray, "band"],
) -> Float[np.ndarray, "spectrum band"]:
    """Return the mean of the spectra over the response of each band."""
    spacing = np.gradient(source) if len(source) > 1 else np.array([np.inf])
    with np.errstate(over="ignore"):  # a width that is no width is coarse
        remaining = widths**2 - np.interp(target, source, source_fwhm) ** 2
    coarse = (np.interp(target, source, spacing) > widths / 2) | (remaining <= 0)
    kernel = np.sqrt(np.where(coarse, 0.0, np.maximum(remaining, 0.0)))
    at = target[:, None] + kernel[:, None] * NODES
    weight = np.where((at >= source[0]) & (at <= source[-1]), np.exp(-4 * np.log(2) * NODES**2), 0.0)
    outside = weight.sum(axis=1) == 0
    weight[outside] = 1.0
    weight /= weight.sum(axis=1, keepdims=True)
    return np.stack([(np.interp(at, source, spectrum) * weight).sum(axis=1) for spectrum in values])
