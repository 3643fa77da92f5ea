"""Whether a map has structure: do neighbouring pixels have similar values?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

FEWEST = 4
"""Below this number of pixels the spread under no structure isn't defined."""


@dataclass(frozen=True)
class MoransI:
    """Moran's I of a map, and what it would be if the values were dealt to the pixels at random.

    Attributes
    ----------
    value : float
        Moran's I [1]; NaN where all values are the same, no two pixels are neighbours or there are fewer than 4 pixels.
    expectation, sd : float
        Mean and standard deviation of I over all orders of the values [1].
    n_pairs : int
        Number of pairs of neighbours.
    """

    value: float
    expectation: float
    sd: float
    n_pairs: int

    @property
    def z(self) -> float:
        """How many standard deviations I is above its expectation [1]."""
        return (self.value - self.expectation) / self.sd if self.sd > 0 else np.nan


def morans_i(values: Float[np.ndarray, "y x"]) -> MoransI:
    r"""Measure the spatial structure of a map by Moran's I.

    .. math:: I = \frac{N}{2E} \, \frac{2 \sum_{(i,j)} (x_i - \bar x)(x_j - \bar x)}{\sum_i (x_i - \bar x)^2}, \qquad
              \mathrm{E}[I] = \frac{-1}{N - 1}

    .. math:: \mathrm{E}[I^2] = \frac{N [(N^2 - 3N + 3) S_1 - N S_2 + 3 S_0^2]
              - b [(N^2 - N) S_1 - 2 N S_2 + 6 S_0^2]}{(N - 1)(N - 2)(N - 3) S_0^2}

    where the first sum runs over the E pairs of pixels that share an edge and are both valid, N is the number of
    valid pixels, :math:`S_0 = 2E`, :math:`S_1 = 4E`, :math:`S_2 = 4 \sum_i d_i^2` with :math:`d_i` the number of
    neighbours of pixel i, and :math:`b = N \sum_i (x_i - \bar x)^4 / (\sum_i (x_i - \bar x)^2)^2`. The moments
    are those over all orders of the values: nothing is assumed of their distribution. Smooth maps have I near 1, a map
    without structure near 0, a checkerboard -1.

    Parameters
    ----------
    values : array, shape (y, x)
        The map, in any unit; NaN where a pixel is not valid.

    Returns
    -------
    MoransI
        I, its expectation and standard deviation without structure, and the number of pairs.

    References
    ----------
    Moran, *Notes on continuous stochastic phenomena*, Biometrika 37, 1950. doi:10.1093/biomet/37.1-2.17

    Cliff, Ord, *Spatial processes: models and applications*, Pion 1981.

    Examples
    --------
    >>> morans_i(np.indices((4, 6)).sum(axis=0) % 2 * 1.0).value
    -1.0
    >>> found = morans_i(np.arange(24.0).reshape(4, 6))
    >>> round(found.value, 3), round(found.expectation, 3), round(found.sd, 3)
    (0.691, -0.043, 0.153)
    """
    return morans_i_by_rows(lambda first, last: values[first:last], len(values), max(len(values), 1))


def morans_i_by_rows(read: Callable[[int, int], Float[np.ndarray, "row x"]], n_rows: int, step: int) -> MoransI:
    """Measure the spatial structure of a map that is read some rows at a time, twice: see `morans_i`.

    Parameters
    ----------
    read : callable
        ``read(first, last)`` gives rows first to last of the map, without the last.
    n_rows, step : int
        Rows of the map, and how many are looked at together.

    Examples
    --------
    >>> values = np.arange(24.0).reshape(4, 6)
    >>> round(morans_i_by_rows(lambda first, last: values[first:last], 4, 3).value, 3)
    0.691
    """
    n, total, largest = 0, 0.0, 0.0
    for first in range(0, n_rows, step):
        values = read(first, min(first + step, n_rows)).astype(np.float64)
        found = values[np.isfinite(values)]
        n, total = n + len(found), total + float(found.sum())
        largest = max(largest, float(np.abs(found).max(initial=0.0)))
    mean = total / max(n, 1)
    pairs, product, square, fourth, of_degrees = 0, 0.0, 0.0, 0.0, 0.0
    for first in range(0, n_rows, step):
        last = min(first + step, n_rows)
        above, below = min(first, 1), min(n_rows - last, 1)
        values = read(first - above, last + below).astype(np.float64)
        valid = np.isfinite(values)
        deviation = np.where(valid, values - mean, 0.0)
        inner = slice(above, above + last - first)
        degree = np.zeros(values.shape)
        vertical = valid[:-1] & valid[1:]
        degree[:-1] += vertical
        degree[1:] += vertical
        horizontal = valid[inner, :-1] & valid[inner, 1:]
        degree[inner, :-1] += horizontal
        degree[inner, 1:] += horizontal
        own = slice(0, last - first - 1 + above)  # pairs across the lower edge belong to the rows below
        pairs += int(horizontal.sum()) + int(vertical[own].sum())
        product += float((deviation[inner, :-1] * deviation[inner, 1:]).sum())
        product += float((deviation[:-1] * deviation[1:])[own].sum())
        square += float((deviation[inner] ** 2).sum())
        fourth += float((deviation[inner] ** 4).sum())
        of_degrees += float((degree[inner] ** 2).sum())
    if n < FEWEST or pairs == 0 or square <= np.finfo(float).eps ** 2 * n * largest**2:
        return MoransI(np.nan, np.nan, np.nan, pairs)
    s0, s1, s2 = 2.0 * pairs, 4.0 * pairs, 4.0 * of_degrees
    kurtosis = n * fourth / square**2
    normal_part = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    second_moment = (normal_part - kurtosis * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)) / (
        (n - 1) * (n - 2) * (n - 3) * s0**2
    )
    expectation = -1 / (n - 1)
    return MoransI(
        value=n / pairs * product / square,
        expectation=expectation,
        sd=float(np.sqrt(max(second_moment - expectation**2, 0.0))),
        n_pairs=pairs,
    )
