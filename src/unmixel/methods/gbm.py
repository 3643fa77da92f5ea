"""Generalised bilinear model: every pair of materials interacts with a strength of its own in every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fixed_spectra import FixedSpectraFitted, Mixture
from unmixel.methods._method import Method
from unmixel.methods._pixelwise import BLOCK
from unmixel.methods._progress import Progress
from unmixel.mixing.bilinear import generalised_bilinear
from unmixel.solvers import ConstrainedLeastSquares
from unmixel.solvers.nonlinear_least_squares import nonlinear_least_squares

DERIVATIVES = 2**20
"""Numbers that the derivatives of a block of pixels are to have at most."""
FIRST_STRENGTH = 0.5
"""Strength of all pairs where the search starts, half way between linear mixing and Fan's law."""


class FittedGBM(FixedSpectraFitted):
    """Endmember spectra and, in few coordinates, the products of every two."""

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        self.pairs = np.triu_indices(len(endmember), 1)
        spectra = endmembers.astype(np.float64)
        first, second = self.pairs
        terms = np.concatenate([spectra, spectra[first] * spectra[second]])
        basis, columns = np.linalg.qr(terms.T)
        self._basis = np.ascontiguousarray(basis.T)
        self._columns = np.ascontiguousarray(columns.T)
        self.block = int(np.clip(DERIVATIVES // self._columns.size, 16, BLOCK))
        self._linear = ConstrainedLeastSquares(self._columns[: len(endmember)], sum_to_one=True)

    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        abundances, strengths, settled = self.unmix_bilinear(pixels)
        mixed = generalised_bilinear(abundances, self.endmembers.astype(np.float64), strengths)
        return Mixture(abundances, (mixed - abundances @ self.endmembers).astype(np.float32), settled)

    def unmix_bilinear(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel pair"], Bool[np.ndarray, "pixel"]]:
        """Return abundances, strengths γ of every pair, and whether the search settled.

        Pairs are in the order (0, 1), (0, 2), ..., (1, 2), ...
        """
        coordinates = np.einsum("nl,kl->nk", pixels.astype(np.float64), self._basis)
        n_endmembers, n_pairs = len(self.endmembers), len(self.pairs[0])
        found = np.full((len(pixels), n_endmembers + n_pairs), FIRST_STRENGTH)
        found[:, :n_endmembers] = self._linear.solve(coordinates)
        settled = np.zeros(len(pixels), dtype=bool)
        lower, upper = np.zeros(found.shape[1]), np.ones(found.shape[1])
        for first in range(0, len(pixels), self.block):
            part = slice(first, first + self.block)
            found[part], _, settled[part] = nonlinear_least_squares(
                self._mix, coordinates[part], found[part], lower, upper, n_endmembers
            )
        return found[:, :n_endmembers], found[:, n_endmembers:], settled

    def _mix(self, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixtures of abundances and strengths in the coordinates, and their derivatives."""
        n_endmembers = len(self.endmembers)
        spectra, products = self._columns[:n_endmembers], self._columns[n_endmembers:]
        slopes = np.empty((*unknowns.shape, spectra.shape[1]))
        slopes[:, :n_endmembers] = spectra
        mixed = np.einsum("nk,lk->nl", unknowns[:, :n_endmembers], np.ascontiguousarray(spectra.T))
        for number, (j, k) in enumerate(zip(*self.pairs, strict=True)):
            strength = unknowns[:, n_endmembers + number, None]
            one, other = unknowns[:, j, None], unknowns[:, k, None]
            slopes[:, n_endmembers + number] = one * other * products[number]
            slopes[:, j] += strength * other * products[number]
            slopes[:, k] += strength * one * products[number]
            mixed += strength * slopes[:, n_endmembers + number]
        return mixed, slopes


@dataclass(frozen=True, kw_only=True)
class GBM(Method):
    """Generalised bilinear model: linear mixing, and light that meets two materials before it leaves.

    ::

        min_{a, g} ||y - sum_k a_k m_k - sum_{j<k} g_jk a_j a_k m_j m_k||^2
        such that   a_k >= 0,   sum_k a_k = 1,   0 <= g_jk <= 1

    where y [reflectance] is a pixel over its good bands, m_k [reflectance] the mean spectrum of bundle k,
    a (endmember,) the abundances [area fraction], and g (pair,) how strongly two materials interact in this pixel
    [1]: 0 for linear mixing, 1 for Fan's law. This is the posterior mode of the paper under its uniform priors.
    It is a point estimate: there is no uncertainty.

    Parameters
    ----------
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

    References
    ----------
    A. Halimi, Y. Altmann, N. Dobigeon and J.-Y. Tourneret, *Nonlinear unmixing of hyperspectral images using a
    generalized bilinear model*, IEEE TGRS 49(11), 2011, doi:10.1109/TGRS.2010.2098414.

    Examples
    --------
    >>> from unmixel.mixing import fan
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> spectra = np.array([[0.1, 0.2, 0.1, 0.6], [0.5, 0.4, 0.9, 0.3]])
    >>> scene = make_scene(fan(np.array([[1.0, 0.0], [0.75, 0.25]]), spectra)[None])
    >>> GBM().fit(scene, make_bundle(spectra, ["soil", "leaves"])).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.75, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "gbm"
    summary: ClassVar[str] = "generalised bilinear model: light that meets two materials, by pair and pixel"
    reference: ClassVar[str] = "Halimi et al. 2011, doi:10.1109/TGRS.2010.2098414"
    needs_reflectance: ClassVar[bool] = True
    fitted_type: ClassVar[type[Fitted]] = FittedGBM

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedGBM:
        return FittedGBM(self, scene, endmembers.names, endmembers.means)


METHOD = GBM
