"""The number of endmembers and its evidence, on scenes whose number is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from unmixel.extraction import NumberEvidence, NumberRow, estimate_n_endmembers, extract, number_evidence
from unmixel.extraction.half_scenes import half_scenes
from unmixel.methods.fcls import FCLS
from unmixel.result import provenance_of
from unmixel.scene import make_scene, pixels_of
from unmixel.simulate import simulate_preset
from unmixel.solvers import nnls
from unmixel.spectra import endmember_names


def linear_scene(n_endmembers: int, noise_sd: float, seed: int) -> np.ndarray:
    """Pixels of a linear scene with brightness of its own for each pixel."""
    rng = np.random.default_rng(seed)
    materials = rng.uniform(0.05, 0.8, (n_endmembers, 40))
    pixels = rng.dirichlet(np.full(n_endmembers, 0.5), 2000) @ materials * rng.lognormal(0, 0.1, (2000, 1))
    return pixels + noise_sd * rng.standard_normal(pixels.shape)


@pytest.mark.parametrize("n_endmembers", [2, 3, 5])
@pytest.mark.parametrize("noise_sd", [0.0, 0.03])
def test_the_evidence_speaks_for_the_number_that_is_there(n_endmembers: int, noise_sd: float) -> None:
    evidence = number_evidence(linear_scene(n_endmembers, noise_sd, seed=n_endmembers + 20), seed=3)
    assert evidence.suggested == n_endmembers
    assert [row.n_endmembers for row in evidence.rows] == list(range(2, 9))
    there, beyond = evidence.rows[n_endmembers - 2], evidence.rows[n_endmembers - 1 :]
    assert there.stable
    assert there.gain > 0.3
    assert all(row.held_out <= there.held_out + 1e-9 for row in beyond)
    assert all(row.worst_angle >= row.angle >= 0 for row in evidence.rows)


@pytest.mark.parametrize("preset", ["dc2", "no_pure_pixels"])
def test_noise_of_20_db_hides_no_endmember(preset: str) -> None:
    scene, _ = simulate_preset(preset, snr_db=20.0, seed=31)
    assert estimate_n_endmembers(scene).suggested == 3


def test_samson_has_three_and_jasper_ridge_four(data_dir: Path) -> None:
    samson = loadmat(data_dir / "samson" / "Samson.mat")["Y"].T.reshape(95, 95, 156)
    jasper_ridge = loadmat(data_dir / "jasper_ridge" / "JasperRidge2_R198.mat")["Y"].T.reshape(100, 100, 198) / 5000
    for values, expected in ((samson, 3), (jasper_ridge, 4)):
        assert estimate_n_endmembers(make_scene(values), seed=7).suggested == expected


def test_held_out_residuals_are_those_of_the_other_half() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.dirichlet(np.ones(3), 90) @ rng.uniform(0.1, 0.9, (3, 20))
    pixels[:30] += 0.4 * np.sin(np.arange(20)) ** 2
    for half in half_scenes(pixels, np.zeros(20), n_splits=1, seed=2):
        residuals = np.stack([np.linalg.norm(pixels - nnls(pixels, m) @ m, axis=1) for m in half.endmembers])
        assert (residuals.min(axis=1) <= half.held_out + 1e-12).all()
        assert (half.held_out <= residuals.max(axis=1)).all()
        assert (np.diff(half.held_out) <= 1e-12).mean() > 0.5
    noisy = half_scenes(pixels, np.full(20, 0.01**2), n_splits=1, seed=2)[0]
    exact = half_scenes(pixels, np.zeros(20), n_splits=1, seed=2)[0]
    assert (noisy.held_out < exact.held_out).all()


def row(n: int, gain: float, worst: float) -> NumberRow:
    return NumberRow(n_endmembers=n, held_out=1.0, gain=gain, angle=0.0, worst_angle=worst, nearest_angle=0.1)


def test_the_rule() -> None:
    rows = (row(2, 0.5, 0.01), row(3, 0.2, 0.01), row(4, 0.12, 0.01), row(5, 0.4, 0.3))
    evidence = NumberEvidence(rows=rows, hysime=9, nwhfc=1)
    assert evidence.suggested == 3
    assert replace(evidence, hysime=2).suggested == 2
    assert replace(evidence, rows=(*rows[:2], row(4, 0.14, 0.01), rows[3])).suggested == 4
    assert replace(evidence, rows=(*rows[:2], row(4, 0.14, 0.11), rows[3])).suggested == 3
    two_at_once = (row(2, 0.5, 0.01), row(3, 0.2, 0.3), row(4, 0.1, 0.01))
    assert replace(evidence, rows=two_at_once).suggested == 4
    assert replace(evidence, rows=(row(2, 0.5, 0.01), row(3, 0.2, 0.3), row(4, 0.0, 0.01))).suggested == 2
    assert replace(evidence, rows=()).suggested == 2


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (3, 4), (7, 9), (40, 3)])
def test_scenes_too_small_to_split_have_two(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(2).random(shape)
    assert 2 <= number_evidence(pixels).suggested <= 8
    assert number_evidence(np.zeros(shape)).rows == ()
    assert number_evidence(np.zeros(shape)).suggested == 2


def test_extract_goes_by_the_evidence_and_keeps_it() -> None:
    scene = make_scene(linear_scene(4, 0.005, seed=5).reshape(40, 50, 40))
    evidence = estimate_n_endmembers(scene, seed=6)
    bundle = extract(scene, seed=6)
    kept = json.loads(bundle.attrs["number_of_endmembers"])
    assert kept == json.loads(json.dumps(evidence.as_record()))
    assert len(endmember_names(bundle)) == evidence.suggested == kept["suggested"] == 4
    assert "number_of_endmembers" not in extract(scene, 4, seed=6).attrs
    np.testing.assert_array_equal(bundle.values, extract(scene, 4, seed=6).values)
    result = FCLS(seed=6).fit(scene).unmix(scene)
    assert provenance_of(result)["number_of_endmembers"] == kept
    assert "number_of_endmembers" not in provenance_of(FCLS(n_endmembers=4).fit(scene).unmix(scene))


def test_the_same_seed_gives_the_same_evidence() -> None:
    pixels = pixels_of(simulate_preset("mixed", rows=20, columns=30)[0])
    first = number_evidence(pixels, seed=4)
    assert first == number_evidence(pixels, seed=4)
    assert first != number_evidence(pixels, seed=5)
