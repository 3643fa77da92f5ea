"""ELMM: its objective falls, and it beats methods without a scaling of each endmember where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from varying_scene import errors, varying_scene

from unmixel.errors import ParameterError
from unmixel.methods.elmm import ELMM
from unmixel.methods.fcls import FCLS
from unmixel.methods.glmm import GLMM
from unmixel.methods.scls import SCLS
from unmixel.result import provenance_of


def test_the_objective_falls():
    scene, _, bundle = varying_scene("scaled", sd=0.2, noise_sd=0.005, seed=3, size=9)
    told = []
    ELMM().fit(scene, bundle).unmix(scene, progress=lambda stage, numbers: told.append(numbers["objective"]))
    assert len(told) > 3
    assert (np.diff(told) < 0).all()


@pytest.mark.parametrize("method", [ELMM(), GLMM(n_scalings=3)], ids=lambda method: method.name)
def test_it_stops_where_the_objective_is_smallest(method, monkeypatch):
    """Ten times as many rounds with a thousandth of the tolerance lower it by less than a hundredth of each pixel."""
    scene, _, bundle = varying_scene("scaled", sd=0.2, noise_sd=0.005, seed=5, size=10)
    told: list[float] = []

    def unmixed() -> xr.Dataset:
        fitted = method.fit(scene, bundle)
        return fitted.unmix(scene, progress=lambda stage, numbers: told.append(numbers["objective"]))

    result, reached = unmixed(), told[-1]
    record = provenance_of(result)
    assert record["settled"] is True
    assert record["rounds"] >= len(told)
    monkeypatch.setattr("unmixel.solvers.scaled_mixture.SETTLED", 1e-7)
    monkeypatch.setattr("unmixel.solvers.scaled_mixture.MOST_ROUNDS", 10_000)
    longer = unmixed()
    assert reached - told[-1] < 0.01 * 100
    assert np.abs(longer.abundance - result.abundance).mean() < 0.003


def test_a_search_that_is_cut_off_says_so(monkeypatch):
    scene, _, bundle = varying_scene("scaled", sd=0.2, noise_sd=0.005, seed=5, size=6)
    monkeypatch.setattr("unmixel.solvers.scaled_mixture.MOST_ROUNDS", 3)
    record = provenance_of(ELMM().fit(scene, bundle).unmix(scene))
    assert (record["rounds"], record["settled"]) == (3, False)


def test_it_beats_fcls_and_scls_where_each_endmember_has_its_own_brightness():
    elmm, fcls, scls = errors(*varying_scene("scaled", sd=0.2, noise_sd=0.005, seed=1), ELMM(), FCLS(), SCLS())
    assert elmm < 0.5 * fcls
    assert elmm < 0.95 * scls


def test_brightness_that_all_share_is_no_material():
    scene, _, bundle = varying_scene("scaled", sd=0.0, noise_sd=1e-4, seed=2, size=8)
    fitted = ELMM().fit(scene, bundle)
    bright, dark = fitted.unmix(scene).abundance.values, fitted.unmix(0.7 * scene).abundance.values
    assert np.abs(dark - bright).mean() < 0.01
    assert np.abs(FCLS().fit(scene, bundle).unmix(0.7 * scene).abundance.values - bright).mean() > 0.05


@pytest.mark.parametrize("name", ["spectrum_spread", "abundance_step", "scaling_step", "scaling_spread"])
def test_wrong_parameters_are_refused(name):
    with pytest.raises(ParameterError, match=name):
        ELMM(**{name: 0.0})
