"""Odd endmembers that somebody has: shade, more than bands, found in a dark scene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unmixel.errors import OutputError
from unmixel.extraction import extract
from unmixel.methods.idnet.endmember_choice import extract_for_model
from unmixel.methods.idnet.method import IDNet
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset
from unmixel.spectra import make_bundle
from unmixel.unmixing import unmix

SHORT = {"n_epochs": 1, "steps_per_epoch": 2}


def test_shade_is_an_endmember_like_others():
    rng = np.random.default_rng(0)
    spectra = np.stack([np.linspace(0.1, 0.5, 12), np.linspace(0.6, 0.2, 12), np.zeros(12)])
    abundances = rng.dirichlet(np.ones(3), 9 * 31)
    pixels = abundances @ spectra + rng.normal(scale=0.004, size=(9 * 31, 12))
    scene = make_scene(pixels.reshape(9, 31, 12), wavelength=np.linspace(400, 900, 12))
    bundle = make_bundle(spectra, ["soil", "rock", "shade"], wavelength=np.linspace(400, 900, 12))
    found = unmix(scene, bundle=bundle, **SHORT)["abundance"].values.reshape(-1, 3)
    constant = np.sqrt(np.mean((abundances - abundances.mean(axis=0)) ** 2))
    assert np.sqrt(np.mean((found - abundances) ** 2)) < 0.4 * constant


def test_more_endmembers_than_bands_give_abundances():
    rng = np.random.default_rng(1)
    spectra = rng.uniform(0.1, 0.8, (6, 4))
    wavelength = np.array([500.0, 600.0, 700.0, 800.0])
    scene = make_scene((rng.dirichlet(np.ones(6), 8 * 25) @ spectra).reshape(8, 25, 4), wavelength=wavelength)
    bundle = make_bundle(spectra, [f"material {k}" for k in range(6)], wavelength=wavelength)
    abundances = unmix(scene, bundle=bundle, **SHORT)["abundance"].values
    np.testing.assert_allclose(abundances.sum(axis=-1), 1, atol=1e-5)
    assert (abundances >= 0).all()


def test_no_endmember_is_black_where_the_scene_is_dark_and_offset():
    scene, _ = simulate_preset("dc1", rows=20, columns=33, snr_db=15.0, seed=4)
    dark = scene.copy(data=0.3 * scene.values - 0.08)
    found = extract(dark, 3, extractor="evidence")
    norms = np.linalg.norm(found.groupby("endmember").mean().values, axis=1)
    assert norms.min() > 1e-3 * norms.max()


def test_extracted_endmembers_say_what_found_them():
    scene, _ = simulate_preset("dc1", rows=9, columns=11, seed=0)
    assert extract(scene, 3, extractor="vca").attrs["extractor"] == "vca"
    assert extract(scene, 3, extractor="evidence").attrs["extractor"] == "clusters", "too few pixels to hold some out"


def test_endmembers_chosen_for_the_model_say_what_found_them():
    """Vertices win where no pixel is pure, and are then not taken for pixels."""
    scene, _ = simulate_preset("no_pure_pixels", rows=30, columns=41, seed=0)
    bundle = extract_for_model(scene, 3, 2, only_linear=True, seed=0)
    compared = json.loads(bundle.attrs["candidates"])
    best = max(compared, key=lambda one: one["log_evidence"])
    assert best["extractor"] == bundle.attrs["extractor"] == "evidence"


def test_a_model_overwrites_nothing(tmp_path: Path):
    scene, truth = simulate_preset("dc1", rows=9, columns=11, seed=0)
    bundle = make_bundle(
        truth["endmember_spectrum"].values, truth["endmember"].values.tolist(), wavelength=scene["wavelength"].values
    )
    fitted = IDNet(**SHORT).fit(scene, bundle)
    fitted.save(tmp_path / "model")
    with pytest.raises(OutputError, match="exists"):
        fitted.save(tmp_path / "model")
