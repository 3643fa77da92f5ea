"""What is drawn from models hangs on the seed alone, which is checked before."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.errors import ParameterError
from unmixel.methods import Fitted
from unmixel.registry import get_method
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle
from unmixel.whole_numbers import LARGEST_SEED

SHORT = {"idnet": {"n_epochs": 1, "steps_per_epoch": 1}, "ncm": {"n_draws": 4}}
ENDMEMBERS = np.array([[0.1, 0.15, 0.2, 0.5, 0.6], [0.5, 0.55, 0.6, 0.65, 0.7]])


def scene() -> xr.DataArray:
    rng = np.random.default_rng(0)
    clean = rng.dirichlet(np.ones(2), (5, 8)) @ ENDMEMBERS
    return make_scene(clean + 0.01 * rng.standard_normal(clean.shape))


@pytest.fixture(scope="module", params=SHORT)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    return get_method(request.param)(**SHORT[request.param]).fit(scene(), make_bundle(ENDMEMBERS, ["ash", "brine"]))


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1, True], ids=str)
def test_what_is_no_seed_is_refused_in_the_same_words(fitted: Fitted, seed: object) -> None:
    for draw in (lambda: fitted.sample(scene(), 2, seed=seed), lambda: fitted.simulate(5, seed=seed)):
        with pytest.raises(ParameterError, match=rf"^seed = {seed}; expected a whole number, 0 to {LARGEST_SEED};"):
            draw()


def test_the_largest_seed_gives_the_same_draws_again(fitted: Fitted) -> None:
    drawn = [fitted.sample(scene(), 2, seed=seed) for seed in (LARGEST_SEED, LARGEST_SEED, 0)]
    xr.testing.assert_identical(drawn[0], drawn[1])
    assert not drawn[0].equals(drawn[2])
    pixels = [fitted.simulate(5, seed=seed)[0] for seed in (LARGEST_SEED, LARGEST_SEED, 0)]
    xr.testing.assert_identical(pixels[0], pixels[1])
    assert not pixels[0].equals(pixels[2])
