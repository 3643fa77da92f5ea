"""Pixels that stand for a scene: a seeded draw that depends on nothing but their places."""

from __future__ import annotations

import numpy as np
from jaxtyping import Integer, UInt64


def place_numbers(top: int, bottom: int, columns: int, seed: int = 0) -> UInt64[np.ndarray, "y x"]:
    r"""Return the random numbers :math:`u_{yx}` of the places in some rows of a scene: a stream for each row.

    Parameters
    ----------
    top, bottom : int
        The rows, without the last.
    columns : int
        Columns of the whole scene.
    seed : int

    Examples
    --------
    >>> bool((place_numbers(0, 4, 7)[2:] == place_numbers(2, 4, 7)).all())
    True
    """
    rows = [
        np.random.Generator(np.random.Philox(key=seed, counter=row << 64)).integers(
            0, 2**64 - 1, size=columns, dtype=np.uint64, endpoint=True
        )
        for row in range(top, bottom)
    ]
    return np.stack(rows)


def representative(
    places: Integer[np.ndarray, "pixel"], columns: int, most: int, seed: int = 0
) -> Integer[np.ndarray, "chosen"]:
    r"""Return which of some pixels to take where so many are enough: those with the smallest :math:`u_{yx}`.

    Each pixel is as likely as every other, a smaller choice is part of a larger one, and a pixel stays chosen when
    others that were not are taken away.

    Parameters
    ----------
    places : array of int, shape (pixel,)
        Where the pixels are in their scene, counted along its rows, in ascending order.
    columns : int
        Columns of the scene.
    most : int
        How many to take.
    seed : int

    Returns
    -------
    array of int, shape (chosen,)
        Their numbers among the given ones, in ascending order.

    Examples
    --------
    >>> representative(np.arange(12), 4, 3)
    array([0, 2, 4])
    """
    if len(places) <= most:
        return np.arange(len(places))
    rows, in_row = np.divmod(places, columns)
    first = int(rows[0])
    numbers = place_numbers(first, int(rows[-1]) + 1, columns, seed)[rows - first, in_row]
    return np.sort(np.lexsort((places, numbers))[:most])
