"""N-FINDR: the pixels that span the largest simplex."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.extraction.successive_projection import farthest

LARGER = 1 + 1e-9
"""Factor of the volume below which an exchange is rounding."""
MAX_SWEEPS = 100


def nfindr(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> Integer[np.ndarray, "endmember"]:
    r"""Find the pixels that span the largest simplex.

    .. math:: \max_{i_1 \dots i_P} \left| \det \begin{bmatrix} 1 & \dots & 1 \\
              z_{i_1} & \dots & z_{i_P} \end{bmatrix} \right|

    where z are the first P - 1 principal components of the pixels. From the pixels that successive projection finds,
    one endmember after the other is exchanged for the pixel that makes the simplex largest, until none does. Nothing
    is random: the paper starts anywhere.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    n_endmembers : int
        Number of endmembers P, at least 2.

    Returns
    -------
    array of int, shape (endmember,)
        Rows of the pixels that are the endmembers.

    Raises
    ------
    ParameterError
        If the pixels differ in fewer than P - 1 directions.

    References
    ----------
    M. E. Winter, *N-FINDR: an algorithm for fast autonomous spectral end-member determination in hyperspectral data*,
    Proc. SPIE 3753, 1999, doi:10.1117/12.366289.

    Examples
    --------
    >>> pixels = np.array([[0.3, 0.2, 0.1], [0.5, 0.0, 0.0], [0.2, 0.2, 0.2], [0.0, 0.4, 0.0], [0.0, 0.0, 0.1]])
    >>> sorted(nfindr(pixels, 3).tolist())
    [1, 3, 4]
    """
    points = affine_coordinates(pixels, n_endmembers)[0]
    found = farthest(points, n_endmembers)
    for _ in range(MAX_SWEEPS):
        before = found.copy()
        for k in range(n_endmembers):
            growth = np.abs(points @ np.linalg.inv(points[found])[:, k])
            if growth.max() > LARGER:
                found[k] = growth.argmax()
        if (found == before).all():
            break
    return found


def affine_coordinates(
    pixels: Float[np.ndarray, "pixel band"], n_endmembers: int
) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "endmember band"]]:
    """Return pixels as 1 and their first P - 1 principal components, of unit power in all, and the way back.

    Examples
    --------
    >>> points, back = affine_coordinates(np.array([[0.1, 0.2], [0.3, 0.6], [0.2, 0.4]]), 2)
    >>> np.allclose(points @ back, [[0.1, 0.2], [0.3, 0.6], [0.2, 0.4]])
    True
    """
    values = pixels.astype(np.float64)
    mean = values.mean(axis=0)
    values -= mean
    directions = np.linalg.eigh(values.T @ values)[1][:, ::-1][:, : n_endmembers - 1]
    components = values @ directions
    scale = np.sqrt((components**2).mean()) or 1.0
    points = np.column_stack([np.ones(len(values)), components / scale])
    return points, np.vstack([mean, scale * directions.T])
