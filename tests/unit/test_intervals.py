"""Intervals of a result keep its grid, its mask and its left-out bands, and say what they need."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import unmixel as ux
from unmixel.errors import ParameterError
from unmixel.result import make_result
from unmixel.scene import make_scene, to_maps

ABUNDANCE = np.random.default_rng(0).dirichlet(np.ones(3), 14)
SD = np.random.default_rng(3).uniform(0.02, 0.5, (14, 3)) * np.sqrt(ABUNDANCE * (1 - ABUNDANCE))


@pytest.fixture
def result():
    """A result of 5 x 3 pixels, one of them masked, and 6 bands, one of them left out."""
    values = np.random.default_rng(1).uniform(0.1, 0.5, (5, 3, 6))
    values[3, 1] = np.nan
    good = np.arange(6) != 4
    scene = make_scene(values, wavelength=500 + 10.0 * np.arange(6), good_band=good)
    mean = np.random.default_rng(2).uniform(0.2, 0.6, (3, 5))
    return make_result(
        scene,
        endmember=("soil", "tree", "water"),
        maps=to_maps(scene, {"abundance": ABUNDANCE, "abundance_sd": SD}),
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
    precision = ABUNDANCE * (1 - ABUNDANCE) / SD**2 - 1
    lower, upper = (stats.beta.ppf(q, precision * ABUNDANCE, precision * (1 - ABUNDANCE)) for q in (0.1, 0.9))
    assert (lower < 0.01).any(), "some intervals begin at 0"
    for name, expected in (("lower", np.where(lower < 0.01, 0, lower)), ("upper", np.where(upper > 0.99, 1, upper))):
        values = found[name].values
        assert np.isnan(values[masked]).all()
        np.testing.assert_allclose(values[~masked], expected, rtol=1e-4)


def test_wider_levels_give_wider_intervals_around_the_median(result) -> None:
    half, nine = ux.abundance_interval(result, level=0.5), ux.abundance_interval(result)
    valid = np.isfinite(half["lower"].values)
    lower, upper = half["lower"].values[valid], half["upper"].values[valid]
    assert ((nine["lower"].values[valid] < lower) | (lower == 0)).all()
    assert ((nine["upper"].values[valid] > upper) | (upper == 1)).all()
    assert (lower <= upper).all()


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
    nothing_known = result.assign(abundance_sd=np.nan * result["abundance_sd"])
    for without in (result.drop_vars("abundance_sd"), nothing_known):
        with pytest.raises(ParameterError, match=r"without abundance_sd.*method='idnet'"):
            ux.abundance_interval(without)
    with pytest.raises(ParameterError, match="endmember_spectrum_sd"):
        ux.endmember_interval(result.drop_vars("endmember_spectrum_sd"))
