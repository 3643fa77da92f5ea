"""`extract` by evidence: the bundle around what was chosen, the record of candidates, small scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.extraction import extract
from unmixel.scene import make_scene
from unmixel.spectra import check_bundle, endmember_means, endmember_names, spectra_of


@pytest.fixture(scope="module")
def scene_and_materials() -> tuple:
    """A 25 x 40 scene of 2 materials without pure pixels, one band left out; brightest material first."""
    rng = np.random.default_rng(0)
    materials = np.array([[0.9], [0.5]]) * rng.uniform(0.3, 0.8, (2, 18))
    shares = rng.uniform(0.15, 0.85, (1000, 1))
    pixels = shares * materials[0] + (1 - shares) * materials[1] + 0.004 * rng.standard_normal((1000, 18))
    good = np.ones(18, dtype=bool)
    good[6] = False
    return make_scene(pixels.reshape(25, 40, 18), good_band=good), materials, good


def test_the_bundle_varies_around_what_was_chosen(scene_and_materials: tuple) -> None:
    scene, _, good = scene_and_materials
    bundle = extract(scene, 2, extractor="evidence", n_spectra=30, seed=1)
    alone = extract(scene, 2, extractor="evidence", bundle="none", seed=1)
    check_bundle(bundle)
    assert endmember_names(bundle) == ["endmember 1", "endmember 2"]
    assert alone.sizes["spectrum"] == 2
    np.testing.assert_allclose(endmember_means(bundle)[:, good], alone.values[:, good], atol=1e-5)
    for name in endmember_names(bundle):
        spectra = spectra_of(bundle, name)
        assert 1 < len(spectra) <= 30
        assert (spectra.std(axis=0)[good] > 0.001).all()


def test_candidates_are_told(scene_and_materials: tuple) -> None:
    bundle = extract(scene_and_materials[0], 2, extractor="evidence", bundle="none", seed=1)
    told = json.loads(bundle.attrs["candidates"])
    assert len(told) >= 3
    for one in told:
        moved = {"settled"} if one["name"].startswith("refined") else set()
        assert {"name", "log_evidence", "brightness_sd", "bilinear"} | moved == set(one)
    others = [one["log_evidence"] for one in told[1:]]
    assert others == sorted(others, reverse=True)


def test_small_scenes_are_clustered_and_batches_refused(scene_and_materials: tuple) -> None:
    small = scene_and_materials[0][:4]
    by_evidence, by_clusters = (extract(small, 2, extractor=name, seed=2) for name in ("evidence", "clusters"))
    np.testing.assert_array_equal(by_evidence.values, by_clusters.values)
    with pytest.raises(ParameterError, match="bundle 'batch' with extractor 'evidence'; expected with extractor vca"):
        extract(scene_and_materials[0], 2, extractor="evidence", bundle="batch")


def test_awkward_scenes(scene_and_materials: tuple) -> None:
    scene, materials, _ = scene_and_materials
    noise_free = np.linspace(0, 1, 300)[:, None] * (materials[0] - materials[1]) + materials[1]
    check_bundle(extract(make_scene(noise_free), 2, extractor="evidence"))
    values = scene.values.copy()
    values[:10] = 0.0
    values[11, :5] = np.nan
    values[12:] = values[12, 0]
    check_bundle(extract(make_scene(values), 2, extractor="evidence"))
