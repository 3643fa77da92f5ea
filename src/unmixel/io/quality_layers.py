"""Quality layers that lie beside the image of a product: which pixels they call unusable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io.raster import describe_raster, read_band
from unmixel.io.windows import Window


class QualityLayer(NamedTuple):
    """A band of a raster file on the grid of the image, and what in it means unusable.

    Attributes
    ----------
    path : path
    band : int
        Counted from 1.
    values : tuple of int
        Values that mean unusable.
    bits : int
        Unusable, too, where any of these bits is set.
    driver : str
        The format, as GDAL calls it.
    """

    path: Path
    band: int = 1
    values: tuple[int, ...] = ()
    bits: int = 0
    driver: str = "GTiff"


def check_layers(layers: Sequence[QualityLayer], shape: tuple[int, int]) -> None:
    """Check that layers can be read, have their band, hold whole numbers and are as large as the image.

    Raises
    ------
    SceneError
        If one does not.
    """
    for layer in layers:
        found = describe_raster(layer.path, layer.driver)
        if found.shape[:2] != shape or found.shape[2] < layer.band or found.dtype.kind not in "iu":
            raise SceneError(
                "{} of {} x {} pixels and {} bands of {}".format(layer.path, *found.shape, found.dtype),
                f"a quality layer of {shape[0]} x {shape[1]} pixels and at least {layer.band} bands of whole numbers",
                "is it of this scene, and complete?",
            )


def unusable(layers: Sequence[QualityLayer], window: Window) -> NDArray[np.bool_]:
    """Return True where any of the layers calls a pixel of a window unusable, as (row, column, 1)."""
    bad = np.zeros(window.shape, dtype=bool)
    for layer in layers:
        values = read_band(layer.path, layer.driver, layer.band, window)
        bad |= np.isin(values, layer.values)
        if layer.bits:
            bad |= (values & layer.bits) != 0
    return bad[:, :, None]
