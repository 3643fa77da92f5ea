"""HySime: the number of endmembers as the dimension of the signal subspace."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.preprocess.noise import MAX_PIXELS, estimate_noise


def hysime(pixels: Float[np.ndarray, "pixel band"], *, seed: int | np.random.Generator = 0) -> int:
    r"""Count the directions in which a scene has more signal than noise.

    .. math:: \hat k = \#\{ i : -e_i^\top R_y e_i + 2 \, e_i^\top R_n e_i < 0 \}

    where :math:`R_y` is the correlation of the pixels, :math:`R_n` the (diagonal) one of the estimated
    noise and :math:`e_i` the eigenvectors of the correlation of the pixels without their noise. Keeping a
    direction costs its noise, leaving it out costs its signal. Variability of the materials and nonlinear
    mixing are signal too, so on a real scene this is an upper bound rather than the number of materials.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    seed : int or Generator
        Of more than 20 000 pixels, that many are drawn.

    Returns
    -------
    int
        Number of endmembers, at least 1.

    References
    ----------
    Bioucas-Dias, Nascimento, *Hyperspectral subspace identification*, IEEE TGRS 46(8), 2008.
    doi:10.1109/TGRS.2008.918089

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.dirichlet(np.ones(4), 3000) @ rng.random((4, 60))
    >>> hysime(signal + 0.01 * rng.standard_normal((3000, 60)))
    4
    """
    rng = np.random.default_rng(seed)
    if len(pixels) > MAX_PIXELS:
        pixels = pixels[np.sort(rng.choice(len(pixels), MAX_PIXELS, replace=False))]
    values = pixels.astype(np.float64)
    noise, noise_variance = estimate_noise(values)
    signal = values - noise
    correlation = values.T @ values / len(values)
    signal_correlation = signal.T @ signal / len(values)
    floor = np.trace(signal_correlation) / len(noise_variance) * 1e-10
    directions = np.linalg.eigh(signal_correlation)[1]
    power = np.einsum("li,lm,mi->i", directions, correlation, directions, optimize=True)
    noise_power = ((noise_variance + floor)[:, None] * directions**2).sum(axis=0)
    return max(1, int((power > 2 * noise_power).sum()))
