"""Abundances whose law in every pixel is known exactly, whether or not neighbours are alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import gammainccinv, ndtr

from unmixel.errors import ParameterError
from unmixel.simulate.fields import gaussian_field

MOST_ROUNDS = 1000


def dirichlet_fields(
    rows: int,
    columns: int,
    concentration: Float[np.ndarray, "endmember"],
    correlation_length: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "y x endmember"]:
    r"""Draw abundances that are Dirichlet in every pixel and smooth over the ground.

    .. math:: a_k = \frac{g_k}{\sum_j g_j}, \qquad g_k = F_k^{-1}(\Phi(f_k))

    where :math:`f_k` are independent Gaussian random fields, :math:`\Phi` is the normal distribution function and
    :math:`F_k` that of a gamma variable of shape :math:`c_k`.

    Parameters
    ----------
    rows, columns : int
        Size of the map [pixel].
    concentration : array, shape (endmember,)
        Concentrations :math:`c_k` [1], positive; all 1 is the same density everywhere, below 1 favours pure
        pixels.
    correlation_length : float
        Correlation length of the fields [pixel]; 0 makes pixels independent.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (y, x, endmember)
        Area fractions [1], not negative, summing to 1.

    References
    ----------
    Cario, Nelson, *Modeling and generating random vectors with arbitrary marginal distributions and correlation
    matrix*, Northwestern University, 1997 (fields of a given marginal law); Nascimento, Bioucas-Dias, *Hyperspectral
    unmixing based on mixtures of Dirichlet components*, IEEE TGRS 50(3), 2012. doi:10.1109/TGRS.2011.2163941

    Examples
    --------
    >>> abundances = dirichlet_fields(60, 80, np.array([1.0, 2.0, 5.0]), 1.5, np.random.default_rng(0))
    >>> abundances.mean(axis=(0, 1)).round(2)
    array([0.12, 0.26, 0.62])
    """
    fields = np.stack([gaussian_field(rows, columns, correlation_length, rng) for _ in concentration], axis=2)
    weights = gammainccinv(concentration, ndtr(-fields))
    total = weights.sum(axis=2, keepdims=True)
    most = fields.argmax(axis=2)[:, :, None] == np.arange(len(concentration))
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), most)  # all may underflow to 0


def without_pure_pixels(
    draw: Callable[[], Float[np.ndarray, "y x endmember"]], largest: float
) -> Float[np.ndarray, "y x endmember"]:
    r"""Draw abundances of which none exceeds a limit.

    A pixel that breaks the limit is drawn again, until none does. So its law is that of `draw`, given
    :math:`\max_k a_k \le a_{\max}`.

    Parameters
    ----------
    draw : callable
        Makes abundances, new ones each time.
    largest : float
        Largest abundance :math:`a_{\max}` [1], above 1/P.

    Returns
    -------
    array, shape (y, x, endmember)
        Area fractions [1].

    Raises
    ------
    ParameterError
        If the limit is not above 1/P, or so low that `draw` hardly ever stays below it.

    References
    ----------
    Bioucas-Dias, *A variable splitting augmented Lagrangian approach to linear spectral unmixing*, WHISPERS 2009.
    doi:10.1109/WHISPERS.2009.5289072 (scenes whose largest abundance is limited)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> abundances = without_pure_pixels(lambda: dirichlet_fields(9, 11, np.ones(3), 2.0, rng), 0.7)
    >>> bool(abundances.max() <= 0.7)
    True
    """
    abundances = draw()
    if not 1 / abundances.shape[2] < largest <= 1:
        raise ParameterError(f"a largest abundance of {largest:g}", f"above 1/{abundances.shape[2]} and at most 1")
    for _ in range(MOST_ROUNDS):
        pure = abundances.max(axis=2) > largest
        if not pure.any():
            return abundances
        abundances[pure] = draw()[pure]
    raise ParameterError(
        f"a largest abundance of {largest:g}", "one that most pixels stay below", "raise it, or the concentration"
    )


def sparse(
    abundances: Float[np.ndarray, "y x endmember"],
    n_present: int,
    correlation_length: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "y x endmember"]:
    r"""Leave only some endmembers in every pixel, and rescale them to sum to 1.

    Present are the :math:`n` endmembers with the largest of P independent Gaussian random fields: all subsets are
    equally likely. A Dirichlet law stays one over the endmembers that are present.

    Parameters
    ----------
    abundances : array, shape (y, x, endmember)
        Area fractions [1], positive.
    n_present : int
        Endmembers :math:`n` in a pixel, 1 to P.
    correlation_length : float
        Correlation length of the fields [pixel].
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (y, x, endmember)
        Area fractions [1], exactly 0 for those that are absent.

    Raises
    ------
    ParameterError
        If `n_present` is out of its range.

    References
    ----------
    Iordache, Bioucas-Dias, Plaza, *Sparse unmixing of hyperspectral data*, IEEE TGRS 49(6), 2011.
    doi:10.1109/TGRS.2010.2098413

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> few = sparse(dirichlet_fields(9, 11, np.ones(5), 2.0, rng), 2, 2.0, rng)
    >>> np.unique((few > 0).sum(axis=2))
    array([2])
    """
    rows, columns, n_endmembers = abundances.shape
    if not 1 <= n_present <= n_endmembers:
        raise ParameterError(f"{n_present} endmembers in a pixel", f"1 to {n_endmembers}")
    fields = np.stack([gaussian_field(rows, columns, correlation_length, rng) for _ in range(n_endmembers)], axis=2)
    rank = np.argsort(np.argsort(-fields, axis=2), axis=2)
    kept = np.where(rank < n_present, np.maximum(abundances, np.finfo(float).tiny), 0.0)
    return kept / kept.sum(axis=2, keepdims=True)
