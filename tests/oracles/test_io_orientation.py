"""Real scenes are read the right way round: their published maps are where the spectra say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import scipy.io
from affine import Affine
from scipy.optimize import nnls

from unmixel.io import open_bundle, open_scene
from unmixel.scene import crs_wkt_of, pixels_of, transform_of, valid_pixels


def shares(part: np.ndarray, endmembers: np.ndarray) -> np.ndarray:
    """Return non-negative least squares over its sum (y, x, endmember) of a part of a scene."""
    found = np.array([[nnls(endmembers.T.astype(float), y.astype(float))[0] for y in row] for row in part])
    return found / found.sum(axis=2, keepdims=True)


def rmse(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((one - other) ** 2).mean()))


@pytest.mark.parametrize("which", ["samson", "jasper_ridge"])
def test_pixel_matrices(data_dir: Path, which: str) -> None:
    if which == "samson":
        content = scipy.io.loadmat(data_dir / "samson" / "Samson.mat")
        scene = open_scene(data_dir / "samson" / "Samson.mat")
        endmembers, truth = content["GT"], content["S_GT"]
    else:
        content = scipy.io.loadmat(data_dir / "jasper_ridge" / "JasperRidge2_end4.mat")
        scene = open_scene(data_dir / "jasper_ridge" / "JasperRidge2_R198.mat")
        endmembers = content["M"].T
        truth = content["A"].reshape(4, 100, 100, order="F").transpose(1, 2, 0)
    assert scene.shape[:2] == truth.shape[:2]
    rows, columns = slice(10, 30), slice(40, 75)
    endmembers = endmembers / endmembers.max(axis=1, keepdims=True)
    found = shares(scene.values[rows, columns], endmembers)
    assert rmse(found, truth[rows, columns]) < 0.02
    assert rmse(found, truth.swapaxes(0, 1)[rows, columns]) > 0.2


def test_three_dimensional_array(data_dir: Path) -> None:
    folder = data_dir / "samson" / "alternative_truth"
    scene = open_scene(folder / "Y_clean.mat")
    endmembers = scipy.io.loadmat(folder / "E.mat")["E"].T
    truth = scipy.io.loadmat(folder / "A_true.mat")["A_true"]
    rows, columns = slice(10, 30), slice(40, 75)
    part = scene.values[rows, columns]
    sums_to_one = np.full((*part.shape[:2], 1), 1e4), np.full((3, 1), 1e4)
    found = shares(np.dstack([part, sums_to_one[0]]), np.hstack([endmembers, sums_to_one[1]]))
    assert rmse(found, truth[rows, columns]) < 1e-3
    assert rmse(found, truth.swapaxes(0, 1)[rows, columns]) > 0.2
    matrix = open_scene(data_dir / "samson" / "Samson.mat")
    assert np.corrcoef(scene.values[:, :, 80].ravel(), matrix.values[:, :, 80].ravel())[0, 1] > 0.99


def test_tiff_with_an_awkward_header(data_dir: Path) -> None:
    folder = data_dir / "dlr_hysu"
    scene = open_scene(folder / "DLR_HySU_HS_full.tif")
    assert scene.shape == (86, 123, 135)
    assert transform_of(scene) == Affine(0.7, 0, 669639.6, 0, -0.7, 5328106.0)
    assert rasterio.crs.CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == 32632
    np.testing.assert_allclose(scene.wavelength.values[[0, -1]], [417.4, 902.79])
    np.testing.assert_allclose(scene.fwhm.values[:2], 4.76)
    with rasterio.open(folder / "DLR_HySU_HS_full.tif") as file:
        counts = file.read([1, 135])
    np.testing.assert_array_equal(scene.values[:, :, [0, 134]], np.moveaxis(counts, 0, 2) / np.float32(10_000))
    assert valid_pixels(scene).all()
    assert open_scene(folder / "DLR_HySU_HS_full.hdr").identical(scene)


@pytest.mark.parametrize(("region", "label"), [("redMetal", "Red Metal Sheets"), ("blueFabric", "Blue Fabric")])
def test_targets_lie_where_the_regions_say(data_dir: Path, region: str, label: str) -> None:
    folder = data_dir / "dlr_hysu"
    scene = open_scene(folder / "DLR_HySU_HS_full.tif")
    library = open_bundle(folder / "libraries" / "DLR_HySU_HS_library.lib", scene=scene)
    assert "divided by 10000" in library.attrs["reading"][0]
    spectrum = library.values[library.endmember.values.tolist().index(label)]
    inside = np.fromfile(folder / "rois" / region, dtype=np.uint8).reshape(86, 123) > 0
    pixels = pixels_of(scene)
    cosine = (pixels @ spectrum) / np.linalg.norm(pixels, axis=1) / np.linalg.norm(spectrum)
    brightest = np.argsort(cosine)[-10:]
    assert inside.ravel()[brightest].all()


def test_emit_cut_out(data_dir: Path) -> None:
    path = data_dir / "emit_jpl" / "emit20250324t221005_jpl_unmix_ex"
    assert int(open_scene(path).good_band.sum()) == 242, "two more lie where the air absorbs"
    scene = open_scene(path, keep_atmosphere=True)
    assert scene.identical(open_scene(path.with_suffix(".hdr"), keep_atmosphere=True))
    stored = np.fromfile(path, dtype="<f4").reshape(10, 285, 10).swapaxes(1, 2)
    np.testing.assert_array_equal(scene.values, stored)
    assert int(scene.good_band.sum()) == 244
    library = open_bundle(data_dir / "emit_jpl" / "basic_endmember_library.csv", scene=scene)
    assert library.endmember.values.tolist() == ["SOIL", "SOIL", "SOIL", "PV", "NPV"]
    assert 0 < library.values.max() < 1
