"""Extraction against scenes whose endmembers are known, and exhaustive non-negative least squares."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import nnls

from unmixel.errors import ParameterError
from unmixel.extraction.bundles import angle_bundle, batch_bundle
from unmixel.extraction.clusters import best_subsets, clusters
from unmixel.extraction.kmeans import kmeans
from unmixel.extraction.number import suggest_n_endmembers
from unmixel.extraction.vca import vca
from unmixel.metrics import spectral_angle


def pure_scene(n_endmembers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A noise-free linear scene and the rows of its pure pixels."""
    rng = np.random.default_rng(seed)
    abundances = rng.dirichlet(np.ones(n_endmembers), 300)
    abundances = 0.9 * abundances + 0.1 / n_endmembers
    pure = rng.choice(300, n_endmembers, replace=False)
    abundances[pure] = np.eye(n_endmembers)
    return abundances @ rng.uniform(0.05, 0.9, (n_endmembers, 41)), pure


@pytest.mark.parametrize("n_endmembers", range(2, 9))
@pytest.mark.parametrize("seed", range(4))
def test_vca_returns_the_pure_pixels(n_endmembers: int, seed: int) -> None:
    pixels, pure = pure_scene(n_endmembers, seed)
    found = vca(pixels, n_endmembers, seed=seed + 100)
    assert sorted(found) == sorted(pure)
    assert sorted(vca(pixels.astype(np.float32), n_endmembers, n_restarts=1, seed=seed)) == sorted(pure)


def test_vca_does_not_mind_brightness_black_pixels_or_duplicates() -> None:
    pixels, pure = pure_scene(4, 7)
    rng = np.random.default_rng(8)
    pixels = pixels * rng.uniform(0.3, 3.0, (300, 1))
    mixed = int(np.setdiff1d(np.arange(300), pure)[0])
    pixels[mixed] *= 50
    extended = np.concatenate([np.zeros((20, 41)), 1e-6 * rng.random((5, 41)), pixels, pixels])
    found = vca(extended, 4, seed=1)
    assert sorted((found - 25) % 300) == sorted(pure)


def test_vca_without_enough_lit_pixels() -> None:
    pixels = np.zeros((9, 5))
    pixels[:2] = np.random.default_rng(0).random((2, 5))
    with pytest.raises(ParameterError, match="3 endmembers from 2 pixels that are not black"):
        vca(pixels, 3)


def test_kmeans_finds_separate_groups_and_their_number() -> None:
    rng = np.random.default_rng(3)
    centres, truth = 5 * rng.standard_normal((6, 7)), rng.integers(0, 6, 400)
    labels = kmeans(centres[truth] + 0.1 * rng.standard_normal((400, 7)), 6, seed=1)
    pairs = {(int(a), int(b)) for a, b in zip(truth, labels, strict=True)}
    assert len(pairs) == 6
    assert sorted(label for _, label in pairs) == list(range(6))
    assert kmeans(centres[truth], 10).max() == 5


def test_best_subset_is_that_of_exhaustive_nnls() -> None:
    rng = np.random.default_rng(4)
    for size in (2, 3, 4):
        candidates, pixels = rng.random((7, 12)), rng.random((25, 12))
        total = {
            subset: sum(nnls(candidates[list(subset)].T, pixel)[1] for pixel in pixels)
            for subset in itertools.combinations(range(7), size)
        }
        subset, distance = best_subsets(pixels, candidates, 4)[size - 1]
        assert subset == min(total, key=total.__getitem__)
        np.testing.assert_allclose(distance, total[subset] / 25)


def test_best_subset_with_equal_candidates() -> None:
    candidates = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    found = best_subsets(np.array([[0.2, 0.7, 0.0], [0.9, 0.1, 0.0]]), candidates, 2)
    assert found[1][0][1] == 2
    assert found[1][1] < 1e-6


def test_clusters_are_the_materials_of_a_scene_with_patches() -> None:
    rng = np.random.default_rng(5)
    materials = rng.uniform(0.05, 0.9, (4, 30))
    label = np.repeat(np.arange(4), [500, 300, 150, 50])
    pure = materials[label] * rng.uniform(0.9, 1.1, (1000, 1))
    mixed = rng.dirichlet(np.full(4, 2.0), 600) @ materials
    pixels = np.concatenate([pure, mixed]) + 0.005 * rng.standard_normal((1600, 30))
    for seed in range(3):
        found = clusters(pixels, 4, seed=seed)
        centres = np.stack([pixels[rows].mean(axis=0) for rows in found])
        angles = np.stack([spectral_angle(materials, centre) for centre in centres])
        assert sorted(angles.argmin(axis=1)) == [0, 1, 2, 3]
        assert angles.min(axis=1).max() < 0.05


def test_clusters_of_too_few_different_pixels() -> None:
    pixels = np.random.default_rng(6).random((2, 8)).repeat(30, axis=0)
    with pytest.raises(ParameterError, match="3 endmembers from a scene with 2 different pixels"):
        clusters(pixels, 3)
    with pytest.raises(ParameterError, match="at most 12"):
        clusters(pixels, 13)


def test_angle_bundle_is_what_sorting_by_angle_gives() -> None:
    rng = np.random.default_rng(9)
    pixels, endmembers = rng.random((500, 11)) + 0.05, rng.random((3, 11))
    bundle = angle_bundle(pixels, endmembers, n_spectra=12)
    angles = np.stack([spectral_angle(pixels, endmember) for endmember in endmembers], axis=1)
    for k, rows in enumerate(bundle):
        own = [int(n) for n in np.argsort(angles[:, k]) if angles[n].argmin() == k]
        assert rows.tolist() == own[:12]


def test_angle_bundle_in_awkward_scenes() -> None:
    pixels = np.zeros((30, 4))
    pixels[10:] = [0.1, 0.2, 0.3, 0.4]
    bundle = angle_bundle(pixels, pixels[[10, 11]] * [[1.0], [2.0]])
    assert all(len(rows) == 1 and rows[0] >= 10 for rows in bundle)


def test_batch_bundle_groups_by_material() -> None:
    rng = np.random.default_rng(10)
    materials = rng.uniform(0.05, 0.9, (3, 25))
    abundances = np.concatenate([np.eye(3).repeat(60, axis=0), rng.dirichlet(np.ones(3), 400)])
    pixels = abundances @ materials * rng.uniform(0.8, 1.2, (580, 1)) + 0.002 * rng.standard_normal((580, 25))
    bundle = batch_bundle(pixels, 3, lambda some, n, g: [np.array([i]) for i in vca(some, n, seed=g)])
    found = []
    for group in bundle:
        spectra = np.stack([pixels[rows].mean(axis=0) for rows in group])
        angles = np.stack([spectral_angle(spectra, material) for material in materials])
        assert len(set(angles.argmin(axis=0))) == 1
        assert np.median(angles.min(axis=0)) < 0.03
        found.append(int(angles[:, 0].argmin()))
    assert sorted(found) == [0, 1, 2]
    assert len({rows.tobytes() for group in bundle for rows in group}) == sum(len(group) for group in bundle)


@pytest.mark.parametrize("n_endmembers", [2, 3, 4, 5])
@pytest.mark.parametrize("noise_sd", [0.0, 0.005])
def test_the_suggested_number_of_endmembers(n_endmembers: int, noise_sd: float) -> None:
    rng = np.random.default_rng(n_endmembers)
    materials = rng.uniform(0.05, 0.8, (n_endmembers, 40))
    pixels = rng.dirichlet(np.full(n_endmembers, 0.5), 2000) @ materials * rng.lognormal(0, 0.1, (2000, 1))
    pixels += noise_sd * rng.standard_normal(pixels.shape)
    assert suggest_n_endmembers(pixels) == n_endmembers
    assert suggest_n_endmembers(pixels.astype(np.float32), seed=5) == n_endmembers


def test_the_suggested_number_in_degenerate_scenes() -> None:
    assert suggest_n_endmembers(np.zeros((20, 4))) == 2
    assert suggest_n_endmembers(np.full((20, 4), 0.3)) == 2
    assert suggest_n_endmembers(np.linspace(0.1, 0.9, 200)[:, None] * np.array([0.2, 0.5, 0.1])) == 2
