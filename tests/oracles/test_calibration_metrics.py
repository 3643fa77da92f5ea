"""Metrics of uncertainty against draws: truths that come from the very distributions they are compared with."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

import unmixel as ux
from unmixel.errors import ParameterError
from unmixel.metrics import (
    abundance_crps,
    beta_marginals,
    calibration_ranks,
    central_coverage,
    coverage_by_tercile,
    interval_coverage,
    probability_integral_transform,
)

N = 6000


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """True abundances and the Dirichlets that they come from, another one in every pixel."""
    rng = np.random.default_rng(0)
    concentration = np.exp(rng.uniform(np.log(0.3), np.log(30), (N, 4)))
    gamma = rng.gamma(concentration)
    return gamma / gamma.sum(axis=1, keepdims=True), concentration


def moments(concentration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every abundance under a Dirichlet."""
    total = concentration.sum(axis=1, keepdims=True)
    mean = concentration / total
    return mean, np.sqrt(mean * (1 - mean) / (total + 1))


def interval_of(mean: np.ndarray, sd: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    dims = ("y", "x", "endmember")
    result = xr.Dataset({"abundance": (dims, mean[:, None]), "abundance_sd": (dims, sd[:, None])})
    found = ux.abundance_interval(result, level=level)
    return found["lower"].values[:, 0], found["upper"].values[:, 0]


def test_the_marginals_of_a_dirichlet_come_back_from_its_moments(drawn) -> None:
    concentration = drawn[1]
    first, second = beta_marginals(*moments(concentration))
    np.testing.assert_allclose(first, concentration, rtol=1e-9)
    np.testing.assert_allclose(second, concentration.sum(axis=1, keepdims=True) - concentration, rtol=1e-9)


def test_each_abundance_has_its_own_beta_distribution() -> None:
    rng = np.random.default_rng(5)
    mean, sd = rng.uniform(0.05, 0.95, (30, 4)), rng.uniform(0.01, 0.2, (30, 4))
    beta = stats.beta(*beta_marginals(mean, sd))
    np.testing.assert_allclose(beta.mean(), mean, rtol=1e-9)
    np.testing.assert_allclose(beta.std(), sd, rtol=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_truths_from_the_dirichlet_are_covered_as_often_as_the_level_says(drawn, level) -> None:
    truth, concentration = drawn
    lower, upper = interval_of(*moments(concentration), level)
    standard_error = np.sqrt(level * (1 - level) / N)
    transform = probability_integral_transform(truth, *moments(concentration))
    np.testing.assert_allclose(central_coverage(transform, [level])[0], level, atol=4 * standard_error)
    held, inside = (lower <= truth) & (truth <= upper), np.abs(transform - 0.5) <= level / 2
    away = (lower > 0) & (upper < 1)
    assert away.sum() > N
    assert abs(held[away].mean() - level) < 4 * standard_error
    assert (held != inside)[away].sum() <= 2, "an interval holds a truth if the transform says so"
    assert (held < inside).sum() <= 2, "intervals that begin at 0 or end at 1 hold more"


def test_false_certainty_shows(drawn) -> None:
    truth, concentration = drawn
    assert interval_coverage(truth, *interval_of(*moments(10 * concentration), 0.9)) < 0.6
    assert interval_coverage(truth, *interval_of(*moments(0.1 * concentration), 0.9)) > 0.95
    honest = abundance_crps(truth, *moments(concentration)).mean()
    for factor in (0.1, 0.5, 2.0, 10.0):
        assert abundance_crps(truth, *moments(factor * concentration)).mean() > honest


def test_coverage_by_tercile_is_coverage_of_the_pixels_there(drawn) -> None:
    truth, concentration = drawn
    lower, upper = interval_of(*moments(concentration), 0.8)
    low, high = np.quantile(truth, [1 / 3, 2 / 3])
    groups = [truth <= low, (truth > low) & (truth <= high), truth > high]
    expected = [np.mean((lower[group] <= truth[group]) & (truth[group] <= upper[group])) for group in groups]
    found = coverage_by_tercile(truth, lower, upper)
    np.testing.assert_allclose(found, expected)
    assert found.mean() == pytest.approx(interval_coverage(truth, lower, upper), abs=1e-3)


def test_terciles_without_truths_are_nan() -> None:
    truth = np.full((5, 2), 0.5)
    np.testing.assert_array_equal(coverage_by_tercile(truth, truth, truth), [1, np.nan, np.nan])


def test_the_transform_of_truths_from_the_dirichlet_is_uniform(drawn) -> None:
    truth, concentration = drawn
    transform = probability_integral_transform(truth, *moments(concentration))
    for k in range(transform.shape[1]):
        assert stats.kstest(transform[:, k], "uniform").pvalue > 1e-3
    too_sure = probability_integral_transform(truth, *moments(2 * concentration))
    assert stats.kstest(too_sure[:, 0], "uniform").pvalue < 1e-9


def test_ranks_among_draws_from_the_same_dirichlet_are_uniform(drawn) -> None:
    truth, concentration = drawn
    gamma = np.random.default_rng(1).gamma(concentration, size=(19, *concentration.shape))
    ranks = calibration_ranks(truth, gamma / gamma.sum(axis=2, keepdims=True))
    assert (ranks.min(), ranks.max()) == (0, 19)
    for k in range(truth.shape[1]):
        assert stats.chisquare(np.bincount(ranks[:, k], minlength=20)).pvalue > 1e-3
    with pytest.raises(ParameterError, match="NaN"):
        calibration_ranks(np.array([[np.nan, 1.0]]), np.ones((3, 1, 2)))


@pytest.mark.parametrize("shapes", [(0.3, 2.0), (1.0, 1.0), (8.0, 3.0), (200.0, 700.0)])
def test_crps_is_the_expected_distance_less_half_the_spread(shapes) -> None:
    """E|X − a| − E|X − X'| / 2 by Monte Carlo, within four standard errors; and the integral that defines it."""
    truth = np.array([[0.2, 0.8]])
    rng = np.random.default_rng(2)
    x, other = rng.beta(*shapes, (2, 200_000))
    samples = np.abs(x - 0.2) - 0.5 * np.abs(x - other)
    score = abundance_crps(truth, *moments(np.array([shapes])))[0]
    assert abs(score[0] - samples.mean()) < 4 * samples.std() / np.sqrt(len(samples))

    beta = stats.beta(*shapes)
    below = integrate.quad(lambda v: beta.cdf(v) ** 2, 0, 0.2, epsabs=1e-10, limit=200)[0]
    above = integrate.quad(lambda v: beta.sf(v) ** 2, 0.2, 1, epsabs=1e-10, limit=200)[0]
    np.testing.assert_allclose(score, below + above, atol=1e-8)


def test_crps_of_certainty_is_the_absolute_error() -> None:
    truth = np.array([[0.2, 0.8], [0.0, 1.0]])
    mean, sd = np.array([[0.3, 0.7], [0.0, 1.0]]), np.zeros((2, 2))
    np.testing.assert_allclose(abundance_crps(truth, mean, sd), [[0.1, 0.1], [0.0, 0.0]], atol=1e-4)


def test_certainty_and_impossible_spreads_have_intervals() -> None:
    mean, sd = np.array([[0.0, 1.0], [0.25, 0.75], [0.25, 0.75]]), np.array([[0.0, 0.0], [0.0, 0.0], [0.9, 0.9]])
    first, second = beta_marginals(mean, sd)
    assert (first > 0).all()
    assert (second > 0).all()
    lower, upper = interval_of(mean, sd, 0.9)
    np.testing.assert_allclose(lower[:2], mean[:2], atol=1e-4)
    np.testing.assert_allclose(upper[:2], mean[:2], atol=1e-4)
    np.testing.assert_array_equal(lower[2], 0)
    np.testing.assert_array_equal(upper[2], 1)


def test_an_end_within_a_hundredth_of_0_or_1_is_0_or_1() -> None:
    """What is absent, and rightly believed to be nearly so, is inside its interval."""
    mean = np.array([[0.004, 0.996], [0.05, 0.95]])
    lower, upper = interval_of(mean, np.full((2, 2), 0.004), 0.9)
    exact_lower, exact_upper = (stats.beta(*beta_marginals(mean, np.full((2, 2), 0.004))).ppf(q) for q in (0.05, 0.95))
    np.testing.assert_allclose(lower, [[0, exact_lower[0, 1]], exact_lower[1]], rtol=1e-6)
    np.testing.assert_allclose(upper, [[exact_upper[0, 0], 1], exact_upper[1]], rtol=1e-6)
    assert 0 < exact_lower[0, 0] < 0.01 < exact_lower[1, 0]


def test_masked_pixels_have_no_interval_and_no_score(drawn) -> None:
    truth, (mean, sd) = drawn[0][:5], moments(drawn[1][:5])
    mean[2] = sd[2] = np.nan
    lower, upper = interval_of(mean, sd, 0.9)
    for values in (lower, upper, abundance_crps(truth, mean, sd)):
        np.testing.assert_array_equal(np.isnan(values).all(axis=1), np.arange(5) == 2)
        assert np.isfinite(values[[0, 1, 3, 4]]).all()
    transform = probability_integral_transform(truth, mean, sd)
    np.testing.assert_array_equal(central_coverage(transform, [0.7]), central_coverage(transform[[0, 1, 3, 4]], [0.7]))
    assert np.isnan(interval_coverage(truth, lower, upper))
    assert np.isnan(coverage_by_tercile(truth, lower, upper)).all()
    with pytest.raises(ParameterError, match="no pixel"):
        central_coverage(transform[2:3], [0.7])


def test_other_shapes_are_refused() -> None:
    for metric in (abundance_crps, probability_integral_transform):
        with pytest.raises(ParameterError, match=r"\(2, 3\), \(2, 3\) and \(2, 2\)"):
            metric(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 2)))
        with pytest.raises(ParameterError, match=r"\(2, 3\), \(2, 2\) and \(2, 3\)"):
            metric(np.ones((2, 3)), np.ones((2, 2)), np.ones((2, 3)))
    for coverage in (interval_coverage, coverage_by_tercile):
        with pytest.raises(ParameterError, match="same shape"):
            coverage(np.ones((2, 3)), np.ones((2, 3)), np.ones((3, 2)))
