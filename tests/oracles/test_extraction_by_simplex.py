"""Pure pixels are found exactly, the smallest simplex without any, in whatever order the pixels come."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.extraction import extract
from unmixel.extraction.nfindr import nfindr
from unmixel.extraction.sisal import sisal
from unmixel.extraction.successive_projection import atgp, spa
from unmixel.methods.fcls import FCLS
from unmixel.metrics import match_endmembers
from unmixel.result import provenance_of
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.spectra import endmember_means


def scene_of(n_endmembers: int, largest: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free mixtures, none with more than the largest share of a material, and the materials."""
    rng = np.random.default_rng(seed)
    abundances = rng.dirichlet(np.ones(n_endmembers), 4000)
    abundances = abundances[abundances.max(axis=1) <= largest]
    materials = rng.uniform(0.05, 0.9, (n_endmembers, 41))
    return abundances @ materials, materials


@pytest.mark.parametrize("find", [nfindr, atgp, spa])
@pytest.mark.parametrize("n_endmembers", [2, 4, 7])
def test_pure_pixels_are_found_exactly_in_any_order(find, n_endmembers):
    mixtures, materials = scene_of(n_endmembers, 1.0, n_endmembers)
    pixels = np.concatenate([mixtures[:100], materials, mixtures[100:300]])
    found = find(pixels, n_endmembers)
    assert sorted(found) == list(range(100, 100 + n_endmembers))
    order = np.random.default_rng(0).permutation(len(pixels))
    assert sorted(order[find(pixels[order], n_endmembers)]) == sorted(found)


@pytest.mark.parametrize("n_endmembers", [3, 5])
def test_the_smallest_simplex_needs_no_pure_pixels(n_endmembers):
    pixels, materials = scene_of(n_endmembers, 0.8, n_endmembers)
    found, settled = sisal(pixels, n_endmembers)
    assert settled
    error = found[match_endmembers(materials, found)] - materials
    purest = pixels[nfindr(pixels, n_endmembers)]
    assert np.sqrt((error**2).mean()) < 0.005
    assert np.sqrt(((purest[match_endmembers(materials, purest)] - materials) ** 2).mean()) > 0.03
    backwards = sisal(pixels[::-1], n_endmembers).endmembers
    np.testing.assert_allclose(backwards[match_endmembers(found, backwards)], found, atol=1e-3)


def test_a_simplex_whose_search_was_cut_off_says_so(monkeypatch):
    monkeypatch.setattr("unmixel.extraction.sisal.MOST_STEPS", 1)
    pixels, _ = scene_of(3, 0.8, 3)
    assert not sisal(pixels, 3).settled
    scene = make_scene(pixels[:400].reshape(20, 20, -1))
    assert extract(scene, 3, extractor="sisal").attrs["extraction_settled"] == "false"
    assert (
        provenance_of(FCLS(n_endmembers=3, extraction="sisal").fit(scene).unmix(scene))["extraction_settled"] is False
    )


def test_brightness_counts_for_atgp_and_not_for_spa():
    mixtures, materials = scene_of(3, 1.0, 8)
    pixels = np.concatenate([materials, mixtures[:200], 4 * mixtures[200:201]])
    assert 203 in atgp(pixels, 3)
    assert sorted(spa(pixels, 3)) == [0, 1, 2]


def test_the_smallest_simplex_of_a_noisy_scene_is_extracted():
    scene, truth = simulate_preset("no_pure_pixels", rows=40, columns=45, seed=2)
    materials = truth["endmember_spectrum"].values
    error = {}
    for extractor in ("sisal", "nfindr"):
        found = endmember_means(extract(scene, 3, extractor=extractor))
        error[extractor] = np.sqrt(((found[match_endmembers(materials, found)] - materials) ** 2).mean())
    assert error["sisal"] < 0.3 * error["nfindr"]
    assert extract(scene, 3, extractor="sisal", bundle="none").sizes["spectrum"] == 3


def test_more_endmembers_than_directions_are_refused():
    with pytest.raises(ParameterError, match="span 2 directions"):
        atgp(np.random.default_rng(0).random((50, 2)) @ np.eye(2, 6), 3)
