"""Metrics: exact values, invariances, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.metrics import (
    abundance_rmse,
    match_endmembers,
    pairwise_spectral_angle,
    reconstruction_rmse,
    spectral_angle,
    to_max_normalised_convention,
)
from unmixel.mixing import linear


def test_spectral_angle_is_exact_for_tiny_angles_and_float32() -> None:
    spectrum = np.random.default_rng(0).random(200).astype(np.float32)
    assert spectral_angle(spectrum, spectrum) == 0
    assert spectral_angle(spectrum, spectrum * np.float32(0.25)) == 0
    np.testing.assert_allclose(spectral_angle(np.array([1.0, 0.0]), np.array([1.0, 1e-9])), 1e-9, rtol=1e-6)


def test_zero_spectra_have_no_angle() -> None:
    angles = pairwise_spectral_angle(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]), np.eye(3)[:2])
    assert np.isnan(angles[0]).all()
    np.testing.assert_allclose(angles[1], [np.pi / 4, np.pi / 2])


def test_matching_undoes_any_permutation_and_brightness() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((5, 17))
    order = rng.permutation(5)
    scrambled = truth[order] * rng.uniform(0.3, 3.0, (5, 1))
    np.testing.assert_array_equal(order[match_endmembers(truth, scrambled)], np.arange(5))


def test_matching_skips_spare_endmembers() -> None:
    truth = np.eye(6)[:2]
    np.testing.assert_array_equal(match_endmembers(truth, np.eye(6)[[4, 1, 3, 0]]), [3, 1])
    with pytest.raises(ParameterError, match="2 endmembers to match with 4"):
        match_endmembers(np.eye(6)[:4], truth)
    with pytest.raises(ParameterError, match="zero or NaN"):
        match_endmembers(truth, np.zeros((2, 6)))


def test_max_normalised_convention_is_unmixing_with_scaled_endmembers() -> None:
    rng = np.random.default_rng(2)
    endmembers, abundances = rng.random((3, 12)) * [[1.0], [0.1], [0.4]], rng.dirichlet(np.ones(3), 8)
    scaled = endmembers / endmembers.max(axis=1, keepdims=True)
    solved = np.linalg.lstsq(scaled.T, linear(abundances, endmembers).T, rcond=None)[0].T
    expected = solved / solved.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(to_max_normalised_convention(abundances, endmembers), expected)
    assert not to_max_normalised_convention(np.zeros((2, 3)), endmembers).any()
    assert np.isnan(to_max_normalised_convention(np.full((1, 3), np.nan), endmembers)).all()
    with pytest.raises(ParameterError, match="endmember 2 with a maximum of 0"):
        to_max_normalised_convention(abundances, endmembers * [[1.0], [0.0], [1.0]])


def test_errors_are_root_mean_squares() -> None:
    truth, noise = np.full((4, 3), 0.3), np.array([[0.1], [-0.1], [0.1], [-0.1]])
    assert abundance_rmse(truth, truth + noise) == pytest.approx(0.1)
    np.testing.assert_allclose(reconstruction_rmse(truth, truth + 2 * noise), 0.2)
    with pytest.raises(ParameterError, match=r"\(4, 3\) and \(4, 1\)"):
        abundance_rmse(truth, truth[:, :1])
