"""A simulated truth says enough for the exact posterior of the abundances, and that posterior is calibrated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unmixel.mixing import fan, intimate, linear
from unmixel.scene import good_bands
from unmixel.simulate import laws_of, simulate_preset

STEPS = 160


def nodes_of_the_simplex() -> np.ndarray:
    """Centres of the small triangles' corners of a grid over three abundances, all with the same weight."""
    first, second = np.meshgrid(np.arange(STEPS + 1), np.arange(STEPS + 1), indexing="ij")
    inside = first + second <= STEPS
    pair = np.stack([first[inside], second[inside]], axis=1) / STEPS
    return np.column_stack([pair, 1 - pair.sum(axis=1)])


@pytest.mark.parametrize(
    ("name", "law", "snr_db"), [("dc1", fan, 25.0), ("no_pure_pixels", linear, 25.0), ("intimate", intimate, 15.0)]
)
def test_the_exact_posterior_is_as_sure_as_it_is_right(
    name: str, law: Callable[[np.ndarray, np.ndarray], np.ndarray], snr_db: float
) -> None:
    scene, truth = simulate_preset(name, rows=24, columns=35, snr_db=snr_db, seed=2)
    prior = laws_of(truth)["abundance"]
    assert prior["concentration"] == [1.0, 1.0, 1.0]
    nodes = nodes_of_the_simplex()
    nodes = nodes[nodes.max(axis=1) <= prior.get("largest", 1.0)]
    good = good_bands(scene)
    sd = truth.noise_sd.values[good]
    pixels = scene.values.reshape(-1, scene.shape[2])[:, good].astype(float) / sd
    mixtures = law(nodes, truth.base_spectrum.values[:, good]) / sd
    logarithm = pixels @ mixtures.T - 0.5 * (mixtures**2).sum(axis=1)
    weights = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ nodes
    variance = weights @ nodes**2 - mean**2
    abundances = truth.abundance.values.reshape(-1, 3).astype(float)
    error = np.sqrt(np.mean((mean - abundances) ** 2))
    assert error == pytest.approx(np.sqrt(variance.mean()), rel=0.08)
    constant = np.sqrt(np.mean((abundances - 1 / 3) ** 2))
    assert error < 0.2 * constant
