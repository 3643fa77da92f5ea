"""The methods by name: every file in `unmixel.methods`, and every entry point in the group ``unmixel.methods``."""

from __future__ import annotations

import importlib
import json
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

import unmixel.methods
from unmixel.errors import DAMAGE, ModelError, ParameterError
from unmixel.methods._protocol import FORMAT, Fitted, Method
from unmixel.scene import make_scene


def list_methods() -> list[str]:
    """Return the names of all methods, without loading them.

    Examples
    --------
    >>> {"fcls", "idnet", "scls"} <= set(list_methods())
    True
    """
    built_in = {m.name for m in pkgutil.iter_modules(unmixel.methods.__path__) if not m.name.startswith("_")}
    return sorted(built_in | {point.name for point in entry_points(group="unmixel.methods")})


def get_method(name: str) -> type[Method]:
    """Return the class of a method.

    Raises
    ------
    ParameterError
        If there is no method of that name.
    """
    if name not in list_methods():
        raise ParameterError(f"method {name!r}", f"one of {', '.join(list_methods())}")
    for point in entry_points(group="unmixel.methods"):
        if point.name == name:
            return point.load()
    return importlib.import_module(f"unmixel.methods.{name}").METHOD


def load(folder: str | Path) -> Fitted:
    """Load a fitted model from the folder that `Fitted.save` (or ``unmixel unmix``, as ``model/``) wrote.

    Raises
    ------
    ModelError
        If the folder holds no model, or one that this version cannot read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    if (folder / "model").is_dir():
        folder = folder / "model"
    try:
        header = json.loads((folder / "model.json").read_text())
        state = load_file(folder / "model.safetensors")
    except (*DAMAGE, SafetensorError) as error:
        raise ModelError(f"{folder} holds no readable model ({error})", "model.json and model.safetensors") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelError(f"{folder}/model.json of another format", f"format {FORMAT}", "fit the model again")
    try:
        if not all(isinstance(name, str) for name in header["endmember"]):
            raise ValueError("endmember names that are no texts")
        method = get_method(header["method"])(**header["parameters"])
        bands = {name: np.array(values, dtype=float) for name, values in header["bands"].items()}
        # one pixel with different values in two rows, so that no band counts as constant
        values = np.array([[[0.0]], [[1.0]]]).repeat(len(bands["wavelength"]), axis=2)
        carrier = make_scene(values, wavelength=bands["wavelength"], fwhm=bands["fwhm"], good_band=bands["good_band"])
        fitted = method.fitted_type._from_state(method, carrier, tuple(header["endmember"]), state)
    except DAMAGE as error:
        raise ModelError(f"{folder} holds a damaged model ({error!r})", "what `unmixel unmix` wrote") from error
    record = header.get("record")
    fitted.record = record if isinstance(record, dict) else {}
    return fitted
