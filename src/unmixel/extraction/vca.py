"""Vertex component analysis: the purest pixels of a scene are the corners of the cloud of its pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.errors import ParameterError

DARKEST = 0.01
"""Pixels darker than this share of the median brightness are never endmembers: their shape is noise."""


def vca(
    pixels: Float[np.ndarray, "pixel band"],
    n_endmembers: int,
    *,
    n_restarts: int = 20,
    seed: int | np.random.Generator = 0,
) -> Integer[np.ndarray, "endmember"]:
    r"""Find the purest pixels by vertex component analysis, keeping the largest simplex of several runs.

    .. math:: x = U_P^\top y, \qquad \tilde x = x / (u^\top x), \qquad
              i_k = \arg\max_n |f_k^\top \tilde x_n|, \quad f_k \perp \tilde x_{i_1}, \tilde x_{i_2}, \dots

    where :math:`U_P` are the first P right singular vectors of the pixels, :math:`u` is the direction of
    their mean, and :math:`f_k` is a random direction. Dividing by :math:`u^\top x` takes the brightness of
    a pixel away, so that illumination doesn't make a pixel pure. Of the runs, the one whose corners span
    the largest volume :math:`|\det [\tilde x_{i_1} \dots \tilde x_{i_P}]|` is kept.

    The paper projects so where the signal-to-noise ratio is high only, and into the P - 1 first principal components
    where it is low; here the projection is the same for every scene.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    n_endmembers : int
        Number of endmembers P, at least 2.
    n_restarts : int
        Number of runs with other random directions.
    seed : int or Generator
        Seed of the random directions.

    Returns
    -------
    array of int, shape (endmember,)
        Rows of the pixels that are the endmembers.

    Raises
    ------
    ParameterError
        If fewer than P pixels differ from zero.

    References
    ----------
    Nascimento, Bioucas-Dias, *Vertex component analysis: a fast algorithm to unmix hyperspectral data*, IEEE
    TGRS 43(4), 2005. doi:10.1109/TGRS.2005.844293

    Examples
    --------
    >>> pixels = np.array([[0.3, 0.2, 0.1], [0.5, 0, 0], [0.2, 0.2, 0.2], [0, 0.4, 0], [0, 0, 0.1]])
    >>> sorted(vca(pixels, 3).tolist())
    [1, 3, 4]
    """
    rng = np.random.default_rng(seed)
    projected = without_brightness(principal_coordinates(pixels, n_endmembers))
    usable = np.flatnonzero(np.isfinite(projected[:, 0]))
    if len(usable) < n_endmembers:
        raise ParameterError(
            f"{n_endmembers} endmembers from {len(usable)} pixels that are not black",
            "at least as many pixels",
        )
    corners = np.ascontiguousarray(projected[usable])
    runs = [_one_run(corners, rng) for _ in range(n_restarts)]
    volumes = [abs(np.linalg.det(corners[run])) for run in runs]
    return usable[runs[int(np.argmax(volumes))]]


def principal_coordinates(
    pixels: Float[np.ndarray, "pixel band"], n_endmembers: int
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the pixels in their first principal directions (not centred)."""
    values = pixels.astype(np.float64)
    directions = np.linalg.eigh(values.T @ values)[1][:, ::-1]
    return values @ directions[:, :n_endmembers]


def without_brightness(coordinates: Float[np.ndarray, "pixel axis"]) -> Float[np.ndarray, "pixel axis"]:
    """Return every pixel over its component along the mean pixel; NaN where it is too dark for that."""
    brightness = coordinates @ coordinates.mean(axis=0)
    lit = brightness > 0
    bright_enough = lit & (brightness > DARKEST * np.median(brightness[lit])) if lit.any() else lit
    scale = np.where(bright_enough, brightness, np.nan) / np.abs(brightness).max(initial=1e-300)
    return coordinates / scale[:, None]


def _one_run(corners: Float[np.ndarray, "pixel axis"], rng: np.random.Generator) -> Integer[np.ndarray, "axis"]:
    """Pick one pixel after the other, each the farthest along a direction normal to those before."""
    n_axes = corners.shape[1]
    found = np.zeros(n_axes, dtype=np.intp)
    basis = np.zeros((n_axes, 0))
    for k in range(n_axes):
        random = rng.standard_normal(n_axes)
        direction = random - basis @ (basis.T @ random)
        found[k] = np.argmax(np.abs(corners @ direction))
        basis = np.linalg.qr(corners[found[: k + 1]].T)[0]
    return found
