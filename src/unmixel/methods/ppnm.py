"""Polynomial post-nonlinear mixing: the linear mixture and a share of its square, its own in every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unmixel.methods._post_nonlinear import PostNonlinear


@dataclass(frozen=True, kw_only=True)
class PPNM(PostNonlinear):
    """Polynomial post-nonlinear mixing model: linear mixing, then a square.

    ::

        min_{a, b} ||y - s - b s*s||^2,   s = sum_k a_k m_k
        such that   a_k >= 0,   sum_k a_k = 1

    where y [reflectance] is a pixel over its good bands, m_k [reflectance] the mean spectrum of bundle k,
    a (endmember,) the abundances [area fraction], b the curvature of the pixel [1], any number, and s*s the square
    band by band. This is the least-squares estimate of the paper. It is a point estimate: there is no uncertainty.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    Y. Altmann, A. Halimi, N. Dobigeon and J.-Y. Tourneret, *Supervised nonlinear spectral unmixing using a
    postnonlinear mixing model for hyperspectral imagery*, IEEE Trans. Image Processing 21(6), 2012,
    doi:10.1109/TIP.2012.2187668.

    Examples
    --------
    >>> from unmixel.mixing import postnonlinear
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> spectra = np.array([[0.1, 0.2, 0.1, 0.6], [0.5, 0.4, 0.9, 0.3]])
    >>> pixels = postnonlinear(np.array([[1.0, 0.0], [0.75, 0.25]]), spectra, np.array([0.2, -0.3]))
    >>> scene = make_scene(pixels[None])
    >>> PPNM().fit(scene, make_bundle(spectra, ["soil", "leaves"])).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.75, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "ppnm"
    summary: ClassVar[str] = "polynomial post-nonlinear model: a linear mixture and its square, by pixel"
    reference: ClassVar[str] = "Altmann et al. 2012, doi:10.1109/TIP.2012.2187668"
    least_bend: ClassVar[float] = -np.inf
    greatest_bend: ClassVar[float] = np.inf

    @staticmethod
    def bent(single: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        square = single**2
        return single + bend * square, 1 + 2 * bend * single, square


METHOD = PPNM
