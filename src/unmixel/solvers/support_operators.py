"""The solution of a least-squares problem once it is known which abundances are positive, in closed form.

Abundances of one pixel that are positive form its **support**. For a given support the least-squares
abundances are an affine function of the pixel, and so are the slacks of the endmembers left out: the
derivative of the squared residual along their abundance. The support is the right one exactly if no abundance
and no slack is negative.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer, Shaped

TABLE_LIMIT = 8
"""Up to this many endmembers all supports are computed at once; beyond it, those that are met."""
CUTOFF = 1e-12
"""Singular values below this are taken for zero (the longest endmember has length 1)."""
_KEPT = 4096
"""Supports that are kept between calls."""


class SupportOperators:
    """Abundances and slacks as affine functions of the pixel, one function for each support.

    For a support S with k members, with C_S = diag(1_S) for non-negative least squares and
    C_S = diag(1_S) - 1_S 1_S^T / k where abundances sum to one::

        a = T c + t,   T = (R C_S)^+,   t = (I - T R) 1_S / k   (t = 0 without the sum)
        slack = R^T (R a - c) - lambda

    where ``R`` holds the endmembers as columns (coordinate, endmember), ``c`` is a pixel in the same
    coordinates, both in units of the longest endmember, and lambda is the derivative that the members of S
    share (0 without the sum). Endmembers that depend on each other share their abundance equally.

    Parameters
    ----------
    columns : array, shape (coordinate, endmember)
        R. At most 62 endmembers.
    sum_to_one : bool
        Whether the abundances of a pixel sum to one.

    Notes
    -----
    A support is an integer whose bit j is set if endmember j is a member.
    """

    def __init__(self, columns: Float[np.ndarray, "coordinate endmember"], sum_to_one: bool) -> None:
        self.columns = columns
        self.sum_to_one = sum_to_one
        n_coordinates, self.n_endmembers = columns.shape
        self._slots: dict[int, int] = {}
        self._table = np.empty((self.n_endmembers, n_coordinates + 1, 0))
        if self.n_endmembers <= TABLE_LIMIT:
            self._table = self._compute(np.arange(2**self.n_endmembers))

    def apply(
        self,
        supports: Integer[np.ndarray, "pixel"],
        coordinates: Float[np.ndarray, "coordinate pixel"],
        *,
        linear: bool = False,
    ) -> Float[np.ndarray, "endmember pixel"]:
        """Return each endmember's abundance if it is in the pixel's support, else its slack.

        With ``linear`` the constants t are left out. Each pixel's arithmetic is its own, so its result does
        not depend on the other pixels.
        """
        slots = self._find(supports)
        values = np.zeros((self.n_endmembers, len(slots)))
        term = np.empty(len(slots))
        for row, entries in zip(values, self._table, strict=True):
            if self.sum_to_one and not linear:
                np.take(entries[-1], slots, out=row, mode="clip")
            for entry, coordinate in zip(entries[:-1], coordinates, strict=True):
                np.take(entry, slots, out=term, mode="clip")
                term *= coordinate
                row += term
        return values

    def _find(self, supports: Integer[np.ndarray, "pixel"]) -> Integer[np.ndarray, "pixel"]:
        """Return where in the table each support is, computing the ones not met before."""
        if self.n_endmembers <= TABLE_LIMIT:
            return supports
        met, inverse = np.unique(supports, return_inverse=True)
        if len(self._slots) > _KEPT:
            self._slots.clear()
            self._table = self._table[:, :, :0]
        new = np.array([support for support in met.tolist() if support not in self._slots], dtype=np.int64)
        if len(new):
            first = self._table.shape[2]
            self._table = np.concatenate([self._table, self._compute(new)], axis=2)
            self._slots.update(zip(new.tolist(), range(first, first + len(new)), strict=True))
        return np.array([self._slots[support] for support in met.tolist()])[inverse]

    def _compute(
        self, supports: Integer[np.ndarray, "support"]
    ) -> Float[np.ndarray, "endmember coordinate_and_one support"]:
        """Return the affine function of each support: its matrix and, last, its constant."""
        columns = self.columns
        member = is_member(supports, self.n_endmembers).T[:, :, None]
        count = np.maximum(member.sum(axis=1, keepdims=True), 1)
        share = member / count
        restriction = member * np.eye(self.n_endmembers)
        if self.sum_to_one:
            restriction = restriction - share * member.transpose(0, 2, 1)
        left, singular, right = np.linalg.svd(columns @ restriction, full_matrices=False)
        inverse = np.divide(1, singular, out=np.zeros_like(singular), where=singular > CUTOFF)
        matrix = (right.transpose(0, 2, 1) * inverse[:, None, :]) @ left.transpose(0, 2, 1)
        constant = share - matrix @ (columns @ share) if self.sum_to_one else np.zeros(share.shape)
        affine = np.concatenate([matrix, constant], axis=2)
        residual = columns @ affine
        residual[:, :, :-1] -= np.eye(len(columns))
        slack = columns.T @ residual
        if self.sum_to_one:
            slack -= (share * slack).sum(axis=1, keepdims=True)
        return np.ascontiguousarray(np.where(member, affine, slack).transpose(1, 2, 0))


def is_member(supports: Integer[np.ndarray, "support"], n_endmembers: int) -> Shaped[np.ndarray, "endmember support"]:
    """Return True where an endmember is in a support.

    Examples
    --------
    >>> is_member(np.array([0b01, 0b10, 0b11]), 2)
    array([[ True, False,  True],
           [False,  True,  True]])
    """
    return (supports[None, :] >> np.arange(n_endmembers)[:, None]) & 1 > 0
