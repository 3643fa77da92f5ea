"""The number of endmembers: as many as can be found again and explain pixels they weren't found on."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from jaxtyping import Float

from unmixel.extraction.half_scenes import HalfScene, half_scenes
from unmixel.extraction.number_evidence import FEWEST, NumberEvidence, NumberRow
from unmixel.metrics import match_endmembers, pairwise_spectral_angle
from unmixel.preprocess import estimate_noise, hysime, nwhfc

NEGLIGIBLE = 1e-6
"""Residuals below this share of the length of the spectra are rounding."""


def number_evidence(pixels: Float[np.ndarray, "pixel band"], *, seed: int | np.random.Generator = 0) -> NumberEvidence:
    r"""Collect what speaks for each number of endmembers.

    .. math:: g_P = 1 - \frac{e_P}{e_{P-1}}, \qquad
              w_P = \mathrm{med}_{i<j} \max_k \theta\big(m_k^{(i)}, m_{\pi(k)}^{(j)}\big), \qquad
              d_P = \mathrm{med}_i \min_{k<l} \theta\big(m_k^{(i)}, m_l^{(i)}\big)

    where the pixels are split in halves, twice, and :math:`e_P` is the median over the halves of the residual that
    endmembers of one half leave in the other (see `unmixel.extraction.half_scenes.half_scenes`); :math:`m^{(i)}` are
    the P endmembers of half i, :math:`\pi` matches those of two halves, and :math:`\theta` is the spectral angle. P is
    stable if :math:`w_P < d_P`. It is suggested (`NumberEvidence.suggested`) if it is the largest stable one whose last
    endmembers have :math:`g \ge 0.13` and if HySime counts as many dimensions.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    seed : int or Generator
        Seed of halves, clusters and samples.

    Returns
    -------
    NumberEvidence
        A row for each number from 2 to 8, or to the number of different pixels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pixels = rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 30)) * rng.uniform(0.5, 1.5, (2000, 1))
    >>> evidence = number_evidence(pixels)
    >>> evidence.suggested, [row.stable for row in evidence.rows][:3]
    (3, [True, True, False])
    """
    rng = np.random.default_rng(seed)
    halves = half_scenes(pixels, estimate_noise(pixels, seed=rng)[1], seed=rng)
    most = min((len(half.endmembers) for half in halves), default=0)
    rounding = NEGLIGIBLE * float(np.sqrt((pixels.astype(np.float64) ** 2).sum(axis=1).mean()))
    rows = [_row(halves, n, rounding) for n in range(FEWEST, most + 1)] if len(halves) > 1 else []
    return NumberEvidence(rows=tuple(rows), hysime=hysime(pixels, seed=rng), nwhfc=nwhfc(pixels, seed=rng))


def suggest_n_endmembers(pixels: Float[np.ndarray, "pixel band"], *, seed: int | np.random.Generator = 0) -> int:
    """Suggest a number of endmembers from 2 to 8: that of :func:`number_evidence`.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    seed : int or Generator
        Seed of halves, clusters and samples.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> suggest_n_endmembers(rng.dirichlet(np.ones(4), 2000) @ rng.random((4, 30)))
    4
    """
    return number_evidence(pixels, seed=seed).suggested


def _row(halves: list[HalfScene], n_endmembers: int, rounding: float) -> NumberRow:
    """Summarise what the halves say of one number."""
    sets = [half.endmembers[n_endmembers - 1] for half in halves]
    moved = np.array([_angles_between(one, other) for one, other in combinations(sets, 2)])
    apart = [min(float(pairwise_spectral_angle(s[:k], s[k : k + 1]).min()) for k in range(1, len(s))) for s in sets]
    before, after = (
        float(np.median([half.held_out[n - 1] for half in halves])) for n in (n_endmembers - 1, n_endmembers)
    )
    return NumberRow(
        n_endmembers=n_endmembers,
        held_out=after,
        gain=1 - (after + rounding) / (before + rounding),
        angle=float(np.median(moved)),
        worst_angle=float(np.median(moved.max(axis=1))),
        nearest_angle=float(np.median(apart)),
    )


def _angles_between(
    one: Float[np.ndarray, "endmember band"], other: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "endmember"]:
    """Return how far each endmember of one set is from its match in another [rad]."""
    return np.diag(pairwise_spectral_angle(one, other[match_endmembers(one, other)]))
