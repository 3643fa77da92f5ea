"""Every preset is what its truth says: the scene follows from the truth by the stated laws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.errors import ParameterError
from unmixel.mixing import fan, generalised_bilinear, intimate, linear
from unmixel.result import check_result, open_result, provenance_of, save_result
from unmixel.scene import check_scene, good_bands
from unmixel.simulate import (
    LINEAR,
    PRESETS,
    FixedSpectra,
    Ground,
    Noise,
    Sensor,
    compose,
    laws_of,
    material,
    simulate_preset,
)

ROWS, COLUMNS = 23, 31


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[xr.DataArray, xr.Dataset]]:
    return {name: simulate_preset(name, rows=ROWS, columns=COLUMNS, seed=3) for name in PRESETS}


def parts(scene: xr.DataArray, truth: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels, the abundances and the spectra of every pixel, over the good bands."""
    good = good_bands(scene)
    n_endmembers = truth.sizes["endmember"]
    return (
        scene.values.reshape(-1, scene.shape[2])[:, good].astype(float),
        truth.abundance.values.reshape(-1, n_endmembers).astype(float),
        truth.endmembers.values.reshape(-1, n_endmembers, scene.shape[2])[:, :, good].astype(float),
    )


def mixture(name: str, truth: xr.Dataset, abundances: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    match name:
        case "dc1":
            return fan(abundances, spectra)
        case "dc2" | "no_pure_pixels":
            return linear(abundances, spectra)
        case "intimate":
            return intimate(abundances, spectra, 30.0, 0.0)
        case "mixed":
            mixed = generalised_bilinear(abundances, spectra, truth.gammas.values.reshape(-1, 6))
            return truth.brightness.values.reshape(-1, 1) * mixed
    raise AssertionError(name)


@pytest.mark.parametrize("name", PRESETS)
def test_the_scene_is_the_truth_mixed_plus_the_stated_noise(
    name: str, made: dict[str, tuple[xr.DataArray, xr.Dataset]]
) -> None:
    scene, truth = made[name]
    pixels, abundances, spectra = parts(scene, truth)
    residual = pixels - mixture(name, truth, abundances, spectra)
    sd = truth.noise_sd.values[good_bands(scene)]
    if name == "mixed":
        residual -= np.tile(truth.stripe.values[:, good_bands(scene)], (ROWS, 1))
        residual = residual[truth.spikes.values.ravel() == 0]
    scaled = residual / sd
    assert abs(scaled.mean()) < 0.01
    assert scaled.std() == pytest.approx(1.0, abs=0.01)
    assert np.abs(scaled).max() < 6
    np.testing.assert_allclose(np.quantile(scaled, [0.05, 0.95]), [-1.645, 1.645], atol=0.03)


@pytest.mark.parametrize("name", PRESETS)
def test_truth_meets_the_schema_and_says_its_laws(
    name: str, made: dict[str, tuple[xr.DataArray, xr.Dataset]], tmp_path: object
) -> None:
    scene, truth = made[name]
    check_scene(scene)
    check_result(truth)
    assert (truth.attrs["truth_kind"], truth.attrs["convention"]) == ("exact", "physical")
    assert provenance_of(truth)["preset"] == name
    assert set(laws_of(truth)) == {"abundance", "variability", "mixing", "brightness", "noise", "scene"}
    np.testing.assert_allclose(truth.abundance.sum("endmember"), 1.0, atol=1e-5)
    good = good_bands(scene)
    weights = truth.abundance.values.reshape(-1, truth.sizes["endmember"], 1).astype(float)
    spectra = parts(scene, truth)[2]
    mean = (weights * spectra).sum(axis=0) / weights.sum(axis=0)
    variance = (weights * (spectra - mean) ** 2).sum(axis=0) / weights.sum(axis=0)
    np.testing.assert_allclose(truth.endmember_spectrum.values[:, good], mean, atol=1e-6)
    np.testing.assert_allclose(truth.endmember_spectrum_sd.values[:, good], np.sqrt(variance), atol=2e-6)
    save_result(truth, f"{tmp_path}/truth.zarr")
    xr.testing.assert_identical(open_result(f"{tmp_path}/truth.zarr").load().drop_attrs(), truth.drop_attrs())


@pytest.mark.parametrize("name", PRESETS)
def test_nonlinearity_is_that_of_the_mixing(name: str, made: dict[str, tuple[xr.DataArray, xr.Dataset]]) -> None:
    scene, truth = made[name]
    _, abundances, spectra = parts(scene, truth)
    evenly_lit = truth.assign(brightness=xr.ones_like(truth.brightness))
    single, mixed = linear(abundances, spectra), mixture(name, evenly_lit, abundances, spectra)
    excess = np.linalg.norm(mixed - single, axis=1)
    found = truth.nonlinearity_degree.sel(stream="mixing").values.ravel()
    np.testing.assert_allclose(found, excess / (excess + np.linalg.norm(single, axis=1)), atol=1e-5)
    assert (name in ("dc2", "no_pure_pixels")) == (found.max() < 1e-6)


def test_presets_have_what_their_names_promise(made: dict[str, tuple[xr.DataArray, xr.Dataset]]) -> None:
    dc1, dc2 = made["dc1"], made["dc2"]
    assert (dc1[0].sizes["band"], dc2[0].sizes["band"]) == (224, 198)
    assert {PRESETS[name].rows for name in ("dc1", "dc2")} == {50}
    np.testing.assert_allclose(dc1[1].endmember_spectrum_sd, 0.0, atol=1e-6)
    assert (dc2[1].endmember_spectrum_sd / dc2[1].endmember_spectrum).mean("band").min() > 0.05
    assert made["no_pure_pixels"][1].abundance.max() <= 0.8 + 1e-6
    assert made["intimate"][1].nonlinearity_degree.sel(stream="mixing").mean() > 0.1
    scene, truth = made["mixed"]
    assert not good_bands(scene)[[40, 97]].any()
    assert ((truth.abundance > 0).sum("endmember") == 3).all()
    assert truth.brightness.std() > 0.05
    assert {"stripe", "spikes", "library_spectrum", "variability_mode", "gammas"} <= set(truth.data_vars)


def test_library_members_are_the_spectra_of_the_pixels(made: dict[str, tuple[xr.DataArray, xr.Dataset]]) -> None:
    _, truth = made["dc2"]
    chosen = truth.library_spectrum.values[truth.library_choice.values]
    np.testing.assert_allclose(truth.endmembers.values, chosen, rtol=1e-6)
    np.testing.assert_allclose(
        truth.library_spectrum.values[truth.library_endmember.values == 1][30],
        material("soil", truth.wavelength.values),
    )


def test_the_ground_does_not_depend_on_the_noise() -> None:
    quiet, noisy = (simulate_preset("dc2", rows=6, columns=9, snr_db=snr, seed=1) for snr in (50.0, 20.0))
    for name in ("abundance", "endmembers"):
        np.testing.assert_array_equal(quiet[1][name], noisy[1][name])
    assert noisy[1].attrs["noise_sd"] == pytest.approx(quiet[1].attrs["noise_sd"] * 10**1.5, rel=1e-6)


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = (simulate_preset("mixed", rows=7, columns=5, seed=seed) for seed in (4, 4, 5))
    assert first[0].identical(again[0])
    assert first[1].identical(again[1])
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[1].abundance, other[1].abundance)


def test_leaves_say_where_their_constants_are_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmixel.simulate.leaves.find_spec", lambda name: None)
    _, truth = simulate_preset("dc2", rows=3, columns=4)
    assert provenance_of(truth)["leaf_optics"] == "parametric stand-in"


def test_spectra_of_pixels_are_left_out_of_a_large_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmixel.simulate.composing.MOST_ENDMEMBER_VALUES", 3 * 4 * 3 * 224 - 1)
    _, truth = simulate_preset("dc1", rows=3, columns=4)
    assert "endmembers" not in truth
    assert "left out" in truth.attrs["note"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": "dc3"}, r"dc3.*dc1, dc2, intimate, no_pure_pixels, mixed"),
        ({"rows": 0}, "0 rows"),
        ({"rows": 1, "columns": 1}, "at least two pixels"),
        ({"seed": -1}, "seed = -1"),
        ({"snr_db": float("nan")}, "finite"),
    ],
)
def test_impossible_requests_are_refused(changes: dict[str, object], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        simulate_preset(**{"name": "dc1", "rows": 4, "columns": 4, **changes})


def test_parts_of_different_sizes_are_refused() -> None:
    sensor = Sensor(wavelength=np.linspace(400.0, 900.0, 6), fwhm=np.full(6, 90.0), good_band=np.ones(6, dtype=bool))
    ground = Ground(
        endmembers=("a", "b"),
        abundances=np.full((2, 3, 2), 0.5),
        abundance_law={"law": "fixed"},
        spectra=FixedSpectra(np.full((3, 6), 0.2)),
        mixing=LINEAR,
    )
    with pytest.raises(ParameterError, match="2 endmembers, 6 bands"):
        compose(ground, sensor, Noise(), rng=np.random.default_rng(0), provenance={})
