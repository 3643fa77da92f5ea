"""K-Hype: linear mixing and a nonlinear function of the endmembers that a kernel keeps smooth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fixed_spectra import FixedSpectraFitted, Mixture
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.solvers import ConstrainedLeastSquares


def polynomial_kernel(endmembers: Float[np.ndarray, "endmember band"]) -> Float[np.ndarray, "band band"]:
    r"""Return how alike bands are, by the reflectances that all endmembers have in them.

    .. math:: k(u, v) = \left(1 + \frac{(u - \tfrac12)^\top (v - \tfrac12)}{P^2}\right)^2

    Examples
    --------
    >>> polynomial_kernel(np.array([[0.5, 1.5], [0.5, 0.5]]))
    array([[1.    , 1.    ],
           [1.    , 1.5625]])
    """
    centred = endmembers.astype(np.float64) - 0.5
    return (1 + centred.T @ centred / len(endmembers) ** 2) ** 2


class FittedKHype(FixedSpectraFitted):
    """Endmember spectra, and the whitening that stands for the nonlinear function."""

    method: KHype

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        power, directions = np.linalg.eigh(polynomial_kernel(endmembers))
        power = np.maximum(power, 0)
        self._whitening = (directions / np.sqrt(power + self.method.regularisation)) @ directions.T
        self._smoothing = (directions * (power / (power + self.method.regularisation))) @ directions.T
        whitened = endmembers.astype(np.float64) @ self._whitening
        self._problem = ConstrainedLeastSquares(
            np.concatenate([whitened, np.eye(len(endmembers))], axis=1), sum_to_one=True
        )

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        values = pixels.astype(np.float64)
        no_abundance = np.zeros((len(pixels), len(self.endmembers)))
        abundances = self._problem.solve(np.concatenate([values @ self._whitening, no_abundance], axis=1))
        nonlinear = (values - abundances @ self.endmembers) @ self._smoothing
        return Mixture(abundances, nonlinear.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class KHype(Method):
    """K-Hype: kernel-based unmixing with a linear trend and nonlinear fluctuations.

    ::

        min_{a, psi} 1/2 ||a||^2 + 1/2 ||psi||_K^2 + 1/(2 mu) sum_l (y_l - sum_k a_k m_kl - psi(m_l))^2
        such that   a_k >= 0,   sum_k a_k = 1

    where y [reflectance] is a pixel over its good bands l, m_k [reflectance] the mean spectrum of bundle k,
    m_l (endmember,) what all of them reflect in band l, a (endmember,) the abundances [area fraction], and psi a
    function in the reproducing kernel Hilbert space of `polynomial_kernel`, another one in every pixel. The solution
    is exact. It is a point estimate: there is no uncertainty.

    Parameters
    ----------
    regularisation : float
        mu, above 0: the larger, the less is explained by psi.
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Given a, the best psi is that of kernel ridge regression, and what it leaves of the objective is quadratic in a::

        min_a 1/2 ||a||^2 + 1/2 r^T (K + mu I)^-1 r,   r = y - M^T a,   K_lm = k(m_l, m_m)

    K is the same in every pixel, so this is fully constrained least squares of whitened spectra.

    References
    ----------
    J. Chen, C. Richard and P. Honeine, *Nonlinear unmixing of hyperspectral data based on a linear-mixture/
    nonlinear-fluctuation model*, IEEE Trans. Signal Processing 61(2), 2013, doi:10.1109/TSP.2012.2222390.

    Examples
    --------
    >>> from unmixel.mixing import fan
    >>> from unmixel.scene import make_scene
    >>> from unmixel.simulate.features import material
    >>> from unmixel.spectra import make_bundle
    >>> names = ["vegetation", "limestone", "gypsum"]
    >>> spectra = np.stack([material(name, np.linspace(400, 2500, 50)) for name in names])
    >>> scene = make_scene(fan(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), spectra)[None])
    >>> KHype().fit(scene, make_bundle(spectra, names)).unmix(scene).abundance.values.round(2)
    array([[[0.23, 0.47, 0.3 ],
            [0.44, 0.36, 0.19]]], dtype=float32)
    """

    name: ClassVar[str] = "khype"
    summary: ClassVar[str] = "K-Hype: linear mixing and a smooth nonlinear function by kernels, exact"
    reference: ClassVar[str] = "Chen, Richard & Honeine 2013, doi:10.1109/TSP.2012.2222390"
    needs_reflectance: ClassVar[bool] = True
    fitted_type: ClassVar[type[Fitted]] = FittedKHype

    regularisation: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "regularisation", least=1e-9, expected="a number from 1e-9 on")

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedKHype:
        return FittedKHype(self, scene, endmembers.names, endmembers.means)


METHOD = KHype
