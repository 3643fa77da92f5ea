"""Every method keeps the promises of all methods, and the checks notice one that does not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from quick import QUICK

import unmixel.registry
from unmixel.errors import ModelError, ParameterError
from unmixel.methods._least_squares import FittedLeastSquares
from unmixel.methods.fcls import FCLS
from unmixel.methods.scls import SCLS
from unmixel.registry import get_method, list_methods, load
from unmixel.scene import make_scene, valid_pixels
from unmixel.spectra import endmember_means, make_bundle
from unmixel.testing import check_method
from unmixel.testing.method_contract import example_bundle, example_scene


@pytest.mark.parametrize("name", [name for name in list_methods() if QUICK.get(name) is not None])
def test_every_method_keeps_the_contract(name):
    check_method(get_method(name), **QUICK[name])


def test_every_method_is_checked():
    """A method whose checks are in a file of its own says so by None."""
    assert set(QUICK) == set(list_methods())


def test_the_contract_holds_for_other_hyperparameters():
    check_method(FCLS, n_endmembers=3, seed=7)


BREAKS = [
    "abundances that don't sum to 1",
    "rows ",
    "global random state of numpy",
    "a second fit with the same seed",
    "differs when saved again",
    "not in the order of the bundle",
    "is not NaN at invalid pixels",
    "parts that don't add up to the reconstruction",
]


def broken(change: str) -> type[FCLS]:
    """Return FCLS with one promise broken."""

    fits = itertools.count(1)

    class BrokenFitted(FittedLeastSquares):
        def unmix(self, scene, *, progress=None):
            result = super().unmix(scene, progress=progress)
            if change == "is not NaN at invalid pixels":
                result["reconstruction_rmse"] = result["reconstruction_rmse"].fillna(0)
            return result

        def _unmix_pixels(self, pixels):
            found = super()._unmix_pixels(pixels)
            abundance = found["abundance"].astype(np.float32)
            if change == "abundances that don't sum to 1":
                abundance = abundance * np.float32(1.01)
            if change == "rows ":
                abundance = np.roll(abundance, int(1e6 * pixels[0, 0]) % 3, axis=1)
            if change == "global random state of numpy":
                np.random.rand()  # noqa: NPY002
            return {**found, "abundance": abundance}

        def _parts_of(self, pixels):
            parts = super()._parts_of(pixels)
            if change == "parts that don't add up to the reconstruction":
                parts = parts._replace(shares=1.01 * parts.shares)
            return parts

        def _state(self):
            factor = next(fits) if change == "differs when saved again" else 1
            return {"endmembers": self.endmembers * np.float32(factor)}

    @dataclass(frozen=True, kw_only=True)
    class Broken(FCLS):
        fitted_type: ClassVar = BrokenFitted

        def _fit(self, scene, pixels, endmembers, progress, checkpoint):
            names = tuple(sorted(endmembers.names)) if change == "not in the order of the bundle" else endmembers.names
            factor = next(fits) if change == "a second fit with the same seed" else 1
            return BrokenFitted(self, scene, names, endmembers.means * np.float32(factor))

    return Broken


@pytest.mark.parametrize("change", BREAKS)
def test_the_checks_notice(change, monkeypatch):
    kind = broken(change)
    monkeypatch.setattr(unmixel.registry, "get_method", lambda name: kind)
    with pytest.raises(AssertionError, match=change):
        check_method(kind)


def test_abundances_of_pure_and_mixed_pixels_in_their_places():
    bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    water, soil = endmember_means(bundle)
    scene = make_scene(np.array([[water, soil, (water + soil) / 2], [soil, 0.25 * water + 0.75 * soil, water]]))
    fcls = FCLS().fit(scene, bundle).unmix(scene)
    soil_map = np.array([[0, 1, 0.5], [1, 0.75, 0]])
    np.testing.assert_allclose(fcls.abundance.sel(endmember="soil"), soil_map, atol=1e-6)
    np.testing.assert_allclose(fcls.reconstruction_rmse, 0, atol=1e-6)
    np.testing.assert_array_equal(fcls.endmember_spectrum_sd, 0)


def test_brightness_is_free_in_scls_and_not_in_fcls():
    scene, bundle = example_scene(), example_bundle()
    half = scene.copy(data=scene.values / 2)
    scls = SCLS().fit(scene, bundle)
    bright, dark = scls.unmix(scene), scls.unmix(half)
    np.testing.assert_allclose(dark.abundance, bright.abundance, atol=1e-6)
    np.testing.assert_allclose(dark.reconstruction_rmse, bright.reconstruction_rmse / 2, atol=1e-6)
    fcls = FCLS().fit(scene, bundle)
    assert float(np.abs(fcls.unmix(half).abundance - fcls.unmix(scene).abundance).mean()) > 0.05


def test_reconstruction_rmse_is_that_of_the_fit():
    scene, bundle = example_scene(), example_bundle()
    result = FCLS().fit(scene, bundle).unmix(scene)
    valid, good = valid_pixels(scene), scene.good_band.values
    fit = result.abundance.values[valid] @ endmember_means(bundle)[:, good]
    expected = np.sqrt(np.mean((scene.values[valid][:, good] - fit) ** 2, axis=1))
    np.testing.assert_allclose(result.reconstruction_rmse.values[valid], expected, rtol=1e-4)


def test_a_number_of_endmembers_that_is_not_the_bundles_is_refused():
    with pytest.raises(ParameterError, match="n_endmembers = 4 and a bundle of 3"):
        FCLS(n_endmembers=4).fit(example_scene(), example_bundle())


def test_a_damaged_model_is_refused(tmp_path):
    fitted = FCLS().fit(example_scene(), example_bundle())
    fitted.endmembers = fitted.endmembers[:, 1:]
    fitted.save(tmp_path / "model")
    with pytest.raises(ModelError, match="damaged model"):
        load(tmp_path / "model")
