"""`extract`: names, bands, seeds, masks and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.errors import ParameterError, SceneError
from unmixel.extraction import extract
from unmixel.scene import make_scene
from unmixel.spectra import check_bundle, endmember_means, endmember_names

WAVELENGTH = np.linspace(400.0, 1000.0, 24)


def scene_of(
    n_endmembers: int = 3, *, noise: float = 0.003, seed: int = 0, **changes: object
) -> tuple[xr.DataArray, np.ndarray]:
    """A 20 x 30 scene with patches of pure pixels and its materials, brightest first."""
    rng = np.random.default_rng(seed)
    materials = rng.uniform(0.1, 0.5, (n_endmembers, 24)) * np.linspace(1.5, 0.4, n_endmembers)[:, None]
    abundances = rng.dirichlet(np.full(n_endmembers, 0.8), 600)
    abundances[: 40 * n_endmembers] = np.eye(n_endmembers).repeat(40, axis=0)
    values = (abundances @ materials + noise * rng.standard_normal((600, 24))).reshape(20, 30, 24)
    return make_scene(values, **{"wavelength": WAVELENGTH, "fwhm": np.full(24, 26.0), **changes}), materials


@pytest.mark.parametrize("extractor", ["vca", "clusters", "nfindr", "atgp", "spa"])
@pytest.mark.parametrize("bundle", ["angle", "batch", "none"])
def test_every_extractor_and_bundle_finds_the_materials(extractor: str, bundle: str) -> None:
    scene, materials = scene_of()
    found = extract(scene, 3, extractor=extractor, bundle=bundle, n_spectra=10, seed=1)
    check_bundle(found)
    assert endmember_names(found) == ["endmember 1", "endmember 2", "endmember 3"]
    np.testing.assert_array_equal(found.wavelength.values, WAVELENGTH)
    np.testing.assert_array_equal(found.fwhm.values, 26.0)
    np.testing.assert_allclose(endmember_means(found), materials, atol=0.06 if extractor == "clusters" else 0.03)
    counts = {name: int((found.endmember.values == name).sum()) for name in endmember_names(found)}
    assert all(1 <= count <= (1 if bundle == "none" else 10) or bundle == "batch" for count in counts.values())


def test_the_seed_decides_everything_and_global_state_nothing() -> None:
    scene, _ = scene_of(noise=0.02)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = extract(scene, 3, extractor="clusters", bundle="batch", n_spectra=4, seed=3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    again = extract(scene, 3, extractor="clusters", bundle="batch", n_spectra=4, seed=3)
    xr.testing.assert_identical(first, again)


def test_the_number_of_endmembers_is_estimated() -> None:
    scene, materials = scene_of(4)
    np.testing.assert_allclose(endmember_means(extract(scene)), materials, atol=0.03)


def test_left_out_bands_are_filled() -> None:
    good = np.ones(24, dtype=bool)
    good[[5, 11, 12]] = False
    scene, materials = scene_of(good_band=good)
    values = scene.values.copy()
    values[:, :, 11:13] = np.nan
    found = extract(scene.copy(data=values), 3, bundle="none")
    spectra = found.values
    np.testing.assert_allclose(spectra[:, 5], materials[:, 5], atol=0.03)
    straight = spectra[:, 10] + (spectra[:, 13] - spectra[:, 10]) / 3
    np.testing.assert_allclose(spectra[:, 11], straight, rtol=1e-4)


def test_left_out_bands_do_not_matter_for_what_is_found() -> None:
    good = np.ones(24, dtype=bool)
    good[7] = False
    scene, _ = scene_of(good_band=good)
    wild = scene.values.copy()
    wild[:, :, 7] = np.random.default_rng(4).standard_normal((20, 30)) * 1e3
    calm, stormy = (extract(s, 3) for s in (scene, scene.copy(data=wild)))
    np.testing.assert_array_equal(calm.values[:, good], stormy.values[:, good])


def test_masked_shaded_and_outlying_pixels() -> None:
    scene, materials = scene_of()
    values = scene.values.copy()
    values[0, :5] = np.nan
    values[1, :7] = 0.0
    values[19, 29] = 30 * values[10, 10]
    values[15:17, :] = materials[0]
    found = extract(make_scene(values, wavelength=WAVELENGTH), 3, extractor="vca")
    np.testing.assert_allclose(endmember_means(found), materials, atol=0.03)


def test_a_table_of_pixels_without_wavelengths() -> None:
    scene, materials = scene_of()
    table = make_scene(scene.values.reshape(-1, 24))
    np.testing.assert_allclose(endmember_means(extract(table, 3)), materials, atol=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_endmembers": 1}, "n_endmembers = 1; expected at least 2"),
        ({"n_endmembers": 0}, "n_endmembers = 0; expected at least 2"),
        ({"n_endmembers": 25}, "n_endmembers = 25 for a scene with 24 good bands; expected at most 24"),
        ({"n_endmembers": 3, "extractor": "magic"}, "extractor 'magic'; expected one of vca, clusters"),
        ({"n_endmembers": 3, "bundle": "magic"}, "bundle 'magic'; expected one of angle, batch, none"),
        ({"n_endmembers": 3, "n_spectra": 0}, "n_spectra = 0; expected at least 1"),
    ],
)
def test_refusals(arguments: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        extract(scene_of()[0], **arguments)


def test_refusals_that_depend_on_the_scene() -> None:
    with pytest.raises(ParameterError, match="n_endmembers = 4 for a scene of rank 3"):
        extract(scene_of(3, noise=0.0)[0], 4)
    small = make_scene(np.random.default_rng(0).random((1, 3, 9)))
    with pytest.raises(ParameterError, match="n_endmembers = 4 for a scene with 3 valid pixels"):
        extract(small, 4)
    grey = make_scene(np.linspace(0.1, 0.5, 12)[:, None] * np.ones(6))
    with pytest.raises(ParameterError, match="n_endmembers = 2 for a scene of rank 1"):
        extract(grey)
    with pytest.raises(SceneError, match="a scene with dimensions"):
        extract(small.transpose("band", "y", "x"), 2)


def test_a_large_scene_is_sampled() -> None:
    scene, materials = scene_of()
    tiled = make_scene(np.tile(scene.values, (10, 12, 1)), wavelength=WAVELENGTH)
    np.testing.assert_allclose(endmember_means(extract(tiled, 3, extractor="vca")), materials, atol=0.03)
