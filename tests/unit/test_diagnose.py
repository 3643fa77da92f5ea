"""The diagnosis of results: what it finds in scenes made to have it, for every method."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from unmixel.diagnostics import Diagnosis, diagnose, diagnosis_of
from unmixel.diagnostics.diagnosis import AlikePair
from unmixel.errors import SceneError
from unmixel.metrics import morans_i
from unmixel.result import open_result, provenance_of, save_result
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle
from unmixel.unmixing import make_method, unmix

POSITION = np.linspace(0, 1, 40)
MATERIALS = np.stack([0.1 + 0.3 * POSITION, 0.5 - 0.3 * POSITION, 0.3 + 0.2 * np.sin(6 * POSITION)])
ROWS, COLUMNS = 30, 41


def scene_of(pixels: np.ndarray) -> xr.DataArray:
    """A scene of 30 x 41 pixels, one of them invalid."""
    values = pixels.reshape(ROWS, COLUMNS, -1).copy()
    values[4, 7] = np.nan
    return make_scene(values, wavelength=np.linspace(450, 2200, values.shape[2]))


def mixtures(seed: int, noise_sd: float = 0.003) -> np.ndarray:
    """Linear mixtures of the materials with noise."""
    rng = np.random.default_rng(seed)
    pixels = rng.dirichlet(np.ones(3), ROWS * COLUMNS) @ MATERIALS
    return pixels + noise_sd * rng.standard_normal(pixels.shape)


def unmixed(scene: xr.DataArray, endmembers: np.ndarray, method: str = "fcls") -> tuple[xr.Dataset, Diagnosis]:
    """The diagnosed result with given endmembers."""
    names = [f"material {k}" for k in range(len(endmembers))]
    fitted = make_method(method).fit(scene, make_bundle(endmembers, names, wavelength=scene.wavelength.values))
    result = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    return result, diagnosis_of(result)


def test_a_scene_that_is_as_the_model_says_has_no_findings() -> None:
    result, found = unmixed(scene_of(mixtures(0)), MATERIALS)
    assert found.negative_share < 0.02
    assert found.negative_share_sum_to_one < 0.02
    assert found.residual_morans_i == pytest.approx(morans_i(result.reconstruction_rmse.values.astype(float)).value)
    assert abs(found.residual_morans_i - found.residual_morans_i_expected) < 4 * found.residual_morans_i_sd
    assert found.beyond_noise_share < 0.02
    assert found.outside_reach_share < 0.002
    assert found.alike == ()
    assert found.nonlinearity == {}
    text = "\n".join(found.sentences())
    for phrase in ("enclose the scene", "scattered like noise", "alike endmembers: none", "No pixel stands out"):
        assert phrase in text


def test_foreign_pixels_are_found_on_the_map() -> None:
    pixels = mixtures(1)
    rng = np.random.default_rng(2)
    foreign = rng.choice(ROWS * COLUMNS, 40, replace=False)
    foreign = foreign[foreign != 4 * COLUMNS + 7]
    share = rng.uniform(0.3, 1.0, (len(foreign), 1))
    pixels[foreign] += share * (0.4 + 0.3 * np.cos(25 * POSITION) - pixels[foreign])
    for method in ("fcls", "scls"):
        result, found = unmixed(scene_of(pixels), MATERIALS, method)
        outside = result.outside_reach
        assert outside.dims == ("y", "x")
        assert outside.dtype == bool
        assert not outside.values[4, 7]
        flat = outside.values.ravel()
        assert flat[foreign].all()
        assert np.delete(flat, foreign).mean() < 0.002
        assert found.outside_reach_share == pytest.approx(flat.sum() / (flat.size - 1))
        assert "don't read their abundances" in found.sentences()[2]


def test_brightness_and_outside_pixels_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    bright = unmixed(scene_of(mixtures(3) * rng.lognormal(0, 0.3, (ROWS * COLUMNS, 1))), MATERIALS)[1]
    assert bright.negative_share < 0.03
    assert bright.negative_share_sum_to_one > 0.2
    assert "Brightness varies" in bright.sentences()[0]
    inner = 0.6 * MATERIALS + 0.4 * MATERIALS.mean(axis=0)
    impure = unmixed(scene_of(mixtures(3)), inner)[1]
    assert impure.negative_share > 0.2
    assert "outside the endmembers" in impure.sentences()[0]


def test_a_missing_material_in_one_corner_gives_structure() -> None:
    pixels = mixtures(4).reshape(ROWS, COLUMNS, -1)
    pixels[:12, :15] += 0.05 * np.cos(25 * POSITION)
    found = unmixed(scene_of(pixels), MATERIALS)[1]
    assert found.residual_morans_i > 0.5
    assert found.beyond_noise_share == pytest.approx(12 * 15 / (ROWS * COLUMNS), abs=0.02)
    assert "lies together on the ground" in found.sentences()[1]


def test_two_nearly_equal_endmembers_are_named() -> None:
    twin = MATERIALS[1] + 0.0005 * np.cos(9 * POSITION)
    found = unmixed(scene_of(mixtures(5)), np.vstack([MATERIALS, twin]), "scls")[1]
    assert [(pair.first, pair.second) for pair in found.alike] == [("material 1", "material 3")]
    assert "material 1 and material 3" in found.sentences()[3]


def test_variability_makes_endmembers_alike_if_the_model_knows_it() -> None:
    class Varying:
        """A model whose second and third material vary along the line between them."""

        def endmembers_at(self, scene: xr.DataArray, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            step = 0.5 * np.random.default_rng(6).standard_normal((len(pixel), 1))
            spectra = np.repeat(MATERIALS[None], len(pixel), axis=0)
            spectra[:, 1] += step * (MATERIALS[2] - MATERIALS[1])
            spectra[:, 2] += step * (MATERIALS[1] - MATERIALS[2])
            return spectra, 0 * spectra

    scene = scene_of(mixtures(6))
    bundle = make_bundle(MATERIALS, ["soil", "tree", "rock"], wavelength=scene.wavelength.values)
    result = make_method("fcls").fit(scene, bundle).unmix(scene)
    assert diagnosis_of(diagnose(scene, result)).alike == ()
    (pair,) = diagnosis_of(diagnose(scene, result, fitted=Varying())).alike
    assert (pair.first, pair.second) == ("tree", "rock")


def test_idnet_has_a_nonlinearity_degree_and_python_results_are_diagnosed() -> None:
    scene = scene_of(mixtures(7))
    result = unmix(scene, 3, n_epochs=1)
    found = diagnosis_of(result)
    degree = result.nonlinearity_degree.values
    for k, stream in enumerate(result.stream.values.astype(str)):
        assert found.nonlinearity[stream] == pytest.approx(np.nanquantile(degree[:, :, k], [0.5, 0.95]))
    assert len(found.sentences()) == 5
    assert found.sentences()[4].startswith("nonlinearity degree")


def test_the_diagnosis_is_stored_and_read_again(tmp_path: Path) -> None:
    result, found = unmixed(scene_of(mixtures(8)), np.vstack([MATERIALS, MATERIALS[:1]]), "scls")
    assert found.alike
    json.dumps(found.as_record(), allow_nan=False)
    save_result(result, tmp_path / "result.zarr")
    again = open_result(tmp_path / "result.zarr")
    assert diagnosis_of(again) == found
    np.testing.assert_array_equal(again.outside_reach.values, result.outside_reach.values)
    assert again.outside_reach.dtype == bool
    assert provenance_of(again)["method"] == "scls"


def test_results_of_other_scenes_and_without_diagnosis_are_refused() -> None:
    scene = scene_of(mixtures(9))
    result = make_method("fcls", n_endmembers=3).fit(scene).unmix(scene)
    with pytest.raises(SceneError, match="a result of 30 y for a scene of 29"):
        diagnose(scene[:29], result)
    with pytest.raises(SceneError, match="without a diagnosis"):
        diagnosis_of(result)


def test_small_scenes_and_flat_residuals_are_diagnosed() -> None:
    values = np.stack([MATERIALS[0], MATERIALS[1], MATERIALS.mean(axis=0)])[None]
    scene = make_scene(values, wavelength=np.linspace(450, 2200, 40))
    found = unmixed(scene, MATERIALS)[1]
    assert found.residual_morans_i is None
    assert found.outside_reach_share == 0
    assert "to see structure" in found.sentences()[1]


def test_sentences_say_what_was_measured() -> None:
    found = Diagnosis(
        negative_share=0.123,
        negative_share_sum_to_one=1.0,
        residual_morans_i=0.456,
        residual_morans_i_expected=-0.001,
        residual_morans_i_sd=0.02,
        beyond_noise_share=0.5,
        outside_reach_share=0.0203,
        alike=(AlikePair("lake", "river", 0.0123, 0.04),),
        nonlinearity={"mixing": (0.01, 0.02)},
    )
    text = found.sentences()
    assert "12 % of the pixels, 100 % if they sum" in text[0]
    assert "0.46 (without structure -0.001 ± 0.020)" in text[1]
    assert "2 % of the pixels (50 % fit worse" in text[2]
    assert "lake and river (0.012 rad apart, they vary by 0.040)" in text[3]
    assert "Little of the fit is nonlinear" in text[4]
