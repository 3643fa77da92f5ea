"""Factorisation of the scene into endmembers and sparse abundances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from unmixel.methods._blind import BlindMethod, Found
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.solvers import fcls

SMALLEST = 1e-12
FIRST_SHARE = 1e-3
"""Least abundance at the start: what is zero stays zero."""
PROGRESS_STEPS = 50


class SparseFactorisation:
    """The objective of L1/2-NMF, and the multiplicative updates that lower it.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Y [reflectance]; not negative.
    sparsity : float
        Weight of the sparsity, relative to the paper's estimate.

    Attributes
    ----------
    weight : float
        lambda: the sparsity times the mean sparseness of the bands and sqrt(L).
    sum_weight : float
        delta^2: how much it costs if abundances don't sum to one; the mean squared length of a pixel.
    """

    def __init__(self, pixels: Float[np.ndarray, "pixel band"], sparsity: float) -> None:
        self.pixels = pixels
        n_pixels, n_bands = pixels.shape
        lengths = np.maximum(np.linalg.norm(pixels, axis=0), SMALLEST)
        sparseness = (np.sqrt(n_pixels) - pixels.sum(axis=0) / lengths) / max(np.sqrt(n_pixels) - 1, SMALLEST)
        self.weight = sparsity * float(sparseness.sum()) / np.sqrt(n_bands)
        self.sum_weight = float((pixels**2).sum()) / n_pixels

    def __call__(
        self, endmembers: Float[np.ndarray, "endmember band"], abundances: Float[np.ndarray, "pixel endmember"]
    ) -> float:
        """Return the objective."""
        misfit = ((self.pixels - abundances @ endmembers) ** 2).sum()
        beside = self.sum_weight * ((1 - abundances.sum(axis=1)) ** 2).sum()
        return float((misfit + beside) / 2 + self.weight * np.sqrt(abundances).sum())

    def update(
        self, endmembers: Float[np.ndarray, "endmember band"], abundances: Float[np.ndarray, "pixel endmember"]
    ) -> tuple[Float[np.ndarray, "endmember band"], Float[np.ndarray, "pixel endmember"]]:
        """Return endmembers and abundances after one round of updates."""
        fitted = abundances.T @ abundances @ endmembers
        endmembers = endmembers * (abundances.T @ self.pixels) / np.maximum(fitted, SMALLEST)
        wanted = self.pixels @ endmembers.T + self.sum_weight
        fitted = abundances @ (endmembers @ endmembers.T) + self.sum_weight * abundances.sum(axis=1, keepdims=True)
        sparse = self.weight / 2 / np.sqrt(np.maximum(abundances, SMALLEST))
        return endmembers, abundances * wanted / np.maximum(fitted + sparse, SMALLEST)


@dataclass(frozen=True, kw_only=True)
class NMFL12(BlindMethod):
    """Nonnegative matrix factorisation with the L1/2 norm of the abundances.

    ::

        min_{A, M} 1/2 ||Y - A M||_F^2 + delta^2/2 sum_n (1 - sum_k a_nk)^2 + lambda sum_nk a_nk^(1/2)
        such that   a_nk >= 0,   m_kl >= 0

    where Y (pixel, band) [reflectance] are the pixels over the good bands, M (endmember, band) [reflectance] the
    endmembers, A (pixel, endmember) the abundances [area fraction], lambda the weight of sparsity, and delta that of
    the sum. M is found in a sample of the scene; abundances are those of fully constrained least squares with it.
    There is no uncertainty.

    Parameters
    ----------
    sparsity : float
        Weight of the sparsity relative to the paper's estimate of lambda, not negative [reflectance squared]: the
        estimate is a pure number, the misfit is not, so the same scene in another unit needs another one.
    n_steps : int
        Rounds of updates, at least 1.
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        Where the search starts when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction and the sample.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    Y. Qian, S. Jia, J. Zhou and A. Robles-Kelly, *Hyperspectral unmixing via L1/2 sparsity-constrained nonnegative
    matrix factorization*, IEEE TGRS 49(11), 2011, doi:10.1109/TGRS.2011.2144605.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> spectra = np.array([[0.1, 0.2, 0.0, 0.6], [0.5, 0.0, 0.9, 0.3]])
    >>> shares = np.r_[np.zeros(50), np.ones(50), np.linspace(0, 1, 100)]
    >>> scene = make_scene((np.column_stack([shares, 1 - shares]) @ spectra)[None])
    >>> start = make_bundle(0.8 * spectra + 0.1, ["soil", "leaves"])
    >>> NMFL12().fit(scene, start).unmix(scene).endmember_spectrum.values.round(2)
    array([[0.11, 0.2 , 0.02, 0.61],
           [0.5 , 0.01, 0.9 , 0.32]], dtype=float32)
    """

    name: ClassVar[str] = "nmf_l12"
    summary: ClassVar[str] = "blind: endmembers and sparse abundances by nonnegative factorisation"
    reference: ClassVar[str] = "Qian et al. 2011, doi:10.1109/TGRS.2011.2144605"
    needs_reflectance: ClassVar[bool] = True

    sparsity: float = 0.1
    n_steps: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "sparsity", least=0, expected="a number from 0 on")
        check_range(self, "n_steps", least=1, expected="at least 1")

    def _find(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        start: Float[np.ndarray, "endmember band"],
        progress: Progress,
    ) -> Found:
        factorisation = SparseFactorisation(np.maximum(pixels, 0), self.sparsity)
        endmembers = np.maximum(start, SMALLEST)
        abundances = np.maximum(fcls(pixels, endmembers), FIRST_SHARE)
        for step in range(1, self.n_steps + 1):
            endmembers, abundances = factorisation.update(endmembers, abundances)
            if step % PROGRESS_STEPS == 0:
                objective = factorisation(endmembers, abundances)
                progress("train", {"step": step, "of": self.n_steps, "objective": objective})
        record = {"steps": self.n_steps, "objective": factorisation(endmembers, abundances)}
        return Found(endmembers, {**record, "stopped": f"all {self.n_steps} steps done"})


METHOD = NMFL12
