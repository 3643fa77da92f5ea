"""Intervals of the default mean what they say where the truth is exact and the spectra are known."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel import abundance_interval
from unmixel.metrics import interval_coverage
from unmixel.scene import valid_pixels
from unmixel.simulate import simulate_preset, true_bundle
from unmixel.unmixing import unmix

pytestmark = pytest.mark.slow

ROWS, COLUMNS, SEED = 36, 50, 7
LEVEL = 0.9
ALLOWED = 0.05
SAMPLING = 2 * np.sqrt(LEVEL * (1 - LEVEL) / (ROWS * COLUMNS))
"""Two standard errors; the abundances of a pixel count as one."""


@pytest.mark.parametrize("preset", ["dc1", "dc2"])
def test_intervals_of_90_percent_hold_90_percent_of_the_truths(preset: str) -> None:
    """Within 5 points and two standard errors (1.4 points), given the spectra that each endmember can have."""
    scene, truth = simulate_preset(preset, rows=ROWS, columns=COLUMNS, seed=SEED)
    result = unmix(scene, bundle=true_bundle(truth), seed=SEED)
    valid = valid_pixels(scene)
    interval = abundance_interval(result.sel(endmember=truth["endmember"].values), LEVEL)
    lower, upper = interval["lower"].values[valid], interval["upper"].values[valid]
    coverage = interval_coverage(truth["abundance"].values[valid], lower, upper)
    assert abs(coverage - LEVEL) <= ALLOWED + SAMPLING, coverage
