"""The active-set search behind exact least squares with abundance constraints."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.errors import BundleError
from unmixel.solvers.kkt import residual_of_gradient
from unmixel.solvers.support_operators import SupportOperators, is_member

ROWS = 256
"""Pixels in each product with the endmembers: few enough to stay in the cache. Every product has this many
rows, the last one filled up, so that the last bits of a pixel depend on the pixel alone."""
BLOCK = 8192
"""Pixels whose supports are searched at the same time."""
KKT_LIMIT = 1e-10
"""Residual (see `kkt_residual`) above which a pixel is solved by itself."""
KKT_FAILURE = 1e-7
"""Residual that is never returned."""
MANY_ENDMEMBERS = 16
"""With more endmembers nearly every pixel has a support of its own: one by one is quicker than a table of them."""


class ConstrainedLeastSquares:
    """The problem of `fcls` (``sum_to_one=True``) or `nnls`, prepared once for many calls.

    A pixel's solution is the same bit for bit whatever the other pixels of the call.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Endmember spectra.
    sum_to_one : bool
        Whether the abundances of a pixel sum to one.

    Raises
    ------
    BundleError
        If there is no endmember, or one is not finite.

    Examples
    --------
    >>> problem = ConstrainedLeastSquares(np.array([[1.0, 0.0], [0.0, 1.0]]), sum_to_one=True)
    >>> problem.solve(np.array([[0.25, 0.75]])).round(6)
    array([[0.25, 0.75]])
    """

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"], *, sum_to_one: bool) -> None:
        spectra = endmembers.astype(np.float64)
        if 0 in spectra.shape or not np.isfinite(spectra).all():
            n_endmembers, n_bands = spectra.shape
            n_invalid = int((~np.isfinite(spectra)).sum())
            raise BundleError(
                f"{n_endmembers} endmembers over {n_bands} bands, {n_invalid} values not finite",
                "at least one endmember, and finite numbers",
            )
        self.sum_to_one = sum_to_one
        longest = float(np.linalg.norm(spectra, axis=1).max()) or 1.0
        basis, columns = np.linalg.qr(spectra.T / longest)
        self._columns = columns
        self._basis = basis / longest
        self._operators = SupportOperators(columns, sum_to_one) if len(spectra) <= MANY_ENDMEMBERS else None
        singular = np.linalg.svd(columns, compute_uv=False)
        smallest = singular[singular > KKT_LIMIT].min(initial=1.0)
        self._rounding = min(64 * np.finfo(float).eps / smallest, KKT_LIMIT)

    def solve(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel endmember"]:
        """Return the abundances of every pixel.

        Raises
        ------
        BundleError
            If the pixels have other bands than the endmembers, or double precision does not reach the
            solution.
        """
        if pixels.shape[1] != len(self._basis):
            raise BundleError(
                f"endmembers of {len(self._basis)} bands for pixels of {pixels.shape[1]}", "the same bands"
            )
        abundances = np.empty((len(pixels), self._columns.shape[1]))
        for first in range(0, len(pixels), BLOCK):
            block = slice(first, first + BLOCK)
            abundances[block] = self._solve_block(self._reduce(pixels[block])).T
        return abundances

    def _reduce(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "coordinate pixel"]:
        """Return the pixels' coordinates in the span of the endmembers; NaN where a pixel is not finite."""
        coordinates = np.empty((self._basis.shape[1], len(pixels)))
        rows = np.zeros((ROWS, pixels.shape[1]))
        with np.errstate(invalid="ignore"):
            for first in range(0, len(pixels), ROWS):
                part = pixels[first : first + ROWS]
                rows[: len(part)] = part
                coordinates[:, first : first + len(part)] = (rows @ self._basis)[: len(part)].T
            finite = np.isfinite(coordinates.sum(axis=0))
        if not finite.all():
            coordinates[:, ~finite] = np.nan
        return coordinates

    def _solve_block(self, coordinates: Float[np.ndarray, "coordinate pixel"]) -> Float[np.ndarray, "endmember pixel"]:
        length = np.abs(coordinates).max(axis=0)
        unit = np.maximum(length, 1)
        if self._operators is None:
            abundances = np.full((self._columns.shape[1], len(unit)), np.nan)
            unsolved = np.isfinite(length)
        else:
            smallest = -self._rounding * (unit if self.sum_to_one else length)
            supports = _find_supports(self._operators, coordinates, smallest)
            abundances = self._evaluate(self._operators, supports, coordinates)
            unsolved = self._residual(coordinates, abundances, unit) > KKT_LIMIT
        left = np.flatnonzero(unsolved)
        if len(left):
            different = np.append(True, (np.diff(coordinates[:, left], axis=1) != 0).any(axis=0))
            solved = np.stack([self._solve_one(coordinates[:, pixel]) for pixel in left[different]], axis=1)
            abundances[:, left] = solved[:, np.cumsum(different) - 1]
            worst = self._residual(coordinates[:, left], abundances[:, left], unit[left]).max()
            if worst > KKT_FAILURE:
                raise BundleError(
                    f"endmembers so nearly dependent that a pixel's optimality residual is {worst:.1e}",
                    f"at most {KKT_FAILURE:.0e}",
                    "leave out endmembers that are mixtures of others",
                )
        return abundances

    def _evaluate(
        self,
        operators: SupportOperators,
        supports: Integer[np.ndarray, "pixel"],
        coordinates: Float[np.ndarray, "coordinate pixel"],
    ) -> Float[np.ndarray, "endmember pixel"]:
        """Return the abundances on given supports, corrected once by the residual that rounding left."""
        member = is_member(supports, operators.n_endmembers)
        abundances = operators.apply(supports, coordinates)
        abundances[~member] = 0
        misfit = coordinates - _product(self._columns, abundances)
        correction = operators.apply(supports, misfit, linear=True)
        correction[~member] = 0
        abundances += correction
        abundances = np.maximum(abundances, 0)
        return abundances / _product(np.ones((1, len(abundances))), abundances) if self.sum_to_one else abundances

    def _residual(
        self,
        coordinates: Float[np.ndarray, "coordinate pixel"],
        abundances: Float[np.ndarray, "endmember pixel"],
        unit: Float[np.ndarray, "pixel"],
    ) -> Float[np.ndarray, "pixel"]:
        misfit = _product(self._columns, abundances) - coordinates
        return residual_of_gradient(_product(self._columns.T, misfit), abundances, unit, self.sum_to_one)

    def _solve_one(self, coordinates: Float[np.ndarray, "coordinate"]) -> Float[np.ndarray, "endmember"]:
        """Return the abundances of one pixel.

        The problem with the sum is one without it, exactly: with D = c 1^T - R the residual on the simplex is
        D a, so the solution of min ||D u||^2 + (1 - sum u)^2 over u >= 0 is a multiple of a.
        """
        try:
            if not self.sum_to_one:
                return lawson_hanson(self._columns, coordinates)[0]
            differences = coordinates[:, None] - self._columns
            differences /= np.linalg.norm(differences, axis=0).max() or 1.0
            target = np.append(np.zeros(len(differences)), 1.0)
            multiple = lawson_hanson(np.vstack([differences, np.ones(differences.shape[1])]), target)[0]
        except RuntimeError as error:
            raise BundleError(
                f"endmembers so nearly dependent that a pixel has no solution ({error})",
                "independent endmembers",
                "leave out endmembers that are mixtures of others",
            ) from error
        return multiple / multiple.sum()


def _find_supports(
    operators: SupportOperators,
    coordinates: Float[np.ndarray, "coordinate pixel"],
    smallest: Float[np.ndarray, "pixel"],
) -> Integer[np.ndarray, "pixel"]:
    """Return each pixel's support, by block principal pivoting from the support of all endmembers on.

    All endmembers whose abundance or slack is negative change sides. Where three such exchanges in a row did
    not lower their number, only the last of them does (Murty's rule), until it falls: this ends.
    """
    n_endmembers = operators.n_endmembers
    supports = np.full(coordinates.shape[1], 2**n_endmembers - 1)
    pending = np.arange(len(supports))
    fewest = np.full(len(supports), n_endmembers + 1)
    chances = np.full(len(supports), 3)
    for _ in range(10 * n_endmembers):
        wrong = operators.apply(supports[pending], coordinates) < smallest
        count = wrong.sum(axis=0)
        unfinished = np.flatnonzero(count)
        if not len(unfinished):
            break
        pending, coordinates, smallest = pending[unfinished], coordinates[:, unfinished], smallest[unfinished]
        count, wrong = count[unfinished], wrong[:, unfinished]
        fewer = count < fewest[unfinished]
        fewest = np.minimum(count, fewest[unfinished])
        chances = np.where(fewer, 3, chances[unfinished] - 1)
        exchange = np.zeros(len(pending), dtype=np.int64)
        for j, row in enumerate(wrong):
            exchange = np.where(chances < 0, np.where(row, 1 << j, exchange), exchange | (row.astype(np.int64) << j))
        supports[pending] ^= exchange
    return supports


def _product(
    matrix: Float[np.ndarray, "row column"], values: Float[np.ndarray, "column pixel"]
) -> Float[np.ndarray, "row pixel"]:
    """Return the matrix product, summed in an order that does not depend on the number of pixels."""
    product = np.zeros((len(matrix), values.shape[1]))
    term = np.empty(values.shape[1])
    for row, entries in zip(product, matrix, strict=True):
        for entry, value in zip(entries, values, strict=True):
            np.multiply(value, entry, out=term)
            row += term
    return product


def lawson_hanson(
    matrix: Float[np.ndarray, "row column"], target: Float[np.ndarray, "row"]
) -> tuple[Float[np.ndarray, "column"], float]:
    """Return what `scipy.optimize.nnls` finds; few scenes have a pixel that needs it, and SciPy takes long to load."""
    from scipy.optimize import nnls

    return nnls(matrix, target)
