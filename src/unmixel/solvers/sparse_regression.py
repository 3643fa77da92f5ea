"""Non-negative sparse regression (SUnSAL's problem), exactly: least squares with one more band."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.solvers.active_set import ConstrainedLeastSquares

EXTRA_BAND = 1e-5
"""Value of every endmember in the extra band, in units of the longest endmember."""


class SparseRegression:
    r"""Non-negative least squares with an l1 penalty, prepared once for many calls.

    .. math:: \min_a \tfrac12 \|y - M^\top a\|^2 + \lambda \|a\|_1 \quad \text{such that} \quad a_k \ge 0

    Over non-negative abundances the penalty is linear, :math:`\lambda \sum_k a_k`. An extra band in which each
    endmember is :math:`w` and each pixel :math:`-\lambda / w` adds just this to the misfit, and
    :math:`w^2 (\sum_k a_k)^2 / 2`, which vanishes with w. So the solution is that of
    :class:`unmixel.solvers.ConstrainedLeastSquares`: exact, and the same bit for bit whatever the other pixels.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Endmember spectra M [reflectance]; there may be more of them than bands.
    sparsity : float
        :math:`\lambda` [reflectance squared], not negative.

    Raises
    ------
    BundleError
        If there is no endmember, or one is not finite.

    References
    ----------
    J. M. Bioucas-Dias and M. A. T. Figueiredo, *Alternating direction algorithms for constrained sparse regression:
    application to hyperspectral unmixing*, WHISPERS 2010, doi:10.1109/WHISPERS.2010.5594963.

    Examples
    --------
    >>> SparseRegression(np.eye(2), 0.1).solve(np.array([[0.5, 0.05]])).round(6)
    array([[0.4, 0. ]])
    """

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"], sparsity: float) -> None:
        spectra = endmembers.astype(np.float64)
        extra = EXTRA_BAND * float(np.linalg.norm(spectra, axis=1).max(initial=0)) if sparsity else 0.0
        self._target = -sparsity / extra if extra else 0.0
        self._problem = ConstrainedLeastSquares(
            np.column_stack([spectra, np.full(len(spectra), extra)]), sum_to_one=False
        )

    def solve(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[np.ndarray, "pixel endmember"]:
        """Return the abundances of every pixel, in double precision; NaN for pixels that are not finite.

        Raises
        ------
        BundleError
            If the pixels have other bands than the endmembers.
        """
        extended = np.column_stack([pixels.astype(np.float64), np.full(len(pixels), self._target)])
        return self._problem.solve(extended)
