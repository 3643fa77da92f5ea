"""Resampling of spectra to a sensor: closed forms, invariances, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.errors import BundleError
from unmixel.spectra import make_bundle, resample

FINE = np.arange(400.0, 2500.5, 1.0)


def library(*spectra: np.ndarray, wavelength: np.ndarray = FINE, fwhm: float | None = None) -> xr.DataArray:
    widths = None if fwhm is None else np.full(len(wavelength), fwhm)
    names = [f"material {k}" for k in range(len(spectra))]
    return make_bundle(np.stack(spectra), names, wavelength=wavelength, fwhm=widths)


def gaussian(centre: float, fwhm: float) -> np.ndarray:
    return np.exp(-4 * np.log(2) * ((FINE - centre) / fwhm) ** 2)


def test_a_gaussian_feature_widens_as_two_gaussians_convolved() -> None:
    wavelength, fwhm = np.array([1000.0, 1010.0, 1025.0, 1200.0]), np.array([20.0, 20.0, 30.0, 20.0])
    found = resample(library(0.9 - 0.5 * gaussian(1000.0, 40.0)), wavelength, fwhm)
    width = np.hypot(40.0, fwhm)
    depth = 0.5 * 40.0 / width * np.exp(-4 * np.log(2) * ((wavelength - 1000.0) / width) ** 2)
    np.testing.assert_allclose(found.values[0], 0.9 - depth, atol=2e-4)


def test_the_width_that_spectra_already_have_counts() -> None:
    wavelength, fwhm = np.array([980.0, 1000.0, 1030.0]), np.full(3, 25.0)
    measured = resample(library(1.0 - 0.6 * gaussian(1000.0, 40.0)), FINE[200:900], np.full(700, 15.0))
    direct = resample(library(1.0 - 0.6 * gaussian(1000.0, 40.0)), wavelength, fwhm)
    np.testing.assert_allclose(resample(measured, wavelength, fwhm).values, direct.values, atol=5e-4)


def test_straight_lines_and_constants_stay() -> None:
    wavelength = np.linspace(450.0, 2400.0, 37)
    found = resample(library(np.full(FINE.size, 0.3), 0.1 + 2e-4 * FINE), wavelength, np.full(37, 12.0))
    np.testing.assert_allclose(found.values, [np.full(37, 0.3), 0.1 + 2e-4 * wavelength], atol=1e-6)


def test_coarse_spectra_are_interpolated() -> None:
    rng = np.random.default_rng(0)
    coarse, values = np.arange(400.0, 900.0, 50.0), rng.random((3, 10))
    wavelength = np.arange(410.0, 840.0, 7.0)
    found = resample(library(*values, wavelength=coarse), wavelength, np.full(wavelength.size, 8.0))
    expected = [np.interp(wavelength, coarse, row) for row in values]
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)


def test_unknown_widths_follow_the_spacing_of_the_bands() -> None:
    bundle, wavelength = library(gaussian(700.0, 30.0)), np.array([640.0, 660.0, 680.0, 700.0, 720.0])
    known = resample(bundle, wavelength, np.full(5, 20.0))
    np.testing.assert_array_equal(resample(bundle, wavelength).values, known.values)
    np.testing.assert_array_equal(resample(bundle, wavelength, np.full(5, np.nan)).values, known.values)


def test_the_same_wavelengths_change_nothing() -> None:
    rng = np.random.default_rng(1)
    spectra = rng.random((2, FINE.size)).astype(np.float32)
    found = resample(library(*spectra), FINE + 5e-4, np.full(FINE.size, 10.0))
    np.testing.assert_array_equal(found.values, spectra)
    assert found.endmember.values.tolist() == ["material 0", "material 1"]
    np.testing.assert_array_equal(found.wavelength.values, FINE + 5e-4)
    np.testing.assert_array_equal(found.fwhm.values, 10.0)


def test_the_order_of_the_source_does_not_matter() -> None:
    bundle, wavelength = library(gaussian(900.0, 80.0)), np.array([880.0, 905.0, 950.0])
    shuffled = bundle[:, np.random.default_rng(2).permutation(FINE.size)]
    widths = np.full(3, 11.0)
    expected = resample(bundle, wavelength, widths).values
    np.testing.assert_array_equal(resample(shuffled, wavelength, widths).values, expected)


def test_uncovered_bands_are_named() -> None:
    bundle, widths = library(np.full(FINE.size, 0.5)), np.full(4, 10.0)
    with pytest.raises(BundleError, match=r"to 2500.0 nm for bands at 380.0-390.0 nm and 2510.0-2510.0 nm"):
        resample(bundle, [380.0, 390.0, 1000.0, 2510.0], widths)
    reachable = resample(bundle, [396.0, 500.0, 1000.0, 2504.0], widths)
    np.testing.assert_allclose(reachable.values, 0.5, rtol=1e-6)
    spared = resample(bundle, [380.0, 390.0, 1000.0, 2510.0], widths, good_band=[False, False, True, False])
    np.testing.assert_allclose(spared.values, 0.5, rtol=1e-6)


def test_unknown_wavelengths_are_refused() -> None:
    with pytest.raises(BundleError, match="a bundle without wavelengths"):
        resample(make_bundle([[0.1, 0.2]], ["a"]), [400.0, 500.0])
    with pytest.raises(BundleError, match="bands without wavelengths"):
        resample(library(gaussian(900.0, 80.0)), [np.nan, np.nan])
    with pytest.raises(BundleError, match="2 fwhm values for 3 bands"):
        resample(library(gaussian(900.0, 80.0)), [500.0, 600.0, 700.0], [10.0, 10.0])


def test_a_gap_in_the_spectra_is_named_and_not_bridged() -> None:
    kept = (FINE < 1340) | (FINE > 1450)
    gapped = library(np.full(int(kept.sum()), 0.5), wavelength=FINE[kept])
    bands, widths = np.array([1300.0, 1345.0, 1380.0, 1400.0, 1500.0]), np.full(5, 10.0)
    with pytest.raises(BundleError, match=r"from 1339.0 to 1451.0 nm for bands at 1380.0-1400.0 nm"):
        resample(gapped, bands, widths)
    spared = resample(gapped, bands, widths, good_band=[True, True, False, False, True])
    np.testing.assert_allclose(spared.values, 0.5, rtol=1e-6)
