"""Published abundances that were themselves made by least squares: found again from the same spectra."""

from __future__ import annotations

from pathlib import Path

import scipy.io

from unmixel.metrics import abundance_rmse
from unmixel.solvers import fcls, kkt_residual, scaled_nnls


def test_samson_is_fcls_of_its_own_endmembers(data_dir: Path):
    folder = data_dir / "samson" / "alternative_truth"
    pixels = scipy.io.loadmat(folder / "Y_clean.mat")["Y_clean"].reshape(-1, 156)
    endmembers = scipy.io.loadmat(folder / "E.mat")["E"].T
    published = scipy.io.loadmat(folder / "A_true.mat")["A_true"].reshape(-1, 3)
    found = fcls(pixels, endmembers)
    assert kkt_residual(pixels, endmembers, found, sum_to_one=True).max() < 1e-14
    assert abundance_rmse(published, found) < 1e-6


def test_samson_is_scaled_nnls_of_endmembers_with_maximum_1(data_dir: Path):
    published = scipy.io.loadmat(data_dir / "samson" / "Samson.mat")
    endmembers = published["GT"] / published["GT"].max(axis=1, keepdims=True)
    found = scaled_nnls(published["Y"].T, endmembers)
    truth = published["S_GT"].transpose(1, 0, 2).reshape(-1, 3)
    assert abundance_rmse(truth, found) < 0.003


def test_jasper_ridge_is_scaled_nnls_of_endmembers_with_maximum_1(data_dir: Path):
    folder = data_dir / "jasper_ridge"
    pixels = scipy.io.loadmat(folder / "JasperRidge2_R198.mat")["Y"].T / 5000
    published = scipy.io.loadmat(folder / "JasperRidge2_end4.mat")
    endmembers = (published["M"] / published["M"].max(axis=0)).T
    assert abundance_rmse(published["A"].T, scaled_nnls(pixels, endmembers)) < 0.006
