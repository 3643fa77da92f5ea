"""Endmembers chosen by evidence: candidates, refined by the model, judged on pixels that they haven't seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from unmixel.extraction.candidates import candidates
from unmixel.extraction.evidence import Hypothesis, SubspacePixels, log_density, posterior
from unmixel.extraction.kmeans import kmeans
from unmixel.extraction.refinement import fit_noise, refine
from unmixel.extraction.variability import fit_concentration, fit_variability, log_concentrated
from unmixel.metrics.spectral_angle import pairwise_spectral_angle
from unmixel.preprocess.noise import estimate_noise

FEWEST_PIXELS = 200
"""In a smaller scene nothing can be held out."""
MOST_ENDMEMBERS = 8
"""For more, evidence takes too long."""
BLACK = 1e-3
"""Relative norm of a spectrum that is nothing but an offset of the scene."""
MORE_AXES = 5
"""Axes of the scene beyond the number of endmembers in which evidence is measured."""
RANK_TOLERANCE = 1e-6
FITTED, HELD_OUT = 400, 1600
"""Pixels that hypotheses are fitted to, and on which they are judged."""
BALANCED_OVER = 14
"""Clusters over which these pixels are balanced, so that a small material counts as much as a large one."""
WITH_VARIABILITY = 8
"""Candidates whose variability is looked at: those of the greatest evidence without."""
AS_GOOD = 0.1
"""Differences of evidence below it [nat per pixel] are those of the models, not of the endmembers."""
UP_TO_NOISE = 1.4
"""A model that leaves no more than this many times the noise explains the scene."""
HOPELESS = 2.0
"""A linear model that leaves more than this many times the noise isn't saved by a bilinear one."""
FIRST_BRIGHTNESS_SD = 0.05
FIRST_BILINEAR = 0.7


@dataclass(frozen=True)
class Judged:
    """Endmembers with their evidence.

    Attributes
    ----------
    name : str
        Where they come from.
    spectra : array, shape (endmember, band)
        Reflectance [1].
    hypothesis : Hypothesis
        What else was assumed, in the subspace of the scene.
    log_evidence : float
        Mean log-density of a held-out pixel in the subspace [nat].
    settled : bool, optional
        Whether moving the spectra to the greatest evidence ended there; None where they weren't moved.
    """

    name: str
    spectra: Float[np.ndarray, "endmember band"]
    hypothesis: Hypothesis
    log_evidence: float
    settled: bool | None = None

    @property
    def is_refined(self) -> bool:
        """Whether the spectra were moved to the greatest evidence."""
        return self.settled is not None

    def as_record(self) -> dict[str, str | float | bool]:
        """Return all but the arrays, rounded."""
        return {
            "name": self.name,
            "log_evidence": round(self.log_evidence, 4),
            "brightness_sd": round(self.hypothesis.brightness_sd, 4),
            "bilinear": round(self.hypothesis.bilinear, 3),
            **({} if self.settled is None else {"settled": self.settled}),
        }


def has_evidence(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> bool:
    """Return whether there are enough pixels that are not black, and few enough endmembers, to choose by evidence."""
    return int((pixels != 0).any(axis=1).sum()) >= FEWEST_PIXELS and n_endmembers <= MOST_ENDMEMBERS


def choose_by_evidence(
    pixels: Float[np.ndarray, "pixel band"], n_endmembers: int, *, seed: int | np.random.Generator = 0
) -> list[Judged]:
    r"""Find endmembers by their evidence, the chosen first.

    .. math:: e(M) = \frac{1}{|H|} \sum_{n \in H} \log p(y_n | M, \theta_M), \qquad
              \hat M = \arg\min_{M \in \mathcal C} \sum_{M' \in \mathcal C} \exp(e(M') / \tau) \, \angle(M, M')

    where :math:`\mathcal C` are the candidates and :math:`\theta_M` what else each hypothesis says, fitted to
    other pixels than the held-out ones :math:`H`:

    - candidates found in the scene (see :func:`unmixel.extraction.candidates.candidates`), each material with a
      covariance of its spectra and abundances by a Dirichlet law;
    - candidates refined to the greatest evidence (see :func:`unmixel.extraction.refinement.refine`), spectra fixed,
      abundances uniform, mixing linear or bilinear. No pixel needs to be pure. They count only where this explains
      the pixels up to noise (1.4 times what :func:`unmixel.preprocess.estimate_noise` finds): otherwise endmembers
      move to where they make up for what the model leaves out.

    Of candidates about as good, that one is chosen which is most like the others: :math:`\angle` is the mean
    spectral angle, and :math:`\tau` is 0.1; of refined ones, that of the greatest evidence. All share one
    brightness law, whose width is fitted; so the scene decides whether brightness is free.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1], or what else mixes about linearly; at least 200 pixels.
    n_endmembers : int
        Number of endmembers P, at least 2.
    seed : int or Generator
        Seed of everything random.

    Returns
    -------
    list of Judged
        The chosen one, then the others, the greatest evidence first.

    Examples
    --------
    Two materials, no pixel with more than 80 % of either:

    >>> rng = np.random.default_rng(0)
    >>> materials = np.array([[0.1, 0.2, 0.6, 0.7], [0.5, 0.4, 0.3, 0.1]])
    >>> pixels = rng.uniform(0.2, 0.8, (900, 1)) * (materials[1] - materials[0]) + materials[0]
    >>> best = choose_by_evidence(pixels + 0.002 * rng.standard_normal(pixels.shape), 2)[0]
    >>> best.name.split(",")[0]
    'refined'
    """
    rng = np.random.default_rng(seed)
    axes = scene_axes(pixels, n_endmembers + MORE_AXES)
    fitted, held_out = _samples(pixels, axes, rng)
    found = candidates(pixels, axes, n_endmembers, seed=rng)
    screened = [
        _judged(name, spectra, fit_noise(_first(spectra @ axes, fitted), fitted), held_out)
        for name, spectra in found.items()
    ]
    screened.sort(key=lambda one: -one.log_evidence)
    judged = [_with_variability(one, fitted, held_out) for one in screened[:WITH_VARIABILITY]]
    noise_sd = _noise_sd(pixels, axes, rng)
    start = screened[0]
    for law, bilinear in (("linear", 0.0), ("bilinear", FIRST_BILINEAR)):
        refined = refine(replace(start.hypothesis, bilinear=bilinear), fitted).hypothesis
        if refined.noise_sd <= UP_TO_NOISE * noise_sd:
            refined, settled = refine(refined, fitted)
            spectra = np.maximum(refined.endmembers @ axes.T, 0)
            norms = np.linalg.norm(spectra, axis=1)
            if norms.min() > BLACK * norms.max():
                clipped = replace(refined, endmembers=spectra @ axes)
                one = _judged(f"refined, {law}, from {start.name}", spectra, clipped, held_out)
                judged.append(replace(one, settled=settled))
        if refined.noise_sd > HOPELESS * noise_sd:
            break
    return _ordered(judged)


def _ordered(judged: list[Judged]) -> list[Judged]:
    """Return the chosen one first, then the others by their evidence."""
    judged = sorted(judged, key=lambda one: -one.log_evidence)
    chosen = judged[0]
    found = [one for one in judged if not one.is_refined]
    if not chosen.is_refined:
        weights = np.exp([(one.log_evidence - chosen.log_evidence) / AS_GOOD for one in found])
        angles = np.array([[_mean_angle(one.spectra, other.spectra) for other in found] for one in found])
        chosen = found[int(np.argmin(angles @ weights))]
    return [chosen, *(one for one in judged if one is not chosen)]


def _mean_angle(a: Float[np.ndarray, "endmember band"], b: Float[np.ndarray, "endmember band"]) -> float:
    """Return the mean angle between the spectra of two sets, each with its partner [rad]."""
    from scipy.optimize import linear_sum_assignment

    angles = pairwise_spectral_angle(a, b)
    return float(angles[linear_sum_assignment(angles)].mean())


def scene_axes(pixels: Float[np.ndarray, "pixel band"], n_axes: int) -> Float[np.ndarray, "band axis"]:
    """Return the strongest directions of the pixels (not centred), not more than they span."""
    values = pixels.astype(np.float64)
    power, directions = np.linalg.eigh(values.T @ values)
    rank = int((power > RANK_TOLERANCE**2 * power[-1]).sum())
    return directions[:, ::-1][:, : min(n_axes, rank)]


def _samples(
    pixels: Float[np.ndarray, "pixel band"], axes: Float[np.ndarray, "band axis"], rng: np.random.Generator
) -> tuple[SubspacePixels, SubspacePixels]:
    """Return pixels to fit to and pixels held out, both balanced over clusters, and their Gaussian background."""
    lit = np.flatnonzero((pixels != 0).any(axis=1))
    order = rng.permutation(lit)[: 10 * (FITTED + HELD_OUT)]
    coordinates = pixels[order].astype(np.float64) @ axes
    labels = kmeans(coordinates, BALANCED_OVER, n_restarts=2, seed=rng)
    turn = np.empty(len(labels), dtype=int)
    for label in range(int(labels.max()) + 1):
        own = np.flatnonzero(labels == label)
        turn[own] = np.arange(len(own))
    kept = coordinates[np.argsort(turn, kind="stable")[: FITTED + HELD_OUT]]
    kept = kept[rng.permutation(len(kept))]
    products = np.einsum("la,lb,lc->abc", axes, axes, axes, optimize=True)
    deviation = kept - kept.mean(axis=0)
    covariance = deviation.T @ deviation / len(kept)
    covariance += RANK_TOLERANCE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    background = (
        np.log(np.diag(inverse)).sum()
        - kept.shape[1] / 2 * np.log(2 * np.pi)
        - ((deviation @ inverse.T) ** 2).sum(axis=1) / 2
    )
    n_fitted = min(FITTED, len(kept) // 2)
    first, second = slice(None, n_fitted), slice(n_fitted, None)
    return (
        SubspacePixels(kept[first], products, background[first]),
        SubspacePixels(kept[second], products, background[second]),
    )


def _noise_sd(
    pixels: Float[np.ndarray, "pixel band"], axes: Float[np.ndarray, "band axis"], rng: np.random.Generator
) -> float:
    """Return the standard deviation of the noise in the axes of the scene."""
    _, variance = estimate_noise(pixels, seed=rng)
    return float(np.sqrt((variance @ axes**2).mean()))


def _first(endmembers: Float[np.ndarray, "endmember axis"], scene: SubspacePixels) -> Hypothesis:
    """Return a hypothesis with the residual outside the span of the endmembers as noise."""
    residual = scene.pixels - scene.pixels @ np.linalg.pinv(endmembers) @ endmembers
    floor = 1e-6 * (scene.pixels**2).mean()
    noise_sd = float(np.sqrt((residual**2).mean() + floor))
    return Hypothesis(endmembers, noise_sd=noise_sd, brightness_sd=FIRST_BRIGHTNESS_SD)


def _judged(
    name: str, spectra: Float[np.ndarray, "endmember band"], hypothesis: Hypothesis, held_out: SubspacePixels
) -> Judged:
    density = log_density(posterior(hypothesis, held_out).log_evidence, held_out)
    return Judged(name, spectra, hypothesis, float(density.mean()))


def _with_variability(one: Judged, fitted: SubspacePixels, held_out: SubspacePixels) -> Judged:
    """Return the candidate judged with covariances of its materials and a Dirichlet law of its abundances."""
    hypothesis = fit_variability(one.hypothesis, fitted)
    concentration = fit_concentration(posterior(hypothesis, fitted), fitted)
    evidence = log_concentrated(posterior(hypothesis, held_out), concentration)
    return Judged(one.name, one.spectra, hypothesis, float(log_density(evidence, held_out).mean()))
