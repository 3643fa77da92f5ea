"""Endmembers from clusters: of many groups of similar pixels, the few that explain all the others."""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.extraction.kmeans import kmeans

MAX_CLUSTERS = 14
SAMPLE = 500


def clusters(
    pixels: Float[np.ndarray, "pixel band"],
    n_endmembers: int,
    *,
    n_clusters: int | None = None,
    seed: int | np.random.Generator = 0,
) -> list[np.ndarray]:
    r"""Find endmembers as the cluster centres that reconstruct the scene best.

    .. math:: \min_{S, |S| = P} \sum_n \min_{a \ge 0} \Big\| y_n - \sum_{k \in S} a_k c_k \Big\|

    where :math:`c_k` are the centres of more clusters of pixels than there are endmembers. The abundances
    are non-negative but needn't sum to one, so that brightness is free. The sum runs over a sample with the
    same number of pixels from every cluster, so that a small material counts as much as a large one. All
    subsets are tried.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    n_endmembers : int
        Number of endmembers P, at least 2 and at most 12.
    n_clusters : int, optional
        Number of clusters; 12 or, from 9 endmembers on, 14.
    seed : int or Generator
        Seed of clustering and sampling.

    Returns
    -------
    list of P arrays of int
        Rows of the pixels of each cluster; their mean is the endmember.

    Raises
    ------
    ParameterError
        If the scene doesn't have enough different pixels for P clusters, or P is above 12.

    Examples
    --------
    Two materials, and pixels that are half of each:

    >>> materials = np.array([[0.1, 0.2, 0.6], [0.5, 0.4, 0.3]])
    >>> pixels = np.concatenate([materials, materials.mean(axis=0, keepdims=True)]).repeat(5, axis=0)
    >>> [members.tolist() for members in clusters(pixels, 2)]
    [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    """
    rng = np.random.default_rng(seed)
    if n_endmembers > MAX_CLUSTERS - 2:
        raise ParameterError(
            f"{n_endmembers} endmembers from clusters",
            f"at most {MAX_CLUSTERS - 2}",
            "use the extractor 'vca'",
        )
    members = lit_clusters(pixels, n_clusters or (12 if n_endmembers <= 8 else MAX_CLUSTERS), rng)
    if len(members) < n_endmembers:
        raise ParameterError(
            f"{n_endmembers} endmembers from a scene with {len(members)} different pixels", "at most as many"
        )
    subset = best_subsets(*sample_and_centres(pixels, members, rng), n_endmembers)[-1][0]
    return sorted((members[k] for k in subset), key=lambda rows: int(rows[0]))


def lit_clusters(
    pixels: Float[np.ndarray, "pixel band"], n_clusters: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Group the pixels that are not black; return the rows of each group."""
    lit = np.flatnonzero((pixels != 0).any(axis=1))
    if not len(lit):
        return []
    labels = kmeans(pixels[lit], n_clusters, seed=rng)
    return [lit[labels == label] for label in range(int(labels.max()) + 1)]


def sample_and_centres(
    pixels: Float[np.ndarray, "pixel band"], members: list[np.ndarray], rng: np.random.Generator
) -> tuple[Float[np.ndarray, "sampled band"], Float[np.ndarray, "cluster band"]]:
    """Return a sample with about as many pixels from each cluster, and the centres of the clusters."""
    share = -(-SAMPLE // len(members))
    sample = np.concatenate([rng.permutation(rows)[:share] for rows in members])
    centres = np.stack([pixels[rows].mean(axis=0, dtype=np.float64) for rows in members])
    return pixels[sample].astype(np.float64), centres


def best_subsets(
    pixels: Float[np.ndarray, "pixel band"],
    candidates: Float[np.ndarray, "candidate band"],
    largest: int,
) -> list[tuple[tuple[int, ...], float]]:
    r"""Find the candidates whose non-negative combinations are nearest to the pixels, trying all subsets.

    The non-negative least-squares solution with the candidates S is an ordinary least-squares solution with
    some of them, T, that happens to be non-negative; so its squared residual is

    .. math:: r_n(S) = \min_{T \subseteq S, \; a_n(T) \ge 0} \|y_n\|^2 - b_{nT}^\top G_{TT}^{-1} b_{nT}

    with :math:`G` the inner products of the candidates and :math:`b_n` those of pixel and candidates. Going
    up in size, :math:`r(S)` is the smaller of its own term and :math:`r` of the subsets with one candidate
    less.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y_n` [1].
    candidates : array, shape (candidate, band)
        Reflectance [1].
    largest : int
        Largest size of a subset.

    Returns
    -------
    list of (tuple of int, float)
        For each size 1, 2, ... the best subset and the mean over the pixels of its :math:`\sqrt{r_n}`.

    Examples
    --------
    >>> candidates = np.array([[1.0, 0.9], [1.0, 0.0], [0.0, 1.0]])
    >>> [subset for subset, distance in best_subsets(np.array([[1.0, 1.0], [0.5, 0.1]]), candidates, 2)]
    [(0,), (1, 2)]
    """
    gram, inner = candidates @ candidates.T, pixels @ candidates.T
    gram = gram + 1e-12 * np.trace(gram) / len(gram) * np.eye(len(gram))
    energy = (pixels**2).sum(axis=1)
    smaller: dict[tuple[int, ...], int] = {(): 0}
    residual = energy[None, :]
    best = []
    for count in range(1, largest + 1):
        subsets = list(itertools.combinations(range(len(candidates)), count))
        columns = np.array(subsets)
        inverse = np.linalg.inv(gram[columns[:, :, None], columns[:, None, :]])
        current = np.empty((len(subsets), len(pixels)))
        for row, subset in enumerate(subsets):
            projections = inner[:, columns[row]]
            abundances = projections @ inverse[row]
            left = energy - (projections * abundances).sum(axis=1)
            inside = (abundances >= 0).all(axis=1)
            parents = [smaller[subset[:k] + subset[k + 1 :]] for k in range(count)]
            current[row] = np.minimum(np.where(inside, left, np.inf), residual[parents].min(axis=0))
        smaller = {subset: row for row, subset in enumerate(subsets)}
        residual = current
        distance = np.sqrt(np.maximum(residual, 0)).mean(axis=1)
        winner = int(np.argmin(distance))
        best.append((subsets[winner], float(distance[winner])))
    return best
