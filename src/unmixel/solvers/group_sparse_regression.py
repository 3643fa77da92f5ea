"""Least squares on the simplex over groups of spectra, with penalties on what is in each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from unmixel.solvers.active_set import ConstrainedLeastSquares
from unmixel.solvers.constrained_least_squares import divide_by_sum
from unmixel.solvers.proximal_least_squares import ProximalLeastSquares

FRACTION = 0.1
"""Power q of the fractional penalty."""
SMALLEST = 1e-3
"""Added to a group's sum before it is raised to that power, whose slope is infinite at 0 [1]."""
CURVATURE = 0.03
"""Curvature of the parabola above the fractional penalty: the square of this share of the longest spectrum."""
ROUNDS = 5
"""Parabolas that are minimised one after the other."""
PENALTIES = ("group", "elitist", "fractional")


class GroupSparseRegression:
    r"""Least squares on the simplex with a penalty on groups, prepared once for many calls.

    .. math:: \min_a \tfrac12 \|y - B^\top a\|^2 + \lambda \, h(a) \quad
              \text{such that} \quad a_j \ge 0, \quad \textstyle\sum_j a_j = 1

    with :math:`a_i` the part of a that belongs to group i and :math:`s_i` its sum::

        group       h = sum_i ||a_i||                few groups, and of each many spectra
        elitist     h = sum_i s_i^2 / 2              few spectra of each group
        fractional  h = sum_i (s_i + epsilon)^q      few groups

    ``elitist`` is a square: least squares with one more band for each group, sqrt(lambda) in its spectra and 0 in the
    pixels; it is solved exactly. ``fractional`` is concave. From a weakly elitist solution, a parabola that touches it
    from above takes its place five times, each solved exactly in the same way: the objective can't rise, but where it
    ends needn't be its lowest point. ``group`` is solved by `unmixel.solvers.ProximalLeastSquares`.

    Parameters
    ----------
    spectra : array, shape (spectrum, band)
        Spectra B, group by group [reflectance].
    sizes : sequence of int
        Number of spectra of each group.
    penalty : str
        ``"group"``, ``"elitist"`` or ``"fractional"``.
    weight : float
        lambda [reflectance squared], not negative.

    References
    ----------
    L. Drumetz, T. R. Meyer, J. Chanussot, A. L. Bertozzi and C. Jutten, *Hyperspectral image unmixing with endmember
    bundles and group sparsity inducing mixed norms*, IEEE TIP 28(7), 2019, doi:10.1109/TIP.2019.2897254.

    Examples
    --------
    A pixel halfway between two spectra of the first group:

    >>> spectra = np.array([[1.0, 0.0], [0.0, 1.0], [0.4, 0.4]])
    >>> pixel = np.array([[0.5, 0.5]])
    >>> GroupSparseRegression(spectra, [2, 1], "elitist", 0.0).solve(pixel).round(3)
    array([[0.5, 0.5, 0. ]])
    >>> GroupSparseRegression(spectra, [2, 1], "elitist", 0.1).solve(pixel).round(3)
    array([[0.273, 0.273, 0.455]])
    """

    def __init__(
        self, spectra: Float[np.ndarray, "spectrum band"], sizes: Sequence[int], penalty: str, weight: float
    ) -> None:
        spectra = spectra.astype(np.float64)
        self.member = np.repeat(np.eye(len(sizes)), sizes, axis=0)
        self.penalty, self.weight = penalty, weight
        self._edges = np.cumsum([0, *sizes[:-1]])
        self._curvature = CURVATURE * float(np.linalg.norm(spectra, axis=1).max())
        extra = {"group": 0.0, "elitist": np.sqrt(weight), "fractional": self._curvature}[penalty]
        self._problem: ProximalLeastSquares | ConstrainedLeastSquares
        if penalty == "group":
            self._problem = ProximalLeastSquares(spectra, self._shrink_groups, sum_to_one=True)
        else:
            self._problem = ConstrainedLeastSquares(np.hstack([spectra, extra * self.member]), sum_to_one=True)

    def solve(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel spectrum"]:
        """Return the abundances of every spectrum in every pixel, in double precision."""
        return self.search(pixels)[0]

    def search(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel spectrum"], Bool[np.ndarray, "pixel"] | None]:
        """Return what `solve` does, and whether each pixel's search settled; None where there is none."""
        if isinstance(self._problem, ProximalLeastSquares):
            found, settled = self._problem.search(pixels)
            return divide_by_sum(found), settled
        if self.penalty == "elitist":
            return self._solve_with(pixels, self._nothing(pixels)), None
        return self.rounds(pixels)[-1], None

    def rounds(self, pixels: Float[np.ndarray, "pixel band"]) -> list[Float[np.ndarray, "pixel spectrum"]]:
        """Return a weakly elitist solution, and what each round of the fractional penalty makes of it."""
        found = [self._solve_with(pixels, self._nothing(pixels))]
        for _ in range(ROUNDS):
            total = found[-1] @ self.member
            slope = self.weight * FRACTION * (total + SMALLEST) ** (FRACTION - 1)
            found.append(self._solve_with(pixels, self._curvature * total - slope / self._curvature))
        return found

    def _solve_with(
        self, pixels: Float[np.ndarray, "pixel band"], extra: Float[np.ndarray, "pixel group"]
    ) -> Float[np.ndarray, "pixel spectrum"]:
        return self._problem.solve(np.hstack([pixels.astype(np.float64), extra]))

    def _nothing(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel group"]:
        return np.zeros((len(pixels), self.member.shape[1]))

    def _shrink_groups(self, values: Float[np.ndarray, "pixel spectrum"], step: float) -> np.ndarray:
        positive = np.maximum(values, 0)
        length = np.sqrt(np.add.reduceat(positive**2, self._edges, axis=1))
        kept = np.maximum(1 - self.weight * step / np.maximum(length, np.finfo(float).tiny), 0)
        return positive * np.repeat(kept, self.member.sum(axis=0).astype(int), axis=1)
