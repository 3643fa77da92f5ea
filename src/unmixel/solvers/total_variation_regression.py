"""Sparse regression whose abundances seldom change from pixel to pixel (SUnSAL-TV's problem)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.fft import dctn, idctn

from unmixel.solvers.proximal_least_squares import RELAXATION, penalty_parameter

TOLERANCE = 1e-5
"""Largest change of an abundance in a step, and distance of its copies, at which it ends [1]."""
MAX_STEPS = 1500
CHECKED_EVERY = 10


class Denoised(NamedTuple):
    """What was found.

    Attributes
    ----------
    abundances : array, shape (pixel, endmember)
        In double precision.
    steps : int
    settled : bool
        Whether nothing changed any more, rather than the steps ran out.
    """

    abundances: Float[np.ndarray, "pixel endmember"]
    steps: int
    settled: bool


def total_variation_regression(
    pixels: Float[np.ndarray, "pixel band"],
    valid: Bool[np.ndarray, "y x"],
    endmembers: Float[np.ndarray, "endmember band"],
    *,
    sparsity: float,
    smoothness: float,
    progress: Callable[[int], None] | None = None,
) -> Denoised:
    r"""Unmix an image by regression with an l1 penalty on abundances and on their differences between neighbours.

    .. math:: \min_{a_n \ge 0} \sum_n \left(\tfrac12 \|y_n - M^\top a_n\|^2 + \lambda \|a_n\|_1\right)
              + \lambda_{TV} \sum_{(n, m)} \|a_n - a_m\|_1

    where (n, m) are the pairs of valid pixels that are neighbours in a row or a column. Solved by the alternating
    direction method of multipliers (ADMM). The image of abundances has three copies: Z fits the pixels, W is penalised
    and not negative, E holds the differences D X::

        X = (2 I + D^T D)^-1 (Z - d_Z + W - d_W + D^T (E - d_E))
        Z = (M M^T + rho I)^-1 (M y + rho (X + d_Z))        W = max(0, X + d_W - lambda / rho)
        E = shrink(D X + d_E, lambda_TV / rho)              d += what is left between X and its copy

    The X are on the whole rectangle, whose D^T D the cosine transform makes diagonal. A pixel that is not valid has no
    misfit and its pairs no penalty, so it is free and says nothing to its neighbours. Inside, every spectrum has
    length 1, and abundances and penalties are scaled to match: so dark endmembers converge as quickly as bright ones.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        The valid pixels y, row by row [reflectance].
    valid : array of bool, shape (y, x)
        Where they are.
    endmembers : array, shape (endmember, band)
        Endmember spectra M [reflectance].
    sparsity, smoothness : float
        lambda and lambda_TV [reflectance squared], not negative.
    progress : callable, optional
        Told the number of steps.

    References
    ----------
    M.-D. Iordache, J. M. Bioucas-Dias and A. Plaza, *Total variation spatial regularization for sparse hyperspectral
    unmixing*, IEEE TGRS 50(11), 2012, doi:10.1109/TGRS.2012.2191590.

    Examples
    --------
    Two neighbours, 1 and 0, move towards each other by lambda_TV:

    >>> pixels, valid = np.array([[1.0, 0.2], [0.0, 0.2]]), np.array([[True, True]])
    >>> total_variation_regression(pixels, valid, np.eye(2), sparsity=0.0, smoothness=0.1).abundances.round(2)
    array([[0.9, 0.2],
           [0.1, 0.2]])
    """
    spectra = endmembers.astype(np.float64)
    length = np.linalg.norm(spectra, axis=1)
    length[length == 0] = 1.0
    spectra = spectra / length[:, None]
    gram = spectra @ spectra.T
    rho = penalty_parameter(gram)
    from_copy = np.linalg.inv(gram + rho * np.eye(len(gram)))
    from_pixel = pixels.astype(np.float64) @ spectra.T @ from_copy
    from_copy *= rho
    flat = 2 + _laplacian(valid.shape)[:, :, None]
    down = np.where(valid[1:] & valid[:-1], smoothness / rho, 0)[:, :, None] / length
    right = np.where(valid[:, 1:] & valid[:, :-1], smoothness / rho, 0)[:, :, None] / length

    fit, shaped = np.zeros((*valid.shape, len(gram))), np.zeros((*valid.shape, len(gram)))
    shaped[valid] = np.maximum(from_pixel, 0)
    downs, rights = np.diff(shaped, axis=0), np.diff(shaped, axis=1)
    fit[:] = shaped
    duals = [np.zeros_like(copy) for copy in (fit, shaped, downs, rights)]
    for step in range(1, MAX_STEPS + 1):
        image = fit - duals[0] + shaped - duals[1] + _adjoint(downs - duals[2], rights - duals[3])
        image = idctn(dctn(image, axes=(0, 1), norm="ortho") / flat, axes=(0, 1), norm="ortho")
        before = shaped
        copies = (fit, shaped, downs, rights)
        targets = [
            RELAXATION * new + (1 - RELAXATION) * old + dual
            for new, old, dual in zip(
                (image, image, np.diff(image, axis=0), np.diff(image, axis=1)), copies, duals, strict=True
            )
        ]
        fit = targets[0].copy()
        fit[valid] = from_pixel + targets[0][valid] @ from_copy
        shaped = np.maximum(targets[1] - sparsity / rho / length, 0)
        downs, rights = _shrink(targets[2], down), _shrink(targets[3], right)
        duals = [target - copy for target, copy in zip(targets, (fit, shaped, downs, rights), strict=True)]
        if step % CHECKED_EVERY == 0:
            if progress is not None:
                progress(step)
            change = max((np.abs(shaped - other)[valid] / length).max(initial=0) for other in (before, image, fit))
            if change <= TOLERANCE:
                return Denoised(shaped[valid] / length, step, True)
    return Denoised(shaped[valid] / length, MAX_STEPS, False)


def _laplacian(shape: tuple[int, int]) -> Float[np.ndarray, "y x"]:
    """Return the eigenvalues of D^T D by the frequencies of the cosine transform."""
    rows, columns = (2 - 2 * np.cos(np.pi * np.arange(length) / length) for length in shape)
    return rows[:, None] + columns


def _adjoint(
    downs: Float[np.ndarray, "y_less x endmember"], rights: Float[np.ndarray, "y x_less endmember"]
) -> Float[np.ndarray, "y x endmember"]:
    """Return D^T of the differences along both axes."""
    return -np.diff(downs, axis=0, prepend=0, append=0) - np.diff(rights, axis=1, prepend=0, append=0)


def _shrink(values: Float[np.ndarray, "y x endmember"], by: Float[np.ndarray, "y x endmember"]) -> np.ndarray:
    return np.sign(values) * np.maximum(np.abs(values) - by, 0)
