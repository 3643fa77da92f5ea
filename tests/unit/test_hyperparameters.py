"""What a hyper-parameter may be: in Python, in settings, and as a method declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from unmixel.errors import ParameterError
from unmixel.extraction import extract
from unmixel.io import open_lazily
from unmixel.methods._hyperparameters import declared_types
from unmixel.methods.fcls import FCLS
from unmixel.registry import get_method, list_methods
from unmixel.scale import sample_pixels
from unmixel.settings import checked_hyperparameters
from unmixel.simulate import simulate_preset
from unmixel.testing.method_contract import example_scene

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class Typed(FCLS):
    """A method with a field of every kind."""

    count: int = 2
    share: float = 0.5
    fast: bool = False
    law: Literal["linear", "fan", 3] = "linear"
    limit: float | None = None
    named: int | str = 1
    weights: tuple[float, ...] = ()
    pair: tuple[str, int] = ("a", 1)
    nested: tuple[tuple[int, ...], ...] = ()


def test_values_are_brought_into_the_declared_types() -> None:
    given = {
        "n_endmembers": np.int64(3),
        "seed": np.uint8(7),
        "count": np.array(4),
        "share": np.float32(0.25),
        "fast": np.bool_(True),
        "law": np.int8(3),
        "limit": 2,
        "named": "b",
        "weights": [1, np.float64(0.5)],
        "pair": ["b", np.int16(2)],
        "nested": [[1, 2], ()],
    }
    expected = {
        "n_endmembers": 3,
        "seed": 7,
        "count": 4,
        "share": 0.25,
        "fast": True,
        "law": 3,
        "limit": 2.0,
        "named": "b",
        "weights": (1.0, 0.5),
        "pair": ("b", 2),
        "nested": ((1, 2), ()),
    }
    made = Typed(**given)
    for name, value in expected.items():
        assert (type(getattr(made, name)), getattr(made, name)) == (type(value), value)
    assert [type(weight) for weight in made.weights] == [float, float]
    assert checked_hyperparameters(Typed, given) == expected
    assert Typed(**expected) == made


WRONG = {
    "part of one": ("count", 2.5, "count = 2.5; expected a whole number; leave it out for its default, 2"),
    "True as a number": ("count", True, "count = True; expected a whole number"),
    "numpy's True": ("count", np.True_, "expected a whole number"),
    "text as a whole number": ("count", "3", "count = '3'; expected a whole number"),
    "text": ("share", "0.5", "share = '0.5'; expected a number"),
    "False": ("share", False, "share = False; expected a number"),
    "beyond floats": ("share", 10**400, "expected a number"),
    "several": ("share", np.ones(2), "expected a number"),
    "a number as a switch": ("fast", 1, "fast = 1; expected true or false"),
    "no choice": ("law", "log", "law = 'log'; expected one of 'linear', 'fan', 3"),
    "neither": ("limit", "none", "limit = 'none'; expected a number or None"),
    "none of both": ("named", 0.5, "named = 0.5; expected a whole number or a string"),
    "no tuple": ("weights", 1.0, "weights = 1.0; expected a tuple, each of it a number"),
    "text in a tuple": ("weights", (1.0, "b"), "expected a tuple, each of it a number"),
    "too long": ("pair", ("a", 1, 2), "expected a tuple of 2: a string, a whole number"),
    "a number of endmembers": ("n_endmembers", 2.5, "n_endmembers = 2.5; expected a whole number or None"),
    "an extraction": ("extraction", 4, "extraction = 4; expected a string"),
    "a seed": ("seed", 0.5, "seed = 0.5; expected a whole number"),
    "a seed below": ("seed", -1, "seed = -1; expected a whole number, 0 to 2147483647"),
    "a seed beyond": ("seed", 2**31, "seed = 2147483648; expected a whole number, 0 to 2147483647"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_value_of_another_type_is_refused_with_its_name(case: str) -> None:
    name, value, told = WRONG[case]
    with pytest.raises(ParameterError) as refused:
        Typed(**{name: value})
    assert told in str(refused.value)
    with pytest.raises(ParameterError):
        Typed(**checked_hyperparameters(Typed, {name: value}))


WHOLE = [
    (method, field.name)
    for method in list_methods()
    for field in fields(get_method(method))
    if declared_types(get_method(method))[field.name] in (int, int | None)
]


@pytest.mark.parametrize("wrong", [2.5, True, "3"], ids=["2.5", "True", "text"])
@pytest.mark.parametrize(("method", "name"), WHOLE, ids=["-".join(pair) for pair in WHOLE])
def test_whole_numbers_of_every_method_are_whole(method: str, name: str, wrong: object) -> None:
    """The class is made anew, because tests check the signatures of unmixel's own before they run."""
    unchecked = dataclass(frozen=True, kw_only=True)(type(method, (get_method(method),), {}))
    with pytest.raises(ParameterError, match=f"^{name} = {wrong!r}; expected a whole number"):
        unchecked(**{name: wrong})


def method_with(annotation: Any) -> type[FCLS]:
    """Return a method with a field of a type."""

    @dataclass(frozen=True, kw_only=True)
    class Odd(FCLS):
        __annotations__ = {"odd": annotation}
        odd = None

    return Odd


@pytest.mark.parametrize(
    "annotation",
    ["list[int]", dict, "Mapping[str, int]", "np.ndarray | None", Any, "tuple", "tuple[list[int], ...]", "int | bytes"],
    ids=["list", "dict", "mapping", "array", "any", "bare tuple", "tuple of lists", "bytes"],
)
def test_a_field_of_a_type_that_no_model_keeps_is_refused(annotation: Any) -> None:
    told = r"the hyper-parameter odd of Odd, of type .*; expected bool, int, float, str, None, .* keep nothing else"
    for make in (lambda kind: kind(), lambda kind: checked_hyperparameters(kind, {})):
        with pytest.raises(ParameterError, match=told):
            make(method_with(annotation))


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [("Decimal | None", "NameError: name 'Decimal'"), ("int |", "SyntaxError"), ("int.real.no", "AttributeError")],
    ids=["for type checkers only", "no type at all", "not there"],
)
def test_a_field_whose_type_cannot_be_found_is_named(annotation: str, reason: str) -> None:
    for make in (lambda kind: kind(), lambda kind: checked_hyperparameters(kind, {"seed": 1})):
        with pytest.raises(ParameterError, match=f"the hyper-parameter odd of Odd, .*cannot be found.*{reason}"):
            make(method_with(annotation))


def test_seeds_have_one_range_everywhere(tmp_path: Path) -> None:
    scene = example_scene()
    np.save(tmp_path / "scene.npy", scene.values)
    takers: Mapping[str, Any] = {
        "extract": lambda seed: extract(scene, 3, seed=seed),
        "simulate_preset": lambda seed: simulate_preset("dc1", rows=4, columns=5, seed=seed),
        "method": lambda seed: FCLS(seed=seed),
        "sample_pixels": lambda seed: sample_pixels(open_lazily(tmp_path / "scene.npy"), seed=seed),
    }
    for take in takers.values():
        take(2**31 - 1)
        for wrong in (-1, 2**31, 2**63):
            with pytest.raises(ParameterError, match=f"seed = {wrong}; expected a whole number, 0 to 2147483647"):
                take(wrong)


@pytest.mark.parametrize(
    ("method", "name", "most"),
    [
        *(("idnet", "n_nodes", 1024), ("idnet", "threads", 1024), ("undip", "threads", 1024)),
        *(("unrolled_admm", "n_layers", 1000), ("deepgun", "n_latents", 1000)),
    ],
)
def test_what_a_model_of_a_stranger_asks_for_has_an_end(method: str, name: str, most: int) -> None:
    assert getattr(get_method(method)(**{name: most}), name) == most
    with pytest.raises(ParameterError, match=f"{name} = {2 * most}; expected .*at most {most}"):
        get_method(method)(**{name: 2 * most})


@pytest.mark.parametrize(
    ("method", "name"), [("elmm", "scaling_step"), ("glmm", "abundance_step"), ("plmm", "perturbation")]
)
def test_spreads_are_neither_tiny_nor_huge(method: str, name: str) -> None:
    for number in (1e-6, 1e6):
        assert getattr(get_method(method)(**{name: number}), name) == number
    for number in (9e-7, 1.1e6, 0.0):
        with pytest.raises(ParameterError, match=f"{name} = "):
            get_method(method)(**{name: number})
