"""What methods with networks do at the edges: smallest scenes, Ctrl-C, the largest seed, noise that is told."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmixel.errors import ParameterError, SceneError
from unmixel.methods._networks import NetworkMethod
from unmixel.methods.cnn_autoencoder import CNNAutoencoder
from unmixel.methods.deepgun import DeepGUn
from unmixel.methods.fcls import FCLS
from unmixel.methods.pgmsu import PGMSU
from unmixel.methods.sunsal import SUnSAL
from unmixel.methods.undip import UnDIP
from unmixel.registry import get_method, list_methods
from unmixel.result import provenance_of
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle
from unmixel.whole_numbers import LARGEST_SEED

ENDMEMBERS = np.array(
    [[0.1, 0.15, 0.2, 0.5, 0.6, 0.55], [0.5, 0.55, 0.6, 0.65, 0.7, 0.75], [0.3, 0.2, 0.1, 0.1, 0.2, 0.4]]
)
NETWORKS = [name for name in list_methods() if issubclass(get_method(name), NetworkMethod)]


def mixed(rows: int, columns: int, *, noise_sd: float = 0.02, told: float | None = None) -> xr.DataArray:
    rng = np.random.default_rng(4)
    clean = rng.dirichlet(np.ones(3), size=(rows, columns)) @ ENDMEMBERS
    scene = make_scene(clean + noise_sd * rng.standard_normal(clean.shape))
    return scene if told is None else scene.assign_coords(noise_sd=("band", np.full(6, told)))


def bundle() -> xr.DataArray:
    return make_bundle(ENDMEMBERS, ["ash", "brine", "crust"])


def stop_after(epoch: int):
    """Return a progress that presses Ctrl-C after an epoch, and the epochs that it saw."""
    seen = []

    def progress(stage, numbers):
        if stage == "train":
            seen.append(numbers["epoch"])
            if len(seen) == epoch:
                raise KeyboardInterrupt

    return progress, seen


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (1, 3)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_smallest_scenes_are_unmixed_or_refused_in_words(name: str, shape: tuple[int, int]) -> None:
    scene = mixed(*shape)
    try:
        found = get_method(name)(n_epochs=1).fit(scene, bundle()).unmix(scene)
    except SceneError as error:
        assert f"{shape[0]} x {shape[1]} pixels" in error.given
        assert error.expected.startswith("at least")
        assert (name, shape) in {("cnn_autoencoder", (1, 1)), *(("undip", few) for few in ((1, 1), (1, 2), (2, 2)))}
    else:
        np.testing.assert_allclose(found["abundance"].values.sum(axis=2), 1, atol=1e-5)


def test_patches_of_one_pixel_are_refused() -> None:
    with pytest.raises(ParameterError, match="patch_size"):
        CNNAutoencoder(patch_size=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_largest_seed_fits(name: str) -> None:
    scene = mixed(6, 6)
    found = get_method(name)(n_epochs=1, seed=LARGEST_SEED).fit(scene, bundle()).unmix(scene)
    assert np.isfinite(found["abundance"].values).all()


def test_half_trained_maps_of_undip_are_no_result() -> None:
    scene = mixed(6, 6)
    fitted = UnDIP(n_epochs=20).fit(scene, bundle())
    progress, seen = stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fitted.unmix(scene, progress=progress)
    assert seen == [1, 2]
    assert np.isfinite(fitted.unmix(scene)["abundance"].values).all()


def test_an_interrupted_first_half_of_pgmsu_is_the_end() -> None:
    progress, seen = stop_after(2)
    record = PGMSU(n_epochs=4).fit(mixed(6, 6), bundle(), progress=progress).record
    assert seen == [1, 2]
    assert record["stopped"] == "interrupted in epoch 3"
    assert [half["epochs"] for half in record["halves"]] == [2]


def test_both_halves_of_pgmsu_are_on_record() -> None:
    record = PGMSU(n_epochs=2).fit(mixed(6, 6), bundle()).record
    assert [half["stopped"] for half in record["halves"]] == ["all 2 epochs done"] * 2
    assert record["loss"] == record["halves"][1]["loss"]


def test_interrupted_lessons_are_the_end() -> None:
    method = PGMSU()
    network = method.seeded_network(ENDMEMBERS.astype(np.float32))

    def lesson():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        method.teach(network, lesson)


def test_how_undip_trained_is_in_the_provenance() -> None:
    scene = mixed(6, 6)
    said = provenance_of(UnDIP(n_epochs=3).fit(scene, bundle()).unmix(scene))
    assert (said["epochs"], said["stopped"]) == (3, "all 3 epochs done")
    assert said["loss"] > 0


def test_undip_stops_at_the_noise_that_is_told() -> None:
    epochs = {}
    for told in (None, 0.001, 0.2):
        scene = mixed(12, 12, told=told)
        epochs[told] = provenance_of(UnDIP().fit(scene, bundle()).unmix(scene))["epochs"]
    assert epochs[0.2] < epochs[None] == epochs[0.001], "no misfit can fall below what the endmembers leave"


def test_deepgun_goes_by_the_noise_that_is_told() -> None:
    """Spectra stay where they are in noise that explains all, and follow the pixels where there is hardly any."""
    moved = {}
    for told in (1.0, 0.01):
        scene = mixed(6, 6, told=told)
        fitted = DeepGUn(n_epochs=30).fit(scene, bundle())
        spectra = fitted.endmembers_at(scene)[0]
        moved[told] = spectra.std(axis=0).mean()
    assert moved[1.0] < 0.1 * moved[0.01]


def test_latents_without_weight_explain_more() -> None:
    scene = mixed(8, 8, noise_sd=0.05)
    rmse = {}
    for weight in (0.0, 1e-30, 1.0):
        found = DeepGUn(latent_weight=weight, n_epochs=30).fit(scene, bundle()).unmix(scene)
        rmse[weight] = float(found["reconstruction_rmse"].mean())
    assert rmse[0.0] < rmse[1.0]
    assert rmse[1e-30] == pytest.approx(rmse[0.0], rel=1e-3)


@pytest.mark.parametrize("told", [None, 0.02], ids=["estimated", "told"])
@pytest.mark.parametrize(
    ("method", "uses"),
    [
        (FCLS(), False),
        (SUnSAL(), True),
        (SUnSAL(sparsity=0.01), False),
        (PGMSU(n_epochs=1), True),
        (DeepGUn(n_epochs=1), True),
        (UnDIP(n_epochs=1), True),
    ],
    ids=["fcls", "sunsal", "sunsal, sparsity given", "pgmsu", "deepgun", "undip"],
)
def test_only_methods_that_use_noise_say_where_it_is_from(method, uses: bool, told: float | None) -> None:
    scene = mixed(6, 6, told=told)
    said = provenance_of(method.fit(scene, bundle()).unmix(scene)).get("noise")
    expected = "estimated from the scene" if told is None else "told by the scene (noise_sd)"
    assert said == (expected if uses else None)
