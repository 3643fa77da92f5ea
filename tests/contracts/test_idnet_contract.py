"""ID-Net keeps the promises of all methods, and those of its own: draws, spectra, resuming, any bundle."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.numpy import load_file, save_file

from unmixel.errors import ModelError, ParameterError, TrainingError
from unmixel.methods._latents import KnowsLatents
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.metrics import abundance_rmse
from unmixel.registry import load
from unmixel.result import provenance_of
from unmixel.scene import make_scene, pixels_of, valid_pixels
from unmixel.spectra import make_bundle
from unmixel.testing import check_method
from unmixel.testing.method_contract import check_contents, example_bundle, example_scene

SHORT = {"n_epochs": 2, "steps_per_epoch": 3, "batch_size": 32}
PUBLISHED = {"n_epochs": 1, "steps_per_epoch": 3}


def test_idnet_keeps_the_contract():
    """Networks start at random numbers that don't change places with the endmembers: permutation has its own test."""
    check_method(IDNet, **SHORT, permutation_atol=np.inf, recovery_atol=np.inf)


def published(scene: str, **settings) -> dict:
    """Return the published settings as hyper-parameters."""
    method = IDNet.paper(scene, **settings)
    return asdict(method)


def test_published_idnet_keeps_the_contract():
    check_method(IDNet, **published("samson", **PUBLISHED), permutation_atol=np.inf, recovery_atol=np.inf)


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    return example_scene()


@pytest.fixture(scope="module")
def fitted(scene):
    return IDNet(**SHORT).fit(scene, example_bundle())


@pytest.fixture(scope="module", params=["default", "published"])
def either(request, scene, fitted):
    return fitted if request.param == "default" else IDNet.paper("dc1", **PUBLISHED).fit(scene, example_bundle())


def test_permuting_the_bundle_permutes_the_abundances(scene):
    """Exactly, but for rounding, before training: everything but the networks' start comes from the data.

    One step of a vanishing learning rate leaves the streams that start at zero there.
    """
    untrained = IDNet(n_epochs=1, steps_per_epoch=1, batch_size=16, learning_rate=1e-12)
    bundle = example_bundle()
    order = ["crust", "ash", "brine"]
    spectra = np.concatenate([np.flatnonzero(bundle["endmember"].values == name) for name in order])
    result = untrained.fit(scene, bundle).unmix(scene).sel(endmember=order)
    permuted = untrained.fit(scene, bundle.isel(spectrum=spectra)).unmix(scene)
    assert permuted["endmember"].values.tolist() == order
    for name in ("latent_mean", "latent_sd"):
        found, expected = permuted[name].values[..., 0], result[name].values[..., 0]
        np.testing.assert_allclose(found, expected, atol=2e-3, err_msg=name)
    np.testing.assert_allclose(permuted["reconstruction_rmse"], result["reconstruction_rmse"], atol=1e-4)
    np.testing.assert_allclose(permuted["abundance"], result["abundance"], atol=2e-3)


def test_permuting_single_spectra_is_exact(scene):
    untrained = IDNet(n_epochs=1, steps_per_epoch=1, batch_size=16, learning_rate=1e-12)
    bundle = example_bundle().isel(spectrum=[0, 1, 2])
    result = untrained.fit(scene, bundle).unmix(scene)
    permuted = untrained.fit(scene, bundle.isel(spectrum=[2, 0, 1])).unmix(scene)
    expected = result["abundance"].sel(endmember=permuted["endmember"].values)
    assert permuted["endmember"].values.tolist() == ["crust", "ash", "brine"]
    np.testing.assert_allclose(permuted["abundance"], expected, atol=1e-4)


def test_draws_lie_on_the_simplex_and_are_nan_where_the_scene_is(either, scene):
    drawn = either.sample(scene, 3, seed=1)
    assert drawn["abundance"].dims == ("draw", "y", "x", "endmember")
    assert drawn["abundance"].shape == (3, *scene.shape[:2], 3)
    assert drawn["latents"].shape == (3, *scene.shape[:2], 3, either.model.shape.n_latents)
    assert drawn["endmember"].values.tolist() == list(either.endmember)
    valid = valid_pixels(scene)
    assert np.isnan(drawn["abundance"].values[:, ~valid]).all()
    assert (drawn["abundance"].values[:, valid] >= 0).all()
    np.testing.assert_allclose(drawn["abundance"].values[:, valid].sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(drawn["y"], scene["y"])


def test_draws_depend_on_their_seed_alone(either, scene):
    part = scene.isel(y=slice(0, 4))
    before = torch.get_rng_state()
    first = either.sample(part, 2, seed=1)
    torch.rand(7)
    again, other = either.sample(part, 2, seed=1), either.sample(part, 2, seed=2)
    xr.testing.assert_identical(first, again)
    assert float(np.abs(first["abundance"] - other["abundance"]).max()) > 0
    torch.set_rng_state(before)
    either.sample(part, 1, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_agree_with_the_maps_of_mean_and_sd(either, scene):
    """Up to the error of n draws (3 standard errors of nearly all pixels) and of the few nodes of the maps."""
    part, n_draws = scene.isel(y=slice(5, 9)), 250
    result, drawn = either.unmix(part), either.sample(part, n_draws, seed=4)
    valid = valid_pixels(part)
    mean, sd = (result[name].values[valid] for name in ("abundance", "abundance_sd"))
    abundance, latent = (drawn[name].values[:, valid] for name in ("abundance", "latents"))
    standard_error = sd / np.sqrt(n_draws)
    off_by = np.abs(abundance.mean(axis=0) - mean)
    assert np.quantile(off_by - 4 * standard_error, 0.95) < 0.02
    np.testing.assert_allclose(abundance.mean(axis=0).mean(axis=0), mean.mean(axis=0), atol=0.01)
    assert 0.8 < np.median(abundance.std(axis=0) / sd) < 1.25

    latent_mean, latent_sd = (result[name].values[valid] for name in ("latent_mean", "latent_sd"))
    worst = np.abs(latent.mean(axis=0) - latent_mean) / (latent_sd / np.sqrt(n_draws))
    assert worst.max() < 5
    np.testing.assert_allclose(latent.std(axis=0) / latent_sd, 1, atol=0.2)


def test_concentration_is_that_of_the_mean_and_sd_maps(either, scene):
    result = either.unmix(scene)
    valid = valid_pixels(scene)
    concentration = result["concentration"].values[valid].astype(float)
    total = concentration.sum(axis=1, keepdims=True)
    mean = concentration / total
    np.testing.assert_allclose(mean, result["abundance"].values[valid], atol=1e-4)
    variance = (mean * (1 - mean) / (total + 1)).sum(axis=1)
    np.testing.assert_allclose(variance, (result["abundance_sd"].values[valid] ** 2).sum(axis=1), rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("pixel", [(-1, 0), (41, 0), (0.5, 1.0), 3, (1, 2, 3), "a"])
def test_a_pixel_that_is_not_there_is_refused(fitted, scene, pixel):
    with pytest.raises(ParameterError):
        fitted.endmembers_at(scene, pixel)


def test_spectra_of_pixels_mix_to_the_pixels(scene):
    """At the posterior means, a linear model's spectra and abundances give the pixels back."""
    fitted = IDNet(**SHORT, mixing_gain=0.0, n_nodes=1).fit(scene, example_bundle())
    mean, sd = fitted.endmembers_at(scene)
    places = np.argwhere(valid_pixels(scene))[[1100, 3]]
    for some, everywhere in zip(fitted.endmembers_at(scene, places), (mean, sd), strict=True):
        np.testing.assert_array_equal(some, everywhere[[1100, 3]])
    pixels, valid = pixels_of(scene), valid_pixels(scene)
    assert mean.shape == sd.shape == (len(pixels), 3, pixels.shape[1])
    assert (sd > 0).all()
    result = fitted.unmix(scene)
    mixed = np.einsum("nk,nkl->nl", result["abundance"].values[valid], mean)
    found = np.sqrt(np.mean((mixed - pixels) ** 2, axis=1))
    np.testing.assert_allclose(found, result["reconstruction_rmse"].values[valid], atol=1e-4)
    assert np.median(found) < 0.03
    np.testing.assert_array_equal(result["nonlinearity_degree"].values[valid][:, 0], 0)


def test_the_spectra_of_the_posterior_latents_are_those_of_the_parts(either, scene):
    places = np.argwhere(valid_pixels(scene))[[1100, 3]]
    result, (rows, columns) = either.unmix(scene), places.T
    assert isinstance(either, KnowsLatents)
    spectra = either.spectra_of(result["latent_mean"].values[rows, columns])
    shares = result["abundance"].values[rows, columns][:, :, None] * spectra
    np.testing.assert_allclose(shares, either.parts_at(scene, places).shares, atol=1e-6)


@pytest.mark.parametrize("latents", [np.zeros((2, 3, 7)), np.zeros((2, 1, 2)), np.full((1, 3, 2), np.nan)])
def test_latents_of_no_model_are_refused(latents, scene):
    published_one = IDNet.paper("dc1", **PUBLISHED).fit(scene, example_bundle())
    with pytest.raises(ParameterError, match=r"finite numbers of shape \(pixel, 3, 2\)"):
        published_one.spectra_of(latents)


def test_least_squares_know_no_latents(scene):
    assert not isinstance(FCLS().fit(scene, example_bundle()), KnowsLatents)


def test_nonlinearity_degrees_are_shares(either, scene):
    degree = either.unmix(scene)["nonlinearity_degree"].values[valid_pixels(scene)]
    assert degree.shape[-1] == 2
    assert (degree >= 0).all()
    assert (degree <= 1).all()


@pytest.mark.parametrize("n_endmembers", [2, 7])
@pytest.mark.parametrize("paper", [False, True])
def test_any_number_of_endmembers_and_spectra(n_endmembers, paper):
    """Bundles of 1, 2, 3, ... spectra, from a table of pixels."""
    rng = np.random.default_rng(n_endmembers)
    n_bands = 18
    means = np.abs(rng.uniform(0.1, 0.8, size=(n_endmembers, 1)) + 0.2 * rng.normal(size=(n_endmembers, n_bands)))
    labels = [f"m{k}" for k in range(n_endmembers) for _ in range(k + 1)]
    spectra = [means[int(label[1:])] * rng.uniform(0.9, 1.1) for label in labels]
    wavelength = 500 + 10.0 * np.arange(n_bands)
    pixels = rng.dirichlet(np.ones(n_endmembers), size=150) @ means + rng.normal(scale=0.01, size=(150, n_bands))
    pixels[3] = np.nan
    table = make_scene(pixels, wavelength=wavelength)
    method = IDNet.paper("dc2", **PUBLISHED) if paper else IDNet(**SHORT)
    fitted = method.fit(table, make_bundle(spectra, labels, wavelength=wavelength))
    result = fitted.unmix(table)
    check_contents(fitted, table, result)
    assert result["abundance"].shape == (150, 1, n_endmembers)
    assert fitted.sample(table, 2)["abundance"].shape == (2, 150, 1, n_endmembers)


def test_two_pixels_are_enough_to_unmix_and_forty_to_fit(fitted, scene):
    few = scene.isel(y=slice(10, 12), x=slice(0, 1))
    assert fitted.unmix(few)["abundance"].shape == (2, 1, 3)
    small = scene.isel(y=slice(10, 15), x=slice(0, 8))
    check_contents(again := IDNet(**SHORT).fit(small, example_bundle()), small, again.unmix(small))


class Interrupted:
    """A progress callback that presses Ctrl-C after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, stage, numbers):
        if stage == "train" and numbers["epoch"] == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [{**SHORT, "n_epochs": 4}, published("dc1", steps_per_epoch=3, n_epochs=4)])
def test_interrupted_and_resumed_training_ends_like_undisturbed(scene, settings, tmp_path):
    method = IDNet(**{**settings, "patience": 9})
    undisturbed = method.fit(scene, example_bundle())
    checkpoint = tmp_path / "training.safetensors"
    interrupted = method.fit(scene, example_bundle(), checkpoint=checkpoint, progress=Interrupted(2))
    assert interrupted.record["stopped"] == "interrupted in epoch 3"
    check_contents(interrupted, scene, interrupted.unmix(scene))
    resumed = method.fit(scene, example_bundle(), checkpoint=checkpoint)
    assert resumed.record["stopped"] == undisturbed.record["stopped"] == "all 4 epochs done"
    assert resumed.record["history"] == undisturbed.record["history"]
    undisturbed.save(tmp_path / "undisturbed")
    resumed.save(tmp_path / "resumed")
    states = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("undisturbed", "resumed")]
    assert states[0] == states[1]


def test_a_checkpoint_of_other_settings_or_another_scene_is_refused(scene, tmp_path):
    few = {**SHORT, "mixing_gain": 0.0, "n_latents": 1}  # few hypotheses to compare
    checkpoint = tmp_path / "training.safetensors"
    IDNet(**few).fit(scene, example_bundle(), checkpoint=checkpoint)
    with pytest.raises(ModelError, match="another training"):
        IDNet(**few, seed=1).fit(scene, example_bundle(), checkpoint=checkpoint)
    with pytest.raises(ModelError, match="another training"):
        IDNet(**few).fit(scene * 1.01, example_bundle(), checkpoint=checkpoint)
    with pytest.raises(ModelError, match="another training"):
        IDNet(**few).fit(scene, example_bundle() * 1.01, checkpoint=checkpoint)


@pytest.mark.parametrize("n_steps", [0, 10**9])
def test_a_model_that_would_never_end_is_refused(fitted, n_steps, tmp_path):
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    state = load_file(path)
    state["q.regression.n_steps"] = np.array(n_steps)
    save_file(state, path)
    with pytest.raises(ModelError, match=f"{n_steps} steps"):
        load(tmp_path / "model")


def test_the_record_says_how_training_went(fitted, scene):
    provenance = provenance_of(fitted.unmix(scene))
    assert provenance["stopped"] == "all 2 epochs done"
    assert [epoch["epoch"] for epoch in provenance["history"]] == [1, 2]
    assert {"scene_likelihood", "abundances", "latents", "loss", "watched"} <= set(provenance["history"][0])
    assert 0.005 < provenance["noise_sd"] < 0.03
    assert provenance["training_pixels"] == int(valid_pixels(scene).sum())


def test_training_and_held_out_pixels_do_not_depend_on_threads_or_progress(scene, fitted):
    told = []
    first = IDNet(**SHORT).fit(scene, example_bundle(), progress=lambda stage, numbers: told.append((stage, numbers)))
    for name, values in first._state().items():
        np.testing.assert_array_equal(values, fitted._state()[name], err_msg=name)
    assert [numbers["epoch"] for stage, numbers in told if stage == "train"] == [1, 2]


def test_divergence_is_an_error_that_names_the_epoch(scene):
    with pytest.raises(TrainingError, match=r"diverged in epoch 1.*scene_likelihood"):
        IDNet.paper("samson", n_epochs=1, steps_per_epoch=60, learning_rate=1e30).fit(scene, example_bundle())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"n_latents": 0}, "n_latents = 0"),
        ({"n_epochs": 0}, "n_epochs = 0"),
        ({"batch_size": -3}, "batch_size = -3"),
        ({"learning_rate": float("nan")}, "learning_rate = nan"),
        ({"n_nodes": 0}, "n_nodes = 0"),
        ({"threads": 0}, "threads = 0"),
        ({"n_ista": -1}, "n_ista = -1"),
        ({"sparsity": -0.1}, "sparsity = -0.1"),
        ({"supervision": 10.0}, "supervision in the default"),
        ({"steps_per_epoch": 0}, "steps_per_epoch = 0"),
        ({"n_endmembers": 1}, "n_endmembers = 1"),
    ],
)
def test_impossible_settings_are_refused(settings, named):
    with pytest.raises(ParameterError, match=named):
        IDNet(**settings)


@pytest.mark.parametrize("device", ["tpu", "meta", "cuda:99"])
def test_devices_that_are_not_there_are_refused(scene, device):
    with pytest.raises(ParameterError, match=f"device '{device}'"):
        IDNet(**SHORT, device=device).fit(scene, example_bundle())


def test_unknown_published_settings_are_refused():
    with pytest.raises(ParameterError, match="one of dc1, dc2, samson, jasper_ridge, cuprite"):
        IDNet.paper("moffett")


def test_no_draws_are_refused_and_so_are_draws_of_point_estimates(fitted, scene):
    with pytest.raises(ParameterError, match="n_draws = 0"):
        fitted.sample(scene, 0)
    with pytest.raises(ParameterError, match="point estimates only"):
        FCLS().fit(scene, example_bundle()).sample(scene, 1)


def test_simulated_pixels_have_the_bands_of_the_model_and_the_same_seed_gives_the_same(fitted, scene):
    drawn, truth = fitted.simulate(1100, seed=3)
    assert drawn.shape == (1100, 1, scene.sizes["band"])
    for name in ("wavelength", "fwhm", "good_band"):
        np.testing.assert_array_equal(drawn[name], scene[name])
    assert truth["endmember"].values.tolist() == list(fitted.endmember)
    np.testing.assert_allclose(truth["abundance"].sum("endmember"), 1, atol=1e-5)
    found = fitted.unmix(drawn)
    assert abundance_rmse(truth["abundance"].values[:, 0], found["abundance"].values[:, 0]) < 0.15
    random_state = torch.random.get_rng_state()
    again, _ = fitted.simulate(1100, seed=3)
    other, _ = fitted.simulate(1100, seed=4)
    assert (torch.random.get_rng_state() == random_state).all()
    assert again.identical(drawn)
    assert not (pixels_of(other) == pixels_of(drawn)).any()


def test_what_cannot_simulate_says_so(fitted, scene):
    with pytest.raises(ParameterError, match="n_pixels = 1"):
        fitted.simulate(1)
    published_one = IDNet.paper("dc1", **PUBLISHED).fit(scene, example_bundle())
    with pytest.raises(ParameterError, match="published"):
        published_one.simulate(10)
    with pytest.raises(ParameterError, match="'fcls', which has no generative model"):
        FCLS().fit(scene, example_bundle()).simulate(10)
