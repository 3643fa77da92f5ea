"""The figure of latents counts each pixel as much as the endmember is there."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel import plot
from unmixel.errors import ParameterError

DIMS = ("y", "x", "endmember")


def a_result(n_latents: int) -> xr.Dataset:
    """Return a result of 10 x 12 pixels: the first row all soil at (2, -1), the last but one masked."""
    rng = np.random.default_rng(0)
    abundance = rng.dirichlet(np.ones(2), (10, 12))
    latents = rng.uniform(-1, 1, (10, 12, 2, n_latents))
    abundance[0] = [1.0, 0.0]
    latents[0, :, 0] = np.resize([2.0, -2.0, 0.5], n_latents)
    latents[0, :, 1] = 50.0
    abundance[8], latents[8] = np.nan, np.nan
    variables = {"abundance": (DIMS, abundance), "latent_mean": ((*DIMS, "latent"), latents)}
    return xr.Dataset(variables, coords={"endmember": ["soil", "tree"]})


@pytest.mark.parametrize("n_latents", [2, 4])
def test_the_first_two_latents(n_latents: int) -> None:
    result = a_result(n_latents)
    figure = plot.latents(result)
    soil, tree = figure.axes[:2]
    assert (soil.get_title(), tree.get_title()) == ("soil", "tree")
    assert (soil.get_xlabel(), soil.get_ylabel()) == ("latent 1 [1]", "latent 2 [1]")
    counts = np.ma.filled(soil.collections[0].get_array(), 0).reshape(12, 12)
    assert counts[0, -1] == pytest.approx(12)
    assert (soil.get_xlim()[1], soil.get_ylim()[0]) == (2.0, -2.0)
    for axes, k in ((soil, 0), (tree, 1)):
        weight = result.abundance.values[..., k]
        assert axes.collections[0].get_array().sum() == pytest.approx(weight[weight >= 0.05].sum())
    assert tree.get_xlim()[1] < 1, "where there is no tree its latents don't count"
    assert soil.collections[0].get_clim() == tree.collections[0].get_clim()
    assert figure.axes[-1].get_ylabel() == "pixels in a cell, each as its abundance [1]"


def test_a_single_latent_is_a_histogram() -> None:
    result = a_result(1)
    figure = plot.latents(result)
    assert len(figure.axes) == 2
    heights = np.array([bar.get_height() for bar in figure.axes[0].patches])
    weight = result.abundance.values[..., 0]
    assert heights.sum() == pytest.approx(weight[weight >= 0.05].sum())
    assert heights[-1] == pytest.approx(12)
    assert figure.axes[0].get_ylabel() == "pixels in a bin, each as its abundance [1]"


def test_an_endmember_that_is_nowhere_has_an_empty_panel() -> None:
    result = a_result(2).isel(y=slice(0, 1))
    figure = plot.latents(result)
    assert np.ma.filled(figure.axes[1].collections[0].get_array(), 0).sum() == 0
    assert figure.axes[0].collections[0].get_array().sum() == pytest.approx(12)


def test_what_has_no_latents_is_refused() -> None:
    with pytest.raises(ParameterError, match="without latent_mean"):
        plot.latents(a_result(2).drop_vars("latent_mean"))
    with pytest.raises(ParameterError, match="NaN everywhere"):
        plot.latents(a_result(2).isel(y=[8]))
