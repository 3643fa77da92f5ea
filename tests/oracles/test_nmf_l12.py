"""L1/2-NMF: an objective that falls, sparser abundances, and spectra better than the start."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.methods.fcls import FCLS
from unmixel.methods.nmf_l12 import NMFL12, SparseFactorisation
from unmixel.metrics import abundance_rmse, match_endmembers
from unmixel.scene import make_scene
from unmixel.simulate.features import material
from unmixel.solvers import fcls

NAMES = ("vegetation", "soil", "limestone", "gypsum")
SPECTRA = np.stack([material(name, np.linspace(400, 2500, 40)) for name in NAMES])


def sparse_mixtures(n_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return abundances of three of four materials in every pixel, and noisy pixels."""
    rng = np.random.default_rng(11)
    abundances = rng.dirichlet(np.ones(4), n_pixels)
    abundances[np.arange(n_pixels), rng.integers(0, 4, n_pixels)] = 0
    abundances /= abundances.sum(axis=1, keepdims=True)
    pixels = abundances @ SPECTRA + 0.02 * rng.standard_normal((n_pixels, 40))
    return abundances, np.maximum(pixels, 0)


def test_every_update_lowers_the_objective():
    abundances, pixels = sparse_mixtures(200)
    factorisation = SparseFactorisation(pixels, 0.5)
    state = 0.7 * SPECTRA + 0.1, np.full_like(abundances, 0.25)
    values = [factorisation(*state)]
    for _ in range(60):
        state = factorisation.update(*state)
        values.append(factorisation(*state))
    assert (np.diff(values) < 0).all()
    assert values[-1] < 0.5 * values[0]


def test_the_weight_is_the_mean_sparseness_of_the_bands():
    pixels = np.zeros((9, 4))
    pixels[0], pixels[:, 3] = 1, 1
    assert SparseFactorisation(pixels, 1.0).weight == pytest.approx((1 + 1 + 1 + 0) / 2)


def test_more_sparsity_leaves_fewer_materials_in_a_pixel():
    _, pixels = sparse_mixtures(300)
    counts = []
    for sparsity in (0.0, 3.0):
        factorisation = SparseFactorisation(pixels, sparsity)
        state = SPECTRA, np.maximum(fcls(pixels, SPECTRA), 1e-3)
        for _ in range(100):
            state = factorisation.update(*state)
        counts.append((state[1] > 0.02).sum(axis=1).mean())
    assert counts[1] < 0.8 * counts[0]


def test_better_than_its_start_where_mixtures_are_sparse():
    abundances, pixels = sparse_mixtures(900)
    scene = make_scene(pixels.reshape(30, 30, -1))
    errors = {}
    for method in (FCLS(n_endmembers=4), NMFL12(n_endmembers=4)):
        result = method.fit(scene).unmix(scene)
        order = match_endmembers(SPECTRA, result.endmember_spectrum.values)
        errors[method.name] = abundance_rmse(abundances, result.abundance.values.reshape(-1, 4)[:, order])
    assert errors["nmf_l12"] < 0.75 * errors["fcls"]


@pytest.mark.parametrize("wrong", [{"sparsity": -1.0}, {"sparsity": np.nan}, {"n_steps": 0}])
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        NMFL12(**wrong)
