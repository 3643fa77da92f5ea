"""Unmixing in single-scattering albedo: optimality there, exact angles, and where linear unmixing fails."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.hapke import Hapke
from unmixel.metrics import abundance_rmse
from unmixel.mixing import albedo_of_reflectance, intimate
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.solvers import kkt_residual
from unmixel.spectra import make_bundle

RNG = np.random.default_rng(2)
SPECTRA = RNG.uniform(0.05, 0.9, (4, 30)).astype(np.float32)
BUNDLE = make_bundle(SPECTRA, ["basalt", "gypsum", "hematite", "quartz"])


@pytest.mark.parametrize(("incidence", "viewing"), [(0.0, 0.0), (30.0, 0.0), (65.0, 20.0)])
def test_finds_its_own_mixtures_and_their_nonlinear_part(incidence, viewing):
    abundances = np.random.default_rng(3).dirichlet(np.full(4, 0.5), 200)
    pixels = intimate(abundances, SPECTRA.astype(np.float64), incidence, viewing)
    fitted = Hapke(incidence_deg=incidence, viewing_deg=viewing).fit(scene := make_scene(pixels[None]), BUNDLE)
    np.testing.assert_allclose(fitted.unmix(scene).abundance.values[0], abundances, atol=1e-5)
    nonlinear = fitted.parts_at(scene).nonlinear
    np.testing.assert_allclose(nonlinear, pixels - abundances @ SPECTRA, atol=1e-5)


def test_is_optimal_in_albedo_also_outside_the_possible():
    pixels = np.random.default_rng(4).uniform(-0.1, 1.2, (200, 30)).astype(np.float32)
    found = Hapke().fit(scene := make_scene(pixels[None]), BUNDLE).unmix(scene)
    albedos = albedo_of_reflectance(np.clip(pixels.astype(np.float64), 0, 1))
    corners = albedo_of_reflectance(SPECTRA.astype(np.float64))
    residual = kkt_residual(albedos, corners, found.abundance.values[0].astype(np.float64), sum_to_one=True)
    assert residual.max() < 1e-6
    assert np.isfinite(found.reconstruction_rmse.values).all()


def test_better_than_linear_where_grains_mix():
    scene, truth = simulate_preset("intimate", rows=20, columns=20, seed=3)
    bundle = make_bundle(truth.endmember_spectrum.values, truth.endmember.values.tolist())
    true = truth.abundance.values.reshape(-1, 3)
    errors = {
        kind: abundance_rmse(true, kind().fit(scene, bundle).unmix(scene).abundance.values.reshape(-1, 3))
        for kind in (FCLS, Hapke)
    }
    assert errors[Hapke] < 0.2 * errors[FCLS]


@pytest.mark.parametrize("angles", [{"incidence_deg": 90.0}, {"viewing_deg": -1.0}, {"incidence_deg": np.nan}])
def test_impossible_angles_are_refused(angles):
    with pytest.raises(ParameterError, match="_deg = "):
        Hapke(**angles)
