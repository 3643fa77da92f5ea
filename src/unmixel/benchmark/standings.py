"""Who is how good on which scene: medians over the seeds, their spread, and ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from unmixel.benchmark.columns import OK
from unmixel.benchmark.table import Row

BEST_TRUTHS = ("exact", "independent")
"""Kinds of truth that no unmixing made: methods are ranked on them first."""
ERRORS = {"area_error": "mean error of areas [1]", "abundance_rmse_as_truth": "abundance RMSE [1]"}
"""What methods are ranked by: the first of these that a scene has."""


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest value over the seeds."""

    middle: float
    low: float
    high: float


def spread_of(rows: Iterable[Row], column: str) -> Spread | None:
    """Return the spread of a column over the rows that have it; None if none has.

    Examples
    --------
    >>> spread_of([{"seconds": 3.0}, {"seconds": 1.0}, {"seconds": 9.0}, {}], "seconds")
    Spread(middle=3.0, low=1.0, high=9.0)
    """
    values = [float(row[column]) for row in rows if row.get(column) is not None]
    return Spread(median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Standing:
    """A method on a scene.

    Attributes
    ----------
    method : str
    rank : int
        By the median error, from 1, among the methods with the same endmembers; one that failed counts as infinite.
        Methods whose median that is share the last rank.
    finds_own : bool
        Whether it was run with endmembers of its own: then its rank is the one that it would have among the others.
    error : Spread or None
        Over the seeds with a result; None without any.
    rows : list of dict
        Of all seeds.
    n_failed : int
        Runs without a result.
    """

    method: str
    rank: int
    finds_own: bool
    error: Spread | None
    rows: Sequence[Row]
    n_failed: int

    def spread(self, column: str) -> Spread | None:
        """Return the spread of another column."""
        return spread_of(self.rows, column)

    def target_error(self, place: int) -> Spread | None:
        """Return the spread of the error of the areas of targets of one size, by its place in ``target_area``."""
        errors = [row["area_error_by_target"] for row in self.rows if row.get("area_error_by_target")]
        return spread_of([{"error": one[place]} for one in errors], "error")


@dataclass(frozen=True)
class SceneStandings:
    """All methods on a scene.

    Attributes
    ----------
    scene, endmembers : str
        Its name, and where the endmembers are from.
    truth_kind, convention, truth : str
        What its truth is worth; empty where no run came so far.
    error : str
        The column that methods are ranked by.
    methods : list of Standing
        By rank.
    """

    scene: str
    endmembers: str
    truth_kind: str
    convention: str
    truth: str
    error: str
    methods: Sequence[Standing]

    @property
    def is_ranked_first(self) -> bool:
        """Whether its truth is one that no unmixing made."""
        return self.truth_kind in BEST_TRUTHS


def standings_of(rows: Sequence[Row]) -> list[SceneStandings]:
    """Return the standings of every scene: those with exact and independent truth first, else as in the suite."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row["scene"], row["endmembers"]), []).append(row)
    scenes = [_of_scene(scene, endmembers, own) for (scene, endmembers), own in grouped.items()]
    return sorted(scenes, key=lambda one: not one.is_ranked_first)


def _of_scene(scene: str, endmembers: str, rows: Sequence[Row]) -> SceneStandings:
    error = next((name for name in ERRORS if any(row.get(name) is not None for row in rows)), "abundance_rmse_as_truth")
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row)
    middles = {method: median(_error_of(row, error) for row in own) for method, own in by_method.items()}
    finders = {method for method, own in by_method.items() if own[0].get("method_endmembers") == "own"}
    others = [middle for method, middle in middles.items() if method not in finders]
    methods = [
        Standing(
            method,
            _rank(middles[method], others),
            method in finders,
            spread_of(own, error),
            own,
            sum(row["status"] != OK for row in own),
        )
        for method, own in by_method.items()
    ]
    return SceneStandings(
        scene,
        endmembers,
        _first(rows, "truth_kind"),
        _first(rows, "convention"),
        _first(rows, "truth"),
        error,
        sorted(methods, key=lambda one: one.rank),
    )


def _error_of(row: Row, column: str) -> float:
    return math.inf if row.get(column) is None else float(row[column])


def _rank(middle: float, others: Sequence[float]) -> int:
    return len(others) if middle == math.inf else 1 + sum(other < middle for other in others)


def _first(rows: Iterable[Row], column: str) -> str:
    return next((str(row[column]) for row in rows if row.get(column)), "")


def mean_ranks(scenes: Sequence[SceneStandings]) -> list[tuple[str, float]]:
    """Return the methods with their mean rank over the scenes that they were run on, the best first.

    A method without a result on a scene has the last rank there.
    """
    ranks: dict[str, list[int]] = {}
    for scene in scenes:
        for standing in scene.methods:
            ranks.setdefault(standing.method, []).append(standing.rank)
    return sorted(((method, fmean(own)) for method, own in ranks.items()), key=lambda pair: pair[1])


def failures_in(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the rows without a result."""
    return [dict(row) for row in rows if row["status"] != OK]
