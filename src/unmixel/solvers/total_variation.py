"""Abundances of neighbouring pixels that differ little: least squares on the simplex with total variation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from unmixel.solvers.simplex_projection import project_to_simplex

N_STEPS = 60
"""Of ADMM."""
N_DUAL_STEPS = 5
"""Of the dual of the total variation in each, which begins where the last ended."""


def total_variation(image: Float[np.ndarray, "y x endmember"], valid: Bool[np.ndarray, "y x"]) -> float:
    """Return the sum of |a_n − a_m| over the entries of pixels n and m that share an edge, both valid.

    Examples
    --------
    >>> total_variation(np.array([[[0.0], [1.0]], [[0.0], [0.5]]]), np.array([[True, True], [True, False]]))
    1.0
    """
    return float(sum(np.abs(step).sum() for step in _differences(image, *_edges(valid))))


def smooth_abundances(
    gram: Float[np.ndarray, "pixel endmember endmember"],
    projected: Float[np.ndarray, "pixel endmember"],
    start: Float[np.ndarray, "pixel endmember"],
    valid: Bool[np.ndarray, "y x"],
    weight: float,
) -> Float[np.ndarray, "pixel endmember"]:
    r"""Return abundances of pixels with spectra of their own that are smooth over the scene.

    .. math:: \min_A \sum_n \tfrac12 \lVert y_n - M_n^\top a_n \rVert^2
              + \lambda \sum_{n \sim m} \lVert a_n - a_m \rVert_1
              \quad \text{such that} \quad a_n \ge 0,\; \mathbf 1^\top a_n = 1

    by ADMM with a copy of A for the simplex and one for the differences. Invalid pixels are no one's neighbours.

    Parameters
    ----------
    gram : array, shape (pixel, endmember, endmember)
        :math:`M_n M_n^\top`, of the valid pixels, row by row.
    projected : array, shape (pixel, endmember)
        :math:`M_n y_n`.
    start : array, shape (pixel, endmember)
        Abundances to begin with.
    valid : array of bool, shape (y, x)
        Where the pixels are.
    weight : float
        λ.

    References
    ----------
    M.-D. Iordache, J. M. Bioucas-Dias and A. Plaza, *Total Variation Spatial Regularization for Sparse Hyperspectral
    Unmixing*, IEEE TGRS 50(11), 2012, doi:10.1109/TGRS.2012.2191590; for the prox, A. Chambolle, *An Algorithm for
    Total Variation Minimization and Applications*, JMIV 20, 2004.

    Examples
    --------
    >>> flat = smooth_abundances(np.eye(2)[None].repeat(2, 0), np.eye(2), np.eye(2), np.ones((1, 2), dtype=bool), 5.0)
    >>> flat.round(1)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    n_endmembers = gram.shape[1]
    penalty = 0.1 * max(float(np.trace(gram.mean(axis=0))) / n_endmembers, 1e-12)
    factor = np.linalg.inv(gram + 2 * penalty * np.eye(n_endmembers))
    edges = _edges(valid)
    dual = tuple(np.zeros((*edge.shape, n_endmembers)) for edge in edges)
    on_simplex = smooth = start.astype(np.float64)
    owed_simplex = owed_smooth = np.zeros_like(on_simplex)
    for _ in range(N_STEPS):
        pulled = projected + penalty * (on_simplex - owed_simplex + smooth - owed_smooth)
        abundances = np.einsum("njk,nk->nj", factor, pulled)
        on_simplex = project_to_simplex(abundances + owed_simplex)
        image = np.zeros((*valid.shape, n_endmembers))
        image[valid] = abundances + owed_smooth
        image, dual = _less_varied(image, weight / penalty, edges, dual)
        smooth = image[valid]
        owed_simplex = owed_simplex + abundances - on_simplex
        owed_smooth = owed_smooth + abundances - smooth
    return on_simplex


def _edges(valid: Bool[np.ndarray, "y x"]) -> tuple[np.ndarray, np.ndarray]:
    """Return where a pixel and the one below it, and the one on its right, are both valid."""
    return valid[1:] & valid[:-1], valid[:, 1:] & valid[:, :-1]


def _differences(image: np.ndarray, down: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.diff(image, axis=0) * down[..., None], np.diff(image, axis=1) * right[..., None]


def _less_varied(
    image: np.ndarray, weight: float, edges: tuple[np.ndarray, np.ndarray], dual: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the image near the given one with less total variation, by projected gradients of the dual."""
    for _ in range(N_DUAL_STEPS):
        steps = _differences(_plus_divergence(image, dual), *edges)
        dual = tuple(np.clip(p + step / 8, -weight, weight) for p, step in zip(dual, steps, strict=True))
    return _plus_divergence(image, dual), dual


def _plus_divergence(image: np.ndarray, dual: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the image less the adjoint of the differences of the dual."""
    down, right = dual
    found = image.copy()
    found[:-1] += down
    found[1:] -= down
    found[:, :-1] += right
    found[:, 1:] -= right
    return found
