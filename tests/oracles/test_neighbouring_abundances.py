"""Abundances given neighbours and variable spectra, against exact solvers and optimality conditions."""

from __future__ import annotations

import numpy as np

from unmixel.solvers import fcls
from unmixel.solvers.nearest_spectra import pull_of, pulled_spectra
from unmixel.solvers.neighbouring_abundances import VariableMixture, improve_abundances
from unmixel.solvers.pixel_graph import PixelGraph
from unmixel.solvers.simplex_quadratic import minimise_on_simplex


def drawn(n_pixels=60, n_endmembers=4, n_bands=9, seed=0):
    rng = np.random.default_rng(seed)
    endmembers = rng.uniform(0.1, 0.9, (n_endmembers, n_bands))
    pixels = rng.dirichlet(np.full(n_endmembers, 0.5), n_pixels) @ endmembers + 0.1 * rng.standard_normal(
        (n_pixels, n_bands)
    )
    return pixels, endmembers


def test_quadratic_functions_of_least_squares_have_the_minimum_that_fcls_finds():
    pixels, endmembers = drawn()
    gram = np.repeat((endmembers @ endmembers.T)[None], len(pixels), axis=0)
    found = minimise_on_simplex(gram, pixels @ endmembers.T, np.full((len(pixels), 4), 0.25))
    np.testing.assert_allclose(found, fcls(pixels, endmembers), atol=1e-8)


def test_the_minimum_of_a_quadratic_function_stays_where_it_is_however_much_all_slopes_share():
    pixels, endmembers = drawn()
    gram = np.repeat((endmembers @ endmembers.T)[None], len(pixels), axis=0)
    start = np.full((len(pixels), 4), 0.25)
    shared = 2.0**30
    found = minimise_on_simplex(gram, np.round(pixels @ endmembers.T, 3) + shared, start)
    expected = minimise_on_simplex(gram, np.round(pixels @ endmembers.T, 3), start)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    steep = minimise_on_simplex(np.eye(2)[None], np.full((1, 2), 1e23), np.full((1, 2), 0.5))
    np.testing.assert_array_equal(steep, [[0.5, 0.5]])


def test_alone_and_with_exact_spectra_it_is_fcls():
    pixels, endmembers = drawn()
    gram = np.repeat((endmembers @ endmembers.T)[None], len(pixels), axis=0)
    mixture = VariableMixture(gram, pixels @ endmembers.T, (pixels**2).sum(axis=1), 0.01, 0.0)
    graph = PixelGraph(np.ones((6, 10), dtype=bool))
    found = improve_abundances(mixture, np.full((60, 4), 0.25), graph, np.zeros(len(graph.pairs)))
    np.testing.assert_allclose(found, fcls(pixels, endmembers), atol=1e-7)


def test_endmembers_that_are_the_same_share_what_is_theirs():
    """A pixel without neighbours can't tell them apart."""
    pixels, endmembers = drawn(n_pixels=1, n_endmembers=2)
    both = endmembers[[0, 0, 1]]
    mixture = VariableMixture((both @ both.T)[None], pixels @ both.T, (pixels**2).sum(axis=1), 0.01, 0.0)
    graph = PixelGraph(np.ones((1, 1), dtype=bool))
    found = improve_abundances(mixture, np.full((1, 3), 1 / 3), graph, np.zeros(0))[0]
    expected = fcls(pixels, endmembers)[0]
    np.testing.assert_allclose([found[:2].sum(), found[2]], expected, atol=1e-6)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_the_objective_is_that_of_the_best_spectra_and_these_are_optimal():
    """With S >= 0: where S > 0 the derivative is zero, where S = 0 it is not negative."""
    pixels, endmembers = drawn(seed=1)
    pixels[:20] -= 0.5
    abundances = fcls(pixels, endmembers)
    references = np.repeat(endmembers[None], len(pixels), axis=0)
    ratio = 0.3
    spectra = pulled_spectra(references, abundances, pull := pull_of(pixels, abundances, references, ratio))
    misfit = np.einsum("nk,nkl->nl", abundances, spectra) - pixels
    slope = abundances[:, :, None] * misfit[:, None] + ratio * (spectra - references)
    assert (spectra == 0).any()
    np.testing.assert_allclose(slope[spectra > 0], 0, atol=1e-12)
    assert (slope[spectra == 0] >= -1e-12).all()
    free = (references + abundances[:, :, None] * pull[:, None] >= 0).all(axis=(1, 2))
    cost = (misfit**2).sum(axis=1) + ratio * ((spectra - references) ** 2).sum(axis=(1, 2))
    gram = np.repeat((endmembers @ endmembers.T)[None], len(pixels), axis=0)
    mixture = VariableMixture(gram, pixels @ endmembers.T, (pixels**2).sum(axis=1), 1.0, 1 / ratio)
    np.testing.assert_allclose(2 * mixture.misfit(abundances)[free], cost[free], rtol=1e-9)
