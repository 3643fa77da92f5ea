"""Endmembers found on one half of the pixels, judged on the other half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unmixel.extraction.clusters import best_subsets, lit_clusters, sample_and_centres
from unmixel.solvers import nnls

N_CLUSTERS = 12
MOST = 8
HALF_PIXELS = 4000
HELD_OUT_PIXELS = 500


@dataclass(frozen=True)
class HalfScene:
    """What one half of a scene says of the endmembers.

    Attributes
    ----------
    endmembers : tuple of arrays, shape (P, band)
        The endmembers found on this half, for P = 1, 2, ... [reflectance].
    held_out : array, shape (number,)
        Mean length of the residual of pixels of the other half, for each P, noise taken off [reflectance].
    """

    endmembers: tuple[Float[np.ndarray, "_ band"], ...]
    held_out: Float[np.ndarray, "number"]


def half_scenes(
    pixels: Float[np.ndarray, "pixel band"],
    noise_variance: Float[np.ndarray, "band"],
    *,
    n_splits: int = 2,
    seed: int | np.random.Generator = 0,
) -> list[HalfScene]:
    r"""Split the pixels in halves at random, several times; find endmembers on each half and judge them on the other.

    .. math:: e_P = \frac{1}{N} \sum_n \Big( \min_{a \ge 0} \Big\| y_n - \sum_{k=1}^P a_k m_k \Big\|^2
              - \sum_l \sigma_l^2 \Big)_+^{1/2}

    where :math:`m_k` are the best P of 12 cluster centres of one half (see `unmixel.extraction.clusters.clusters`), the
    :math:`y_n` are pixels of the other half, about as many near each centre, and :math:`\sigma_l^2` is the variance of
    the noise. Without taking the noise off, no endmember would count in a noisy scene.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    noise_variance : array, shape (band,)
        Variance of the noise of each band [1].
    n_splits : int
        How often to split; each split gives two halves.
    seed : int or Generator
        Seed of the halves, the clusters and the samples.

    Returns
    -------
    list of HalfScene
        Two for each split. Those of halves without two different pixels are left out.

    Examples
    --------
    >>> materials = np.array([[0.1, 0.2, 0.6], [0.5, 0.4, 0.3]])
    >>> half = half_scenes(materials.repeat(50, axis=0), np.zeros(3), n_splits=1)[0]
    >>> half.endmembers[1].round(1).tolist(), bool(half.held_out[0] > 0.2), float(half.held_out[1].round(6))
    ([[0.5, 0.4, 0.3], [0.1, 0.2, 0.6]], True, 0.0)
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_splits):
        first, second = np.array_split(rng.permutation(len(pixels)), 2)
        for own, other in ((first, second), (second, first)):
            half = _half_scene(pixels[own[:HALF_PIXELS]], pixels[other[:HALF_PIXELS]], noise_variance, rng)
            found += [half] if half is not None else []
    return found


def _half_scene(
    own: Float[np.ndarray, "pixel band"],
    other: Float[np.ndarray, "held_out band"],
    noise_variance: Float[np.ndarray, "band"],
    rng: np.random.Generator,
) -> HalfScene | None:
    members = lit_clusters(own, N_CLUSTERS, rng)
    if len(members) < 2:
        return None
    sample, centres = sample_and_centres(own, members, rng)
    best = best_subsets(sample, centres, min(MOST, len(centres)))
    endmembers = tuple(centres[list(subset)] for subset, _ in best)
    held_out = _balanced(other, centres, rng).astype(np.float64)
    excess = [((held_out - nnls(held_out, m) @ m) ** 2).sum(axis=1) - noise_variance.sum() for m in endmembers]
    return HalfScene(endmembers, np.array([np.sqrt(np.maximum(squares, 0)).mean() for squares in excess]))


def _balanced(
    pixels: Float[np.ndarray, "pixel band"], centres: Float[np.ndarray, "cluster band"], rng: np.random.Generator
) -> Float[np.ndarray, "chosen band"]:
    """Return about as many pixels near each centre."""
    nearest = ((centres**2).sum(axis=1) - 2 * pixels @ centres.T).argmin(axis=1)
    share = -(-HELD_OUT_PIXELS // len(centres))
    near = [rng.permutation(np.flatnonzero(nearest == k))[:share] for k in range(len(centres))]
    return pixels[np.concatenate(near)]
