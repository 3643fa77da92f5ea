"""The methods by name: every file in `unmixel.methods`, and every entry point in the group ``unmixel.methods``.

A package that is broken takes no method of another with it: its methods are listed, and using one says what is wrong.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

import unmixel.methods
from unmixel.claims import read_small
from unmixel.errors import DAMAGE, ModelError, ParameterError
from unmixel.methods._fitted import FORMAT, Fitted
from unmixel.methods._method import Method
from unmixel.scene import make_scene
from unmixel.spectra import check_names

GROUP = "unmixel.methods"
NEEDED = ("name", "summary", "reference", "fitted_type")
"""What the class of a method says of itself."""
_LARGEST_HEADER = 10_000_000
_LARGEST = np.float64(1e15)
"""Of the numbers of a model: those of reflectance are about 1, and their squares have to be finite."""
EntryPoint = Any
"""One of `importlib.metadata`, or, where that is installed, of the package ``importlib_metadata``."""


def list_methods() -> list[str]:
    """Return the names of all methods, without loading them.

    Examples
    --------
    >>> {"fcls", "idnet", "scls"} <= set(list_methods())
    True
    """
    return sorted(_built_in() | {point.name for point in entry_points(group=GROUP)})


def get_method(name: str) -> type[Method]:
    """Return the class of a method; one of unmixel goes before one of another package.

    Raises
    ------
    ParameterError
        If there is no method of that name, or another package's one cannot be loaded or is none.
    """
    if name in _built_in():
        return importlib.import_module(f"unmixel.methods.{name}").METHOD
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        raise ParameterError(f"method {name!r}", f"one of {', '.join(list_methods())}")
    if len(points) > 1:
        packages = " and of ".join(sorted(map(_package_of, points)))
        raise ParameterError(
            f"method {name!r} of {packages}", "one package with a method of this name", "uninstall one"
        )
    return _load(points[0])


def passed_over() -> list[str]:
    """Say which methods of other packages have the name of one of unmixel, and so are not used."""
    return [
        f"method {point.name!r} of {_package_of(point)} is passed over, because unmixel has one of this name"
        for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
        if point.name in _built_in()
    ]


def check_registered(kind: type[Method]) -> None:
    """Check that a method is found under its name.

    Raises
    ------
    ParameterError
        If it isn't: what to write where.
    """
    place = f"{kind.__module__}:{kind.__qualname__}"
    if kind.name not in list_methods():
        others = [point.name for point in entry_points(group=GROUP) if point.value == place]
        raise ParameterError(
            f"the method {place} of the name {kind.name!r}, whose entry point has the name {others[0]!r}"
            if others
            else f"the method {place} of the name {kind.name!r}, which has no entry point of the group {GROUP!r}",
            "an entry point of the method's name",
            f'write {kind.name} = "{place}" in the package\'s pyproject.toml and install it again',
        )
    if (found := get_method(kind.name)) is not kind:
        raise ParameterError(
            f"the method {place} of the name {kind.name!r}, which is that of {found.__module__}:{found.__qualname__}",
            "a name of its own",
        )


def _built_in() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(unmixel.methods.__path__) if module.name[0] != "_"}


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _load(point: EntryPoint) -> type[Method]:
    what = f"method {point.name!r} of {_package_of(point)}"
    try:
        kind = point.load()
    except Exception as error:  # whatever another package does when it is imported
        raise ParameterError(
            f"{what}, which cannot be loaded ({type(error).__name__}: {error})",
            f"{point.value} to be imported",
            "mend the package or uninstall it",
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Method)):
        raise ParameterError(f"{what}, which is {kind!r}", "a class made from unmixel.methods.Method")
    if missing := [attribute for attribute in NEEDED if not hasattr(kind, attribute)]:
        raise ParameterError(f"{what}, without {', '.join(missing)}", f"a class with {', '.join(NEEDED)}")
    if not (isinstance(kind.fitted_type, type) and issubclass(kind.fitted_type, Fitted)):
        raise ParameterError(
            f"{what}, whose fitted_type is {kind.fitted_type!r}", "a class made from unmixel.methods.Fitted"
        )
    if kind.name != point.name:
        raise ParameterError(
            f"{what}, a class of the name {kind.name!r}", "the same name in the class and its entry point", "rename one"
        )
    return kind


def _in_64_bits(digits: str) -> int:
    number = int(digits)
    if number.bit_length() > 63:
        raise ValueError(f"a number of {len(digits)} digits")
    return number


def _check_state(state: Mapping[str, np.ndarray]) -> None:
    """Check that the numbers of a saved model are some that a method can have saved."""
    for name, array in state.items():
        with np.errstate(invalid="ignore"):  # there are NaN that can't be compared without a warning
            is_small = array.dtype.kind != "f" or (np.abs(array) <= _LARGEST).all()
        if not is_small:
            raise ValueError(f"{name} with numbers that are not finite, or beyond {_LARGEST:g}")


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
    if folder.is_file():
        raise ModelError(f"the file {folder} as a model", "the folder of one", "give the model first, then scenes")
    if (folder / "model").is_dir():
        folder = folder / "model"
    try:
        header = json.loads(read_small(folder / "model.json", _LARGEST_HEADER, error=ModelError), parse_int=_in_64_bits)
        state = load_file(folder / "model.safetensors")
    except (*DAMAGE, SafetensorError) as error:
        raise ModelError(f"{folder} holds no readable model ({error})", "model.json and model.safetensors") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelError(f"{folder}/model.json of another format", f"format {FORMAT}", "fit the model again")
    try:
        if not all(isinstance(name, str) for name in header["endmember"]):
            raise ValueError("endmember names that are no texts")
        check_names(header["endmember"])
        _check_state(state)
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
