"""Archetypal analysis: shares that stay shares, a fit that gets better, pure pixels found, and scenes without them."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.archetypal import Archetypal, Run, choose, entropic_descent
from unmixel.methods.fcls import FCLS
from unmixel.metrics import abundance_rmse, match_endmembers
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.spectra import make_bundle


def mixtures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(12)
    spectra = rng.uniform(0.1, 0.8, (3, 10))
    return spectra, rng.dirichlet(np.full(3, 0.3), 400) @ spectra


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_more_rounds_fit_better_and_rows_stay_on_the_simplex(seed):
    _, pixels = mixtures()
    squared = []
    for n_rounds in (1, 5, 25, 100):
        abundances, contributions = entropic_descent(pixels, 3, n_rounds, np.random.default_rng(seed))
        for shares in (abundances, contributions):
            assert (shares > 0).all()
            np.testing.assert_allclose(shares.sum(axis=1), 1)
        squared.append(((pixels - abundances @ contributions @ pixels) ** 2).sum())
    assert (np.diff(squared) < 0).all()


def test_finds_pure_pixels():
    spectra, pixels = mixtures()
    pixels = np.concatenate([pixels, np.repeat(spectra, 20, axis=0)])
    start = make_bundle(spectra[[2, 0, 1]] + 0.05, ["c", "a", "b"])
    fitted = Archetypal(n_runs=10).fit(make_scene(pixels[None]), start)
    np.testing.assert_allclose(fitted.endmembers, spectra[[2, 0, 1]], atol=0.03)


def test_of_the_runs_that_fit_nearly_best_the_least_alike_is_kept():
    runs = [Run(np.zeros((2, 3)), fit, alike) for fit, alike in [(100, 0.9), (104, 0.5), (106, 0.1), (101, 0.6)]]
    assert choose(runs) is runs[1]


def test_better_than_the_purest_pixels_where_none_is_pure():
    scene, truth = simulate_preset("no_pure_pixels", rows=30, columns=30, snr_db=20.0, seed=2)
    errors = {}
    for method in (FCLS(n_endmembers=3, extraction="vca"), Archetypal(n_endmembers=3, n_runs=10)):
        result = method.fit(scene).unmix(scene)
        order = match_endmembers(truth.endmember_spectrum.values, result.endmember_spectrum.values)
        estimate = result.abundance.values.reshape(-1, 3)[:, order]
        errors[method.name] = abundance_rmse(truth.abundance.values.reshape(-1, 3), estimate)
    assert errors["archetypal"] < 0.85 * errors["fcls"]


def test_no_runs_are_refused():
    with pytest.raises(ParameterError, match="n_runs = 0"):
        Archetypal(n_runs=0)
