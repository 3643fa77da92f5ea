"""Points on logarithmic axes, as a scalable picture inside a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unmixel.pages.axes import ROOM_ABOVE, ROOM_BELOW, ROOM_LEFT, ROOM_RIGHT, Axes

WIDTH, HEIGHT = 560, 330
MARGIN = 1.3
"""Factor by which the axes reach beyond the outermost points."""
FEWEST_TICKS = 3


@dataclass(frozen=True)
class Dot:
    """A point in picture units, the range of its height, and what stands on it."""

    x: float
    y: float
    low: float
    high: float
    colour: str
    label: str


@dataclass(frozen=True)
class ScatterChart(Axes):
    """All that a template needs to draw a chart."""

    dots: list[Dot]


def scatter_chart(
    x: Float[np.ndarray, "point"],
    y: Float[np.ndarray, "point"],
    y_range: Float[np.ndarray, "point 2"],
    *,
    colours: Sequence[str],
    labels: Sequence[str],
    x_label: str,
    y_label: str,
    description: str,
) -> ScatterChart:
    """Lay out a chart.

    Parameters
    ----------
    x, y : array, shape (point,)
        Above 0.
    y_range : array, shape (point, 2)
        Lowest and highest value around each y.
    colours, labels : sequence of str
        Of the points.
    x_label, y_label, description : str

    Examples
    --------
    >>> chart = scatter_chart(
    ...     np.array([1.0, 100.0]),
    ...     np.array([0.1, 0.01]),
    ...     np.array([[0.1, 0.1], [0.01, 0.02]]),
    ...     colours=["black", "black"],
    ...     labels=["1", "2"],
    ...     x_label="time [s]",
    ...     y_label="error [1]",
    ...     description="two points",
    ... )
    >>> [label for _, label in chart.x_ticks], [label for _, label in chart.y_ticks]
    (['1', '10', '100'], ['0.01', '0.02', '0.05', '0.1'])
    """
    across, x_ticks = _axis(x, (ROOM_LEFT, WIDTH - ROOM_RIGHT))
    down, y_ticks = _axis(np.concatenate([y, y_range.ravel()]), (HEIGHT - ROOM_BELOW, ROOM_ABOVE))
    places = zip(across(x), down(y), *down(y_range).T, colours, labels, strict=True)
    return ScatterChart(
        description, x_label, y_label, x_ticks, y_ticks, WIDTH, HEIGHT, [Dot(*place) for place in places]
    )


def _axis(
    values: Float[np.ndarray, "value"], ends: tuple[int, int]
) -> tuple[Callable[[np.ndarray], np.ndarray], list[tuple[float, str]]]:
    """Return where values are on a logarithmic axis, and its ticks."""
    low, high = np.log10(values.min() / MARGIN), np.log10(values.max() * MARGIN)

    start, end = ends

    def place(at: np.ndarray) -> np.ndarray:
        return start + (np.log10(at) - low) / (high - low) * (end - start)

    ticks = _ticks(10**low, 10**high)
    return place, [(float(where), f"{tick:g}") for where, tick in zip(place(ticks), ticks, strict=True)]


def _ticks(low: float, high: float) -> Float[np.ndarray, "tick"]:
    """Return round numbers between two ends: powers of ten, and more of them where these are few.

    Examples
    --------
    >>> _ticks(0.03, 0.2)
    array([0.05, 0.1 , 0.2 ])
    """
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), np.arange(1, 10, 0.5)):
        ticks = np.sort(np.outer(powers, factors).ravel())
        ticks = ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]
        if len(ticks) >= FEWEST_TICKS:
            break
    return ticks
