"""An error relative to the size of what is estimated."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError


def nrmse(truth: Float[np.ndarray, "*shape"], estimate: Float[np.ndarray, "..."]) -> float:
    r"""Normalised root-mean-square error: of abundances, endmembers or pixels, whatever their scale.

    .. math:: \mathrm{NRMSE}_X = \frac{\|X - \hat X\|_F}{\|X\|_F}

    In the ID-Net paper X is A, the abundances of all pixels; M, the endmembers of every pixel; or Y, the pixels, with
    their reconstructions as :math:`\hat X`.

    Parameters
    ----------
    truth, estimate : array, any shape
        X and its estimate, in the same unit; endmembers in the same order.

    Returns
    -------
    float
        Error [1]; NaN if any value is NaN or the truth is zero.

    Raises
    ------
    ParameterError
        If the shapes differ.

    References
    ----------
    Borsoi, Erdoğmuş, Imbiriba, *Learning interpretable deep disentangled neural networks for hyperspectral unmixing*,
    IEEE Transactions on Computational Imaging 9, 2023. arXiv:2310.02340

    Examples
    --------
    >>> nrmse(np.array([[3.0, 4.0]]), np.array([[3.0, 3.0]]))
    0.2
    """
    if truth.shape != estimate.shape:
        raise ParameterError(f"a truth of shape {truth.shape} and an estimate of {estimate.shape}", "the same shape")
    size = float(np.linalg.norm(truth.astype(np.float64)))
    return float(np.linalg.norm(estimate.astype(np.float64) - truth)) / size if size > 0 else float("nan")
