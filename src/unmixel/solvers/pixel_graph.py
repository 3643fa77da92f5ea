"""Which pixels of a scene are neighbours, and how far apart their values are."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.sparse import csr_array


class PixelGraph:
    """The pairs of valid pixels that share an edge; a hole has no neighbours.

    Parameters
    ----------
    valid : array of bool, shape (y, x)
        Where pixels are valid; they are numbered row by row.

    Attributes
    ----------
    pairs : array of int, shape (pair, 2)
        Numbers of neighbours.
    colour : array of bool, shape (pixel,)
        Like a chessboard: no two neighbours have the same.

    Examples
    --------
    >>> graph = PixelGraph(np.array([[True, True], [False, True]]))
    >>> graph.pairs.tolist(), graph.colour.tolist()
    ([[0, 1], [1, 2]], [False, True, False])
    >>> graph.neighbour_sums(np.ones(2), np.array([[1.0], [2.0], [4.0]])).ravel()
    array([2., 5., 2.])
    """

    def __init__(self, valid: Bool[np.ndarray, "y x"]) -> None:
        number = np.cumsum(valid.ravel()).reshape(valid.shape) - 1
        beside = valid[:, :-1] & valid[:, 1:]
        below = valid[:-1] & valid[1:]
        self.pairs: Integer[np.ndarray, "pair 2"] = np.concatenate(
            [
                np.stack([number[:, :-1][beside], number[:, 1:][beside]], axis=1),
                np.stack([number[:-1][below], number[1:][below]], axis=1),
            ]
        )
        rows, columns = np.nonzero(valid)
        self.colour: Bool[np.ndarray, "pixel"] = (rows + columns) % 2 == 1
        self.n_pixels = len(rows)
        first, second = self.pairs.T
        ends = np.concatenate([first, second]), np.concatenate([second, first])
        numbered = csr_array((np.arange(len(ends[0])), ends), shape=(self.n_pixels, self.n_pixels))
        self._order, self._columns, self._rows = numbered.data, numbered.indices, numbered.indptr

    def differences(self, values: Float[np.ndarray, "pixel *rest"]) -> Float[np.ndarray, "pair *rest"]:
        """Return the differences of all pairs."""
        return values[self.pairs[:, 1]] - values[self.pairs[:, 0]]

    def neighbour_sums(
        self, weights: Float[np.ndarray, "pair"], values: Float[np.ndarray, "pixel value"]
    ) -> Float[np.ndarray, "pixel value"]:
        """Return the weighted sum of each pixel's neighbours' values."""
        size = self.n_pixels, self.n_pixels
        return csr_array((np.tile(weights, 2)[self._order], self._columns, self._rows), shape=size) @ values
