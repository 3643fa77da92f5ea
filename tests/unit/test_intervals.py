"""Intervals of a result keep its grid, its mask and its left-out bands, and say what they need."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import unmixel as ux
from unmixel.errors import ParameterError
from unmixel.result import make_result
from unmixel.scene import make_scene, to_maps

CONCENTRATION = np.random.default_rng(0).uniform(0.5, 20, (14, 3))


@pytest.fixture
def result():
    """A result of 5 x 3 pixels, one of them masked, and 6 bands, one of them left out."""
    values = np.random.default_rng(1).uniform(0.1, 0.5, (5, 3, 6))
    values[3, 1] = np.nan
    good = np.arange(6) != 4
    scene = make_scene(values, wavelength=500 + 10.0 * np.arange(6), good_band=good)
    mean = np.random.default_rng(2).uniform(0.2, 0.6, (3, 5))
    abundance = CONCENTRATION / CONCENTRATION.sum(axis=1, keepdims=True)
    return make_result(
        scene,
        endmember=("soil", "tree", "water"),
        maps=to_maps(scene, {"abundance": abundance, "concentration": CONCENTRATION}),
        spectra={"endmember_spectrum": mean, "endmember_spectrum_sd": 0.1 * mean},
        provenance={},
    )


def test_abundances_have_the_quantiles_of_their_beta_distributions(result) -> None:
    found = ux.abundance_interval(result, level=0.8)
    assert found.attrs["level"] == 0.8
    assert found["lower"].dims == found["upper"].dims == ("y", "x", "endmember")
    for name in ("y", "x", "endmember"):
        np.testing.assert_array_equal(found[name], result[name])
    masked = np.zeros((5, 3), dtype=bool)
    masked[3, 1] = True
    for name, quantile in (("lower", 0.1), ("upper", 0.9)):
        values = found[name].values
        assert np.isnan(values[masked]).all()
        rest = CONCENTRATION.sum(axis=1, keepdims=True) - CONCENTRATION
        expected = stats.beta.ppf(quantile, CONCENTRATION, rest)
        np.testing.assert_allclose(values[~masked], expected, rtol=1e-4)


def test_wider_levels_give_wider_intervals_around_the_median(result) -> None:
    half, nine = ux.abundance_interval(result, level=0.5), ux.abundance_interval(result)
    valid = np.isfinite(half["lower"].values)
    assert (nine["lower"].values < half["lower"].values)[valid].all()
    assert (nine["upper"].values > half["upper"].values)[valid].all()


def test_spectra_have_normal_intervals_and_none_at_left_out_bands(result) -> None:
    found = ux.endmember_interval(result, level=0.95)
    mean, good = result["endmember_spectrum"].values, result["good_band"].values
    assert found["lower"].dims == ("endmember", "band")
    np.testing.assert_allclose(found["lower"].values[:, good], mean[:, good] * (1 - 0.1 * 1.959964), rtol=1e-5)
    np.testing.assert_allclose(found["upper"].values[:, good], mean[:, good] * (1 + 0.1 * 1.959964), rtol=1e-5)
    assert np.isnan(found["upper"].values[:, ~good]).all()
    np.testing.assert_array_equal(found["wavelength"], result["wavelength"])


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0, float("nan")])
def test_a_level_that_is_no_probability_is_refused(result, level) -> None:
    for interval in (ux.abundance_interval, ux.endmember_interval):
        with pytest.raises(ParameterError, match="between 0 and 1"):
            interval(result, level=level)


def test_a_result_without_a_distribution_has_no_interval(result) -> None:
    with pytest.raises(ParameterError, match="method='idnet'"):
        ux.abundance_interval(result.drop_vars("concentration"))
    with pytest.raises(ParameterError, match="endmember_spectrum_sd"):
        ux.endmember_interval(result.drop_vars("endmember_spectrum_sd"))
