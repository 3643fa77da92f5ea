"""GLMM: ELMM is a case of it, and it beats ELMM where spectra change their shape."""

from __future__ import annotations

import numpy as np
import pytest
from varying_scene import errors, varying_scene

from unmixel.errors import ParameterError
from unmixel.methods.elmm import ELMM
from unmixel.methods.fcls import FCLS
from unmixel.methods.glmm import GLMM


def test_with_one_scaling_it_is_elmm():
    scene, _, bundle = varying_scene("scaled", sd=0.2, noise_sd=0.01, seed=4, size=8)
    glmm, elmm = (method.fit(scene, bundle).unmix(scene) for method in (GLMM(n_scalings=1), ELMM()))
    np.testing.assert_array_equal(glmm.abundance.values, elmm.abundance.values)


def test_it_beats_fcls_and_elmm_where_spectra_change_their_shape():
    glmm, elmm, fcls = errors(*varying_scene("smooth", sd=0.1, noise_sd=0.005, seed=1), GLMM(), ELMM(), FCLS())
    assert glmm < 0.75 * fcls
    assert glmm < 0.75 * elmm


@pytest.mark.parametrize("method", [GLMM(), ELMM()], ids=lambda method: method.name)
def test_a_lonely_pixel_in_much_noise_has_abundances(method):
    """What it holds can't be told from its noise, and it has no neighbours."""
    scene, _, bundle = varying_scene("scaled", sd=0.2, noise_sd=0.3, seed=1, size=5)
    lonely = scene.where(scene["x"] * scene["y"] == scene["x"].values[1] * scene["y"].values[1])
    lonely = lonely.assign_coords(noise_sd=("band", np.full(scene.sizes["band"], 0.3)))
    abundances = method.fit(lonely, bundle).unmix(lonely).abundance.values[1, 1]
    np.testing.assert_allclose(abundances.sum(), 1, atol=1e-5)
    assert (abundances >= 0).all()


@pytest.mark.parametrize("number", [0, 21])
def test_a_wrong_number_of_scalings_is_refused(number):
    with pytest.raises(ParameterError, match="n_scalings"):
        GLMM(n_scalings=number)
