"""Single pixels of a scene on disk, by their places."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Integer

from unmixel.io.lazy import LazyScene


def places_of(
    valid: Bool[np.ndarray, "y x"], numbers: Integer[np.ndarray, "chosen"]
) -> tuple[Integer[np.ndarray, "chosen"], Integer[np.ndarray, "chosen"]]:
    """Return rows and columns of some valid pixels, counted in row-major order.

    Examples
    --------
    >>> valid = np.array([[True, False, True], [False, False, False], [True, True, True]])
    >>> places_of(valid, np.array([0, 1, 3]))
    (array([0, 0, 2]), array([0, 2, 1]))
    """
    before = np.concatenate([[0], np.cumsum(valid.sum(axis=1))])
    rows = np.searchsorted(before, numbers, side="right") - 1
    columns = [np.flatnonzero(valid[row])[number - before[row]] for row, number in zip(rows, numbers, strict=True)]
    return rows, np.array(columns, dtype=rows.dtype)


def gather_pixels(
    scene: LazyScene,
    rows: Integer[np.ndarray, "chosen"],
    columns: Integer[np.ndarray, "chosen"],
    good: Bool[np.ndarray, "band"],
) -> Float[np.ndarray, "chosen used"]:
    """Return the spectra of single pixels over some bands, reading only the blocks of the file that hold them."""
    pixels = np.empty((len(rows), int(good.sum())), dtype=np.float32)
    for window in scene.blocks():
        inside = np.flatnonzero(
            (rows >= window.top) & (rows < window.bottom) & (columns >= window.left) & (columns < window.right)
        )
        if len(inside):
            values = scene.read(window).values
            pixels[inside] = values[rows[inside] - window.top, columns[inside] - window.left][:, good]
    return pixels
