"""Signatures are still checked at every call: what is remembered is only what would pass again."""

from __future__ import annotations

from typing import NamedTuple

import jaxtyping
import numpy as np
import pytest
from beartype import beartype
from jaxtyping import Float, TypeCheckError
from tests.remembered_checks import remembering

Table = dict[str, int]


class Pair(NamedTuple):
    """Two numbers."""

    one: float
    other: float


@remembering(typechecker=beartype)
def product(left: Float[np.ndarray, "row inner"], right: Float[np.ndarray, "inner column"], *, turned: bool = False):
    return left @ right


@remembering(typechecker=beartype)
def first_rows(values: Float[np.ndarray, "row band"], n: int) -> Float[np.ndarray, "row band"]:
    return values[:n]


@remembering(typechecker=beartype)
def half(values: Float[np.ndarray, "row"], to: str) -> tuple[Float[np.ndarray, "row"], Float[np.ndarray, "row"]]:
    return values / 2, (values / 2).astype(to)


@remembering(typechecker=beartype)
def total(table: Table) -> int:
    return sum(map(int, table.values()))


@remembering(typechecker=beartype)
def sizes(arrays: tuple[np.ndarray, ...]) -> int:
    return sum(map(len, arrays))


@remembering(typechecker=beartype)
def table_of(key: object) -> Table:
    return {key: 1}


@remembering(typechecker=beartype)
def swapped(pair: Pair) -> Pair:
    return Pair(pair.other, pair.one)


def test_a_wrong_shape_is_refused_after_right_ones() -> None:
    for _ in range(3):
        assert product(np.ones((2, 3)), np.ones((3, 4))).shape == (2, 4)
        assert product(left=np.ones((2, 3)), right=np.ones((3, 4))).shape == (2, 4)
    for wrong in (np.ones((2, 4)), np.ones(4), np.ones((3, 4), dtype=int), [[1.0]], None):
        with pytest.raises(TypeCheckError, match=r"parameters of .*product"):
            product(np.ones((2, 3)), wrong)
        with pytest.raises(TypeCheckError, match=r"parameters of .*product"):
            product(np.ones((2, 3)), right=wrong)
    with pytest.raises(TypeCheckError):
        product(np.ones((2, 3)), np.ones((3, 4)), turned="no")


def test_a_wrong_result_is_refused_after_right_ones_of_the_same_arguments() -> None:
    for _ in range(3):
        assert len(first_rows(np.ones((5, 2)), 5)) == len(first_rows(np.ones((5, 2)), 6)) == 5
        with pytest.raises(TypeCheckError, match=r"return value of .*first_rows"):
            first_rows(np.ones((5, 2)), 4)
        half(np.ones(3), "float32")
        with pytest.raises(TypeCheckError, match=r"return value of .*half"):
            half(np.ones(3), "int8")


def test_what_is_in_containers_is_checked_every_time() -> None:
    for _ in range(3):
        assert total({"a": 1}) == 1
        assert sizes((np.ones(2), np.ones(3))) == 5
        with pytest.raises(TypeCheckError):
            total({"a": "1"})
        with pytest.raises(TypeCheckError):
            sizes((3,))
        assert table_of("a") == {"a": 1}


def test_results_that_are_containers_are_checked_every_time() -> None:
    assert table_of("a") == {"a": 1}
    for _ in range(3):
        with pytest.raises(TypeCheckError, match=r"return value of .*table_of"):
            table_of(1)
    returns = remembering(typechecker=beartype)(_from_box)
    box = Box(1)
    assert returns(box) == {"a": 1}
    box.item = "one"
    with pytest.raises(TypeCheckError, match=r"return value of .*_from_box"):
        returns(box)


class Box:
    """Something whose look says nothing of what is in it."""

    def __init__(self, item: object) -> None:
        self.item = item


def _from_box(box: Box) -> Table:
    return {"a": box.item}


def test_names_and_plain_tuples_count_by_type() -> None:
    for _ in range(2):
        assert swapped(Pair(1.0, 2.0)) == Pair(2.0, 1.0)
        with pytest.raises(TypeCheckError):
            swapped((1.0, 2.0))


def test_modules_of_the_package_are_checked() -> None:
    from unmixel.metrics import abundance_rmse

    assert jaxtyping.jaxtyped is remembering
    for _ in range(2):
        assert abundance_rmse(np.zeros((2, 3)), np.zeros((2, 3))) == 0
        with pytest.raises((TypeCheckError, ValueError)):
            abundance_rmse(np.zeros((2, 3)), np.zeros(3))
