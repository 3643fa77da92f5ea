r"""Where ID-Net starts: what the scene and its bundles say before anything is trained.

Non-negative least squares with the mean spectra gives every pixel an abundance and a brightness (the sum of its
coefficients). In the pixels that are nearly made of endmember k,

- the spread of log brightness is the size of the first latent of k, whose axis is the mean spectrum itself;
- the principal axes of what is left, divided by the brightness, are the axes of its other latents;
- so many more are hidden axes, less the noise along each. What varies like another endmember counts as an abundance
  in the least squares and is in no residual, so the direction of each other endmember (orthogonal to m̄_k) is a hidden
  axis, too, a quarter as long as the latents' axes are on average;
- what remains after them is s_k and the noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unmixel.methods.idnet.bundle_decoder import N_LEFT_OVER, n_hidden_axes
from unmixel.preprocess import estimate_noise
from unmixel.solvers import nnls

LARGEST_SAMPLE = 20_000
"""Pixels looked at, and trained on: a seeded sample of the scene."""
NEARLY_PURE = 0.8
FEWEST, MOST = 50, 500
"""How many nearly pure pixels speak for an endmember."""
SMALLEST_BRIGHTNESS_SD = 0.02
SMALLEST_SD = 1e-3
N_FEATURES = 20
TOWARDS_OTHERS = 0.25
"""Spread in the direction of another endmember, relative to the spread along the latents' axes."""


class Start(NamedTuple):
    """Starting values of ID-Net.

    Attributes
    ----------
    means : array, shape (endmember, band)
        Mean spectrum of each bundle [reflectance].
    axes : array, shape (endmember, latent, band)
        What one unit of each latent adds [reflectance]; the first is brightness.
    hidden_axes : array, shape (endmember, hidden axis, band)
        What endmembers vary by besides [reflectance].
    endmember_sd : array, shape (endmember,)
        s_k [reflectance].
    noise_sd : float
        s_y [reflectance].
    offset : array, shape (band,)
        Mean pixel [reflectance].
    features : array, shape (feature, band)
        Principal axes of the scene divided by its spread along them [1 / reflectance].
    """

    means: np.ndarray
    axes: np.ndarray
    hidden_axes: np.ndarray
    endmember_sd: np.ndarray
    noise_sd: float
    offset: np.ndarray
    features: np.ndarray


def start_from(pixels: Float[np.ndarray, "pixel band"], spectra: tuple[np.ndarray, ...], n_latents: int) -> Start:
    """Return the starting values for a sample of a scene and the spectra of each endmember.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance.
    spectra : tuple of P arrays, shape (spectrum_k, band)
        The bundles.
    n_latents : int
        H.
    """
    means = np.stack([s.mean(axis=0, dtype=np.float64) for s in spectra])
    coefficients = np.asarray(nnls(pixels, means.astype(np.float32)), dtype=np.float64)
    brightness = np.maximum(coefficients.sum(axis=1), 1e-6)
    residual = (pixels - coefficients @ means) / np.clip(brightness, 0.3, 3.0)[:, None]
    _, noise_variance = estimate_noise(pixels)
    noise_sd = max(float(np.sqrt(noise_variance.mean())), SMALLEST_SD)

    axes = np.zeros((len(means), n_latents, means.shape[1]))
    hidden_axes = np.zeros((len(means), n_hidden_axes(len(means)), means.shape[1]))
    endmember_sd = np.zeros(len(means))
    for k, own in enumerate(spectra):
        share = coefficients[:, k] / brightness
        n_pure = int(np.clip((share > NEARLY_PURE).sum(), FEWEST, MOST))
        pure = np.argsort(-share, kind="stable")[:n_pure]
        own_brightness = own @ means[k] / (means[k] @ means[k])
        deviations = np.concatenate([residual[pure], own - own_brightness[:, None] * means[k]])
        spread = max(_spread(np.log(brightness[pure])), float(own_brightness.std()), SMALLEST_BRIGHTNESS_SD)
        found, endmember_sd[k] = _axes_of(means[k], spread, deviations, n_latents + N_LEFT_OVER, noise_sd)
        axes[k] = found[:n_latents]
        hidden_axes[k, :N_LEFT_OVER] = _without_noise(found[n_latents:], noise_sd)
        size = TOWARDS_OTHERS * float(np.sqrt((axes[k, 1:] ** 2).sum() / max(n_latents - 1, 1)))
        hidden_axes[k, N_LEFT_OVER:] = size * _towards_others(means, k)
    offset = pixels.mean(axis=0, dtype=np.float64)
    return Start(means, axes, hidden_axes, endmember_sd, noise_sd, offset, _whitened_axes(pixels - offset, noise_sd))


def _axes_of(
    mean: Float[np.ndarray, "band"],
    brightness_sd: float,
    deviations: Float[np.ndarray, "spectrum band"],
    n_latents: int,
    noise_sd: float,
) -> tuple[Float[np.ndarray, "latent band"], float]:
    """Return the axes of one endmember and the standard deviation of what they leave over, less the noise."""
    centred = deviations - deviations.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    sizes = sizes / np.sqrt(len(deviations))
    axes = np.zeros((n_latents, len(mean)))
    axes[0] = brightness_sd * mean
    n_found = min(n_latents - 1, len(sizes))
    axes[1 : 1 + n_found] = sizes[:n_found, None] * directions[:n_found]
    left = float((sizes[n_found:] ** 2).sum() / len(mean))
    return axes, max(left - noise_sd**2, SMALLEST_SD**2) ** 0.5


def _without_noise(axes: Float[np.ndarray, "axis band"], noise_sd: float) -> Float[np.ndarray, "axis band"]:
    """Return axes whose squared lengths are shorter by the variance of the noise."""
    squared = (axes**2).sum(axis=1, keepdims=True)
    return axes * np.sqrt(np.maximum(squared - noise_sd**2, 0) / np.maximum(squared, 1e-30))


def _towards_others(means: Float[np.ndarray, "endmember band"], k: int) -> Float[np.ndarray, "axis band"]:
    """Return orthonormal axes that span, with the mean spectrum of k, those of all endmembers."""
    own_first = np.concatenate([means[k : k + 1], np.delete(means, k, axis=0)])
    directions, sizes = np.linalg.qr(own_first.T)
    directions[:, np.abs(np.diag(sizes)) < 1e-9] = 0
    return directions.T[1:]


def _whitened_axes(centred: Float[np.ndarray, "pixel band"], noise_sd: float) -> Float[np.ndarray, "feature band"]:
    """Return the leading principal axes divided by the spread along them, which counts as no less than the noise."""
    power, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    power, directions = power[::-1][:N_FEATURES], directions[:, ::-1][:, :N_FEATURES]
    return (directions / np.sqrt(np.maximum(power, noise_sd**2))).T


def _spread(values: Float[np.ndarray, "value"]) -> float:
    """Return the standard deviation of the normal that reaches as far as the middle 96 % of the values."""
    low, high = np.quantile(values, (0.02, 0.98))
    return float(high - low) / (2 * 2.054)
