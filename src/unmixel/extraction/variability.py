"""How the spectra of each material vary, and how its abundances are distributed, for fixed endmembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, psi

from unmixel.extraction.evidence import STRAY, Hypothesis, Posterior, SubspacePixels, log_density, posterior

ROUNDS = 10
PRIOR_PIXELS = 2.0
"""The weight of an isotropic covariance, as a number of pixels."""
CONCENTRATION = (0.1, 1.0)


def fit_variability(hypothesis: Hypothesis, scene: SubspacePixels) -> Hypothesis:
    r"""Find the covariance of each material, the noise and the brightness by expectation maximisation.

    .. math:: C_k \leftarrow C_k + \frac{\sum_n w_{nk} x_{nk}^2 \, C_k K_n C_k}{\sum_n w_{nk}}, \qquad
              K_n = R_n^{-1} \Sigma_n R_n^{-1} - R_n^{-1}, \qquad R_n = s^2 I + \sum_k x_{nk}^2 C_k

    where :math:`\Sigma_n` is the second moment of the residual and :math:`w_{nk} = x_{nk}^4`: what a material
    looks like is learned from pixels that are mostly that material.

    Parameters
    ----------
    hypothesis : Hypothesis
        Endmembers, noise and brightness to start from; mixing is linear.
    scene : SubspacePixels

    Returns
    -------
    Hypothesis
        With covariances.

    References
    ----------
    Stein, *Application of the normal compositional model to the analysis of hyperspectral imagery*, IEEE Workshop
    on Advances in Techniques for Analysis of Remotely Sensed Data, 2003. doi:10.1109/WARSD.2003.1295171

    Examples
    --------
    Half of the pixels are one material, half another that varies ten times as much:

    >>> rng = np.random.default_rng(0)
    >>> noise = np.repeat([0.01, 0.1], 200)[:, None] * rng.standard_normal((400, 4))
    >>> endmembers = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    >>> scene = SubspacePixels(endmembers.repeat(200, axis=0) + noise, np.zeros((4, 4, 4)), np.full(400, -20.0))
    >>> found = fit_variability(Hypothesis(endmembers, noise_sd=0.05, brightness_sd=0.05), scene)
    >>> sd = np.sqrt(np.diagonal(found.covariances, axis1=1, axis2=2)[:, 2:])
    >>> bool((sd[0] < 0.02).all() and (abs(sd[1] - 0.1) < 0.02).all())
    True
    """
    n_endmembers, n_axes = hypothesis.endmembers.shape
    start = np.repeat(hypothesis.noise_sd**2 * np.eye(n_axes)[None], n_endmembers, axis=0)
    current = replace(hypothesis, covariances=start, bilinear=0.0)
    found = posterior(current, scene)
    for _ in range(ROUNDS):
        current = _one_round(current, found, scene)
        found = posterior(current, scene, found.mean)
    return current


def _one_round(hypothesis: Hypothesis, found: Posterior, scene: SubspacePixels) -> Hypothesis:
    assert hypothesis.covariances is not None
    belongs = _belongs(found, scene)
    n_axes = scene.pixels.shape[1]
    shares, variance = found.mean, hypothesis.noise_sd**2
    noise = np.tensordot(shares**2, hypothesis.covariances, axes=1) + variance * np.eye(n_axes)
    inverse = np.linalg.inv(noise)
    spread = found.jacobian.transpose(0, 2, 1) @ found.covariance @ found.jacobian
    second = found.residual[:, :, None] * found.residual[:, None, :] + spread
    surplus = inverse @ second @ inverse - inverse
    covariances = []
    for k, covariance in enumerate(hypothesis.covariances):
        weights = belongs * shares[:, k] ** 4
        correction = np.tensordot(weights * shares[:, k] ** 2, surplus, axes=1) / weights.sum()
        updated = covariance + covariance @ correction @ covariance
        seen = weights.sum() ** 2 / (weights**2).sum()
        isotropic = np.trace(updated) / n_axes * np.eye(n_axes)
        covariances.append((seen * (updated + updated.T) / 2 + PRIOR_PIXELS * isotropic) / (seen + PRIOR_PIXELS))
    trace = np.trace(surplus, axis1=1, axis2=2)
    variance = variance + variance**2 * (belongs * trace).sum() / belongs.sum() / n_axes
    total = (shares.sum(axis=1) - 1) ** 2 + found.covariance.sum(axis=(1, 2))
    return replace(
        hypothesis,
        covariances=np.stack(covariances),
        noise_sd=float(np.sqrt(max(variance, 1e-4 * hypothesis.noise_sd**2))),
        brightness_sd=float(np.clip(np.sqrt((belongs * total).sum() / belongs.sum()), 1e-3, 0.6)),
    )


def fit_concentration(found: Posterior, scene: SubspacePixels) -> Float[np.ndarray, "endmember"]:
    """Find the Dirichlet concentration of the greatest likelihood for posterior means, none above 1.

    Above 1, a larger simplex with all pixels near its middle would be as good as the smallest that holds them.
    """
    belongs = _belongs(found, scene)
    log_shares = (belongs[:, None] * np.log(_shares(found))).sum(axis=0) / belongs.sum()

    def loss(log_concentration: Float[np.ndarray, "endmember"]) -> tuple[float, Float[np.ndarray, "endmember"]]:
        concentration = np.exp(log_concentration)
        total = concentration.sum()
        value = gammaln(total) - gammaln(concentration).sum() + ((concentration - 1) * log_shares).sum()
        return -float(value), -concentration * (psi(total) - psi(concentration) + log_shares)

    from scipy.optimize import minimize

    lowest, highest = np.log(CONCENTRATION)
    first = np.full(len(log_shares), -0.1)
    return np.exp(minimize(loss, first, jac=True, bounds=[(lowest, highest)] * len(first)).x)


def log_concentrated(found: Posterior, concentration: Float[np.ndarray, "endmember"]) -> Float[np.ndarray, "pixel"]:
    """Return the log-evidence of pixels whose abundances are Dirichlet: the law's density at the posterior mean."""
    constant = gammaln(concentration.sum()) - gammaln(concentration).sum() - gammaln(len(concentration))
    return found.log_evidence + constant + np.log(_shares(found)) @ (concentration - 1)


def _shares(found: Posterior) -> Float[np.ndarray, "pixel endmember"]:
    positive = np.maximum(found.mean, 1e-9)
    return positive / positive.sum(axis=1, keepdims=True)


def _belongs(found: Posterior, scene: SubspacePixels) -> Float[np.ndarray, "pixel"]:
    """Return the probability that each pixel is not a stray."""
    return (1 - STRAY) * np.exp(found.log_evidence - log_density(found.log_evidence, scene))
