"""The posterior of the abundances under the law of a simulation: calibrated, and equal to slow ways to get it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal

from unmixel.errors import ParameterError
from unmixel.metrics import interval_coverage
from unmixel.mixing import fan, intimate, linear
from unmixel.scene import good_bands
from unmixel.simulate import (
    FixedSpectra,
    Ground,
    LibrarySpectra,
    Noise,
    Sensor,
    compose,
    exact_posterior,
    laws_of,
    simulate_preset,
    true_bundle,
)
from unmixel.spectra import spectra_of

LAWS = {"dc1": fan, "no_pure_pixels": linear, "intimate": intimate}


def rows(truth: xr.Dataset, name: str = "abundance") -> np.ndarray:
    return truth[name].values.reshape(-1, truth.sizes["endmember"]).astype(float)


@pytest.mark.parametrize(
    ("name", "snr_db"), [("dc1", 25.0), ("no_pure_pixels", 40.0), ("intimate", 15.0), ("dc2", 20.0)]
)
def test_the_posterior_is_as_sure_as_it_is_right(name: str, snr_db: float) -> None:
    """Error against stated sd within 10 %, 90 % intervals within 4 points: three sampling errors of 468 pixels."""
    scene, truth = simulate_preset(name, rows=18, columns=26, snr_db=snr_db, seed=2)
    posterior = exact_posterior(scene, truth)
    abundances, mean, sd = rows(truth), rows(posterior), rows(posterior, "abundance_sd")
    error = np.sqrt(np.mean((mean - abundances) ** 2))
    assert error == pytest.approx(np.sqrt(np.mean(sd**2)), rel=0.1)
    assert error < 0.25 * abundances.std()
    low, high = (posterior.abundance_quantile.sel(quantile=q).values.reshape(-1, 3) for q in (0.05, 0.95))
    assert interval_coverage(abundances, low.astype(float), high.astype(float)) == pytest.approx(0.9, abs=0.04)
    assert posterior.attrs["unsettled"] < 0.05


@pytest.mark.parametrize(("name", "snr_db"), [("dc1", 20.0), ("no_pure_pixels", 15.0), ("intimate", 10.0)])
def test_it_is_what_draws_from_the_prior_weighted_by_their_likelihood_say(name: str, snr_db: float) -> None:
    scene, truth = simulate_preset(name, rows=3, columns=5, snr_db=snr_db, seed=4)
    posterior = exact_posterior(scene, truth, quantile=(0.1, 0.6))
    good = good_bands(scene)
    sd = truth.noise_sd.values[good]
    draws = np.random.default_rng(0).dirichlet(np.ones(3), 200_000)
    draws = draws[draws.max(axis=1) <= laws_of(truth)["abundance"].get("largest", 1.0)]
    mixtures = LAWS[name](draws, truth.base_spectrum.values[:, good]) / sd
    pixels = scene.values.reshape(15, -1)[:, good].astype(float) / sd
    for pixel, mean, spread, quantiles in zip(
        pixels,
        rows(posterior),
        rows(posterior, "abundance_sd"),
        posterior.abundance_quantile.values.reshape(2, 15, 3).swapaxes(0, 1),
        strict=True,
    ):
        logarithm = -0.5 * ((pixel - mixtures) ** 2).sum(axis=1)
        weights = np.exp(logarithm - logarithm.max())
        weights /= weights.sum()
        sampling = 5 * spread * np.sqrt((weights**2).sum())
        np.testing.assert_array_less(np.abs(weights @ draws - mean), sampling)
        below = np.stack([weights @ (draws < quantile) for quantile in quantiles])
        np.testing.assert_allclose(below, [[0.1] * 3, [0.6] * 3], atol=0.02 + 3 * np.sqrt((weights**2).sum()))


def test_classes_with_a_library_are_taken_as_normal() -> None:
    """Against the normal densities of all bands, at draws from the prior."""
    rng = np.random.default_rng(3)
    libraries = [
        level + spread * rng.standard_normal((40, 6)) for level, spread in ((0.2, 0.03), (0.5, 0.05), (0.8, 0.02))
    ]
    libraries[1] += np.linspace(-0.2, 0.2, 6)
    concentration = np.array([0.5, 0.5, 1.5])
    sensor = Sensor(wavelength=np.linspace(500.0, 900.0, 6), fwhm=np.full(6, 70.0), good_band=np.arange(6) != 4)
    ground = Ground(
        endmembers=("a", "b", "c"),
        abundances=rng.dirichlet(concentration, (2, 4)),
        abundance_law={"law": "Dirichlet", "concentration": concentration.tolist()},
        spectra=LibrarySpectra.drawn(libraries, 8, rng),
    )
    scene, truth = compose(ground, sensor, Noise(snr_db=25.0), rng=rng, provenance={})
    posterior = exact_posterior(scene, truth)
    good = good_bands(scene)
    draws = rng.dirichlet(concentration, 20_000)
    mean = draws @ np.stack([library.mean(axis=0)[good] for library in libraries])
    covariance = np.einsum("nk,kij->nij", draws**2, np.stack([np.cov(x[:, good].T, bias=True) for x in libraries]))
    covariance += np.diag(truth.noise_sd.values[good] ** 2)
    for pixel, found, spread in zip(
        scene.values.reshape(8, 6)[:, good].astype(float), rows(posterior), rows(posterior, "abundance_sd"), strict=True
    ):
        off = np.linalg.solve(covariance, (pixel - mean)[:, :, None])[:, :, 0]
        logarithm = -0.5 * (np.einsum("ni,ni->n", off, pixel - mean) + np.linalg.slogdet(covariance)[1])
        assert logarithm[7] == pytest.approx(
            multivariate_normal(mean[7], covariance[7]).logpdf(pixel) + 0.5 * 5 * np.log(2 * np.pi)
        )
        weights = np.exp(logarithm - logarithm.max())
        weights /= weights.sum()
        np.testing.assert_array_less(np.abs(weights @ draws - found), 5 * spread * np.sqrt((weights**2).sum()))


def test_pixels_that_are_nearly_pure_and_nearly_noise_free_settle() -> None:
    rng = np.random.default_rng(0)
    names = ("a", "b", "c")
    sensor = Sensor(wavelength=np.linspace(500.0, 900.0, 7), fwhm=np.full(7, 60.0), good_band=np.ones(7, dtype=bool))
    ground = Ground(
        endmembers=names,
        abundances=rng.dirichlet([0.5, 0.5, 0.5], (6, 9)),
        abundance_law={"law": "Dirichlet", "concentration": [0.5, 0.5, 0.5]},
        spectra=FixedSpectra(rng.random((3, 7))),
    )
    scene, truth = compose(ground, sensor, Noise(snr_db=60.0), rng=rng, provenance={})
    posterior = exact_posterior(scene, truth)
    assert np.abs(rows(posterior) - rows(truth)).max() < 0.01
    assert posterior.attrs["unsettled"] < 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scene, truth: exact_posterior(*simulate_preset("mixed", rows=3, columns=4)), "4 endmembers"),
        (lambda scene, truth: exact_posterior(scene, truth, quantile=(0.5, 1.0)), "between 0 and 1"),
        (lambda scene, truth: exact_posterior(scene, truth.drop_attrs()), "without its laws"),
        (lambda scene, truth: true_bundle(truth.drop_attrs()), "without its laws"),
        (lambda scene, truth: true_bundle(truth, n_spectra=0), "at least 1"),
    ],
)
def test_what_it_cannot_do_it_says(change: Callable[..., object], message: str) -> None:
    scene, truth = simulate_preset("dc1", rows=3, columns=4)
    with pytest.raises(ParameterError, match=message):
        change(scene, truth)


@pytest.mark.parametrize("name", ["dc1", "dc2"])
def test_the_true_bundle_has_the_spectra_that_the_scene_was_drawn_from(name: str) -> None:
    scene, truth = simulate_preset(name, rows=20, columns=26, seed=1)
    bundle = true_bundle(truth, seed=5)
    np.testing.assert_array_equal(bundle.wavelength, scene.wavelength)
    good = good_bands(scene)
    for k, endmember in enumerate(truth.endmember.values.tolist()):
        given, used = (
            spectra_of(bundle, endmember)[:, good],
            truth.endmembers.values[:, :, k][..., good].reshape(520, -1),
        )
        assert {row.tobytes() for row in used} <= {row.tobytes() for row in given}


def test_the_true_bundle_of_smooth_spectra_has_the_moments_of_their_law() -> None:
    _, truth = simulate_preset("mixed", rows=3, columns=4, seed=1)
    bundle = true_bundle(truth, n_spectra=2000, seed=5)
    for k, endmember in enumerate(truth.endmember.values.tolist()):
        given = spectra_of(bundle, endmember).astype(float)
        library = truth.library_spectrum.values[truth.library_endmember.values == k]
        power = laws_of(truth)["variability"]["sd"] ** 2 * (truth.variability_mode.values[k] ** 2).sum(axis=0)
        mean = library.mean(axis=0) * np.exp(power / 2)
        square = (library**2).mean(axis=0) * np.exp(2 * power)
        sd = np.sqrt(square - mean**2)
        np.testing.assert_array_less(np.abs(given.mean(axis=0) - mean), 4 * sd / np.sqrt(2000) + 1e-6)
        np.testing.assert_allclose(given.std(axis=0), sd, rtol=0.1)


def test_the_true_bundle_is_the_same_for_the_same_seed() -> None:
    _, truth = simulate_preset("mixed", rows=3, columns=4)
    first, again, other = (true_bundle(truth, n_spectra=7, seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
