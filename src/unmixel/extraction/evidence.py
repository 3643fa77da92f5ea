"""The evidence for endmembers: how probable they make the pixels, whatever the abundances are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from unmixel.extraction.orthant import orthant_moments

STEPS = 2
"""How often a mixture that is not linear, or whose noise depends on the abundances, is linearised."""
STRAY = 0.02
"""Share of pixels that may be anything."""
DISTINCT = 1e-12
"""Endmembers that differ by less than the root of it can't be told from equal ones."""
NODES = np.linspace(-8.0, 8.0, 401)


@dataclass(frozen=True)
class Hypothesis:
    r"""Endmembers and all else that says how probable a pixel is.

    .. math:: y = \sum_k x_k (m_k + \delta_k) + g \sum_{j<k} x_j x_k \, m_j \odot m_k + n, \qquad x = b a

    .. math:: a \sim \text{uniform}, \quad \delta_k \sim \mathcal N(0, C_k), \quad n \sim \mathcal N(0, s^2 I),
              \quad p(b) \propto b^{P-1} \mathcal N(b; 1, t^2)

    Parameters
    ----------
    endmembers : array, shape (endmember, axis)
        Coordinates of the spectra :math:`m_k` in the subspace of the scene.
    noise_sd : float
        :math:`s`, in the unit of the pixels.
    brightness_sd : float
        :math:`t` [1]; near 0, abundances sum to one.
    bilinear : float
        :math:`g` [1]; 0 is linear mixing.
    covariances : array, shape (endmember, axis, axis), optional
        :math:`C_k`, how the spectra of each material vary; not at all when None.
    """

    endmembers: Float[np.ndarray, "endmember axis"]
    noise_sd: float
    brightness_sd: float
    bilinear: float = 0.0
    covariances: Float[np.ndarray, "endmember axis axis"] | None = None


@dataclass(frozen=True)
class SubspacePixels:
    """Pixels in the subspace of their scene.

    Parameters
    ----------
    pixels : array, shape (pixel, axis)
        Coordinates.
    products : array, shape (axis, axis, axis)
        Coordinates of the band-wise product of each two axes.
    background : array, shape (pixel,)
        Log-density of every pixel if it could be anything.
    """

    pixels: Float[np.ndarray, "pixel axis"]
    products: Float[np.ndarray, "axis axis axis"]
    background: Float[np.ndarray, "pixel"]


@dataclass(frozen=True)
class Posterior:
    """What a hypothesis says of pixels.

    Attributes
    ----------
    log_evidence : array, shape (pixel,)
        :math:`\\log p(y)`.
    mean, covariance : array, shape (pixel, endmember) and (pixel, endmember, endmember)
        Of abundances times brightness.
    jacobian : array, shape (pixel or 1, endmember, axis)
        How the mixture changes with them.
    residual : array, shape (pixel, axis)
        Pixels less the mixture at the mean.
    """

    log_evidence: Float[np.ndarray, "pixel"]
    mean: Float[np.ndarray, "pixel endmember"]
    covariance: Float[np.ndarray, "pixel endmember endmember"]
    jacobian: Float[np.ndarray, "_ endmember axis"]
    residual: Float[np.ndarray, "pixel axis"]


def posterior(
    hypothesis: Hypothesis, scene: SubspacePixels, near: Float[np.ndarray, "pixel endmember"] | None = None
) -> Posterior:
    r"""Find the evidence of pixels and the posterior moments of their abundances times brightness.

    With :math:`x = b a`, the priors of abundances and brightness are together

    .. math:: p(x) = \frac{\Gamma(P)}{c} \, \mathcal N\Big(\sum_k x_k; 1, t^2\Big), \quad x \ge 0, \qquad
              c = \int_0^\infty b^{P-1} \mathcal N(b; 1, t^2) \, db

    so that for linear mixing the evidence is the integral of a Gaussian over the non-negative orthant (see
    :func:`unmixel.extraction.orthant.orthant_moments`). A mixture that is not linear, or whose noise depends
    on the abundances, is linearised at the posterior mean, twice. The smaller the simplex that still
    holds the pixels up to noise, the larger the evidence: it is a minimum-volume criterion that knows noise.

    Parameters
    ----------
    hypothesis : Hypothesis
    scene : SubspacePixels
    near : array, shape (pixel, endmember), optional
        Where to linearise, once: the mean under a hypothesis that is nearly the same.

    Returns
    -------
    Posterior

    References
    ----------
    Nascimento, Bioucas-Dias, *Hyperspectral unmixing based on mixtures of Dirichlet components*, IEEE TGRS
    50(3), 2012 (evidence of endmembers). doi:10.1109/TGRS.2011.2163941

    Examples
    --------
    Of two materials with reflectances 0.2 and 0.6, every reflectance between them is as probable:

    >>> materials = Hypothesis(np.array([[0.2], [0.6]]), noise_sd=1e-3, brightness_sd=1e-3)
    >>> scene = SubspacePixels(np.array([[0.3], [0.5], [0.8]]), np.ones((1, 1, 1)), np.zeros(3))
    >>> np.exp(posterior(materials, scene).log_evidence).round(3)
    array([2.5, 2.5, 0. ])
    """
    if near is not None:
        return _linearised(hypothesis, scene, near)
    found = _linearised(hypothesis, scene, None)
    if hypothesis.bilinear or hypothesis.covariances is not None:
        for _ in range(STEPS):
            found = _linearised(hypothesis, scene, found.mean)
    return found


def log_density(log_evidence: Float[np.ndarray, "pixel"], scene: SubspacePixels) -> Float[np.ndarray, "pixel"]:
    """Return the log-density of pixels of which a small share may be anything; so may those beyond double precision."""
    log_evidence = np.where(np.isfinite(log_evidence), log_evidence, -np.inf)
    return np.logaddexp(np.log1p(-STRAY) + log_evidence, np.log(STRAY) + scene.background)


def log_brightness_constant(n_endmembers: int, brightness_sd: float) -> float:
    """Return the logarithm of the integral of b^(P-1) N(b; 1, t^2) over positive b."""
    weights = np.exp(-(NODES**2) / 2)
    brightness = np.maximum(1 + brightness_sd * NODES, 0)
    return float(np.log((weights * brightness ** (n_endmembers - 1)).sum() / weights.sum()))


def products_of(
    endmembers: Float[np.ndarray, "endmember axis"], scene: SubspacePixels
) -> Float[np.ndarray, "endmember endmember axis"]:
    """Return the coordinates of the band-wise products of all pairs of different endmembers, 0 for equal ones."""
    pairs = np.einsum("abc,ja,kb->jkc", scene.products, endmembers, endmembers, optimize=True)
    pairs[np.arange(len(endmembers)), np.arange(len(endmembers))] = 0
    return pairs


def _linearised(
    hypothesis: Hypothesis, scene: SubspacePixels, at: Float[np.ndarray, "pixel endmember"] | None
) -> Posterior:
    """Return what the hypothesis says if the mixture is linear around `at`; if None, linear and without variability."""
    jacobian, target, sd = hypothesis.endmembers[None], scene.pixels, hypothesis.noise_sd
    n_axes = target.shape[1]
    if at is not None and hypothesis.bilinear:
        pairs = hypothesis.bilinear * products_of(hypothesis.endmembers, scene)
        bends = np.tensordot(at, pairs, axes=1)
        jacobian = jacobian + bends
        target = target + np.einsum("nk,nkc->nc", at, bends) / 2
    if at is not None and hypothesis.covariances is not None:
        noise = np.tensordot(at**2, hypothesis.covariances, axes=1) + sd**2 * np.eye(n_axes)
        whitener = np.linalg.inv(np.linalg.cholesky(noise))
        whitened, v = jacobian @ whitener.transpose(0, 2, 1), (whitener @ target[:, :, None])[:, :, 0]
        log_scale = np.log(np.diagonal(whitener, axis1=1, axis2=2)).sum(axis=1)
    else:
        whitened, v, log_scale = jacobian / sd, target / sd, np.full(len(target), -n_axes * np.log(sd))
    log_evidence, mean, covariance = _integrated(whitened, v, hypothesis.brightness_sd)
    residual = target - (mean[:, None, :] @ jacobian)[:, 0]
    return Posterior(log_evidence + log_scale, mean, covariance, jacobian, residual)


def _integrated(
    jacobian: Float[np.ndarray, "_ endmember axis"], pixels: Float[np.ndarray, "pixel axis"], brightness_sd: float
) -> tuple[
    Float[np.ndarray, "pixel"], Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember endmember"]
]:
    """Return the evidence and the moments for pixels that are linear in x, with noise of variance 1."""
    n_pixels, n_axes = pixels.shape
    n_endmembers = jacobian.shape[1]
    precision = jacobian @ jacobian.transpose(0, 2, 1) + 1 / brightness_sd**2
    size = np.trace(precision, axis1=1, axis2=2)[:, None, None] / n_endmembers
    precision = precision + DISTINCT * size * np.eye(n_endmembers)
    pull = (jacobian @ pixels[:, :, None])[:, :, 0] + 1 / brightness_sd**2
    inverse = np.linalg.inv(precision)
    centre = (inverse @ pull[:, :, None])[:, :, 0]
    misfit = (pixels**2).sum(axis=1) + 1 / brightness_sd**2 - (pull * centre).sum(axis=1)
    inside, mean, covariance = orthant_moments(centre, np.repeat(inverse, n_pixels // len(inverse), axis=0))
    constant = gammaln(n_endmembers) - log_brightness_constant(n_endmembers, brightness_sd) - np.log(brightness_sd)
    log_evidence = (
        constant
        + (n_endmembers - n_axes - 1) / 2 * np.log(2 * np.pi)
        - (np.linalg.slogdet(precision)[1] + misfit) / 2
        + inside
    )
    return log_evidence, mean, covariance
