"""Extraction on real scenes, against the endmembers published with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from unmixel.extraction import extract, suggest_n_endmembers
from unmixel.metrics import match_endmembers, spectral_angle
from unmixel.scene import make_scene, pixels_of
from unmixel.spectra import endmember_means


def test_clusters_find_the_road_of_jasper_ridge(data_dir: Path) -> None:
    folder = data_dir / "jasper_ridge"
    counts = loadmat(folder / "JasperRidge2_R198.mat")["Y"].T
    truth = loadmat(folder / "JasperRidge2_end4.mat")["M"].T.astype(np.float64)
    scene = make_scene((counts / 5000).reshape(100, 100, 198))
    for seed in range(2):
        found = endmember_means(extract(scene, 4, extractor="clusters", seed=seed)).astype(np.float64)
        angles = spectral_angle(truth, found[match_endmembers(truth, found)])
        assert angles.max() < 0.2
        assert np.delete(angles, 1).max() < 0.08
    assert suggest_n_endmembers(pixels_of(scene)) == 4


@pytest.mark.parametrize("extractor", ["vca", "clusters"])
def test_samson_has_soil_tree_and_water(data_dir: Path, extractor: str) -> None:
    contents = loadmat(data_dir / "samson" / "Samson.mat")
    scene = make_scene(contents["Y"].T.reshape(95, 95, 156))
    truth = contents["GT"].astype(np.float64)
    found = endmember_means(extract(scene, extractor=extractor)).astype(np.float64)
    assert len(found) == 3
    assert spectral_angle(truth, found[match_endmembers(truth, found)]).max() < 0.2
