"""Observations lie as far from their reconstructions as the model says."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.methods.idnet import IDNet
from unmixel.simulate import simulate_demo, simulate_preset

pytestmark = pytest.mark.slow

SEED = 3
WITHIN = 1.6449
"""Standard deviations around the mean that hold 90 % of a normal distribution."""


def scenes() -> dict[str, xr.DataArray]:
    size = {"rows": 30, "columns": 40, "seed": SEED}
    return {
        "demo": simulate_demo(**size, snr_db=30.0)[0],
        "dc1": simulate_preset("dc1", **size)[0],
        "dc2": simulate_preset("dc2", **size)[0],
    }


@pytest.mark.parametrize("name", ["demo", "dc1", "dc2"])
def test_the_band_of_90_percent_holds_90_percent_of_the_observed_values(name: str) -> None:
    """Over all pixels and bands, and roughly in each tenth of the bands."""
    scene = scenes()[name]
    parts = IDNet(n_endmembers=3, seed=SEED).fit(scene).parts_at(scene)
    inside = np.abs(parts.observed - parts.reconstruction) <= WITHIN * parts.sd
    print(f"{name}: {100 * inside.mean():.1f} % inside")
    assert 0.85 < inside.mean() < 0.97
    by_bands = [part.mean() for part in np.array_split(inside, 10, axis=1)]
    assert min(by_bands) > 0.7, by_bands
