"""The generalised bilinear model against another solver, its own mixtures and linear unmixing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from unmixel.errors import SceneError
from unmixel.methods.fcls import FCLS
from unmixel.methods.gbm import GBM
from unmixel.metrics import abundance_rmse
from unmixel.mixing import generalised_bilinear
from unmixel.registry import get_method
from unmixel.result import provenance_of
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.simulate.features import material
from unmixel.spectra import make_bundle

SPECTRA = np.stack([material(name, np.linspace(400, 2500, 60)) for name in ("vegetation", "soil", "limestone")])
BUNDLE = make_bundle(SPECTRA, ["vegetation", "soil", "limestone"])


def mixtures(n_pixels: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    abundances = rng.dirichlet(np.full(3, 0.6), n_pixels)
    mixed = generalised_bilinear(abundances, SPECTRA, rng.random((n_pixels, 3)))
    return abundances, mixed + noise * rng.standard_normal(mixed.shape)


def test_finds_its_own_mixtures():
    abundances, pixels = mixtures(300, 0.0)
    found = GBM().fit(scene := make_scene(pixels[None]), BUNDLE).unmix(scene)
    np.testing.assert_allclose(found.abundance.values[0], abundances, atol=2e-5)
    assert float(found.reconstruction_rmse.max()) < 1e-6


def test_no_other_solver_finds_less():
    abundances, pixels = mixtures(12, 0.02)

    def squared(unknowns: np.ndarray, pixel: np.ndarray) -> float:
        return float(((pixel - generalised_bilinear(unknowns[None, :3], SPECTRA, unknowns[None, 3:])[0]) ** 2).sum())

    fitted = GBM().fit(make_scene(pixels[None]), BUNDLE)
    found = np.concatenate(fitted.unmix_bilinear(pixels)[:2], axis=1)
    assert 0.1 < ((found == 0) | (found == 1)).mean() < 0.9, "some bounds should be active, and some not"
    for pixel, mine, truth in zip(pixels, found, abundances, strict=True):
        other = minimize(
            squared,
            np.r_[truth, 0.5, 0.5, 0.5],
            args=(pixel,),
            method="SLSQP",
            bounds=[(0, 1)] * 6,
            constraints={"type": "eq", "fun": lambda unknowns: unknowns[:3].sum() - 1},
            options={"ftol": 1e-12},
        )
        assert squared(mine, pixel) <= other.fun + 1e-8 * (pixel**2).sum()


def test_better_than_linear_where_materials_interact():
    scene, truth = simulate_preset("dc1", rows=20, columns=20, seed=3)
    bundle = make_bundle(truth.endmember_spectrum.values, truth.endmember.values.tolist())
    true = truth.abundance.values.reshape(-1, 3)
    errors = {
        kind: abundance_rmse(true, kind().fit(scene, bundle).unmix(scene).abundance.values.reshape(-1, 3))
        for kind in (FCLS, GBM)
    }
    assert errors[GBM] < 0.2 * errors[FCLS]


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_says_what_the_products_add(strength):
    abundances = np.array([[0.5, 0.3, 0.2]])
    pixels = generalised_bilinear(abundances, SPECTRA, np.full((1, 3), strength))
    scene = make_scene(pixels[None])
    parts = GBM().fit(scene, BUNDLE).parts_at(scene, (0, 0))
    np.testing.assert_allclose(parts.nonlinear, pixels - abundances @ SPECTRA, atol=1e-5)


def test_many_endmembers_are_unmixed_by_few_pixels_at_a_time():
    """Twenty have 210 unknowns: the derivatives of a block would take half a gigabyte if blocks were large."""
    rng = np.random.default_rng(2)
    spectra = rng.uniform(0.05, 0.95, (20, 224))
    abundances = np.zeros((6, 20))
    abundances[:, :3] = rng.dirichlet(np.ones(3), 6)
    scene = make_scene(generalised_bilinear(abundances, spectra, np.full((6, 190), 0.5))[None])
    fitted = GBM().fit(scene, make_bundle(spectra, [f"material {number}" for number in range(20)]))
    assert fitted.block * 210**2 <= 2**20
    np.testing.assert_allclose(fitted.unmix(scene).abundance.values[0], abundances, atol=1e-4)


@pytest.mark.parametrize("name", ["gbm", "hapke", "khype", "mlm", "nmf_l12"])
def test_counts_are_refused_where_the_unit_matters(name):
    _, pixels = mixtures(40, 0.01)
    counts = make_scene(1e4 * pixels.reshape(5, 8, -1))
    bundle = make_bundle(1e4 * SPECTRA, ["vegetation", "soil", "limestone"])
    with pytest.raises(SceneError, match="reflectance"):
        get_method(name)().fit(counts, bundle)
    FCLS().fit(counts, bundle)
    get_method(name)().fit(make_scene(pixels.reshape(5, 8, -1)), BUNDLE)


def test_the_result_says_whether_the_search_settled(monkeypatch):
    _, pixels = mixtures(30, 0.02)
    scene = make_scene(pixels[None])
    fitted = GBM().fit(scene, BUNDLE)
    assert provenance_of(fitted.unmix(scene))["unsettled_pixels"] == 0
    monkeypatch.setattr("unmixel.solvers.nonlinear_least_squares.MOST_STEPS", 1)
    assert provenance_of(fitted.unmix(scene))["unsettled_pixels"] > 20
