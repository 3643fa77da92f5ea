"""Simulated scenes are what they say they are."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.metrics import spectral_angle
from unmixel.mixing.bilinear import fan
from unmixel.mixing.linear import linear
from unmixel.result import check_result, provenance_of
from unmixel.scene import check_scene, crs_wkt_of, good_bands, pixels_of, transform_of, valid_pixels
from unmixel.simulate import (
    MATERIALS,
    Landscape,
    Sensor,
    abundance_fields,
    brightness_field,
    demo_sensor,
    gaussian_field,
    material,
    noise_sd_for,
    simulate,
    simulate_demo,
    varied_endmembers,
)

WAVELENGTH = np.arange(400.0, 2451.0, 5.0)


def quiet(**changes: float) -> Landscape:
    """Return a landscape without any variability."""
    return Landscape(
        materials=("vegetation", "soil", "water"), **{"brightness_sd": 0.0, "variability_sd": 0.0, **changes}
    )


@pytest.fixture(scope="module")
def sensor() -> Sensor:
    wavelength = np.linspace(420.0, 2400.0, 37)
    return Sensor(wavelength=wavelength, fwhm=np.full(37, 50.0), good_band=wavelength < 2300.0)


@pytest.mark.parametrize("name", MATERIALS)
def test_materials_are_reflectances(name: str) -> None:
    spectrum = material(name, WAVELENGTH)
    assert spectrum.min() > 0
    assert spectrum.max() < 0.8


@pytest.mark.parametrize(
    ("name", "centre", "shoulders"),
    [
        ("vegetation", 675.0, (550.0, 760.0)),
        ("vegetation", 970.0, (900.0, 1050.0)),
        ("vegetation", 1450.0, (1270.0, 1650.0)),
        ("soil", 2205.0, (2120.0, 2260.0)),
        ("soil", 900.0, (760.0, 1100.0)),
        ("limestone", 2340.0, (2220.0, 2400.0)),
        ("dry grass", 2095.0, (2020.0, 2200.0)),
    ],
)
def test_diagnostic_absorptions_are_where_they_belong(name: str, centre: float, shoulders: tuple[float, float]) -> None:
    between = (shoulders[0] <= WAVELENGTH) & (shoulders[1] >= WAVELENGTH)
    lowest = WAVELENGTH[between][np.argmin(material(name, WAVELENGTH)[between])]
    assert abs(lowest - centre) <= 25


def test_materials_differ_in_shape_not_only_in_level() -> None:
    spectra = np.stack([material(name, WAVELENGTH) for name in MATERIALS])
    for k in range(len(spectra)):
        angles = spectral_angle(np.delete(spectra, k, axis=0), np.broadcast_to(spectra[k], spectra[1:].shape))
        assert angles.min() > 0.05


def test_an_unknown_material_is_named() -> None:
    with pytest.raises(ParameterError, match=r"cheese.*vegetation"):
        material("cheese", WAVELENGTH)


def test_a_field_has_the_stated_covariance() -> None:
    rng = np.random.default_rng(0)
    fields = np.stack([gaussian_field(24, 31, 4.0, rng) for _ in range(3000)])
    at = fields[:, 10, 5]
    np.testing.assert_allclose(fields.var(axis=0).mean(), 1.0, atol=0.05)
    for lag in (1, 4, 8):
        expected = np.exp(-(lag**2) / (2 * 4.0**2))
        np.testing.assert_allclose(np.mean(at * fields[:, 10, 5 + lag]), expected, atol=0.07)
        np.testing.assert_allclose(np.mean(at * fields[:, 10 + lag, 5]), expected, atol=0.07)
    assert abs(np.mean(fields[:, 0, 0] * fields[:, -1, -1])) < 0.07


def test_abundances_are_on_the_simplex_and_sharpen() -> None:
    shares = []
    for sharpness in (0.0, 1.0, 4.0):
        abundances = abundance_fields(40, 55, 4, 5.0, sharpness, np.random.default_rng(3))
        assert abundances.shape == (40, 55, 4)
        assert abundances.min() >= 0
        np.testing.assert_allclose(abundances.sum(axis=2), 1.0, atol=1e-12)
        shares.append(abundances.max(axis=2).mean())
    assert shares[0] == pytest.approx(0.25)
    assert shares[0] < shares[1] < shares[2]


def test_brightness_has_the_stated_spread() -> None:
    brightness = brightness_field(150, 170, 0.2, 1.5, np.random.default_rng(1))
    assert brightness.min() > 0
    np.testing.assert_allclose(brightness.mean(), 1.0, atol=0.02)
    np.testing.assert_allclose(np.log(brightness).std(), 0.2, atol=0.01)


def test_spectra_vary_by_the_stated_amount_and_smoothly() -> None:
    wavelength = np.linspace(400.0, 2400.0, 80)
    endmembers = np.stack([material("soil", wavelength), material("limestone", wavelength)])
    spectra = varied_endmembers(endmembers, wavelength, 70, 90, 0.08, 2.0, 300.0, np.random.default_rng(2)).reshape(
        70, 90, 2, 80
    )
    deviation = np.log(spectra / endmembers)
    np.testing.assert_allclose(np.sqrt((deviation**2).mean(axis=(0, 1, 3))), 0.08, rtol=0.1)
    for axis in (0, 1, 3):
        assert np.abs(np.diff(deviation, axis=axis)).mean() < 0.5 * np.abs(deviation).mean()


def test_noise_has_the_stated_power() -> None:
    signal = np.random.default_rng(0).uniform(0.1, 0.6, (300, 40))
    noise = noise_sd_for(signal, 25.0) * np.random.default_rng(1).standard_normal(signal.shape)
    np.testing.assert_allclose(10 * np.log10(np.mean(signal**2) / np.mean(noise**2)), 25.0, atol=0.1)


def test_without_noise_and_variability_a_scene_is_the_mixing_law(sensor: Sensor) -> None:
    scene, truth = simulate(quiet(), sensor, rows=9, columns=14, snr_db=300.0, seed=5)
    abundances = truth.abundance.values.reshape(-1, 3).astype(float)
    endmembers = truth.endmember_spectrum.values[:, good_bands(scene)].astype(float)
    np.testing.assert_allclose(endmembers[1], material("soil", sensor.wavelength[sensor.good_band]), rtol=1e-6)
    np.testing.assert_allclose(pixels_of(scene), fan(abundances, endmembers), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(truth.endmember_spectrum_sd.values[:, good_bands(scene)], 0.0, atol=1e-7)
    np.testing.assert_allclose(truth.brightness, 1.0, atol=1e-6)
    single = linear(abundances, endmembers)
    extra = np.linalg.norm(fan(abundances, endmembers) - single, axis=1)
    np.testing.assert_allclose(
        truth.nonlinearity_degree.sel(stream="mixing").values.ravel(),
        extra / (extra + np.linalg.norm(single, axis=1)),
        atol=1e-5,
    )


def test_brightness_multiplies_the_pixel(sensor: Sensor) -> None:
    level, _ = simulate(quiet(), sensor, rows=9, columns=14, snr_db=300.0, seed=5)
    lit, truth = simulate(quiet(brightness_sd=0.3), sensor, rows=9, columns=14, snr_db=300.0, seed=5)
    np.testing.assert_allclose(lit / level, truth.brightness.values[:, :, None] * np.ones(37), rtol=1e-4)
    assert truth.brightness.std() > 0.1


def test_noise_of_the_scene_is_as_recorded(sensor: Sensor) -> None:
    clean, _ = simulate(quiet(), sensor, rows=30, columns=41, snr_db=300.0, seed=5)
    noisy, truth = simulate(quiet(), sensor, rows=30, columns=41, snr_db=20.0, seed=5)
    residual = pixels_of(noisy) - pixels_of(clean)
    np.testing.assert_allclose(residual.std(), truth.attrs["noise_sd"], rtol=0.02)
    np.testing.assert_allclose(10 * np.log10(np.mean(pixels_of(clean) ** 2) / np.mean(residual**2)), 20.0, atol=0.2)


def test_the_demo_scene_is_placed_masked_and_documented() -> None:
    scene, truth = simulate_demo(rows=33, columns=47, seed=2)
    check_scene(scene)
    check_result(truth)
    assert scene.shape == (33, 47, 165)
    assert 'AUTHORITY["EPSG","32632"]' in crs_wkt_of(scene)
    assert transform_of(truth) == transform_of(scene)
    assert (scene.x.values[1] - scene.x.values[0], scene.y.values[1] - scene.y.values[0]) == (5.0, -5.0)
    masked = ~valid_pixels(scene)
    assert masked.sum() == 8
    np.testing.assert_array_equal(np.isnan(truth.abundance.values).all(axis=2), masked)
    np.testing.assert_array_equal(np.isnan(truth.brightness.values), masked)
    bad = scene.wavelength.values[~good_bands(scene)]
    assert set(np.round(bad[[0, -1]])) == {1350.0, 1950.0}
    assert np.isnan(truth.endmember_spectrum.values[:, ~good_bands(scene)]).all()
    assert truth.attrs["truth_kind"] == "exact"
    assert provenance_of(truth)["landscape"]["materials"] == list(truth.endmember.values)


def test_every_material_of_the_demo_has_nearly_pure_pixels() -> None:
    scene, truth = simulate_demo()
    abundances = truth.abundance.values.reshape(-1, truth.sizes["endmember"])
    assert (np.nan_to_num(abundances) > 0.98).sum(axis=0).min() > 100
    assert np.nanmin(np.nanmean(abundances, axis=0)) > 0.15
    assert np.nanmax(scene) < 1.3


def test_the_same_seed_gives_the_same_bytes_and_leaves_global_state_alone(sensor: Sensor) -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, truth = simulate(quiet(), sensor, rows=7, columns=5, snr_db=30.0, seed=11)
    again, truth_again = simulate(quiet(), sensor, rows=7, columns=5, snr_db=30.0, seed=11)
    other, _ = simulate(quiet(), sensor, rows=7, columns=5, snr_db=30.0, seed=12)
    assert first.identical(again)
    assert truth.identical(truth_again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("landscape", "rows", "match"),
    [
        (Landscape(materials=("soil",)), 5, "at least two"),
        (Landscape(materials=("soil", "cheese")), 5, "cheese"),
        (quiet(), 0, "0 rows"),
    ],
)
def test_impossible_scenes_are_refused(landscape: Landscape, rows: int, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        simulate(landscape, demo_sensor(), rows=rows, columns=4, snr_db=30.0, seed=0)
