"""Two results on the same pixels, layer by layer."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from bokeh.palettes import RdBu11, interp_palette

from unmixel.errors import ParameterError
from unmixel.explorer.counterparts import counterparts
from unmixel.explorer.map_coordinates import map_coordinates
from unmixel.explorer.map_layers import MapLayer, Piece, layers_of, paint, percentiles, step_for
from unmixel.explorer.opened_result import OpenedResult
from unmixel.io.windows import Window

DIVERGING = tuple(interp_palette(RdBu11, 255))
"""From blue, where the second result has less, over white to red, where it has more."""


class DifferenceLayer:
    """The same map of two results: the second minus the first.

    Parameters
    ----------
    first, second : MapLayer
    title : str
    """

    palette = DIVERGING

    def __init__(self, first: MapLayer, second: MapLayer, title: str) -> None:
        self.first, self.second, self.title, self.unit, self.whole = first, second, title, first.unit, first.whole

    def values(self, window: Window, step: int) -> Piece:
        """Return the difference at every step-th row and column of a window; NaN where either is masked."""
        first, second = self.first.values(window, step), self.second.values(window, step)
        return Piece(second.values - first.values, first.window)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Values of the first and the last colour, as far from 0: the 99th percentile of the difference."""
        _, most = percentiles(np.abs(self.values(self.whole, step_for(self.whole)).values), 0.0, 99.0)
        return -most, most

    def colours(self, window: Window, step: int) -> Piece:
        """Return RGBA of the difference."""
        values, covered = self.values(window, step)
        return Piece(paint(values, self.palette, self.limits), covered)


class Compared:
    """Two results side by side; layers belong together by their endmembers (`counterparts`) and streams.

    Parameters
    ----------
    first, second : OpenedResult

    Attributes
    ----------
    names : tuple of str
        Of the two.
    layers : list of (MapLayer, MapLayer, DifferenceLayer)
    paired : list of str
        A line on each pair of endmembers that their spectra, and not their names, put together.

    Raises
    ------
    ParameterError
        If they lie on different pixels, or have no endmember in common.
    """

    def __init__(self, first: OpenedResult, second: OpenedResult) -> None:
        self.first, self.second = first, second
        _check_same_pixels(first, second)
        self.names = first.folder.resolve().name, second.folder.resolve().name
        if self.names[0] == self.names[1]:
            self.names = str(first.folder), str(second.folder)
        others = {(layer.variable, layer.label): layer for layer in layers_of(second)}
        found = counterparts(first.result, second.result)
        pairs = []
        for layer in layers_of(first):
            same = layer.label
            if layer.of_endmember:
                same = found[layer.label].name if layer.label in found else ""
            pairs.append((layer, others.get((layer.variable, same))))
        before, after = self.names
        self.paired = [
            f"{name} of {before} is compared with {other.name} of {after}, {other.angle:.3f} rad from its spectrum."
            for name, other in found.items()
            if other.angle is not None
        ]
        self.layers = [
            (layer, other, DifferenceLayer(layer, other, f"{after} minus {before}"))
            for layer, other in pairs
            if other is not None
        ]
        if not any(layer.variable == "abundance" for layer, _, _ in self.layers):
            raise ParameterError(
                f"{second.folder} with other endmembers than {first.folder}",
                "at least one endmember of the same name, or spectra on the same bands",
                "unmix both with the same endmembers",
            )


def _check_same_pixels(first: OpenedResult, second: OpenedResult) -> None:
    mine, other = map_coordinates(first.result), map_coordinates(second.result)
    expected = f"the pixels of {first.folder}"
    if mine.whole != other.whole:
        size = f"{other.rows} x {other.columns}"
        raise ParameterError(
            f"{second.folder} of {size} pixels", f"{expected}: {mine.rows} x {mine.columns}", "crop one to the other"
        )
    if (mine.crs is None) != (other.crs is None) or (mine.crs is not None and mine.crs != other.crs):
        raise ParameterError(f"{second.folder} in another coordinate system", expected, "reproject one to the other")
    size = abs(mine.place.determinant) ** 0.5
    if not np.allclose(np.array(mine.place), np.array(other.place), rtol=1e-9, atol=1e-3 * size):
        raise ParameterError(f"{second.folder} on another place of the map", expected, "crop one to the other")
