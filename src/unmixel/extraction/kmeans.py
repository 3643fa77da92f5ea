"""K-means: groups of similar pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

MAX_STEPS = 100
STILL_MOVING = 1e-3
"""Share of pixels that must change their cluster for another step to be worth it."""


def kmeans(
    pixels: Float[np.ndarray, "pixel band"],
    n_clusters: int,
    *,
    n_restarts: int = 3,
    seed: int | np.random.Generator = 0,
) -> Integer[np.ndarray, "pixel"]:
    r"""Group pixels around centres so that the squared distance to the own centre is small.

    .. math:: \min_{c, \ell} \sum_n \|y_n - c_{\ell(n)}\|^2

    Lloyd's steps from k-means++ starts; the best of several starts is kept. Where there are fewer different
    pixels than clusters, there are fewer clusters.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Values to group, in any unit.
    n_clusters : int
        Number of clusters.
    n_restarts : int
        Number of starts.
    seed : int or Generator
        Seed of the starts.

    Returns
    -------
    array of int, shape (pixel,)
        The cluster of every pixel, 0, 1, ... without gaps.

    References
    ----------
    Arthur, Vassilvitskii, *k-means++: the advantages of careful seeding*, SODA 2007.

    Examples
    --------
    >>> labels = kmeans(np.array([[0.1, 0.2], [0.9, 0.7], [0.1, 0.3], [0.8, 0.7]]), 2)
    >>> bool(labels[0] == labels[2] != labels[1] == labels[3])
    True
    """
    rng = np.random.default_rng(seed)
    values = pixels - pixels.mean(axis=0)
    runs = [_lloyd(values, _spread_centres(values, n_clusters, rng)) for _ in range(n_restarts)]
    labels = min(runs, key=lambda run: run[1])[0]
    return np.unique(labels, return_inverse=True)[1]


def _spread_centres(
    values: Float[np.ndarray, "pixel band"], n_clusters: int, rng: np.random.Generator
) -> Float[np.ndarray, "cluster band"]:
    """Draw pixels as centres, likelier the farther they are from those already drawn."""
    centres = [values[rng.integers(len(values))]]
    nearest = ((values - centres[0]) ** 2).sum(axis=1, dtype=np.float64)
    for _ in range(n_clusters - 1):
        total = nearest.sum()
        if total <= 0:
            break
        centres.append(values[rng.choice(len(values), p=nearest / total)])
        nearest = np.minimum(nearest, ((values - centres[-1]) ** 2).sum(axis=1, dtype=np.float64))
    return np.stack(centres)


def _lloyd(
    values: Float[np.ndarray, "pixel band"], centres: Float[np.ndarray, "cluster band"]
) -> tuple[Integer[np.ndarray, "pixel"], float]:
    """Move centres to the means of their pixels until hardly any changes; return labels and sum of squares."""
    n_clusters = len(centres)
    norms = np.einsum("nl,nl->n", values, values)
    labels = np.full(len(values), -1)
    for _ in range(MAX_STEPS):
        distances = np.einsum("kl,kl->k", centres, centres) - 2 * (values @ centres.T)
        before, labels = labels, distances.argmin(axis=1)
        if (before != labels).mean() < STILL_MOVING:
            break
        counts = np.bincount(labels, minlength=n_clusters)
        membership = (labels == np.arange(n_clusters)[:, None]).astype(values.dtype)
        sums = membership @ values
        kept = counts > 0
        centres = centres.copy()
        centres[kept] = sums[kept] / counts[kept, None].astype(values.dtype)
    inertia = float((norms + distances[np.arange(len(values)), labels]).sum(dtype=np.float64))
    return labels, inertia
