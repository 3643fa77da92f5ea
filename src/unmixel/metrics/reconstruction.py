"""How far a reconstructed scene is from the measured one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def reconstruction_rmse(
    pixels: Float[np.ndarray, "pixel band"], reconstruction: Float[np.ndarray, "pixel band"]
) -> Float[np.ndarray, "pixel"]:
    r"""Root-mean-square difference of each pixel and its reconstruction over the bands.

    .. math:: \sqrt{\frac{1}{L} \sum_l (\hat y_l - y_l)^2}

    Parameters
    ----------
    pixels, reconstruction : array, shape (pixel, band)
        Reflectance [1].

    Returns
    -------
    array, shape (pixel,)
        Error [1].

    Examples
    --------
    >>> pixels = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5]])
    >>> reconstruction_rmse(pixels, np.array([[0.1, 0.2, 0.3], [0.2, 0.8, 0.5]]))
    array([0.        , 0.24494897])
    """
    return np.sqrt(np.mean((reconstruction - pixels) ** 2, axis=1))
