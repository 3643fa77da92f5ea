"""Vertex component analysis: the purest pixels of a scene are the corners of the cloud of its pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from unmixel.errors import ParameterError

DARKEST = 0.01
"""Pixels darker than this share of the median brightness are never endmembers: their shape is noise."""
LEAST_SNR_DB = 15.0
"""Signal-to-noise ratio of one endmember, above which brightness is divided out [dB]."""


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

    That holds where the signal-to-noise ratio (`snr_db`) is above :math:`15 + 10 \log_{10} P` dB. Below, dividing would
    multiply the noise of dark pixels, and :math:`\tilde x` are the first P - 1 principal components of the pixels and
    the length of the longest, as the paper has it: there a bright pixel counts as pure.

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
    if snr_db(pixels, n_endmembers) <= LEAST_SNR_DB + 10 * np.log10(n_endmembers):
        projected = centred_coordinates(pixels, n_endmembers)
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


def snr_db(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> float:
    r"""Return the signal-to-noise ratio of pixels whose signal is in P directions around their mean [dB].

    .. math:: 10 \log_{10} \frac{P_x - (P / L) P_y}{P_y - P_x}, \qquad
              P_y = \frac{1}{N} \sum_n \|y_n\|^2, \quad
              P_x = \|\bar y\|^2 + \frac{1}{N} \sum_n \|V_P^\top (y_n - \bar y)\|^2

    where :math:`V_P` are the first P principal axes of the L bands: the noise, alike in all bands, is what is in none
    of them. Infinite without noise, minus infinity without signal.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pixels = rng.random((4000, 2)) @ rng.random((2, 50))
    >>> noise = np.sqrt((pixels**2).mean() / 100) * rng.standard_normal(pixels.shape)
    >>> round(snr_db(pixels + noise, 2), 1)
    20.0
    """
    values = pixels.astype(np.float64)
    power = float((values**2).sum() / len(values))
    mean = values.mean(axis=0)
    spread = np.linalg.eigvalsh((values - mean).T @ (values - mean)) / len(values)
    noise = float(spread[:-n_endmembers].sum())
    signal = power - noise - n_endmembers / values.shape[1] * power
    if noise <= np.finfo(np.float64).eps * power:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else float("-inf")


def centred_coordinates(
    pixels: Float[np.ndarray, "pixel band"], n_endmembers: int
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the pixels in their first P - 1 principal components, and the length of the longest as one more."""
    values = pixels.astype(np.float64)
    values -= values.mean(axis=0)
    directions = np.linalg.eigh(values.T @ values)[1][:, ::-1][:, : n_endmembers - 1]
    components = values @ directions
    longest = np.linalg.norm(components, axis=1).max()
    return np.column_stack([components, np.full(len(components), longest)])


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
