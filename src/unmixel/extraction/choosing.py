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

FEWEST_PIXELS = 200
"""In a smaller scene nothing can be held out."""
MORE_AXES = 5
"""Axes of the scene beyond the number of endmembers in which evidence is measured."""
RANK_TOLERANCE = 1e-6
FITTED, HELD_OUT = 400, 800
"""Pixels that hypotheses are fitted to, and on which they are judged."""
BALANCED_OVER = 14
"""Clusters over which these pixels are balanced, so that a small material counts as much as a large one."""
WITH_VARIABILITY = 8
"""Candidates whose variability is looked at: those of the greatest evidence without."""
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
    """

    name: str
    spectra: Float[np.ndarray, "endmember band"]
    hypothesis: Hypothesis
    log_evidence: float

    def as_record(self) -> dict[str, str | float]:
        """Return all but the arrays, rounded."""
        return {
            "name": self.name,
            "log_evidence": round(self.log_evidence, 4),
            "brightness_sd": round(self.hypothesis.brightness_sd, 4),
            "bilinear": round(self.hypothesis.bilinear, 3),
        }


def choose_by_evidence(
    pixels: Float[np.ndarray, "pixel band"], n_endmembers: int, *, seed: int | np.random.Generator = 0
) -> list[Judged]:
    r"""Find endmembers by their evidence, the best first.

    .. math:: \hat M = \arg\max_{M \in \mathcal C} \frac{1}{|H|} \sum_{n \in H} \log p(y_n | M, \theta_M)

    where :math:`\mathcal C` are the candidates and :math:`\theta_M` what else each hypothesis says, fitted to
    other pixels than the held-out ones :math:`H`:

    - candidates found in the scene (see :func:`unmixel.extraction.candidates.candidates`), each material with a
      covariance of its spectra and abundances by a Dirichlet law;
    - candidates refined to the greatest evidence (see :func:`unmixel.extraction.refinement.refine`), spectra fixed,
      abundances uniform, mixing linear or bilinear. No pixel needs to be pure. They count only if they are better
      than the plain Gaussian of the pixels: a model that isn't has nothing to refine by.

    All share one brightness law, whose width is fitted; so the scene decides whether brightness is free.

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
        The greatest evidence first.

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
    background = float(held_out.background.mean())
    for bilinear in (0.0, FIRST_BILINEAR):
        start = screened[0]
        refined = refine(replace(start.hypothesis, bilinear=bilinear), fitted)
        spectra = np.maximum(refined.endmembers @ axes.T, 0)
        law = "bilinear" if refined.bilinear else "linear"
        one = _judged(f"refined, {law}, from {start.name}", spectra, refined, held_out)
        if one.log_evidence > background:
            judged.append(one)
    return sorted(judged, key=lambda one: -one.log_evidence)


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
