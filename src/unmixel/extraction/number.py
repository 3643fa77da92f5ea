"""The number of endmembers: as many as it takes to explain the scene, and no more."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.extraction.clusters import best_subsets, lit_clusters, sample_and_centres

N_CLUSTERS = 12
MOST = 8
WORTH = 0.12
"""An endmember counts if it lowers the residual by at least this share."""


def suggest_n_endmembers(pixels: Float[np.ndarray, "pixel band"], *, seed: int | np.random.Generator = 0) -> int:
    r"""Suggest a number of endmembers: the last that lowers the residual of the scene by 12 % or more.

    .. math:: \hat P = \max \{ P : e_P \le 0.88 \, e_{P-1} \}, \qquad
              e_P = \min_{|S| = P} \sum_n \min_{a \ge 0} \Big\| y_n - \sum_{k \in S} a_k c_k \Big\|

    where :math:`c_k` are the centres of 12 clusters of pixels (see
    :func:`unmixel.extraction.clusters.clusters`). Unlike :func:`unmixel.preprocess.hysime` and
    :func:`unmixel.preprocess.nwhfc`, which count every direction above the noise, it doesn't count
    brightness or variability of a material that its own abundance explains. It is a suggestion: look at the
    residual too.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    seed : int or Generator
        Seed of clustering and sampling.

    Returns
    -------
    int
        Number of endmembers, 2 to 8.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pixels = rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 30)) * rng.uniform(0.5, 1.5, (2000, 1))
    >>> suggest_n_endmembers(pixels)
    3
    """
    rng = np.random.default_rng(seed)
    members = lit_clusters(pixels, N_CLUSTERS, rng)
    if len(members) < 3:
        return 2
    best = best_subsets(*sample_and_centres(pixels, members, rng), min(MOST, len(members)))
    residuals = np.array([distance for _, distance in best])
    negligible = 1e-6 * float(np.sqrt((pixels.astype(np.float64) ** 2).sum(axis=1).mean()))
    worth = residuals[1:] + negligible <= (1 - WORTH) * residuals[:-1]
    return int(np.flatnonzero(worth).max(initial=0)) + 2
