"""Endmembers that are too alike to tell apart, given how much each varies by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from unmixel.metrics.spectral_angle import spectral_angle


@dataclass(frozen=True)
class Likeness:
    """How alike two endmembers are.

    Attributes
    ----------
    first, second : int
        Their numbers, from 0.
    angle : float
        Spectral angle between their means [rad]; NaN if one is zero in every band (shade).
    spread : float
        How far spectra of the two vary along the line between them: the sum of both standard deviations [rad].
    """

    first: int
    second: int
    angle: float
    spread: float

    @property
    def too_alike(self) -> bool:
        """Whether two standard deviations of the one overlap with two of the other."""
        return bool(self.angle < 2 * self.spread)


def likeness(
    spectra: Sequence[Float[np.ndarray, "_ band"]],
    noise_variance: Float[np.ndarray, "band"],
    weights: Sequence[Float[np.ndarray, "_"]] | None = None,
) -> list[Likeness]:
    r"""Compare the angle between every two endmembers with how far each varies towards the other.

    .. math:: \theta_{jk} < 2 (s_j + s_k), \qquad
              s_k^2 = \mathrm{var}_n\big(d^\top u_{nk}\big) + \sum_l d_l^2 \frac{\sigma_l^2}{\|m_k\|^2}, \qquad
              d = \frac{\bar u_j - \bar u_k}{\|\bar u_j - \bar u_k\|}

    is the rule for too alike: then the share between the two is uncertain by a quarter (one standard deviation) or
    more where they are mixed. :math:`u_{nk}` are the spectra of endmember k scaled to length 1, so that brightness
    doesn't count, :math:`\bar u_k` is their mean :math:`m_k` scaled so, and :math:`\theta_{jk}` the angle of two means.

    Parameters
    ----------
    spectra : sequence of P arrays, shape (spectrum_k, band)
        Reflectance of each endmember; one spectrum where nothing is known of its variability [1].
    noise_variance : array, shape (band,)
        Variance :math:`\sigma^2` of the noise of each band [1].
    weights : sequence of P arrays, shape (spectrum_k,), optional
        How much each spectrum counts [1]; all the same when None.

    Returns
    -------
    list of Likeness
        Every pair, the most alike (smallest angle over spread) first.

    Examples
    --------
    >>> grass = np.array([[0.10, 0.20, 0.60], [0.12, 0.20, 0.60], [0.08, 0.20, 0.60]])
    >>> crop, road = np.array([[0.11, 0.20, 0.60]]), np.array([[0.3, 0.3, 0.3]])
    >>> for pair in likeness([grass, crop, road], np.full(3, 1e-6)):
    ...     print(pair.first, pair.second, round(pair.angle, 3), round(pair.spread, 3), pair.too_alike)
    0 1 0.015 0.027 True
    0 2 0.624 0.021 False
    1 2 0.612 0.003 False
    """
    counts = [np.ones(len(own)) for own in spectra] if weights is None else weights
    units = [_unit(np.asarray(own, dtype=np.float64)) for own in spectra]
    means = [np.average(own, axis=0, weights=count) for own, count in zip(spectra, counts, strict=True)]
    lengths = [float(np.linalg.norm(mean)) for mean in means]
    found = []
    for first, second in combinations(range(len(means)), 2):
        angle = spread = np.nan
        if lengths[first] > 0 and lengths[second] > 0:
            line = _unit(means[first]) - _unit(means[second])
            direction = _unit(line) if line.any() else np.full(len(line), len(line) ** -0.5)
            noise_sd = float(np.sqrt((direction**2 * noise_variance).sum()))
            spread = sum(
                float(np.hypot(_sd(units[k] @ direction, counts[k]), noise_sd / lengths[k])) for k in (first, second)
            )
            angle = float(spectral_angle(means[first], means[second]))
        found.append(Likeness(first, second, angle, spread))
    return sorted(found, key=lambda pair: pair.angle / pair.spread if pair.spread > 0 else np.inf)


def _unit(spectra: Float[np.ndarray, "*any band"]) -> Float[np.ndarray, "*any band"]:
    """Return spectra of length 1, zero where they are zero."""
    length = np.linalg.norm(spectra, axis=-1, keepdims=True)
    return np.divide(spectra, length, out=np.zeros_like(spectra), where=length > 0)


def _sd(positions: Float[np.ndarray, "spectrum"], weights: Float[np.ndarray, "spectrum"]) -> float:
    """Return the weighted standard deviation of positions along a line."""
    mean = np.average(positions, weights=weights)
    return float(np.sqrt(np.average((positions - mean) ** 2, weights=weights)))
