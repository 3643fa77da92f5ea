"""What speaks for each number of endmembers, and which number it speaks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FEWEST = 2
WORTH = 0.13
"""An endmember earns its place if it lowers the held-out residual by at least this share."""


@dataclass(frozen=True, kw_only=True)
class NumberRow:
    """What speaks for one number of endmembers.

    Attributes
    ----------
    n_endmembers : int
        The number P.
    held_out : float
        Residual of pixels that the endmembers weren't found on, noise taken off [reflectance, length over the bands].
    gain : float
        Share by which it is smaller than with one endmember less [1].
    angle : float
        Spectral angle between an endmember found on one half of the pixels and on another: median over the
        endmembers and pairs of halves [rad].
    worst_angle : float
        The same of the endmember that moves most: median over the pairs of halves [rad].
    nearest_angle : float
        Smallest spectral angle between two different endmembers: median over the halves [rad].
    """

    n_endmembers: int
    held_out: float
    gain: float
    angle: float
    worst_angle: float
    nearest_angle: float

    @property
    def stable(self) -> bool:
        """Whether each endmember moves less than it is away from its nearest neighbour."""
        return self.worst_angle < self.nearest_angle


@dataclass(frozen=True, kw_only=True)
class NumberEvidence:
    """What speaks for each number of endmembers of a scene.

    Attributes
    ----------
    rows : tuple of NumberRow
        For P = 2, 3, ...; empty where a scene has fewer than 3 different pixels.
    hysime, nwhfc : int
        Dimensions of the signal above the noise by HySime, and distinct signals by noise-whitened HFC (see
        `unmixel.preprocess`). Brightness, variability and nonlinear mixing count too: an upper bound. Noise-whitened
        HFC misses signals without a mean, so it is no bound.

    Examples
    --------
    >>> numbers = {"held_out": 1.0, "angle": 0.01, "nearest_angle": 0.1}
    >>> rows = [
    ...     NumberRow(n_endmembers=2, gain=0.5, worst_angle=0.02, **numbers),
    ...     NumberRow(n_endmembers=3, gain=0.1, worst_angle=0.30, **numbers),
    ...     NumberRow(n_endmembers=4, gain=0.3, worst_angle=0.02, **numbers),
    ...     NumberRow(n_endmembers=5, gain=0.0, worst_angle=0.02, **numbers),
    ... ]
    >>> NumberEvidence(rows=tuple(rows), hysime=6, nwhfc=5).suggested
    4
    """

    rows: tuple[NumberRow, ...]
    hysime: int
    nwhfc: int

    @property
    def suggested(self) -> int:
        """The largest stable number whose last endmembers earn their place on held-out pixels; at least 2.

        Going up, a number is taken if it is stable and, since the last number taken, each endmember lowered
        the held-out residual by 13 % or more in the geometric mean. The dimension by HySime isn't exceeded.
        """
        taken, left = FEWEST - 1, 1.0
        for row in self.rows:
            if row.n_endmembers > self.hysime:
                break
            left *= 1 - row.gain
            added = row.n_endmembers - taken
            if row.stable and left <= (1 - WORTH) ** added:
                taken, left = row.n_endmembers, 1.0
        return max(FEWEST, taken)

    def as_record(self) -> dict[str, Any]:
        """Return all of it as plain values, for provenance."""
        return {
            "suggested": self.suggested,
            "rule": (
                "largest stable number, up to HySime's, whose endmembers each lower the held-out residual by "
                f"{100 * WORTH:.0f} %"
            ),
            "hysime": self.hysime,
            "nwhfc": self.nwhfc,
            "rows": [{**asdict(row), "stable": row.stable} for row in self.rows],
        }
