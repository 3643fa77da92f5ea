"""The measures behind the diagnosis, against brute force, constructed pixels and constructed spectra."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import chi2, norm

from unmixel.metrics import (
    likeness,
    morans_i,
    morans_i_by_rows,
    negative_abundances,
    noise_limit,
    spectral_angle,
    usual_reach,
)


def slow_morans_i(values: np.ndarray) -> float:
    """Moran's I by its definition, pixel by pixel."""
    places = [tuple(place) for place in np.argwhere(np.isfinite(values))]
    mean = np.mean([values[place] for place in places])
    weight = product = 0.0
    for (i, j), (k, m) in itertools.product(places, places):
        if abs(i - k) + abs(j - m) == 1:
            weight += 1
            product += (values[i, j] - mean) * (values[k, m] - mean)
    return len(places) / weight * product / sum((values[place] - mean) ** 2 for place in places)


def test_morans_i_of_a_checkerboard_a_gradient_and_halves() -> None:
    assert morans_i(np.indices((4, 7)).sum(axis=0) % 2 * 3.0 + 5.0).value == pytest.approx(-1.0)
    halves = np.repeat([0.0, 1.0], 5)[None, :] * np.ones((6, 1))
    pairs = 6 * 9 + 5 * 10
    assert morans_i(halves).value == pytest.approx((pairs - 2 * 6) / pairs)
    gradient = morans_i(np.arange(30.0)[:, None] + np.zeros((1, 20)))
    assert gradient.value > 0.85
    assert gradient.z > 20
    assert gradient.n_pairs == 29 * 20 + 30 * 19


def test_morans_i_is_that_of_its_definition_where_pixels_are_missing() -> None:
    rng = np.random.default_rng(0)
    values = rng.gamma(1.0, size=(6, 9))
    values[[0, 2, 2, 5], [3, 0, 8, 4]] = np.nan
    assert morans_i(values).value == pytest.approx(slow_morans_i(values))
    assert morans_i(1e-6 * values + 3).value == pytest.approx(slow_morans_i(values), rel=1e-5)


def test_the_moments_of_morans_i_are_those_over_all_orders() -> None:
    values = np.array([[0.1, 2.0, np.nan, 0.4], [7.0, 0.3, 1.0, np.nan]])
    valid = np.isfinite(values)
    every = []
    for order in itertools.permutations(values[valid]):
        dealt = np.full(values.shape, np.nan)
        dealt[valid] = order
        every.append(slow_morans_i(dealt))
    found = morans_i(values)
    assert found.expectation == pytest.approx(np.mean(every))
    assert found.sd == pytest.approx(np.std(every))


def test_morans_i_of_noise_is_near_its_expectation() -> None:
    rng = np.random.default_rng(1)
    scores = np.array([morans_i(rng.lognormal(size=(20, 30))).z for _ in range(300)])
    assert abs(scores.mean()) < 0.25
    assert scores.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    "values", [np.full((4, 5), 0.3), np.full((3, 3), np.nan), np.eye(4) + np.where(np.eye(4), 0, np.nan), np.eye(1, 3)]
)
def test_morans_i_where_it_is_not_defined(values: np.ndarray) -> None:
    assert np.isnan(morans_i(values).value)


def test_negative_abundances_are_those_that_were_constructed() -> None:
    rng = np.random.default_rng(2)
    endmembers = rng.uniform(0.1, 0.9, (4, 30))
    abundances = 0.05 + 0.8 * rng.dirichlet(np.ones(4), 500)
    lacking = rng.choice(500, 37, replace=False)
    abundances[lacking, rng.integers(0, 4, 37)] = -0.1
    pixels = abundances @ endmembers
    found = negative_abundances(pixels, endmembers, np.full(30, 1e-6), sum_to_one=False)
    assert sorted(np.flatnonzero(found)) == sorted(lacking)
    brightness = rng.uniform(1.3, 2.0, (500, 1))
    inside = np.delete(abundances, lacking, axis=0)
    inside = inside / inside.sum(axis=1, keepdims=True)
    pixels = np.delete(brightness, lacking, axis=0) * (inside @ endmembers)
    assert not negative_abundances(pixels, endmembers, np.full(30, 1e-6), sum_to_one=False).any()
    assert not negative_abundances(inside @ endmembers, endmembers, np.full(30, 1e-6), sum_to_one=True).any()
    outside = negative_abundances(pixels, endmembers, np.full(30, 1e-6), sum_to_one=True)
    equations = np.block([[endmembers @ endmembers.T, np.ones((4, 1))], [np.ones((1, 4)), np.zeros((1, 1))]])
    lowest = np.array([np.linalg.solve(equations, [*(endmembers @ pixel), 1.0])[:4].min() for pixel in pixels])
    clear = np.abs(lowest) > 0.02
    np.testing.assert_array_equal(outside[clear], lowest[clear] < 0)
    assert 0.1 < (lowest < 0).mean() < 0.95


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_noise_alone_seldom_makes_an_abundance_negative(sum_to_one: bool) -> None:
    rng = np.random.default_rng(3)
    endmembers, sd = rng.uniform(0.1, 0.9, (3, 25)), rng.uniform(0.002, 0.02, 25)
    abundances = np.zeros((20_000, 3))
    abundances[:, 0] = 1.0
    pixels = abundances @ endmembers + sd * rng.standard_normal((20_000, 25))
    share = negative_abundances(pixels, endmembers, sd**2, sum_to_one=sum_to_one, false_alarm=0.03).mean()
    assert 0.01 < share < 0.03 + 3 * np.sqrt(0.03 / 20_000)


def test_alike_endmembers_are_found_and_different_ones_are_not() -> None:
    rng = np.random.default_rng(4)
    position = np.linspace(0, 1, 40)
    base = 0.3 + 0.2 * np.sin(5 * position)
    change = 0.1 * np.cos(9 * position)
    spectra = [base + 0.5 * rng.standard_normal((80, 1)) * change, base + 0.6 * change + 0 * rng.random((60, 1))]
    spectra += [rng.uniform(0.5, 1.5, (50, 1)) * (0.6 - 0.4 * position)]
    pairs = likeness(spectra, np.full(40, 1e-8))
    assert [(pair.first, pair.second) for pair in pairs if pair.too_alike] == [(0, 1)]
    assert (pairs[0].first, pairs[0].second) == (0, 1)
    expected = spectral_angle(spectra[0].mean(axis=0), spectra[1].mean(axis=0))
    assert pairs[0].angle == pytest.approx(float(expected))
    still = [spectra[0].mean(axis=0, keepdims=True), *spectra[1:]]
    assert not any(pair.too_alike for pair in likeness(still, np.full(40, 1e-8)))
    assert likeness(still, np.full(40, 0.1**2))[0].too_alike


def test_the_spread_of_fixed_spectra_is_that_of_noise_along_the_line() -> None:
    rng = np.random.default_rng(5)
    first, second, sd = rng.uniform(0.2, 0.8, 30), rng.uniform(0.2, 0.8, 30), 0.01
    (pair,) = likeness([first[None], second[None]], np.full(30, sd**2))
    line = first / np.linalg.norm(first) - second / np.linalg.norm(second)
    line /= np.linalg.norm(line)
    drawn = sum(
        float(((m + sd * rng.standard_normal((40_000, 30))) @ line / np.linalg.norm(m)).std()) for m in (first, second)
    )
    assert pair.spread == pytest.approx(drawn, rel=0.02)


def test_weights_count_as_repetitions_and_brightness_does_not_count() -> None:
    rng = np.random.default_rng(6)
    one, other = rng.uniform(0.2, 0.8, (3, 12)), rng.uniform(0.2, 0.8, (2, 12))
    weighted = likeness([one, other], np.zeros(12), [np.array([1.0, 2.0, 3.0]), np.ones(2)])[0]
    repeated = likeness([one.repeat([1, 2, 3], axis=0), other], np.zeros(12))[0]
    assert weighted.spread == pytest.approx(repeated.spread)
    bright = likeness([one[:1] * np.array([[0.5], [1.0], [2.0]]), other[:1]], np.zeros(12))[0]
    assert bright.spread == pytest.approx(0, abs=1e-12)


def test_endmembers_without_shape_are_not_called_alike() -> None:
    shade, soil = np.zeros((1, 6)), np.full((1, 6), 0.3)
    assert np.isnan(likeness([shade, soil], np.full(6, 1e-4))[0].angle)
    assert not likeness([shade, soil], np.full(6, 1e-4))[0].too_alike
    assert likeness([soil, 2 * soil], np.full(6, 1e-4))[0].too_alike


def test_noise_seldom_exceeds_its_limit() -> None:
    rng = np.random.default_rng(7)
    sd = rng.uniform(0.5, 2.0, 60)
    squares = ((sd * rng.standard_normal((200_000, 60))) ** 2).mean(axis=1)
    assert 0.0003 < (squares > noise_limit(sd**2)).mean() < 0.003
    assert noise_limit(np.full(80, 0.2)) == pytest.approx(0.2 * chi2.ppf(0.999, 80) / 80)
    assert noise_limit(np.zeros(5)) == 0


def residuals_of_a_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of 3000 pixels whose two materials vary along two spectra, with noise."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 2, 3000)
    modes = np.stack([np.sin(np.linspace(0, 5, 50)), np.cos(np.linspace(0, 7, 50))])
    return 0.05 * rng.standard_normal((3000, 1)) * modes[groups] + 0.01 * rng.standard_normal((3000, 50)), groups


@pytest.mark.parametrize("share", [0.01, 0.08])
def test_foreign_pixels_are_out_of_reach_and_variability_is_not(share: float) -> None:
    residuals, groups = residuals_of_a_scene(8)
    rng = np.random.default_rng(9)
    foreign = rng.choice(3000, int(3000 * share), replace=False)
    residuals[foreign] += rng.uniform(0.05, 0.3, (len(foreign), 1)) * np.sign(np.sin(np.linspace(0, 30, 50)))
    reach = usual_reach(residuals, groups, np.full(50, 1e-4))
    found = reach.is_exceeded_by(residuals)
    assert found[foreign].mean() > 0.95
    assert np.delete(found, foreign).mean() < 0.002
    assert np.linalg.norm(residuals[~found], axis=1).max() > np.linalg.norm(residuals[foreign], axis=1).min()


def test_nothing_is_out_of_reach_without_a_reason() -> None:
    residuals, groups = residuals_of_a_scene(10)
    assert usual_reach(residuals, groups, np.full(50, 1e-4)).is_exceeded_by(residuals).mean() < 0.002
    few = usual_reach(residuals[:40], groups[:40], np.full(50, 1e-4))
    assert not few.is_exceeded_by(100 * residuals).any()
    silent = usual_reach(np.zeros((200, 50)), np.zeros(200, dtype=int), np.zeros(50))
    assert not silent.is_exceeded_by(np.zeros((200, 50))).any()
    noisy = usual_reach(residuals, groups, np.full(50, 10.0))
    assert not noisy.is_exceeded_by(5 * residuals).any()


def test_fewer_pixels_than_bands() -> None:
    rng = np.random.default_rng(11)
    residuals = 0.01 * rng.standard_normal((80, 200))
    residuals[17] += 0.05 * np.sin(np.linspace(0, 20, 200))
    reach = usual_reach(residuals, np.zeros(80, dtype=int), np.full(200, 1e-4))
    assert np.flatnonzero(reach.is_exceeded_by(residuals)).tolist() == [17]


def test_the_bound_of_negative_abundances_is_one_sided() -> None:
    endmembers = np.eye(2, 5)
    limit = norm.ppf(0.01 / 2) * 0.1
    pixels = np.zeros((2, 5))
    pixels[:, 0] = [limit * 0.99, limit * 1.01]
    assert negative_abundances(pixels, endmembers, np.full(5, 0.01), sum_to_one=False).tolist() == [False, True]


@pytest.mark.parametrize("step", [1, 2, 5, 16, 17, 40])
def test_morans_i_by_rows_is_that_of_the_whole_map(step: int) -> None:
    values = np.random.default_rng(1).standard_normal((17, 11)).cumsum(axis=0) + 50
    values[4, 2:7] = np.nan
    values[9] = np.nan
    whole = morans_i(values)
    rows = morans_i_by_rows(lambda first, last: values[first:last], 17, step)
    assert rows.n_pairs == whole.n_pairs
    np.testing.assert_allclose([rows.value, rows.expectation, rows.sd], [whole.value, whole.expectation, whole.sd])
