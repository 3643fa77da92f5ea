"""ID-Net on an intimate mixture: it mixes albedos inside, and all that it says outside is reflectance."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.methods.idnet import IDNet
from unmixel.methods.idnet.fitted import FittedIDNet
from unmixel.metrics import abundance_rmse
from unmixel.mixing import intimate
from unmixel.registry import load
from unmixel.scene import make_scene, pixels_of
from unmixel.spectra import make_bundle
from unmixel.testing.method_contract import check_contents, check_parts

ROWS, COLUMNS, BANDS = 20, 31, 37
NOISE_SD = 0.004
NAMES = ["ash", "brine", "crust"]
WAVELENGTH = 500 + 10.0 * np.arange(BANDS)


def spectra() -> np.ndarray:
    """Return three spectra, dark to bright, with an absorption feature each."""
    band = np.linspace(0, 1, BANDS)
    level, slope, centre = np.array([[0.08, 0.1, 0.3], [0.85, -0.2, 0.55], [0.45, 0.3, 0.75]]).T[:, :, None]
    return level + slope * band - 0.5 * level * np.exp(-(((band - centre) / 0.08) ** 2))


def abundances() -> np.ndarray:
    return np.random.default_rng(3).dirichlet(np.ones(3), size=ROWS * COLUMNS)


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    mixed = intimate(abundances(), spectra())
    noise = np.random.default_rng(4).normal(scale=NOISE_SD, size=mixed.shape)
    return make_scene((mixed + noise).reshape(ROWS, COLUMNS, BANDS), wavelength=WAVELENGTH)


@pytest.fixture(scope="module")
def fitted(scene) -> FittedIDNet:
    bundle = make_bundle(spectra(), NAMES, wavelength=WAVELENGTH)
    return IDNet(n_epochs=4, steps_per_epoch=20).fit(scene, bundle)


@pytest.fixture(scope="module")
def result(fitted, scene) -> xr.Dataset:
    return fitted.unmix(scene)


def test_it_is_recognised_and_unmixed_far_better_than_by_linear_mixing(fitted, scene, result):
    assert fitted.record["hypothesis"]["mixing"] == "intimate"
    check_contents(fitted, scene, result)
    bundle = make_bundle(spectra(), NAMES, wavelength=WAVELENGTH)
    as_linear = IDNet(n_epochs=4, steps_per_epoch=20, mixing_gain=0.0).fit(scene, bundle).unmix(scene)
    errors = [abundance_rmse(abundances(), r["abundance"].values.reshape(-1, 3)) for r in (result, as_linear)]
    assert errors[0] < 0.2 * errors[1], errors


def test_what_it_leaves_over_is_little_more_than_the_noise_in_reflectance(result):
    """Noise that is white in reflectance is not in albedo, where all bands count the same."""
    assert 0.9 * NOISE_SD < np.median(result["reconstruction_rmse"].values) < 1.5 * NOISE_SD


def test_spectra_are_reflectances_and_those_of_the_materials(fitted, scene, result):
    found = result["endmember_spectrum"].values
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_allclose(found, spectra(), atol=0.02)
    assert ((result["endmember_quantile"].values >= 0) & (result["endmember_quantile"].values <= 1)).all()
    mean, sd = fitted.endmembers_at(scene)
    assert ((mean >= 0) & (mean <= 1) & (sd >= 0) & (sd < 0.5)).all()
    there = abundances() > 0.8
    off_by = np.abs(mean - spectra())[there]
    assert (off_by < 2 * sd[there]).mean() > 0.95
    assert np.sqrt((off_by**2).mean()) < 0.03, "albedos near 1 are steep in reflectance"


def test_pixels_at_their_spectra_mix_intimately_to_the_pixels(fitted, scene, result):
    mean, _ = fitted.endmembers_at(scene)
    mixed = intimate(result["abundance"].values.reshape(-1, 3).astype(float), mean.astype(float))
    assert np.median(np.sqrt(((mixed - pixels_of(scene)) ** 2).mean(axis=1))) < 1.5 * NOISE_SD


def test_parts_are_reflectances_of_the_intimate_mixture(fitted, scene, result):
    check_parts(fitted, scene, result)
    parts = fitted.parts_at(scene)
    spectra = fitted.spectra_of(result["latent_mean"].values.reshape(-1, 3, result.sizes["latent"]))
    shares = result["abundance"].values.reshape(-1, 3, 1) * spectra
    np.testing.assert_allclose(parts.shares, shares, atol=1e-6)
    assert ((spectra > 0) & (spectra < 1)).all()
    assert np.median(parts.nonlinear) < 0, "dark grains hide bright ones"
    within = np.abs(parts.observed - parts.reconstruction) < 1.6449 * parts.sd
    assert within.mean() > 0.85
    assert np.median(parts.sd) < 4 * NOISE_SD, "the error of any model is more than this scene's noise"


def test_pixels_that_it_draws_are_reflectances(fitted):
    drawn, truth = fitted.simulate(400, seed=2)
    values = pixels_of(drawn)
    assert ((values >= 0) & (values <= 1)).all()
    found = fitted.unmix(drawn)["abundance"].values[:, 0]
    assert abundance_rmse(truth["abundance"].values[:, 0], found) < 0.05


def test_a_saved_and_loaded_model_says_the_same(fitted, scene, result, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.model.shape == fitted.model.shape
    assert again.model.shape.albedo
    found = again.unmix(scene)
    for name in result.data_vars:
        np.testing.assert_array_equal(found[name], result[name], err_msg=name)
    for some, other in zip(again.endmembers_at(scene), fitted.endmembers_at(scene), strict=True):
        np.testing.assert_array_equal(some, other)


def test_noise_below_0_and_above_1_is_unmixed(fitted, scene):
    wild = scene.copy()
    wild[0, 0], wild[0, 1], wild[1, 0, ::2] = -0.02, 1.3, 0.0
    found = fitted.unmix(wild)
    for name in ("abundance", "abundance_sd", "reconstruction_rmse", "latent_mean"):
        assert np.isfinite(found[name].values).all(), name
