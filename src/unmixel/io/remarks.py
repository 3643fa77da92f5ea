"""What a user should know about the values of a scene, counted while they are read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from unmixel.io.calibration import Calibrated, Calibration
from unmixel.scene import CHUNK, good_bands, valid_pixels


class Counts(NamedTuple):
    """What was met in a scene, or in a part of one.

    Attributes
    ----------
    pixels, valid, filled, empty, negative, repeated, partly, unusable : int
        Pixels; those that can be unmixed; values equal to a fill value; pixels of zeros; negative values of valid
        pixels; pixels that repeat their left neighbour; pixels that are invalid because some band is; values that
        the product's own quality layers call unusable.
    """

    pixels: int = 0
    valid: int = 0
    filled: int = 0
    empty: int = 0
    negative: int = 0
    repeated: int = 0
    partly: int = 0
    unusable: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the counts of two parts together.

        Examples
        --------
        >>> Counts(pixels=4, valid=3).plus(Counts(pixels=2, valid=2, empty=1))
        Counts(pixels=6, valid=5, filled=0, empty=1, negative=0, repeated=0, partly=0, unusable=0)
        """
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def count(scene: xr.DataArray, calibrated: Calibrated) -> Counts:
    """Count what is in a scene, or in a window of one, and what its calibration met."""
    good = good_bands(scene)
    first_good = good.argmax()
    valid = valid_pixels(scene)
    negative = repeated = 0
    step = max(1, CHUNK // max(1, scene.shape[1]))
    for first in range(0, len(valid), step):
        lines = scene.values[first : first + step]
        negative += int(np.count_nonzero(lines < 0)) - int(np.count_nonzero(lines[:, :, ~good] < 0))
        row, left = np.nonzero(lines[:, 1:, first_good] == lines[:, :-1, first_good])
        repeated += int((lines[row, left + 1] == lines[row, left])[:, good].all(axis=1).sum())
    return Counts(
        pixels=valid.size,
        valid=int(valid.sum()),
        filled=calibrated.n_filled,
        empty=calibrated.n_empty,
        negative=negative,
        repeated=repeated,
        unusable=calibrated.n_unusable,
    )


def filling_notes(counts: Counts, calibration: Calibration) -> list[str]:
    """Return a line on the values, and one on the pixels, that were made invalid."""
    lines = []
    if calibration.fills:
        shown = ", ".join(f"{v:g}" for v in calibration.fills)
        lines.append(f"{counts.filled} values equal to the fill value {shown} made invalid")
    if 0 < counts.empty < counts.pixels:
        lines.append(f"{counts.empty} pixels masked: zero in every band")
    if counts.unusable:
        lines.append(f"{counts.unusable} values made invalid: unusable by the product's quality layers")
    return lines


def kept_notes(counts: Counts, n_bands: int) -> list[str]:
    """Return a line on each kind of value that is odd, though nothing was done about it."""
    lines = []
    if counts.negative:
        lines.append(f"{counts.negative / (counts.valid * n_bands):.2%} of the values are negative (kept)")
    if counts.repeated:
        lines.append(f"{counts.repeated} pixels repeat the spectrum of their left neighbour exactly (kept)")
    return lines
