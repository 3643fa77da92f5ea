"""Minimum-volume factorisation: the smallest simplex around the pixels, whose corners no pixel need be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from unmixel.methods._blind import BlindMethod, Found
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.solvers import ConstrainedLeastSquares

SMALLEST_GAIN = 1e-9
"""Share of the objective that a step must gain."""
STOPPED = {0: "the objective no longer falls", 1: "all steps done", 2: "no step lowers the objective"}
"""What the status of scipy's L-BFGS-B means."""
SMALLEST_NOISE = 1e-8
"""Variance of the noise, relative to the mean power of the pixels."""


class MinimumVolume:
    """The objective of minimum-volume factorisation over the endmembers, with the best abundances for them.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Y [reflectance].
    n_endmembers : int
        P.
    volume_weight : float
        How much volume counts, relative to what the noise calls for.
    """

    def __init__(self, pixels: Float[np.ndarray, "pixel band"], n_endmembers: int, volume_weight: float) -> None:
        self.pixels = pixels
        self.volume_weight = volume_weight
        power = np.linalg.eigvalsh(pixels.T @ pixels)
        n_pixels, n_bands = pixels.shape
        unexplained = power[: max(n_bands - n_endmembers, 0)].sum() / (n_pixels * max(n_bands - n_endmembers, 1))
        self.noise_variance = max(unexplained, SMALLEST_NOISE * power.sum() / pixels.size, np.finfo(float).tiny)
        self.floor = n_bands * self.noise_variance * np.eye(n_endmembers)

    def __call__(self, endmembers: Float[np.ndarray, "endmember band"]) -> tuple[float, np.ndarray]:
        """Return the objective and its derivatives (endmember, band).

        The best abundances depend on the endmembers, but as they are the best, their change doesn't change the
        objective to first order.
        """
        abundances = ConstrainedLeastSquares(endmembers, sum_to_one=True).solve(self.pixels)
        residual = self.pixels - abundances @ endmembers
        gram = endmembers @ endmembers.T + self.floor
        scale = 1 / (len(self.pixels) * self.noise_variance)
        value = scale * (residual**2).sum() + self.volume_weight * np.linalg.slogdet(gram)[1]
        volume = self.volume_weight * np.linalg.solve(gram, endmembers)
        return float(value), 2 * (volume - scale * abundances.T @ residual)


@dataclass(frozen=True, kw_only=True)
class MinVolNMF(BlindMethod):
    """Minimum-volume nonnegative matrix factorisation with the logarithm of the determinant.

    ::

        min_{A, M} 1/(N s^2) ||Y - A M||_F^2 + w log det(M M^T + L s^2 I)
        such that   a_nk >= 0,   sum_k a_nk = 1,   0 <= m_kl <= max(1, max Y)

    where Y (pixel, band) [reflectance] are N pixels over L good bands, M (endmember, band) [reflectance] the
    endmembers, A (pixel, endmember) the abundances [area fraction], s^2 what P endmembers can't explain of a value
    (its mean square outside the first P principal directions), and w the weight of the volume. With w = 1 and
    pixels uniform over the simplex this is, but for the origin and the floor L s^2, maximum likelihood. M is found in a
    sample of the scene; abundances are those of fully constrained least squares. There is no uncertainty.

    Parameters
    ----------
    volume_weight : float
        w, not negative. More makes the simplex smaller: spectra closer to the pixels, more pixels outside.
    n_steps : int
        Most steps of the search, at least 1.
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
    X. Fu, K. Huang, B. Yang, W.-K. Ma and N. D. Sidiropoulos, *Robust volume minimization-based matrix factorization
    for remote sensing and document clustering*, IEEE Trans. Signal Processing 64(23), 2016,
    doi:10.1109/TSP.2016.2602800.

    A. M. S. Ang and N. Gillis, *Algorithms and comparisons of nonnegative matrix factorizations with volume
    regularization for hyperspectral unmixing*, IEEE J. Sel. Top. Appl. Earth Obs. Remote Sens. 12(12), 2019,
    doi:10.1109/JSTARS.2019.2925098.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> rng = np.random.default_rng(0)
    >>> spectra = np.array([[0.1, 0.2, 0.1, 0.6], [0.5, 0.4, 0.9, 0.3]])
    >>> shares = rng.uniform(0, 1, 500)
    >>> scene = make_scene((np.column_stack([shares, 1 - shares]) @ spectra)[None])
    >>> start = make_bundle(0.6 * spectra + 0.2, ["soil", "leaves"])
    >>> MinVolNMF().fit(scene, start).unmix(scene).endmember_spectrum.values.round(2)
    array([[0.1, 0.2, 0.1, 0.6],
           [0.5, 0.4, 0.9, 0.3]], dtype=float32)
    """

    name: ClassVar[str] = "minvol_nmf"
    summary: ClassVar[str] = "blind: the smallest simplex around the pixels, also where no pixel is pure"
    reference: ClassVar[str] = "Ang & Gillis 2019, doi:10.1109/JSTARS.2019.2925098"

    volume_weight: float = 1.0
    n_steps: int = 300

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "volume_weight", least=0, expected="a number from 0 on")
        check_range(self, "n_steps", least=1, expected="at least 1")

    def _find(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        start: Float[np.ndarray, "endmember band"],
        progress: Progress,
    ) -> Found:
        from scipy.optimize import minimize

        objective = MinimumVolume(pixels, len(start), self.volume_weight)

        def flat(unknowns: np.ndarray) -> tuple[float, np.ndarray]:
            value, slopes = objective(unknowns.reshape(start.shape))
            return value, slopes.ravel()

        steps = itertools.count(1)
        brightest = max(1.0, float(pixels.max()), float(start.max()))
        found = minimize(
            flat,
            np.maximum(start, 0).ravel(),
            jac=True,
            method="L-BFGS-B",
            callback=lambda unknowns: progress("train", {"step": next(steps), "of": self.n_steps}),
            bounds=[(0.0, brightest)] * start.size,
            options={"maxiter": self.n_steps, "maxcor": 20, "ftol": SMALLEST_GAIN},
        )
        record = {
            "noise": "estimated from the scene",
            "steps": int(found.nit),
            "objective": float(found.fun),
            "settled": bool(found.success),
            "stopped": STOPPED.get(int(found.status), str(found.message)),
        }
        return Found(found.x.reshape(start.shape), record)


METHOD = MinVolNMF
