"""A sample of pixels: all over the scene, the same whatever the windows, and fit for fitting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmixel.errors import ParameterError, SceneError
from unmixel.io import LazyScene, open_lazily, open_scene, save_scene
from unmixel.methods.fcls import FCLS
from unmixel.scale import sample_pixels
from unmixel.scene import make_scene, pixels_of, valid_pixels
from unmixel.simulate import simulate_demo

ROWS, COLUMNS, BANDS = 61, 43, 8


@pytest.fixture
def lazy(tmp_path: Path) -> LazyScene:
    """A scene whose pixels say where they are; a quarter is masked and one band left out."""
    values = np.random.default_rng(0).uniform(0.1, 0.5, (ROWS, COLUMNS, BANDS)).astype(np.float32)
    values[:, :, 0], values[:, :, 1] = np.indices((ROWS, COLUMNS)) / 100
    values[:30, :20] = np.nan
    scene = make_scene(values, wavelength=np.linspace(400, 900, BANDS), good_band=np.arange(BANDS) != 3)
    save_scene(scene, tmp_path / "scene.zarr")
    return open_lazily(tmp_path / "scene.zarr")


def test_the_pixels_are_valid_and_lie_where_it_says(lazy: LazyScene) -> None:
    sample = sample_pixels(lazy, 300)
    whole = open_scene(lazy.path)
    assert sample.scene.shape == (300, 1, BANDS)
    np.testing.assert_array_equal(sample.scene.values[:, 0], whole.values[sample.rows, sample.columns])
    assert valid_pixels(whole)[sample.rows, sample.columns].all()
    place = sample.rows * COLUMNS + sample.columns
    assert (np.diff(place) > 0).all()
    assert sample.counts.valid == valid_pixels(whole).sum()
    for name in ("wavelength", "fwhm", "good_band"):
        np.testing.assert_array_equal(sample.scene[name], whole[name])


def test_windows_do_not_matter_and_the_seed_does(lazy: LazyScene) -> None:
    sample = sample_pixels(lazy, 200, seed=5)
    for memory in (1_000, 9_000, 60_000):
        other = sample_pixels(lazy, 200, seed=5, memory=memory)
        np.testing.assert_array_equal(other.scene.values, sample.scene.values)
        np.testing.assert_array_equal(other.rows, sample.rows)
    assert not np.array_equal(sample_pixels(lazy, 200, seed=6).scene.values, sample.scene.values)


def test_a_larger_sample_holds_the_smaller(lazy: LazyScene) -> None:
    small, large = sample_pixels(lazy, 50), sample_pixels(lazy, 400)
    assert set(zip(small.rows, small.columns, strict=True)) < set(zip(large.rows, large.columns, strict=True))


def test_every_valid_pixel_is_as_likely_as_another(lazy: LazyScene) -> None:
    drawn = np.zeros((ROWS, COLUMNS))
    for seed in range(60):
        sample = sample_pixels(lazy, 200, seed=seed)
        drawn[sample.rows, sample.columns] += 1
    expected = 60 * 200 / sample.counts.valid
    counts = drawn[valid_pixels(open_scene(lazy.path))]
    assert abs(counts.var() / (expected * (1 - expected / 60)) - 1) < 0.15
    corners = [drawn[:30, 20:], drawn[30:, :20], drawn[30:, 20:]]
    for corner in corners:
        n_drawn = expected * corner.size
        assert abs(corner.sum() - n_drawn) < 4 * np.sqrt(n_drawn)


def test_of_few_pixels_all_are_taken_in_their_order(lazy: LazyScene) -> None:
    sample = sample_pixels(lazy, 10_000, memory=9_000)
    np.testing.assert_array_equal(pixels_of(sample.scene), pixels_of(open_scene(lazy.path)))


def test_it_can_be_fitted_to(tmp_path: Path) -> None:
    scene, _ = simulate_demo(rows=30, columns=20)
    save_scene(scene, tmp_path / "scene.nc")
    lazy = open_lazily(tmp_path / "scene.nc")
    whole = FCLS(n_endmembers=3).fit(open_scene(lazy.path))
    sampled = FCLS(n_endmembers=3).fit(sample_pixels(lazy, 600).scene)
    np.testing.assert_array_equal(sampled.endmembers, whole.endmembers)
    assert FCLS(n_endmembers=3).fit(sample_pixels(lazy, 200).scene).unmix(scene).abundance.shape == (30, 20, 3)


def test_what_cannot_be_sampled(lazy: LazyScene, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="n_pixels = 0"):
        sample_pixels(lazy, 0)
    with pytest.raises(ParameterError, match="seed = -1"):
        sample_pixels(lazy, 10, seed=-1)
    values = np.full((4, 2, 2), np.nan)
    values[::2, :, 0], values[1::2, :, 1] = np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2)
    np.save(tmp_path / "never.npy", values)
    with pytest.raises(SceneError, match="without one valid pixel"):
        sample_pixels(open_lazily(tmp_path / "never.npy"), 10)
