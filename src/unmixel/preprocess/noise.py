"""The noise of each band: what the other bands can't predict."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.scene import good_bands

RIDGE = 1e-10
MAX_PIXELS = 20_000


def noise_variance_of(
    scene: xr.DataArray, pixels: Float[np.ndarray, "pixel band"], *, seed: int | np.random.Generator = 0
) -> Float[np.ndarray, "band"]:
    """Return the variance of the noise over the good bands [1]: what the scene says of it, else what its pixels say.

    Parameters
    ----------
    scene : DataArray
        The scene; the coordinate ``noise_sd`` is there if it was opened with an uncertainty file.
    pixels : array, shape (pixel, good band)
        Pixels of it to estimate the noise from by `estimate_noise`, if need be.
    seed : int or Generator
        Of the estimate.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> scene = make_scene(np.random.default_rng(0).random((4, 5, 2)))
    >>> told = scene.assign_coords(noise_sd=("band", [0.1, 0.2]))
    >>> noise_variance_of(told, told.values.reshape(20, 2)).round(4)
    array([0.01, 0.04])
    """
    told = noise_told(scene)
    return estimate_noise(pixels, seed=seed)[1] if told is None else told


def noise_told(scene: xr.DataArray) -> Float[np.ndarray, "band"] | None:
    """Return the variance of the noise over the good bands that a scene tells [1]; None if it tells none."""
    if "noise_sd" not in scene.coords:
        return None
    return np.asarray(scene["noise_sd"].values, dtype=np.float64)[good_bands(scene)] ** 2


def noise_source(scene: xr.DataArray) -> str:
    """Return where the noise of a scene is known from, in words.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> noise_source(make_scene([[[0.1, 0.2]]]))
    'estimated from the scene'
    """
    return "estimated from the scene" if noise_told(scene) is None else "told by the scene (noise_sd)"


def estimate_noise(
    pixels: Float[np.ndarray, "pixel band"], *, seed: int | np.random.Generator = 0
) -> tuple[Float[np.ndarray, "sampled band"], Float[np.ndarray, "band"]]:
    r"""Estimate noise by regressing each band on all others.

    .. math:: \hat n_l = y_l - Y_{-l} (Y_{-l}^\top Y_{-l})^{-1} Y_{-l}^\top y_l
              = \frac{Y R^{-1} e_l}{(R^{-1})_{ll}}, \qquad R = Y^\top Y

    Reflectance is smooth over wavelength and made of few materials, noise is neither. The second form needs
    one inverse for all bands; a ridge of 1e-10 of its diagonal keeps it stable. Where there are fewer
    than two pixels for each band, regression explains noise too, and the noise is what differs from the
    mean of both neighbouring bands, :math:`\sqrt{2/3} \, (y_l - (y_{l-1} + y_{l+1}) / 2)`.
    The other bands are noisy themselves and predict less than they could without noise, so the estimate is a
    little high: by a few per cent, and more for a band with much less noise than the others.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`Y` [1].
    seed : int or Generator
        Of more than 20 000 pixels, that many are drawn.

    Returns
    -------
    noise : array, shape (sampled, band)
        Noise of the pixels that were used [1].
    noise_variance : array, shape (band,)
        Its variance [1].

    References
    ----------
    Bioucas-Dias, Nascimento, *Hyperspectral subspace identification*, IEEE TGRS 46(8), 2008.
    doi:10.1109/TGRS.2008.918089

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.random((5000, 3)) @ rng.random((3, 50))
    >>> noise, noise_variance = estimate_noise(signal + 0.02 * rng.standard_normal((5000, 50)))
    >>> bool(abs(np.sqrt(noise_variance.mean()) - 0.02) < 0.001)
    True
    """
    if len(pixels) > MAX_PIXELS:
        rng = np.random.default_rng(seed)
        pixels = pixels[np.sort(rng.choice(len(pixels), MAX_PIXELS, replace=False))]
    values = pixels.astype(np.float64)
    n_pixels, n_bands = values.shape
    if n_pixels < 2 * n_bands:
        return _unlike_neighbours(values)
    scale = np.sqrt((values**2).mean(axis=0))
    scale[scale == 0] = 1.0
    values /= scale
    gram = values.T @ values / n_pixels
    inverse = np.linalg.inv(gram + RIDGE * np.eye(n_bands))
    noise = values @ inverse
    noise *= scale / np.diag(inverse)
    return noise, (noise**2).sum(axis=0) / (n_pixels - n_bands + 1)


def _unlike_neighbours(
    values: Float[np.ndarray, "pixel band"],
) -> tuple[Float[np.ndarray, "pixel band"], Float[np.ndarray, "band"]]:
    """Return how each band differs from the mean of its neighbours; the first and last band copy theirs."""
    noise = np.zeros_like(values)
    if values.shape[1] > 2:
        noise[:, 1:-1] = np.sqrt(2 / 3) * (values[:, 1:-1] - (values[:, :-2] + values[:, 2:]) / 2)
        noise[:, 0], noise[:, -1] = noise[:, 1], noise[:, -2]
    return noise, (noise**2).mean(axis=0)
