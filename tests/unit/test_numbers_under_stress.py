"""Scale, offset, order, duplicates and odd pixels change what they should, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unmixel.io import open_lazily, open_scene
from unmixel.methods._fitted import Fitted
from unmixel.methods.fcls import FCLS
from unmixel.registry import get_method
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle

ROWS, COLUMNS, BANDS = 7, 9, 30
WAVELENGTH = np.linspace(420.0, 1300.0, BANDS)  # where no water of the air absorbs
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 2**16)


def spectra(n_endmembers: int, *, seed: int = 0) -> np.ndarray:
    """Smooth spectra, none a mixture of others."""
    rng = np.random.default_rng(seed)
    position = np.linspace(0, 1, BANDS)
    waves = [np.cos(np.pi * k * position + rng.uniform(0, 6)) for k in range(1, n_endmembers + 1)]
    return 0.4 + 0.3 * np.stack(waves) / np.sqrt(np.arange(1, n_endmembers + 1))[:, None]


def mixtures(n_endmembers: int = 3, *, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    """Mixtures of `spectra`, shape (ROWS, COLUMNS, BANDS)."""
    rng = np.random.default_rng(seed)
    abundances = rng.dirichlet(np.full(n_endmembers, 0.6), ROWS * COLUMNS)
    noisy = abundances @ spectra(n_endmembers) + noise * rng.standard_normal((ROWS * COLUMNS, BANDS))
    return noisy.reshape(ROWS, COLUMNS, BANDS).astype(np.float32)


def names(n_endmembers: int) -> list[str]:
    return [f"m{k}" for k in range(n_endmembers)]


def saved(folder: Path, values: np.ndarray, wavelength: np.ndarray = WAVELENGTH, name: str = "s.npz") -> Path:
    np.savez(folder / name, values=values, wavelength=wavelength)
    return folder / name


def unmixed(scene: xr.DataArray, endmembers: np.ndarray, wavelength: np.ndarray | None = None) -> np.ndarray:
    """Abundances by FCLS with these spectra."""
    bundle = make_bundle(endmembers, names(len(endmembers)), wavelength=wavelength)
    return FCLS().fit(scene, bundle).unmix(scene)["abundance"].values


# --- from file to scene


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32, np.float64])
def test_every_type_of_number_gives_its_reflectance(dtype: type, tmp_path: Path) -> None:
    whole = np.issubdtype(dtype, np.integer)
    scale = 200.0 if dtype is np.uint8 else 10_000.0
    stored = (mixtures().clip(0.01, 1) * (scale if whole else 1)).astype(dtype)
    path = saved(tmp_path, stored)
    scene = open_scene(path, scale=scale) if whole else open_scene(path)
    expected = (stored.astype(np.float64) * (1 / scale if whole else 1)).astype(np.float32)
    np.testing.assert_array_equal(scene.values, expected)
    lazy = open_lazily(path, scale=scale) if whole else open_lazily(path)
    np.testing.assert_array_equal(lazy.read(lazy.windows()[0]).values, expected)


def test_scaled_counts_are_unmixed_like_the_reflectance_they_stand_for(tmp_path: Path) -> None:
    counts = (mixtures().clip(0.01, 1) * 8192).astype(np.uint16)
    by_counts = open_scene(saved(tmp_path, counts, name="a.npz"), scale=8192)
    by_reflectance = open_scene(saved(tmp_path, (counts / 8192).astype(np.float32), name="b.npz"))
    np.testing.assert_array_equal(unmixed(by_counts, spectra(3)), unmixed(by_reflectance, spectra(3)))


@few
@given(seed=seeds)
def test_the_order_of_bands_in_the_file_changes_nothing(seed: int, tmp_path: Path) -> None:
    order = np.random.default_rng(seed).permutation(BANDS)
    straight = open_scene(saved(tmp_path, mixtures()))
    mixed_up = open_scene(saved(tmp_path, mixtures()[:, :, order], WAVELENGTH[order], "p.npz"))
    np.testing.assert_array_equal(mixed_up.values, straight.values)
    np.testing.assert_array_equal(mixed_up.wavelength, straight.wavelength)
    np.testing.assert_array_equal(mixed_up.good_band, straight.good_band)
    np.testing.assert_array_equal(unmixed(mixed_up, spectra(3)), unmixed(straight, spectra(3)))


@few
@given(seed=seeds)
def test_odd_pixels_of_a_file_leave_the_others_as_they_are(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, ROWS - 2), rng.integers(0, COLUMNS - 3)
    odd = np.zeros((ROWS, COLUMNS), bool)
    odd[top : top + 2, left : left + 3] = True
    for value in (np.nan, np.inf, 0.0, 40.0):
        values = mixtures()
        values[odd] = value
        scene = open_scene(saved(tmp_path, values))
        np.testing.assert_array_equal(scene.values[~odd], mixtures()[~odd])
        assert np.isnan(scene.values[odd]).all() == (value != 40.0)
        assert scene.good_band.values.all()


def test_a_band_twice_is_a_band_twice(tmp_path: Path) -> None:
    order = [*range(12), 11, *range(12, BANDS)]
    scene = open_scene(saved(tmp_path, mixtures()[:, :, order], WAVELENGTH[order]))
    np.testing.assert_array_equal(scene.values, mixtures()[:, :, order])
    assert scene.good_band.values.all()
    once = open_scene(saved(tmp_path, mixtures(noise=0), name="once.npz"))
    twice = open_scene(saved(tmp_path, mixtures(noise=0)[:, :, order], WAVELENGTH[order], "twice.npz"))
    expected, found = unmixed(once, spectra(3)), unmixed(twice, spectra(3)[:, order])
    np.testing.assert_allclose(found, expected, atol=2e-5)  # without noise every weight of bands gives the truth


@pytest.mark.parametrize("shape", [(1, ROWS * COLUMNS), (ROWS * COLUMNS, 1), (ROWS, COLUMNS)])
def test_one_row_or_one_column(shape: tuple[int, int], tmp_path: Path) -> None:
    flat = mixtures().reshape(-1, BANDS)
    scene = open_scene(saved(tmp_path, flat.reshape(*shape, BANDS)))
    assert scene.shape == (*shape, BANDS)
    np.testing.assert_array_equal(scene.values.reshape(-1, BANDS), flat)
    expected = unmixed(make_scene(mixtures()), spectra(3)).reshape(-1, 3)
    np.testing.assert_array_equal(unmixed(scene, spectra(3)).reshape(-1, 3), expected)


# --- least squares


@few
@given(exponent=st.integers(-6, 6), seed=seeds)
def test_the_unit_of_reflectance_does_not_matter(exponent: int, seed: int) -> None:
    values, factor = mixtures(seed=seed), 2.0**exponent
    expected = unmixed(make_scene(values), spectra(3))
    np.testing.assert_array_equal(unmixed(make_scene(values * factor), spectra(3) * factor), expected)
    np.testing.assert_allclose(unmixed(make_scene(values * 0.37), spectra(3) * 0.37), expected, atol=1e-5)


@few
@given(offset=st.floats(-0.3, 0.5), seed=seeds)
def test_light_added_to_all_spectra_does_not_matter(offset: float, seed: int) -> None:
    values = mixtures(seed=seed)
    expected = unmixed(make_scene(values), spectra(3))
    found = unmixed(make_scene(values + np.float32(offset)), spectra(3) + offset)
    np.testing.assert_allclose(found, expected, atol=1e-4)  # abundances sum to one; float32 holds seven digits


@few
@given(seed=seeds)
def test_the_order_of_bands_without_wavelengths(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(BANDS)
    expected = unmixed(make_scene(mixtures(seed=seed)), spectra(3))
    found = unmixed(make_scene(mixtures(seed=seed)[:, :, order]), spectra(3)[:, order])
    np.testing.assert_allclose(found, expected, atol=1e-5)  # the same sums in another order


@few
@given(seed=seeds)
def test_the_order_of_endmembers(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(5)
    scene = make_scene(mixtures(5, seed=seed))
    expected = unmixed(scene, spectra(5))
    np.testing.assert_allclose(unmixed(scene, spectra(5)[order]), expected[..., order], atol=1e-4)


@pytest.mark.parametrize("n_endmembers", [2, 20])
def test_few_and_many_endmembers(n_endmembers: int) -> None:
    scene = make_scene(mixtures(n_endmembers, noise=0))
    found = unmixed(scene, spectra(n_endmembers))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(found @ spectra(n_endmembers), scene.values, atol=2e-4)
    pure = make_scene(spectra(n_endmembers)[None])
    np.testing.assert_allclose(unmixed(pure, spectra(n_endmembers))[0], np.eye(n_endmembers), atol=1e-4)


# --- a given model


def fitted_fcls(n_endmembers: int) -> Fitted:
    bundle = make_bundle(spectra(n_endmembers), names(n_endmembers), wavelength=WAVELENGTH)
    return FCLS().fit(make_scene(mixtures(n_endmembers), wavelength=WAVELENGTH), bundle)


def fitted_idnet(n_endmembers: int, **how: object) -> Fitted:
    variants = np.concatenate([spectra(n_endmembers) * factor for factor in (0.95, 1.0, 1.05)])
    bundle = make_bundle(variants, 3 * names(n_endmembers), wavelength=WAVELENGTH)
    method = get_method("idnet")(n_epochs=2, steps_per_epoch=2, n_latents=2, **how)  # type: ignore[call-arg]
    return method.fit(make_scene(mixtures(n_endmembers), wavelength=WAVELENGTH), bundle)


MODELS = {"fcls": fitted_fcls, "idnet": fitted_idnet}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Fitted:
    """A fitted model of two endmembers."""
    return MODELS[request.param](2)


def by(model: Fitted, values: np.ndarray) -> np.ndarray:
    return model.unmix(make_scene(values, wavelength=WAVELENGTH))["abundance"].values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_invalid_pixels_leave_the_others_bit_for_bit(value: float, model: Fitted) -> None:
    values = mixtures(2)
    expected = by(model, values)
    values[2:5, 3:7, 11] = value
    found = by(model, values)
    assert np.isnan(found[2:5, 3:7]).all()
    invalid = np.isnan(found).any(axis=2)
    assert invalid.sum() == 12
    np.testing.assert_array_equal(found[~invalid], expected[~invalid])


@pytest.mark.parametrize("bright", [1.5, 50.0, 1e6, -3.0])
def test_one_bright_pixel_leaves_the_others_bit_for_bit(bright: float, model: Fitted) -> None:
    values = mixtures(2)
    expected = by(model, values)
    values[4, 4] = bright * (1 + 0.01 * np.arange(BANDS))
    found = by(model, values)
    others = np.ones((ROWS, COLUMNS), bool)
    others[4, 4] = False
    np.testing.assert_array_equal(found[others], expected[others])
    assert (found[4, 4] >= 0).all()
    np.testing.assert_allclose(found[4, 4].sum(), 1, atol=1e-5)


def test_pixels_are_unmixed_alike_wherever_they_are(model: Fitted) -> None:
    expected = by(model, mixtures(2))
    np.testing.assert_array_equal(by(model, mixtures(2)[::-1, ::-1]), expected[::-1, ::-1])
    in_a_row = mixtures(2).reshape(1, -1, BANDS)
    np.testing.assert_array_equal(by(model, in_a_row)[0], expected.reshape(-1, 2))


def test_bands_of_a_file_in_another_order(model: Fitted, tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(BANDS)
    scene = open_scene(saved(tmp_path, mixtures(2)[:, :, order], WAVELENGTH[order]))
    np.testing.assert_array_equal(model.unmix(scene)["abundance"].values, by(model, mixtures(2)))


@pytest.mark.parametrize("n_endmembers", [2, 20])
def test_idnet_with_few_and_many_endmembers(n_endmembers: int) -> None:
    found = by(fitted_idnet(n_endmembers, published=True), mixtures(n_endmembers))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-5)
