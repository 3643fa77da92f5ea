"""Line charts as scalable pictures inside a page: they print sharply, need no script, and their text is text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unmixel.pages.axes import ROOM_ABOVE, ROOM_BELOW, ROOM_LEFT, ROOM_RIGHT, Axes

WIDTH, HEIGHT = 460, 270
MOST_TICKS = 6


@dataclass(frozen=True)
class Curve:
    """A line over x, and a band around it if it has one.

    Attributes
    ----------
    colour : str
    y, lower, upper : array, shape (point,)
        NaN where the line is broken.
    """

    colour: str
    y: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None


@dataclass(frozen=True)
class DrawnCurve:
    """Paths of a curve in picture units."""

    colour: str
    line: str
    band: str


@dataclass(frozen=True)
class LineChart(Axes):
    """All that a template needs to draw a chart."""

    curves: list[DrawnCurve]


def line_chart(
    x: Float[np.ndarray, "point"],
    curves: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    description: str,
    y_range: tuple[float, float] | None = None,
) -> LineChart:
    """Lay out a chart.

    Parameters
    ----------
    x : array, shape (point,)
        Ascending.
    curves : sequence of Curve
    x_label, y_label, description : str
    y_range : tuple of float, optional
        Ends of the vertical axis; those of the curves when None.

    Examples
    --------
    >>> chart = line_chart(
    ...     np.array([0.0, 1.0, 2.0]),
    ...     [Curve("black", np.array([0.0, 5.0, 10.0]))],
    ...     x_label="epoch",
    ...     y_label="loss [1]",
    ...     description="a line that rises",
    ... )
    >>> chart.curves[0].line, [label for _, label in chart.y_ticks]
    ('M70.0,218.0L258.0,115.0L446.0,12.0', ['0', '2', '4', '6', '8', '10'])
    """
    low, high = y_range or value_range(curves)
    first, last = float(x[0]), float(x[-1])
    if last <= first:
        first, last = first - 0.5, last + 0.5

    def across(values: np.ndarray) -> np.ndarray:
        return ROOM_LEFT + (values - first) / (last - first) * (WIDTH - ROOM_LEFT - ROOM_RIGHT)

    def down(values: np.ndarray) -> np.ndarray:
        return HEIGHT - ROOM_BELOW - (values - low) / (high - low) * (HEIGHT - ROOM_ABOVE - ROOM_BELOW)

    drawn = []
    for curve in curves:
        band = ""
        if curve.lower is not None and curve.upper is not None:
            band = _band(across(x), down(curve.lower), down(curve.upper))
        drawn.append(DrawnCurve(curve.colour, _line(across(x), down(curve.y)), band))
    return LineChart(
        description,
        x_label,
        y_label,
        _at(across, _ticks(first, last)),
        _at(down, _ticks(low, high)),
        WIDTH,
        HEIGHT,
        drawn,
    )


def value_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the lowest and the highest value of curves and of their bands; never the same twice."""
    arrays = [array for curve in curves for array in (curve.y, curve.lower, curve.upper) if array is not None]
    values = np.concatenate([np.asarray(array, dtype=float) for array in arrays])
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _at(place: Callable[[np.ndarray], np.ndarray], ticks: Float[np.ndarray, "tick"]) -> list[tuple[float, str]]:
    return [(float(at), f"{tick:.6g}") for at, tick in zip(place(ticks), ticks, strict=True)]


def _ticks(low: float, high: float) -> Float[np.ndarray, "tick"]:
    """Return round numbers between two ends.

    Examples
    --------
    >>> _ticks(401.0, 889.0)
    array([500., 600., 700., 800.])
    """
    rough = (high - low) / MOST_TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step + 0.0


def _line(x: Float[np.ndarray, "point"], y: Float[np.ndarray, "point"]) -> str:
    return "".join(f"M{'L'.join(_points(x[part], y[part]))}" for part in _unbroken(y))


def _band(x: Float[np.ndarray, "point"], lower: Float[np.ndarray, "point"], upper: Float[np.ndarray, "point"]) -> str:
    outlines = [
        [*_points(x[part], upper[part]), *reversed(_points(x[part], lower[part]))] for part in _unbroken(lower + upper)
    ]
    return "".join(f"M{'L'.join(outline)}Z" for outline in outlines)


def _points(x: Float[np.ndarray, "point"], y: Float[np.ndarray, "point"]) -> list[str]:
    return [f"{right:.1f},{below:.1f}" for right, below in zip(x, y, strict=True)]


def _unbroken(values: Float[np.ndarray, "point"]) -> list[slice]:
    """Return the stretches in which all values are known.

    Examples
    --------
    >>> _unbroken(np.array([np.nan, 1.0, 2.0, np.nan, 3.0]))
    [slice(1, 3, None), slice(4, 5, None)]
    """
    known = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(np.diff(known.astype(int)))
    return [slice(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
