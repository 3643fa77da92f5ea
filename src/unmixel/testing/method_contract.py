"""What every unmixing method promises, as checks on a small scene of known mixtures."""

from __future__ import annotations

import json
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from unmixel.errors import BundleError, ModelError, ParameterError, UnmixingError
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._spectra_statistics import QUANTILES
from unmixel.registry import check_registered, load
from unmixel.result import check_result, provenance_of
from unmixel.scene import good_bands, make_scene, valid_pixels
from unmixel.spectra import make_bundle

ROWS, COLUMNS, BANDS = 41, 29, 24
"""More pixels than a method is given at a time."""


def check_method(
    kind: type[Method],
    *,
    permutation_atol: float = 1e-5,
    recovery_atol: float = 1e-3,
    **hyperparameters: Any,
) -> None:
    """Check that a method keeps the promises of all methods.

    On a scene of 41 x 29 pixels and 24 bands with three endmembers (4, 1 and 3 spectra), invalid pixels and a
    bad band, it fits the method four times, and a fifth time to a scene without noise. The method must be
    registered under its name (see `unmixel.registry`).

    Parameters
    ----------
    kind : type of Method
        The class.
    permutation_atol : float
        How far abundances may move when the endmembers change places; infinite for no check.
    recovery_atol : float
        How far abundances may be from those of a linear scene without noise whose endmembers are given; infinite for
        no check.
    **hyperparameters
        Of the method; make it fast.

    Raises
    ------
    AssertionError
        If a promise is broken: which one.
    ParameterError
        If the method isn't registered under its name, or a field is of a type that no saved model keeps.

    Examples
    --------
    >>> from unmixel.methods.fcls import FCLS
    >>> check_method(FCLS)
    """
    check_registered(kind)
    method = kind(**hyperparameters)
    scene, bundle = example_scene(), example_bundle()
    before, random_state = (scene.copy(deep=True), bundle.copy(deep=True)), _global_random_state()
    fitted = method.fit(scene, bundle)
    result = fitted.unmix(scene)
    for generator, state in _global_random_state().items():
        assert state == random_state.get(generator, state), f"global random state of {generator} changed"
    assert scene.identical(before[0]), "fit or unmix changed the scene"
    assert bundle.identical(before[1]), "fit or unmix changed the bundle"
    check_contents(fitted, scene, result)
    check_parts(fitted, scene, result)
    check_same_seed(method.fit(scene, bundle), scene, result)
    if not fitted.neighbours:
        check_tiles(fitted, scene, result)
        check_table_of_pixels(fitted, scene, result)
    check_saved_model(fitted, scene, result)
    check_refusals(method, fitted, scene, bundle)
    check_simulation(fitted)
    check_permutation(method, scene, bundle, result, permutation_atol)
    one_each = bundle.isel(spectrum=[0, 1, 2])
    check_contents(fitted_once := method.fit(scene, one_each), scene, fitted_once.unmix(scene))
    if np.isfinite(recovery_atol):
        check_recovery(method, recovery_atol)


def check_contents(fitted: Fitted, scene: xr.DataArray, result: xr.Dataset) -> None:
    """Check shapes, units, the simplex, invalid pixels, left-out bands and provenance."""
    check_result(result)
    valid, good, n_endmembers = valid_pixels(scene), good_bands(scene), len(fitted.endmember)
    abundance = result["abundance"].values
    assert result["endmember"].values.tolist() == list(fitted.endmember), "endmembers in another order"
    if fitted.method.non_negative:
        assert (abundance[valid] >= 0).all(), "negative abundances"
    if fitted.method.sum_to_one:
        np.testing.assert_allclose(abundance[valid].sum(axis=1), 1, atol=1e-5, err_msg="abundances that don't sum to 1")
    for name, variable in result.data_vars.items():
        assert variable.dtype == np.float32, f"{name} is {variable.dtype}"
        if "y" in variable.dims:
            assert np.isfinite(variable.values[valid]).all(), f"{name} is not finite at valid pixels"
            assert np.isnan(variable.values[~valid]).all(), f"{name} is not NaN at invalid pixels"
        else:
            assert np.isfinite(variable.values[..., good]).all(), f"{name} is not finite in good bands"
            assert np.isnan(variable.values[..., ~good]).all(), f"{name} is not NaN in left-out bands"
    for name in ("reconstruction_rmse", "endmember_spectrum", "endmember_spectrum_sd", "endmember_quantile"):
        assert name in result, f"no {name}"
    assert result["quantile"].values.tolist() == list(QUANTILES), "other quantiles"
    provenance = provenance_of(result)
    assert provenance["method"] == type(fitted.method).name, "provenance without the method"
    assert set(provenance["parameters"]) >= {"n_endmembers", "seed"}, "provenance without the parameters"

    chosen = np.array([5, 0, 7])
    everywhere = fitted.endmembers_at(scene)
    for all_pixels, some in zip(everywhere, fitted.endmembers_at(scene, np.argwhere(valid)[chosen]), strict=True):
        assert all_pixels.shape == (valid.sum(), n_endmembers, good.sum()), "endmembers_at of another shape"
        np.testing.assert_allclose(some, all_pixels[chosen], atol=1e-6, err_msg="endmembers_at of chosen pixels")
    assert (everywhere[1] >= 0).all(), "negative standard deviations of spectra"


def check_parts(fitted: Fitted, scene: xr.DataArray, result: xr.Dataset) -> None:
    """Check that the parts of pixels add up to reconstructions with the error that the result says they have."""
    valid, good = valid_pixels(scene), good_bands(scene)
    places = np.argwhere(valid)[[5, 0, 7]]
    rows, columns = places.T
    parts = fitted.parts_at(scene, places)
    observed = scene.values[rows, columns][:, good]
    np.testing.assert_array_equal(parts.observed, observed, err_msg="parts of other pixels")
    assert parts.shares.shape == (3, len(fitted.endmember), good.sum()), "shares of another shape"
    assert parts.nonlinear.shape == parts.sd.shape == observed.shape, "parts of another shape"
    assert not fitted.method.non_negative or (parts.shares >= 0).all(), "negative shares"
    rmse = np.sqrt(((parts.reconstruction - observed) ** 2).mean(axis=1))
    expected = result["reconstruction_rmse"].values[rows, columns]
    np.testing.assert_allclose(rmse, expected, atol=1e-5, err_msg="parts that don't add up to the reconstruction")
    assert (parts.sd > 0).all() or np.isnan(parts.sd).all(), "standard deviations that are neither known nor unknown"
    for pixel in ((-1, 0), (ROWS, 0), (0.5, 1.0), *np.argwhere(~valid)[:1]):
        _assert_refuses(ParameterError, lambda pixel=pixel: fitted.parts_at(scene, pixel), "parts of no pixel")


def check_same_seed(again: Fitted, scene: xr.DataArray, result: xr.Dataset) -> None:
    """Check that a second fit with the same seed gives the same bytes."""
    _assert_same_maps(again.unmix(scene), result, "a second fit with the same seed")


def check_tiles(fitted: Fitted, scene: xr.DataArray, result: xr.Dataset) -> None:
    """Check that unmixing a tile gives exactly that tile of the whole, also where no pixel is valid."""
    tiles = [(slice(0, 7), slice(0, 5)), (slice(3, 41), slice(11, 29)), (slice(20, 21), slice(8, 9))]
    for rows, columns in [*tiles, (slice(1, 3), slice(2, 5))]:
        tile = {"y": rows, "x": columns}
        found = fitted.unmix(scene.isel(tile))
        _assert_same_maps(found, result.isel(tile), f"rows {rows} and columns {columns}")


def check_table_of_pixels(fitted: Fitted, scene: xr.DataArray, result: xr.Dataset) -> None:
    """Check that a table of pixels is a scene with one column, with the same abundances."""
    valid = valid_pixels(scene)
    table = make_scene(scene.values[valid], wavelength=scene["wavelength"].values, good_band=good_bands(scene))
    found = fitted.unmix(table)["abundance"].values[:, 0]
    np.testing.assert_array_equal(found, result["abundance"].values[valid], err_msg="a table of pixels")


def check_saved_model(fitted: Fitted, scene: xr.DataArray, result: xr.Dataset) -> None:
    """Check that a saved and loaded model gives the same bytes, and is saved as the same bytes again."""
    try:
        json.dumps(fitted.record)
    except TypeError as error:
        raise AssertionError(f"a record with what JSON doesn't keep: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first"), Path(folder, "second")
        fitted.save(first)
        loaded = load(first)
        loaded.save(second)
        for file in first.iterdir():
            assert file.read_bytes() == (second / file.name).read_bytes(), f"{file.name} differs when saved again"
    assert type(loaded) is type(fitted), "loading gives another class"
    assert loaded.method == fitted.method, "loading changes hyper-parameters"
    assert loaded.endmember == fitted.endmember, "loading changes the endmembers' names"
    _assert_same_maps(loaded.unmix(scene), result, "a loaded model")


def check_refusals(method: Method, fitted: Fitted, scene: xr.DataArray, bundle: xr.DataArray) -> None:
    """Check that what does not fit is refused by an error that says what to do."""
    shifted = scene.assign_coords(wavelength=scene["wavelength"] + 15)
    bad = scene.assign_coords(good_band=("band", np.arange(BANDS) != 3))
    for other in (scene.isel(band=slice(0, BANDS - 1)), shifted, bad):
        _assert_refuses(ModelError, lambda other=other: fitted.unmix(other), "a scene of other bands")
    _assert_refuses(BundleError, lambda: method.fit(scene, bundle.isel(band=slice(1, BANDS))), "other bands")
    _assert_refuses(UnmixingError, lambda: method.fit(scene, bundle.isel(spectrum=[1])), "a single endmember")


def check_simulation(fitted: Fitted) -> None:
    """Check that a method that can simulate draws pixels it can unmix, the same for the same seed, with their truth."""
    try:
        scene, truth = fitted.simulate(50, seed=1)
    except ParameterError:  # has no generative model, and says so
        return
    check_result(truth)
    assert truth["endmember"].values.tolist() == list(fitted.endmember), "a truth with other endmembers"
    abundance = truth["abundance"].values
    assert abundance.shape == (50, 1, len(fitted.endmember)), "a truth of another size"
    np.testing.assert_allclose(abundance.sum(axis=2), 1, atol=1e-5, err_msg="true abundances that don't sum to 1")
    assert np.isfinite(fitted.unmix(scene)["abundance"].values).all(), "drawn pixels that are not unmixed"
    again, other = fitted.simulate(50, seed=1)[0], fitted.simulate(50, seed=2)[0]
    assert again.equals(scene), "another simulation with the same seed"
    assert not other.equals(scene), "the same simulation with another seed"


def check_permutation(
    method: Method, scene: xr.DataArray, bundle: xr.DataArray, result: xr.Dataset, atol: float
) -> None:
    """Check that endmembers given in another order give the same maps in that order."""
    order = ["crust", "ash", "brine"]
    spectra = np.concatenate([np.flatnonzero(bundle["endmember"].values == name) for name in order])
    permuted = method.fit(scene, bundle.isel(spectrum=spectra)).unmix(scene)
    assert permuted["endmember"].values.tolist() == order, "endmembers not in the order of the bundle"
    difference = np.abs(permuted["abundance"] - result["abundance"].sel(endmember=order))
    assert float(difference.max()) <= atol, f"permuting the bundle moves abundances by {float(difference.max())}"


def check_recovery(method: Method, atol: float) -> None:
    """Check that the abundances of linear mixtures without noise are found from their endmembers."""
    endmembers = example_bundle().isel(spectrum=[0, 1, 2])
    truth = np.random.default_rng(21).dirichlet(np.ones(3), size=(12, 11))
    scene = make_scene(truth @ endmembers.values.astype(np.float64), wavelength=_wavelength())
    found = method.fit(scene, endmembers).unmix(scene)["abundance"].values
    assert (worst := np.abs(found - truth).max()) <= atol, f"mixtures without noise are missed by {worst}"


def example_bundle() -> xr.DataArray:
    """Return 4, 1 and 3 spectra of three endmembers; the first three spectra are of different ones."""
    band = np.linspace(0, 1, BANDS)
    ash, brine = 0.2 + 0.3 * band, 0.7 - 0.5 * band
    crust = 0.6 - 0.4 * np.exp(-(((band - 0.6) / 0.12) ** 2))
    spectra = [ash, brine, crust, 1.1 * ash, 0.9 * ash, 0.8 * crust, ash + 0.02, 1.1 * crust]
    labels = ["ash", "brine", "crust", "ash", "ash", "crust", "ash", "crust"]
    return make_bundle(spectra, labels, wavelength=_wavelength())


def example_scene() -> xr.DataArray:
    """Return noisy mixtures of the example bundle with invalid pixels and a bad band."""
    rng = np.random.default_rng(20)
    bundle = example_bundle().values[:3].astype(np.float64)
    abundances = rng.dirichlet(np.full(3, 0.7), size=(ROWS, COLUMNS))
    values = abundances @ bundle + rng.normal(scale=0.01, size=(ROWS, COLUMNS, BANDS))
    values[1:3, 2:5] = np.nan
    values[30, 4, 9] = np.nan
    good = np.arange(BANDS) != 13
    return make_scene(values, wavelength=_wavelength(), fwhm=np.full(BANDS, 12.0), good_band=good)


def _wavelength() -> np.ndarray:
    return 450 + 20.0 * np.arange(BANDS)


def _global_random_state() -> dict[str, bytes]:
    """Return the states of numpy and torch; that of Python is drawn from by type checkers."""
    state = {"numpy": pickle.dumps(np.random.get_state())}  # noqa: NPY002
    torch = sys.modules.get("torch")
    return state if torch is None else {**state, "torch": torch.get_rng_state().numpy().tobytes()}


def _assert_same_maps(found: xr.Dataset, expected: xr.Dataset, what: str) -> None:
    maps = [name for name, variable in expected.data_vars.items() if "y" in variable.dims]
    for name in maps:
        assert name in found, f"{what}: no {name}"
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=f"{what}: {name}")


def _assert_refuses(kind: type[UnmixingError], action: Any, what: str) -> None:
    try:
        action()
    except kind as error:
        assert error.given, f"{what} refused without saying what was given"
        assert error.expected or error.remedy, f"{what} refused without saying what to do"
        return
    raise AssertionError(f"{what} accepted; a {kind.__name__} was expected")
