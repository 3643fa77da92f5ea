"""Observations lie as far from their reconstructions as the model says."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.methods._parts import Parts
from unmixel.methods.idnet import IDNet
from unmixel.simulate import simulate_preset

pytestmark = pytest.mark.slow

SEED = 3
WITHIN = 1.6449
"""Standard deviations around the mean that hold 90 % of a normal distribution."""


def check_that_90_percent_are_inside(parts: Parts) -> None:
    """Over all pixels and bands, and roughly in each tenth of the bands and in nearly every pixel."""
    inside = np.abs(parts.observed - parts.reconstruction) <= WITHIN * parts.sd
    print(f"{100 * inside.mean():.1f} % inside")
    assert 0.85 < inside.mean() < 0.97
    by_bands = [part.mean() for part in np.array_split(inside, 10, axis=1)]
    assert min(by_bands) > 0.8, by_bands
    assert np.quantile(inside.mean(axis=1), 0.1) > 0.8


def test_the_band_of_90_percent_holds_90_percent_of_the_observed_values(case):
    check_that_90_percent_are_inside(case.fitted.parts_at(case.scene))


def test_it_does_where_each_material_varies_by_itself():
    scene, _ = simulate_preset("dc2", rows=30, columns=40, seed=SEED)
    check_that_90_percent_are_inside(IDNet(n_endmembers=3, seed=SEED).fit(scene).parts_at(scene))
