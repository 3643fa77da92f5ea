"""Models, results and settings made to do harm."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hostile import BUNDLE, SCENE, VALUES
from safetensors.numpy import load_file, save_file

from unmixel.cli.run_config import read_run_config
from unmixel.cli.scenes import scenes_of
from unmixel.errors import ModelError, ParameterError, SceneError, UnmixingError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io.result_folder import write_result_folder
from unmixel.io.whole_folder import provenance_in
from unmixel.methods.fcls import FCLS
from unmixel.registry import get_method, load
from unmixel.result import open_result, provenance_of, save_result
from unmixel.scale.journal import Journal
from unmixel.train.checkpoint import load_checkpoint


@pytest.mark.parametrize(
    "told",
    [
        *({"scale": scale} for scale in ("x", [1, 2], 10**400, {"a": 1}, -1)),
        {"path": 5},
        {"path": ["a"]},
        {"leave_out": 5},
    ],
    ids=str,
)
def test_a_scene_that_a_result_tells_wrongly(told: dict[str, object], tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", VALUES)
    write_result_folder(FCLS().fit(SCENE, BUNDLE).unmix(SCENE), tmp_path / "out")
    described = tmp_path / "out/provenance.json"
    scene = {"path": str(tmp_path / "s.npy"), **told}
    described.write_text(json.dumps(json.loads(described.read_text()) | {"scene": scene}))
    opened = OpenedResult(tmp_path / "out")
    assert opened.scene is None
    assert opened.without_scene


@pytest.mark.parametrize(
    ("header", "endmembers", "said"),
    [
        ({"endmember": ["x" * 5000, "b", "c"]}, 1.0, "a name of 5000 characters"),
        ({"record": {"fitted_to_values_up_to": 10**400}}, 1.0, "a number of 401 digits"),
        ({}, np.nan, "not finite"),
        ({}, 1e30, "beyond 1e.15"),
    ],
    ids=["name", "number", "nan", "huge"],
)
def test_a_model_that_no_method_saved(header: dict[str, object], endmembers: float, said: str, tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    (model / "model.json").write_text(json.dumps(json.loads((model / "model.json").read_text()) | header))
    state = load_file(model / "model.safetensors")
    save_file({name: array * np.float32(endmembers) for name, array in state.items()}, model / "model.safetensors")
    with pytest.raises(UnmixingError, match=said):
        load(model)


def saved_model(folder: Path) -> Path:
    FCLS().fit(SCENE, BUNDLE).save(folder / "model")
    return folder / "model"


@pytest.mark.parametrize(
    "lie",
    [
        {"endmembers": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 10**15]}},
        {"endmembers": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 60]}},
        {"endmembers": {"dtype": "F32", "shape": [3, 5], "data_offsets": [60, 0]}},
        {"endmembers": {"dtype": "F32", "shape": [-3, 5], "data_offsets": [0, 60]}},
        {"other": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}},
    ],
)
def test_safetensors_that_lie(lie: dict[str, object], tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    header = json.dumps(lie).encode()
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(60))
    with pytest.raises(ModelError):
        load(model)


HARMFUL_JSON = {
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "a long number": '{"format": ' + "9" * 6000 + "}",
    "a long text": json.dumps({"format": "x" * 5_000_000}),
    "NaN": '{"format": NaN}',
    "a key twice": '{"format": 1, "format": []}',
    "nothing": "",
}


@pytest.mark.parametrize("kind", HARMFUL_JSON)
def test_json_of_a_model_made_to_do_harm(kind: str, tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    (model / "model.json").write_text(HARMFUL_JSON[kind])
    with pytest.raises(ModelError) as caught:
        load(model)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("kind", HARMFUL_JSON)
def test_json_of_a_result_made_to_do_harm(kind: str, tmp_path: Path) -> None:
    write_result_folder(FCLS().fit(SCENE, BUNDLE).unmix(SCENE), tmp_path / "out")
    described = tmp_path / "out/result.zarr/zarr.json"
    content = json.loads(described.read_text())
    content["attributes"]["provenance"] = HARMFUL_JSON[kind]
    described.write_text(json.dumps(content))
    try:
        assert isinstance(provenance_of(open_result(tmp_path / "out")), dict)
    except SceneError as error:
        assert len(str(error)) < 3000


@pytest.mark.parametrize("kind", HARMFUL_JSON)
def test_json_of_folders_made_to_do_harm(kind: str, tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text(HARMFUL_JSON[kind])
    assert provenance_in(tmp_path) == {}
    (tmp_path / "journal").write_text('{"token": "a"}\n' + HARMFUL_JSON[kind] + "\n")
    assert Journal(tmp_path / "journal").lines[0] == {"token": "a"}
    (tmp_path / "checkpoint").write_text(HARMFUL_JSON[kind])
    with pytest.raises(ModelError):
        load_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", ["run.toml", "list.toml"])
@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 50_000, "a = " + "{b=" * 50_000, "a = " + "1" * 10_000, "a." * 50_000 + "a = 1", "\x00", "\xff"],
)
def test_settings_made_to_do_harm(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(ParameterError):
        read_run_config(tmp_path / name) if name == "run.toml" else scenes_of([], tmp_path / name)


@pytest.mark.parametrize("name", ["wavelength", "good_band"])
def test_a_result_without_its_bands_is_refused(name: str, tmp_path: Path) -> None:
    result = FCLS().fit(SCENE, BUNDLE).unmix(SCENE)
    save_result(result, tmp_path / "whole.zarr")
    save_result(result.drop_vars(name), tmp_path / "without.zarr")
    open_result(tmp_path / "whole.zarr")
    with pytest.raises(SceneError, match=f"without the numbers {name}"):
        open_result(tmp_path / "without.zarr")


def test_a_model_in_half_precision_is_loaded_without_a_warning(tmp_path: Path) -> None:
    model = saved_model(tmp_path)
    state = load_file(model / "model.safetensors")
    save_file({name: array.astype(np.float16) for name, array in state.items()}, model / "model.safetensors")
    assert load(model).endmember == ("soil", "water", "tree")


def a_model_of(name: str, folder: Path, **changed: np.ndarray) -> Path:
    """Save a model that was hardly fitted, with some of its arrays changed."""
    kind = get_method(name)
    few = {"n_epochs": 1, "n_iterations": 1, "n_channels": 2, "kernel_size": 3}
    kind(**{field.name: few[field.name] for field in fields(kind) if field.name in few}).fit(SCENE, BUNDLE).save(
        folder / "model"
    )
    state = load_file(folder / "model/model.safetensors")
    assert changed.keys() <= state.keys()
    save_file({**state, **changed}, folder / "model/model.safetensors")
    return folder / "model"


@pytest.mark.parametrize("name", ["deepgun", "egu_net", "undip", "sunsal", "mesma", "ncm"])
def test_a_model_in_double_precision_unmixes_as_it_did(name: str, tmp_path: Path) -> None:
    model = a_model_of(name, tmp_path)
    before = load(model).unmix(SCENE)
    state = load_file(model / "model.safetensors")
    doubles = {key: a.astype(np.float64) if a.dtype.kind == "f" else a for key, a in state.items()}
    save_file(doubles, model / "model.safetensors")
    np.testing.assert_array_equal(load(model).unmix(SCENE).abundance, before.abundance)


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("sunsal", {"sparsity": np.array([-1.0])}, "sparsity that are negative"),
        ("sunsal", {"sparsity": np.empty(0)}, r"sparsity of shape \(0,\)"),
        ("sunsal_tv", {"penalties": np.array([0.1])}, r"penalties of shape \(1,\)"),
        ("elmm", {"noise_sd": np.array([[0.1]])}, r"noise_sd of shape \(1, 1\)"),
        ("bundle_group_sparse", {"sizes": np.array([1.0, 1.0, 1.0])}, "endmembers of .* spectra"),
        ("bundle_group_sparse", {"sizes": np.array([2**62, 2**62, 2**62])}, "endmembers of .* spectra"),
        ("mesma", {"sizes": np.array([0, 1, 2])}, "endmembers of .* spectra"),
        ("ncm", {"noise_variance": np.zeros(5, np.float32)}, "noise below 0.001 of the endmembers"),
        ("ncm", {"endmembers": np.full((3, 5), 1e14, np.float32)}, "noise below 0.001 of the endmembers"),
        ("ncm", {"factors": np.full((3, 4, 5), 1e5, np.float32)}, r"factors that are above 1e\+06 times the noise"),
    ],
)
def test_numbers_that_no_model_has(name: str, changed: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        load(a_model_of(name, tmp_path, **changed))


@pytest.mark.parametrize("name", ["sunsal_tv", "sunsal", "fcls", "mesma"])
def test_spectra_of_nothing_but_zeros_unmix_without_a_warning(name: str, tmp_path: Path) -> None:
    spectra = {"library" if name == "mesma" else "endmembers": np.zeros((3, SCENE.sizes["band"]), np.float32)}
    result = load(a_model_of(name, tmp_path, **spectra)).unmix(SCENE)
    assert np.isfinite(result.abundance).all()


@pytest.mark.parametrize("name", ["ucls", "elmm", "plmm", "nnls"])
def test_spectra_too_dark_for_any_abundance_are_refused(name: str, tmp_path: Path) -> None:
    dark = np.full((3, SCENE.sizes["band"]), 1e-40, np.float32)
    with pytest.raises(ModelError, match="endmembers that are below 1e-15 in every band"):
        load(a_model_of(name, tmp_path, endmembers=dark))


@pytest.mark.parametrize(
    ("name", "parameter", "value", "expected"),
    [
        ("deepgun", "n_iterations", 2**31, "expected at most 300"),
        ("ncm", "n_draws", 2**31, "expected 1 to 3000"),
        ("deepgun", "latent_weight", 1e308, "expected 0, or a number from 1e-30 to 1e+30"),
        ("mesma", "threshold", 1e308, "expected 0, or a number from 1e-30 to 1e+30"),
        ("elmm", "scaling_spread", 1e-20, "expected 1e-06 to 1e+06"),
        ("glmm", "scaling_spread", 1e-9, "expected 1e-06 to 1e+06"),
    ],
)
def test_numbers_with_which_a_model_cannot_unmix_are_refused(
    name: str, parameter: str, value: float, expected: str, tmp_path: Path
) -> None:
    path = a_model_of(name, tmp_path) / "model.json"
    described = json.loads(path.read_text())
    described["parameters"][parameter] = value
    path.write_text(json.dumps(described))
    with pytest.raises(ParameterError, match=re.escape(f"{parameter} = {value}; {expected}")):
        load(path.parent)
