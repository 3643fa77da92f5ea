"""Archetypal analysis by entropic descent: endmembers are mixtures of pixels, and pixels of endmembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from unmixel.methods._blind import BlindMethod, Found
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range

N_ROUNDS, N_STEPS = 100, 5
"""Rounds of a run, and in each the steps for abundances, then for archetypes."""
LARGEST_FACTOR_LOG2 = 3
NEARLY_BEST = 0.05
"""Runs whose fit is worse by no more than this share may be chosen."""
DIRECTIONS = 2
"""Principal directions of the pixels that runs look at, for each endmember."""


class Run(NamedTuple):
    """What one run found.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Archetypes B Y [reflectance].
    fit : float
        Sum of the absolute residuals [reflectance].
    coherence : float
        Largest correlation between two of them [1].
    """

    endmembers: np.ndarray
    fit: float
    coherence: float


def entropic_descent(
    pixels: Float[np.ndarray, "pixel coordinate"], n_endmembers: int, n_rounds: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "endmember pixel"]]:
    r"""Minimise :math:`\tfrac12 \lVert Y - A B Y \rVert^2` by gradients that multiply, from a random start.

    Every row of A and of B is multiplied by the exponential of minus a step along the gradient, and divided by its
    sum, so it stays inside the simplex. The steps are :math:`\eta_A = f / \sigma^2` and
    :math:`\eta_B = \eta_A \sqrt{P / N}` with σ the largest singular value of the first archetypes and f a random
    power of two.

    Returns
    -------
    abundances : array, shape (pixel, endmember)
        A.
    contributions : array, shape (endmember, pixel)
        B.

    Examples
    --------
    >>> pixels = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.4, 0.6]])
    >>> abundances, contributions = entropic_descent(pixels, 2, 200, np.random.default_rng(3))
    >>> bool(np.abs(abundances @ contributions @ pixels - pixels).max() < 0.1)
    True
    """
    n_pixels = len(pixels)
    abundances = np.full((n_pixels, n_endmembers), 1 / n_endmembers)
    contributions = _stepped(np.ones((n_endmembers, n_pixels)), 0.1 * rng.random((n_endmembers, n_pixels)))
    archetypes = contributions @ pixels
    factor = 2.0 ** rng.integers(-LARGEST_FACTOR_LOG2, LARGEST_FACTOR_LOG2 + 1)
    step = factor / max(np.linalg.norm(archetypes, ord=2) ** 2, np.finfo(float).tiny)
    for _ in range(n_rounds):
        archetypes = contributions @ pixels
        for _ in range(N_STEPS):
            abundances = _stepped(abundances, -step * ((abundances @ archetypes - pixels) @ archetypes.T))
        gram, wanted = abundances.T @ abundances, abundances.T @ pixels
        for _ in range(N_STEPS):
            gradient = (gram @ (contributions @ pixels) - wanted) @ pixels.T
            contributions = _stepped(contributions, -step * np.sqrt(n_endmembers / n_pixels) * gradient)
    return abundances, contributions


def _stepped(shares: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return rows on the simplex, multiplied by exponentials and divided by their sum."""
    multiplied = shares * np.exp(exponents - exponents.max(axis=1, keepdims=True))
    multiplied = np.maximum(multiplied, np.finfo(float).tiny)
    return multiplied / multiplied.sum(axis=1, keepdims=True)


def coherence(endmembers: Float[np.ndarray, "endmember band"]) -> float:
    """Return the largest correlation between two spectra.

    Examples
    --------
    >>> coherence(np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [0.9, 0.1, 0.1]]))
    1.0
    """
    centred = endmembers - endmembers.mean(axis=1, keepdims=True)
    lengths = np.maximum(np.linalg.norm(centred, axis=1), np.finfo(float).tiny)
    correlation = (centred / lengths[:, None]) @ (centred / lengths[:, None]).T
    return round(float(correlation[np.triu_indices(len(endmembers), 1)].max()), 12)


def choose(runs: list[Run]) -> Run:
    """Return, of the runs that fit nearly best, the one whose endmembers are least alike."""
    best = min(run.fit for run in runs)
    return min((run for run in runs if run.fit * (1 - NEARLY_BEST) <= best), key=lambda run: run.coherence)


@dataclass(frozen=True, kw_only=True)
class Archetypal(BlindMethod):
    """Entropic descent archetypal analysis.

    ::

        min_{A, B} 1/2 ||Y - A B Y||_F^2
        such that   a_nk >= 0,   sum_k a_nk = 1,   b_kn >= 0,   sum_n b_kn = 1

    where Y (pixel, band) [reflectance] are the pixels over the good bands, A (pixel, endmember) the abundances [area
    fraction], B (endmember, pixel) what each pixel contributes to an endmember [1], and M = B Y (endmember, band)
    [reflectance] the endmembers. Of several random runs of entropic descent, among those that fit nearly best, the one
    whose endmembers correlate least is kept. M is found in a sample of the scene; abundances are those of fully
    constrained least squares with it. There is no uncertainty.

    Parameters
    ----------
    n_runs : int
        Runs from other random starts, with other steps; at least 1.
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        What names the endmembers when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the runs, the extraction and the sample.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    A. Zouaoui, G. Muhawenayo, B. Rasti, J. Chanussot and J. Mairal, *Entropic descent archetypal analysis for blind
    hyperspectral unmixing*, IEEE Trans. Image Processing 32, 2023, doi:10.1109/TIP.2023.3301769.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> spectra = np.array([[0.1, 0.2, 0.1, 0.6], [0.5, 0.4, 0.9, 0.3]])
    >>> shares = np.linspace(0, 1, 100)
    >>> scene = make_scene((np.column_stack([shares, 1 - shares]) @ spectra)[None])
    >>> start = make_bundle(0.8 * spectra + 0.1, ["soil", "leaves"])
    >>> Archetypal(n_runs=5).fit(scene, start).unmix(scene).endmember_spectrum.values.round(1)
    array([[0.1, 0.2, 0.1, 0.6],
           [0.5, 0.4, 0.9, 0.3]], dtype=float32)
    """

    name: ClassVar[str] = "archetypal"
    summary: ClassVar[str] = "blind: endmembers as mixtures of pixels, by entropic descent"
    reference: ClassVar[str] = "Zouaoui et al. 2023, doi:10.1109/TIP.2023.3301769"
    largest_sample: ClassVar[int] = 2500

    n_runs: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "n_runs", least=1, expected="at least 1")

    def _find(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        start: Float[np.ndarray, "endmember band"],
        progress: Progress,
    ) -> Found:
        from scipy.optimize import linear_sum_assignment

        directions = np.linalg.eigh(pixels.T @ pixels)[1][:, ::-1][:, : DIRECTIONS * len(start)]
        coordinates = pixels @ directions
        runs = []
        for number, rng in enumerate(np.random.default_rng(self.seed).spawn(self.n_runs)):
            abundances, contributions = entropic_descent(coordinates, len(start), N_ROUNDS, rng)
            endmembers = contributions @ pixels
            fit = float(np.abs(pixels - abundances @ endmembers).sum())
            runs.append(Run(endmembers, fit, coherence(endmembers)))
            progress("train", {"run": number + 1, "of": self.n_runs, "fit": fit})
        chosen = choose(runs)
        distances = ((start[:, None] - chosen.endmembers[None]) ** 2).sum(axis=2)
        in_order = chosen.endmembers[linear_sum_assignment(distances)[1]]
        return Found(in_order, {"runs": self.n_runs, "fit": chosen.fit, "coherence": chosen.coherence})


METHOD = Archetypal
