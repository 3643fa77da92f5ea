"""MESMA against all models tried one by one, and on a scene whose materials vary."""

from __future__ import annotations

import warnings
from itertools import combinations, product

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.extraction.pruning import prune
from unmixel.methods.fcls import FCLS
from unmixel.methods.mesma import MESMA
from unmixel.metrics import abundance_rmse
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset, true_bundle
from unmixel.solvers.model_search import ModelSearch
from unmixel.spectra import make_bundle

SIZES = (4, 3, 5)


def library_and_pixels():
    rng = np.random.default_rng(3)
    centres = np.repeat(rng.uniform(0.1, 0.6, (3, 12)), SIZES, axis=0)
    library = centres * rng.uniform(0.7, 1.3, (len(centres), 1)) + rng.normal(scale=0.05, size=centres.shape)
    choice = np.stack([first + rng.integers(size, size=150) for first, size in zip((0, 4, 7), SIZES, strict=True)], 1)
    fractions = rng.dirichlet(np.ones(3), 150) * rng.uniform(0.5, 1.0, (150, 1))
    return library, np.einsum("nk,nkl->nl", fractions, library[choice]) + rng.normal(scale=0.02, size=(150, 12))


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_the_search_finds_what_trying_all_models_finds(sum_to_one):
    library, pixels = library_and_pixels()
    found = ModelSearch(library, SIZES, sum_to_one=sum_to_one).best(pixels)[2]
    best = np.full(len(pixels), np.inf)
    for rows in product(range(4), range(4, 7), range(7, 12)):
        spectra = library[list(rows)]
        if sum_to_one:
            shifted = np.linalg.lstsq((spectra[:2] - spectra[2]).T, (pixels - spectra[2]).T, rcond=None)[0].T
            fractions = np.column_stack([shifted, 1 - shifted.sum(axis=1)])
        else:
            fractions = np.linalg.lstsq(spectra.T, pixels.T, rcond=None)[0].T
        squared_error = ((pixels - fractions @ spectra) ** 2).sum(axis=1)
        best = np.where((fractions > 0).all(axis=1), np.minimum(best, squared_error), best)
        mine = (found.spectrum == rows).all(axis=1) & np.isfinite(found.squared_error)
        np.testing.assert_allclose(found.squared_error[mine], squared_error[mine], rtol=1e-3)
        np.testing.assert_allclose(found.fraction[mine], fractions[mine], atol=1e-3)
    assert (found.squared_error >= best * (1 - 1e-3)).all()
    assert np.mean(found.squared_error <= best * 1.001) > 0.95


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_chosen_models_are_hardly_worse_than_the_best_of_all_sets_of_classes(sum_to_one):
    """Of five classes of four spectra: 3124 models, tried one by one."""
    rng = np.random.default_rng(8)
    library = np.repeat(rng.uniform(0.1, 0.6, (5, 30)), 4, axis=0) * rng.uniform(0.7, 1.3, (20, 1))
    library += rng.normal(scale=0.05, size=library.shape)
    fractions = rng.dirichlet(np.full(5, 0.4), 60)
    if not sum_to_one:
        fractions *= rng.uniform(0.5, 1.0, (60, 1))
    choice = 4 * np.arange(5) + rng.integers(4, size=(60, 5))
    pixels = np.einsum("nk,nkl->nl", fractions, library[choice]) + rng.normal(scale=0.01, size=(60, 30))
    search = ModelSearch(library, (4,) * 5, sum_to_one=sum_to_one)
    best = np.full((5, 60), np.inf)
    inner, power = pixels @ library.T + search._constant, (pixels**2).sum(axis=1) + search._constant
    for classes in (kept for size in range(1, 6) for kept in combinations(range(5), size)):
        for rows in product(*(range(4 * kept, 4 * kept + 4) for kept in classes)):
            fraction = np.linalg.solve(search._gram[np.ix_(rows, rows)], inner[:, rows].T).T
            error = np.where((fraction > 0).all(axis=1), power - (inner[:, rows] * fraction).sum(axis=1), np.inf)
            best[len(classes) - 1] = np.minimum(best[len(classes) - 1], error)
    found = np.stack([models.squared_error for models in search.best(pixels)])
    worth = 1e-4 * (np.log(30) + 2 * np.log(4)) * np.arange(1, 6)[:, None]
    mine, theirs = (found + worth).min(axis=0), (best + worth).min(axis=0)
    assert np.mean(mine <= theirs + 1e-5) > 0.85
    assert np.mean(mine - theirs) < 1e-4


def test_spectra_that_are_twice_in_a_library_change_nothing():
    """Within a class, and in two classes."""
    library, pixels = library_and_pixels()
    twice = np.concatenate([library[:4], library[:4], library[4:7], library[:1], library[7:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ModelSearch(twice, (8, 4, 5), sum_to_one=False).best(pixels)[2]
    alone = ModelSearch(library, SIZES, sum_to_one=False).best(pixels)[2]
    assert (found.squared_error <= alone.squared_error * 1.001).mean() > 0.95


def test_noise_free_models_are_found_with_their_shade_and_no_class_too_many():
    library, _ = library_and_pixels()
    bundle = make_bundle(library, list("aaaabbbccccc"))
    truth = np.array([[0.6, 0.3], [0.2, 0.5], [0.5, 0.0]])
    scene = make_scene((truth @ library[[1, 9]])[None]).assign_coords(noise_sd=("band", np.full(12, 1e-6)))
    fitted = MESMA().fit(scene, bundle)
    assert fitted.record["shade"]
    expected = (truth / truth.sum(axis=1, keepdims=True))[:, [0, 0, 1]] * [1, 0, 1]
    np.testing.assert_allclose(fitted.unmix(scene).abundance.values[0], expected, atol=1e-4)
    np.testing.assert_allclose(fitted.endmembers_at(scene, (0, 0))[0][0, [0, 2]], library[[1, 9]], atol=1e-6)


def test_it_beats_fcls_where_each_class_has_many_spectra():
    scene, truth = simulate_preset("dc2", rows=12, columns=12)
    bundle = true_bundle(truth).isel(spectrum=slice(None, None, 6))
    abundances = truth.abundance.values.reshape(-1, 3)
    mesma, fcls = (kind().fit(scene, bundle).unmix(scene).abundance.values.reshape(-1, 3) for kind in (MESMA, FCLS))
    assert abundance_rmse(abundances, mesma) < 0.6 * abundance_rmse(abundances, fcls)


@pytest.mark.parametrize("by", ["ear", "masa", "cob"])
def test_pruning_keeps_what_stands_for_its_class(by):
    """One spectrum in the middle of its class, and one that looks like another class."""
    rng = np.random.default_rng(0)
    soil, leaf = np.linspace(0.2, 0.5, 20), 0.5 + 0.4 * np.sin(np.linspace(0, 6, 20))
    soils = np.stack([0.9 * leaf, *(soil + 0.05 * rng.standard_normal((5, 20))), soil])
    (kept,), leaves = prune((soils, leaf[None]), by, 1)
    np.testing.assert_array_equal(kept, soil)
    np.testing.assert_array_equal(leaves, leaf[None])


@pytest.mark.parametrize("wrong", [{"threshold": -1.0}, {"prune": "best"}, {"prune": "ear", "n_kept": 0}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ParameterError):
        MESMA(**wrong)
