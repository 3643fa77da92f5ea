"""UnDIP: it finds the truth of a scene without noise, and errs less than least squares in a noisy one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shaded_scene import shaded_scene

from unmixel.methods.fcls import FCLS
from unmixel.methods.undip import MEMORY, RecentMean, UnDIP, variance_outside
from unmixel.metrics import abundance_rmse


def test_a_scene_without_noise_is_unmixed():
    scene, truth, bundle = shaded_scene(12, 12, 24, snr_db=200, seed=0)
    found = UnDIP(n_epochs=60, n_channels=16).fit(scene, bundle).unmix(scene)
    assert abundance_rmse(truth, found.abundance.values.reshape(truth.shape)) < 0.03


@pytest.mark.parametrize(("snr_db", "share"), [(5, 0.75), (20, 0.85)], ids=["5 dB", "20 dB"])
def test_noise_is_not_fitted(snr_db, share):
    """Where abundances are smooth, it errs less than least squares, which knows nothing of neighbours."""
    scene, truth, bundle = shaded_scene(40, 40, 24, snr_db=snr_db, seed=0, length=8.0)
    found, least_squares = (
        abundance_rmse(truth, m.fit(scene, bundle).unmix(scene).abundance.values.reshape(truth.shape))
        for m in (UnDIP(n_channels=16), FCLS())
    )
    assert found < share * least_squares


def test_an_untrained_network_is_no_part_of_the_mean():
    """After few steps, the mean of the outputs is near the last of them, not near the first."""
    outputs = [torch.tensor([float(step)]) for step in range(10)]
    mean = RecentMean()
    for output in outputs:
        mean.see(output)
    weights = MEMORY ** np.arange(9, -1, -1)
    assert float(mean.value) == pytest.approx(np.average(np.arange(10), weights=weights), rel=1e-5)


def test_holes_do_not_matter_to_the_misfit():
    """What stands in invalid pixels changes nothing."""
    scene, _, bundle = shaded_scene(9, 8, 24, snr_db=30, seed=1)
    holed = scene.copy(deep=True)
    holed.values[2:4, 3:5] = np.nan
    method = UnDIP(n_epochs=2, n_channels=4)
    found = method.fit(holed, bundle).unmix(holed).abundance.values
    assert np.isnan(found[2:4, 3:5]).all() and np.isfinite(np.delete(found, [2, 3], axis=0)).all()
    before = torch.random.get_rng_state()
    again = method.fit(scene, bundle).unmix(holed).abundance.values
    np.testing.assert_array_equal(found, again)
    assert bool((before == torch.random.get_rng_state()).all())


def test_noise_is_what_no_combination_of_the_endmembers_explains():
    rng = np.random.default_rng(5)
    endmembers = rng.uniform(0.1, 0.8, size=(4, 24))
    mixed = rng.dirichlet(np.ones(4), size=2000) @ endmembers
    noisy = mixed + rng.normal(scale=0.03, size=mixed.shape)
    np.testing.assert_allclose(np.sqrt(variance_outside(noisy, endmembers)), 0.03, rtol=0.02)
