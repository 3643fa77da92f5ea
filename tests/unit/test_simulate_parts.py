"""Abundances, spectra of pixels and noise have the laws they state."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import dirichlet, kstest

from unmixel.errors import ParameterError
from unmixel.simulate import (
    FixedSpectra,
    LibrarySpectra,
    Noise,
    SmoothSpectra,
    add_noise,
    dirichlet_fields,
    sparse,
    without_pure_pixels,
)

CONCENTRATION = np.array([0.6, 1.0, 3.0])


def test_dirichlet_fields_are_dirichlet_in_every_pixel() -> None:
    rng = np.random.default_rng(0)
    abundances = dirichlet_fields(70, 90, CONCENTRATION, 0.0, rng).reshape(-1, 3)
    np.testing.assert_allclose(abundances.sum(axis=1), 1.0, atol=1e-12)
    for k in range(3):
        law = "beta", (CONCENTRATION[k], CONCENTRATION.sum() - CONCENTRATION[k])
        assert kstest(abundances[:, k], *law).pvalue > 0.01
    np.testing.assert_allclose(abundances.var(axis=0), dirichlet.var(CONCENTRATION), rtol=0.05)
    product = np.mean(abundances[:, 0] * abundances[:, 2])
    assert product == pytest.approx(0.6 * 3.0 / (4.6 * 5.6), rel=0.05)


def test_dirichlet_fields_are_smooth_and_keep_their_law() -> None:
    rng = np.random.default_rng(1)
    maps = np.stack([dirichlet_fields(13, 17, CONCENTRATION, 3.0, rng) for _ in range(400)])
    at, near, far = maps[:, 6, 2], maps[:, 6, 3], maps[:, 6, 16]
    for k in range(3):
        assert np.corrcoef(at[:, k], near[:, k])[0, 1] > 0.85
        assert abs(np.corrcoef(at[:, k], far[:, k])[0, 1]) < 0.2
    np.testing.assert_allclose(at.mean(axis=0), CONCENTRATION / CONCENTRATION.sum(), atol=0.05)


def test_tiny_concentrations_give_pure_pixels_not_nan() -> None:
    abundances = dirichlet_fields(30, 40, np.full(4, 1e-4), 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(abundances.sum(axis=2), 1.0, atol=1e-12)
    assert (abundances.max(axis=2) > 0.999).mean() > 0.95


def test_without_pure_pixels_is_the_law_given_the_limit() -> None:
    rng = np.random.default_rng(2)
    found = without_pure_pixels(lambda: dirichlet_fields(60, 80, np.ones(3), 0.0, rng), 0.6).reshape(-1, 3)
    assert found.max() <= 0.6
    plain = rng.dirichlet(np.ones(3), 60_000)
    expected = plain[plain.max(axis=1) <= 0.6]
    np.testing.assert_allclose(found.mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose(
        np.quantile(found[:, 0], [0.1, 0.5, 0.9]), np.quantile(expected[:, 0], [0.1, 0.5, 0.9]), atol=0.02
    )


def test_sparse_pixels_have_the_stated_number_and_law() -> None:
    rng = np.random.default_rng(3)
    found = sparse(dirichlet_fields(60, 80, np.ones(4), 0.0, rng), 2, 0.0, rng).reshape(-1, 4)
    assert ((found > 0).sum(axis=1) == 2).all()
    subsets = Counter(map(tuple, (found > 0).astype(int).tolist()))
    assert len(subsets) == 6
    assert max(subsets.values()) - min(subsets.values()) < 150
    largest = found.max(axis=1)
    assert kstest(2 * largest - 1, "uniform").pvalue > 0.01


@pytest.mark.parametrize("largest", [0.3, 1.2])
def test_impossible_limits_are_refused(largest: float) -> None:
    with pytest.raises(ParameterError, match="above 1/3"):
        without_pure_pixels(lambda: np.full((2, 3, 3), 1 / 3), largest)


def test_a_limit_that_is_never_kept_and_wrong_counts_are_refused() -> None:
    with pytest.raises(ParameterError, match="raise it"):
        without_pure_pixels(lambda: np.tile([0.9, 0.1, 0.0], (2, 3, 1)), 0.5)
    for n_present in (0, 4):
        with pytest.raises(ParameterError, match="1 to 3"):
            sparse(np.full((2, 3, 3), 1 / 3), n_present, 1.0, np.random.default_rng(0))


def test_library_draws_are_uniform_independent_and_recorded() -> None:
    rng = np.random.default_rng(0)
    libraries = [rng.random((3, 5)), rng.random((7, 5))]
    spectra = LibrarySpectra.drawn(libraries, 40 * 50, rng)
    variables = spectra.variables(40, 50)
    members, choice = variables["library_spectrum"][1], variables["library_choice"][1]
    np.testing.assert_array_equal(spectra.at(100, 140), members[choice.reshape(-1, 2)[100:140]])
    owners = variables["library_endmember"][1]
    np.testing.assert_array_equal(owners[choice], np.broadcast_to([0, 1], choice.shape))
    shares = np.bincount(choice[..., 1].ravel(), minlength=10)[3:] / 2000
    np.testing.assert_allclose(shares, 1 / 7, atol=0.03)
    assert abs(np.corrcoef(choice[..., 0].ravel(), choice[..., 1].ravel())[0, 1]) < 0.07
    with pytest.raises(ParameterError, match="without spectra"):
        LibrarySpectra.drawn([libraries[0], np.empty((0, 5))], 4, rng)


def test_smooth_spectra_are_their_formula_and_any_range_is_the_same() -> None:
    rng = np.random.default_rng(0)
    wavelength = np.linspace(400.0, 2400.0, 60)
    around = LibrarySpectra.drawn([rng.uniform(0.1, 0.5, (3, 60)), rng.uniform(0.1, 0.5, (2, 60))], 12 * 15, rng)
    spectra = SmoothSpectra.drawn(around, wavelength, 12, 15, 0.08, 3.0, rng)
    whole = spectra.at(0, 180)
    np.testing.assert_array_equal(whole[37:52], spectra.at(37, 52))
    pixel, k = 41, 1
    logarithm = sum(spectra.scores[pixel, k, j] * spectra.modes[k, j] for j in range(spectra.modes.shape[1]))
    np.testing.assert_allclose(whole[pixel, k], around.at(pixel, pixel + 1)[0, k] * np.exp(0.08 * logarithm))


def test_fixed_spectra_are_fixed() -> None:
    spectra = np.random.default_rng(0).random((3, 4))
    np.testing.assert_array_equal(FixedSpectra(spectra).at(5, 7), np.stack([spectra, spectra]))


def signal() -> np.ndarray:
    return np.random.default_rng(5).uniform(0.1, 0.6, (90, 110, 21))


GOOD = np.arange(21) != 4


def test_random_noise_has_the_stated_power_over_the_good_bands_and_rises_to_the_ends() -> None:
    clean, values = signal(), signal()
    drawn = add_noise(values, GOOD, Noise(snr_db=25.0, edge_rise=1.2), np.random.default_rng(1))
    added = values - clean
    ratio = np.mean(clean[..., GOOD] ** 2) / np.mean(added[..., GOOD] ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(25.0, abs=0.1)
    np.testing.assert_allclose(added.std(axis=(0, 1)), drawn.sd, rtol=0.04)
    assert drawn.sd[0] / drawn.sd[10] == pytest.approx(np.exp(1.2))
    assert drawn.sd[20] == pytest.approx(drawn.sd[0])
    assert not drawn.stripes.any()
    assert not drawn.spikes.any()


def test_stripes_run_along_columns_with_the_stated_share_and_size() -> None:
    clean, values = signal(), signal()
    noise = Noise(snr_db=30.0, stripe_share=0.2, stripe_sd=4.0)
    drawn = add_noise(values, GOOD, noise, np.random.default_rng(1))
    column_means = (values - clean).mean(axis=0)
    np.testing.assert_allclose(column_means, drawn.stripes, atol=5 * drawn.sd[0] / np.sqrt(90))
    striped = drawn.stripes != 0
    assert striped.mean() == pytest.approx(0.2, abs=0.03)
    assert drawn.stripes[striped].std() == pytest.approx(4.0 * drawn.sd[0], rel=0.1)


def test_spikes_hit_the_stated_share_and_are_counted() -> None:
    clean, values = signal(), signal()
    drawn = add_noise(values, GOOD, Noise(snr_db=50.0, spike_share=0.01, spike_height=0.3), np.random.default_rng(1))
    hit = values - clean > 0.15
    np.testing.assert_array_equal(hit.sum(axis=2), drawn.spikes)
    assert hit.mean() == pytest.approx(0.01, rel=0.1)


def test_dead_bands_measure_nothing() -> None:
    values = signal()
    noise = Noise(snr_db=20.0, stripe_share=1.0, stripe_sd=1.0, spike_share=0.5, spike_height=1.0, dead_bands=(0, 7))
    drawn = add_noise(values, GOOD, noise, np.random.default_rng(1))
    assert not values[..., [0, 7]].any()
    assert not drawn.sd[[0, 7]].any()
    assert (drawn.sd[1:7] > 0).all()


@pytest.mark.parametrize(
    ("noise", "match"),
    [
        (Noise(snr_db=np.inf), "finite"),
        (Noise(spike_share=1.5), "spike_share = 1.5"),
        (Noise(stripe_share=-0.1), "stripe_share"),
        (Noise(dead_bands=(21,)), "0 to 20"),
        (Noise(dead_bands=tuple(range(21))), "all of them dead"),
    ],
)
def test_impossible_noise_is_refused(noise: Noise, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        add_noise(signal(), GOOD, noise, np.random.default_rng(0))
