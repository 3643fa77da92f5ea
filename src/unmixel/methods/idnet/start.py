r"""Where ID-Net starts: what the scene and its bundles say before anything is trained.

Endmember k varies along :math:`u_{k1} = \bar m_k`, its brightness, and :math:`u_{k2}, u_{k3}, \dots`, what else is
seen to vary, by amounts with the covariance

.. math:: \operatorname{cov}(z_{ki}, z_{lj}) = [k = l]\, \Sigma_{k,ij} + [i = j = 1]\, \tau^2

with τ the spread of the brightness that all endmembers of a pixel share, and :math:`\Sigma_k` that of the endmember's
own. Both :math:`u_k` and :math:`\Sigma_k` are none, those of the spectra in the bundle, or, where bundles are pixels
alike and so say too little, those of the scene: in the pixels that are nearly made of endmember k, principal axes of
what non-negative least squares leaves over, divided by the brightness, less the noise along each, of which principal
axes of n spectra find up to :math:`(1 + \sqrt{L / n})^2` times its variance. Six more axes are hidden axes, less the
noise, too. What varies like another endmember counts as an abundance in the least squares and is in no residual, so if
the scene is asked, the direction of each other endmember is a hidden axis, too, a quarter as long as the latents' axes
are on average; for endmembers that were found in the scene it is no shorter than their impurity. What remains is s_k
and the noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import block_diag

from unmixel.methods.idnet.bundle_decoder import N_LEFT_OVER, n_hidden_axes
from unmixel.preprocess import estimate_noise
from unmixel.solvers import nnls

LARGEST_SAMPLE = 20_000
"""Pixels looked at, and trained on: a seeded sample of the scene."""
VARIABILITIES = ("none", "bundle", "scene")
"""How endmembers vary, besides the brightness that they share: not, as their bundle does, or as the scene says."""
NEARLY_PURE = 0.8
FEWEST, MOST = 50, 500
"""How many nearly pure pixels speak for an endmember."""
OWN_BRIGHTNESS = 1 / 3
"""Spread of the own brightness relative to that of the shared one, where the scene is asked."""
SMALLEST_BRIGHTNESS_SD = 0.001
SMALLEST_SD = 1e-3
BLACK = 1e-12
"""Squared norm of a spectrum, shade, that has no brightness of its own."""
N_FEATURES = 20
TOWARDS_OTHERS = 0.25
"""Spread in the direction of another endmember, relative to the spread along the latents' axes."""


class Observed(NamedTuple):
    """What a scene and its bundles say, whatever one makes of it.

    Attributes
    ----------
    spectra : tuple of P arrays, shape (spectrum_k, band)
        The bundles [reflectance].
    means : array, shape (endmember, band)
        Mean spectrum of each bundle [reflectance].
    share : array, shape (pixel, endmember)
        Abundances by non-negative least squares with the mean spectra, divided by their sum.
    residual : array, shape (pixel, band)
        What they leave over, divided by their sum [reflectance].
    noise_sd : float
        s_y of the sensor [reflectance].
    offset : array, shape (band,)
        Mean pixel [reflectance].
    features : array, shape (feature, band)
        Principal axes of the scene divided by its spread along them [1 / reflectance].
    """

    spectra: tuple[np.ndarray, ...]
    means: np.ndarray
    share: np.ndarray
    residual: np.ndarray
    noise_sd: float
    offset: np.ndarray
    features: np.ndarray


class Start(NamedTuple):
    """Starting values of ID-Net.

    Attributes
    ----------
    means : array, shape (endmember, band)
        Mean spectrum of each bundle [reflectance].
    axes : array, shape (endmember, latent, band)
        What one unit of each latent adds [reflectance]; the first is brightness.
    latent_covariance : array, shape (endmember · latent, endmember · latent)
        That of the latents, with ones on its diagonal.
    hidden_axes : array, shape (endmember, hidden axis, band)
        What endmembers vary by besides [reflectance].
    endmember_sd : array, shape (endmember,)
        s_k [reflectance].
    noise_sd, offset, features
        Those of `Observed`.
    """

    means: np.ndarray
    axes: np.ndarray
    latent_covariance: np.ndarray
    hidden_axes: np.ndarray
    endmember_sd: np.ndarray
    noise_sd: float
    offset: np.ndarray
    features: np.ndarray


def observe(
    pixels: Float[np.ndarray, "pixel band"],
    spectra: tuple[np.ndarray, ...],
    noise_variance: Float[np.ndarray, "band"] | None = None,
) -> Observed:
    """See what a sample of a scene and the spectra of each endmember say.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance.
    spectra : tuple of P arrays, shape (spectrum_k, band)
        The bundles.
    noise_variance : array, shape (band,), optional
        That of the sensor [1]; estimated from the pixels when None.
    """
    means = np.stack([s.mean(axis=0, dtype=np.float64) for s in spectra])
    coefficients = np.asarray(nnls(pixels, means.astype(np.float32)), dtype=np.float64)
    brightness = np.maximum(coefficients.sum(axis=1, keepdims=True), 1e-6)
    residual = (pixels - coefficients @ means) / np.clip(brightness, 0.3, 3.0)
    if noise_variance is None:
        _, noise_variance = estimate_noise(pixels)
    noise_sd = max(float(np.sqrt(noise_variance.mean())), SMALLEST_SD)
    offset = pixels.mean(axis=0, dtype=np.float64)
    features = _whitened_axes(pixels - offset, noise_sd)
    return Observed(spectra, means, coefficients / brightness, residual, noise_sd, offset, features)


def start_from(
    observed: Observed, n_latents: int, brightness_sd: float, *, variability: str, impurity: float = 0.0
) -> Start:
    """Return starting values.

    Parameters
    ----------
    observed : Observed
    n_latents : int
        H.
    brightness_sd : float
        τ.
    variability : str
        One of `VARIABILITIES`.
    impurity : float
        Share of another endmember that an endmember may hold or lack (sd).
    """
    means = observed.means
    n_endmembers, n_bands = means.shape
    axes = np.zeros((n_endmembers, n_latents, n_bands))
    hidden_axes = np.zeros((n_endmembers, n_hidden_axes(n_endmembers), n_bands))
    endmember_sd = np.zeros(n_endmembers)
    own = []
    for k, spectra in enumerate(observed.spectra):
        deviations = spectra - means[k]
        if variability == "none":
            deviations = np.zeros_like(deviations)
        elif variability == "scene":
            deviations = np.concatenate([observed.residual[_nearly_pure(observed.share[:, k])], deviations])
            deviations = deviations - deviations.mean(axis=0)
        brightness = deviations @ means[k] / max(means[k] @ means[k], BLACK)
        rest = deviations - brightness[:, None] * means[k]
        found, scores, left = _principal_axes(rest, n_latents - 1, N_LEFT_OVER)
        axes[k, 0] = means[k]
        axes[k, 1:] = found[: n_latents - 1]
        noise = observed.noise_sd**2
        if variability == "scene":
            noise *= (1 + np.sqrt(n_bands / len(rest))) ** 2
            scores[:, : n_latents - 1] *= _share_beyond(noise, scores[:, : n_latents - 1]) ** 0.5
        scores[:, n_latents - 1 :] *= _share_beyond(noise, scores[:, n_latents - 1 :]) ** 0.5
        amounts = np.column_stack([brightness, scores[:, : n_latents - 1]])
        spread = amounts.T @ amounts / len(amounts)
        hidden_axes[k, :N_LEFT_OVER] = (
            found[n_latents - 1 :] * np.sqrt((scores[:, n_latents - 1 :] ** 2).mean(axis=0))[:, None]
        )
        size = 0.0
        if variability == "scene":
            spread[0, :] = spread[:, 0] = 0
            spread[0, 0] = (OWN_BRIGHTNESS * brightness_sd) ** 2
            size = TOWARDS_OTHERS * float(np.sqrt(np.trace(spread[1:, 1:]) / max(n_latents - 1, 1)))
        hidden_axes[k, N_LEFT_OVER:] = _towards_others(means, k, size, impurity)
        spread[0, 0] += SMALLEST_BRIGHTNESS_SD**2
        endmember_sd[k] = max(left - observed.noise_sd**2, SMALLEST_SD**2) ** 0.5
        own.append(spread)
    covariance = block_diag(*own)
    first = np.arange(n_endmembers) * n_latents
    covariance[np.ix_(first, first)] += brightness_sd**2
    sd = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    axes *= sd.reshape(n_endmembers, n_latents, 1)
    correlation = (1 - 1e-4) * covariance / np.outer(sd, sd)
    np.fill_diagonal(correlation, 1.0)
    return Start(
        means,
        axes,
        correlation,
        hidden_axes,
        endmember_sd,
        observed.noise_sd,
        observed.offset,
        observed.features,
    )


def _nearly_pure(share: Float[np.ndarray, "pixel"]) -> np.ndarray:
    """Return the pixels that speak for an endmember."""
    n_pure = int(np.clip((share > NEARLY_PURE).sum(), FEWEST, MOST))
    return np.argsort(-share, kind="stable")[:n_pure]


def _principal_axes(
    deviations: Float[np.ndarray, "spectrum band"], n_axes: int, n_more: int
) -> tuple[Float[np.ndarray, "axis band"], Float[np.ndarray, "spectrum axis"], float]:
    """Return unit principal axes, where the spectra lie on them, and the variance per band that they leave over.

    Axes are zero where there are too few.
    """
    n_wanted = n_axes + n_more
    _, sizes, directions = np.linalg.svd(deviations, full_matrices=False)
    found = np.zeros((n_wanted, deviations.shape[1]))
    n_found = min(n_wanted, len(sizes))
    found[:n_found] = directions[:n_found]
    left = float((sizes[n_found:] ** 2).sum() / deviations.size)
    return found, deviations @ found.T, left


def _share_beyond(noise: float, scores: Float[np.ndarray, "spectrum axis"]) -> Float[np.ndarray, "axis"]:
    """Return the share of the variance of each column that exceeds that of the noise."""
    power = (scores**2).mean(axis=0)
    return np.maximum(power - noise, 0) / np.maximum(power, 1e-30)


def _towards_others(
    means: Float[np.ndarray, "endmember band"], k: int, size: float, impurity: float
) -> Float[np.ndarray, "axis band"]:
    """Return axes from the mean spectrum of k to the others: so long, and no shorter than the impurity."""
    directions = np.delete(means, k, axis=0) - means[k]
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * np.hypot(size / np.maximum(lengths, 1e-9), impurity)


def _whitened_axes(centred: Float[np.ndarray, "pixel band"], noise_sd: float) -> Float[np.ndarray, "feature band"]:
    """Return the leading principal axes divided by the spread along them, which counts as no less than the noise."""
    power, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    power, directions = power[::-1][:N_FEATURES], directions[:, ::-1][:, :N_FEATURES]
    return (directions / np.sqrt(np.maximum(power, noise_sd**2))).T
