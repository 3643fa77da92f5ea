"""Densities that the explorer draws: they have the mean and the spread of the posterior."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.explorer.pixel_story import PixelStory
from unmixel.explorer.posterior_panels import (
    marginal_columns,
    on_the_simplex,
    ternary_columns,
    ternary_marks,
)

MEAN, CONCENTRATION = np.array([0.2, 0.3, 0.5]), np.array([4.0, 6.0, 10.0])


def a_story(valid: bool = True) -> PixelStory:
    sd = np.sqrt(MEAN * (1 - MEAN) / (CONCENTRATION.sum() + 1))
    maps = {"abundance": MEAN, "abundance_sd": sd, "concentration": CONCENTRATION}
    said = xr.Dataset(
        {name: ("endmember", values if valid else np.full(3, np.nan)) for name, values in maps.items()},
        {"endmember": ["a", "b", "c"]},
    )
    nothing = np.full(3, np.nan)
    return PixelStory(0, 0, said, nothing, nothing, None)


def test_marginals_have_mean_and_spread():
    columns = marginal_columns(a_story())
    x, width = columns["x"], 1 / len(columns["x"])
    for k in range(3):
        density = columns[f"density{k}"]
        assert (density * width).sum() == pytest.approx(1)
        mean = (x * density * width).sum()
        assert mean == pytest.approx(MEAN[k], abs=1e-3)
        variance = ((x - mean) ** 2 * density * width).sum()
        assert variance == pytest.approx(MEAN[k] * (1 - MEAN[k]) / 21, rel=0.01)


def test_ternary_density_has_the_mean():
    (density,) = ternary_columns(a_story())["density"]
    assert np.nanmax(density) == 1 and np.nanmin(density) >= 0
    weighted = np.nansum(density[..., None] * on_the_simplex(), axis=(0, 1))
    np.testing.assert_allclose(weighted / np.nansum(density), MEAN, atol=2e-3)


def test_the_triangle_has_half_of_its_box():
    (density,) = ternary_columns(a_story())["density"]
    assert np.isfinite(density).mean() == pytest.approx(0.5, abs=0.01)
    assert np.isfinite(density[0]).mean() > 0.98 and np.isfinite(density[-1]).sum() <= 2


def test_places_in_the_triangle():
    marks = ternary_marks(a_story())
    assert marks["what"] == ["mean"]
    corners = np.array([[0, 0], [1, 0], [0.5, 0.75**0.5]])
    np.testing.assert_allclose([marks["x"][0], marks["y"][0]], MEAN @ corners)


def test_nothing_is_drawn_of_a_masked_pixel():
    story = a_story(valid=False)
    assert np.isnan(marginal_columns(story)["density0"]).all()
    assert ternary_columns(story)["density"] == []
    assert ternary_marks(story)["x"] == []
