"""Endmembers of the greatest evidence: the smallest simplex that holds the pixels up to noise."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unmixel.extraction.evidence import (
    STRAY,
    Hypothesis,
    Posterior,
    SubspacePixels,
    log_brightness_constant,
    log_density,
    posterior,
    products_of,
)

STEP_INSIDE = 0.05
"""First step of a weight that mixes endmembers [1]."""
BRIGHTNESS_SD = (1e-3, 0.6)
BILINEAR = (0.0, 1.5)
SMALLEST_GAIN = 1e-6
"""Steps that raise the evidence by less than this share are not worth it."""
SMALLEST_NOISE = 1e-4
"""Share of the root mean square of the pixels."""


class Refined(NamedTuple):
    """Where the search for the greatest evidence ended.

    Attributes
    ----------
    hypothesis : Hypothesis
    settled : bool
        Whether further steps would hardly have raised the evidence, rather than the steps run out.
    """

    hypothesis: Hypothesis
    settled: bool


def fit_noise(hypothesis: Hypothesis, scene: SubspacePixels, *, n_steps: int = 15) -> Hypothesis:
    """Find noise and brightness of the greatest evidence, with the endmembers as they are."""
    return _maximise(hypothesis, scene, n_steps, move=False).hypothesis


def refine(hypothesis: Hypothesis, scene: SubspacePixels, *, n_steps: int = 100) -> Refined:
    r"""Find endmembers, noise, brightness and bilinear share of the greatest evidence.

    .. math:: \max_{M, s, t, g} \sum_n \log p(y_n | M, s, t, g)

    The endmembers :math:`M` (with rows :math:`m_k`) move in the subspace of the scene, by L-BFGS. The gradient
    is that of the expected logarithm of the joint density (Fisher's identity), for linear mixing

    .. math:: \nabla_M = \frac{1}{s^2} \sum_n \rho_n \left( \bar x_n (y_n - M^\top \bar x_n)^\top - V_n M \right)

    where :math:`\bar x_n` and :math:`V_n` are the posterior moments of abundances times brightness and
    :math:`\rho_n` is the probability that the pixel belongs to the model. The first term reduces the
    residual, the second the volume. No pixel needs to be pure. Without variability of the materials
    (``covariances`` None).

    Parameters
    ----------
    hypothesis : Hypothesis
        The start. With ``bilinear`` 0, mixing stays linear.
    scene : SubspacePixels
    n_steps : int
        Largest number of steps.

    Returns
    -------
    Refined

    References
    ----------
    Craig, *Minimum-volume transforms for remotely sensed data*, IEEE TGRS 32(3), 1994. doi:10.1109/36.297973

    Examples
    --------
    Mixtures of two materials, none with more than 80 % of one:

    >>> shares = np.linspace(0.2, 0.8, 301)[:, None]
    >>> pixels = np.array([[0.1, 0.7]]) + shares * np.array([[0.4, -0.5]])
    >>> pixels = pixels + 1e-3 * np.random.default_rng(0).standard_normal(pixels.shape)
    >>> scene = SubspacePixels(pixels, np.zeros((2, 2, 2)), np.full(301, -9.0))
    >>> start = Hypothesis(np.array([[0.2, 0.6], [0.4, 0.3]]), noise_sd=0.01, brightness_sd=0.01)
    >>> refine(start, scene).hypothesis.endmembers.round(2)
    array([[0.18, 0.6 ],
           [0.42, 0.3 ]])
    """
    return _maximise(hypothesis, scene, n_steps, move=True)


def _maximise(hypothesis: Hypothesis, scene: SubspacePixels, n_steps: int, *, move: bool) -> Refined:
    """Maximise the mean log-density over log s, log t, g and, if they move, the endmembers."""
    start = hypothesis.endmembers
    n_endmembers, n_axes = start.shape
    outside = np.linalg.svd(start, full_matrices=True)[2][n_endmembers:]
    curved = hypothesis.bilinear > 0

    def at(values: Float[np.ndarray, "value"]) -> Hypothesis:
        inner = values[3 : 3 + n_endmembers**2].reshape(n_endmembers, -1) * STEP_INSIDE if move else 0
        outer = values[3 + n_endmembers**2 :].reshape(n_endmembers, -1) * hypothesis.noise_sd if move else 0
        return replace(
            hypothesis,
            endmembers=start + inner @ start + outer @ outside if move else start,
            noise_sd=float(np.exp(values[0])),
            brightness_sd=float(np.exp(values[1])),
            bilinear=float(values[2]),
        )

    def loss(values: Float[np.ndarray, "value"]) -> tuple[float, Float[np.ndarray, "value"]]:
        value, scalars, gradient = _gradient(at(values), scene)
        moves = (
            [(gradient @ start.T).ravel() * STEP_INSIDE, (gradient @ outside.T).ravel() * hypothesis.noise_sd]
            if move
            else []
        )
        return -value, -np.concatenate([scalars, *moves])

    from scipy.optimize import minimize

    size = float(np.sqrt((scene.pixels**2).sum(axis=1).mean() / n_axes))
    first = np.zeros(3 + (start.size if move else 0))
    first[:3] = np.log(hypothesis.noise_sd), np.log(hypothesis.brightness_sd), hypothesis.bilinear
    bounds = [
        (np.log(SMALLEST_NOISE * size), np.log(10 * size)),
        (np.log(BRIGHTNESS_SD[0]), np.log(BRIGHTNESS_SD[1])),
        BILINEAR if curved else (0.0, 0.0),
        *[(None, None)] * (len(first) - 3),
    ]
    options = {"maxiter": n_steps, "maxcor": 20, "ftol": SMALLEST_GAIN}
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Refined(at(found.x), bool(found.success))


def _gradient(
    hypothesis: Hypothesis, scene: SubspacePixels
) -> tuple[float, Float[np.ndarray, "3"], Float[np.ndarray, "endmember axis"]]:
    """Return the mean log-density and its derivatives by log s, log t, g and by the endmembers."""
    found = posterior(hypothesis, scene)
    density = log_density(found.log_evidence, scene)
    n_pixels, n_axes = scene.pixels.shape
    belongs = (1 - STRAY) * np.exp(found.log_evidence - density) / n_pixels
    variance, brightness_sd = hypothesis.noise_sd**2, hypothesis.brightness_sd
    spread = found.covariance @ found.jacobian

    squares = (found.residual**2).sum(axis=1) + (found.jacobian * spread).sum(axis=(1, 2))
    by_noise = (belongs * (squares / variance - n_axes)).sum()
    total = (found.mean.sum(axis=1) - 1) ** 2 + found.covariance.sum(axis=(1, 2))
    by_brightness = (belongs * (total / brightness_sd**2 - 1)).sum() - belongs.sum() * _slope_of_constant(
        len(hypothesis.endmembers), brightness_sd
    )
    by_endmembers = (found.mean * belongs[:, None]).T @ found.residual - np.tensordot(belongs, spread, axes=1)
    by_bilinear = 0.0
    if hypothesis.bilinear:
        bent, by_bilinear = _gradient_of_products(hypothesis, scene, found, spread, belongs)
        by_endmembers = by_endmembers + bent
    return (
        float(density.mean()),
        np.array([by_noise, by_brightness, by_bilinear / variance]),
        by_endmembers / variance,
    )


def _gradient_of_products(
    hypothesis: Hypothesis,
    scene: SubspacePixels,
    found: Posterior,
    spread: Float[np.ndarray, "pixel endmember axis"],
    belongs: Float[np.ndarray, "pixel"],
) -> tuple[Float[np.ndarray, "endmember axis"], float]:
    """Return what the bilinear part adds to the derivative by the endmembers, and the one by g, both times s^2.

    The expectation of x_j x_k (y - f(x)) is, to second order, its value at the mean less the covariances of
    the residual with x_j and x_k.
    """
    n_endmembers = len(hypothesis.endmembers)
    weighted = belongs[:, None] * found.mean
    second = np.einsum("nj,nk,nc->jkc", weighted, found.mean, found.residual, optimize=True)
    crossed = np.einsum("nj,nkc->jkc", weighted, spread, optimize=True)
    expected = second - crossed - crossed.transpose(1, 0, 2)
    expected[np.arange(n_endmembers), np.arange(n_endmembers)] = 0
    by_endmembers = np.einsum("jkc,abc,ja->kb", expected, scene.products, hypothesis.endmembers, optimize=True)
    by_bilinear = (expected * products_of(hypothesis.endmembers, scene)).sum() / 2
    return hypothesis.bilinear * by_endmembers, float(by_bilinear)


def _slope_of_constant(n_endmembers: int, brightness_sd: float) -> float:
    """Return the derivative of the logarithm of the brightness constant by log t."""
    step = 1e-4
    up, down = (log_brightness_constant(n_endmembers, brightness_sd * np.exp(sign * step)) for sign in (1, -1))
    return (up - down) / (2 * step)
