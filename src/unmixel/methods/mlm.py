"""Multilinear mixing: light is reflected any number of times, with a probability of its own in every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unmixel.methods._post_nonlinear import PostNonlinear


@dataclass(frozen=True, kw_only=True)
class MLM(PostNonlinear):
    """Multilinear mixing model: interactions of all orders.

    ::

        min_{a, p} ||y - (1 - p) s / (1 - p s)||^2,   s = sum_k a_k m_k
        such that   a_k >= 0,   sum_k a_k = 1,   0 <= p <= 0.99

    where y [reflectance] is a pixel over its good bands, m_k [reflectance] the mean spectrum of bundle k,
    a (endmember,) the abundances [area fraction], and p the probability of the pixel that light meets another
    material after a reflection [1]. Division and product are band by band; an
    endmember brighter than 1 counts as 1. It is a point estimate: there is no
    uncertainty.

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
    R. Heylen and P. Scheunders, *A multilinear mixing model for nonlinear spectral unmixing*, IEEE TGRS 54(1), 2016,
    doi:10.1109/TGRS.2015.2453915.

    Examples
    --------
    >>> from unmixel.mixing import multilinear
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> spectra = np.array([[0.1, 0.2, 0.1, 0.6], [0.5, 0.4, 0.9, 0.3]])
    >>> pixels = multilinear(np.array([[1.0, 0.0], [0.75, 0.25]]), spectra, np.array([0.2, 0.6]))
    >>> scene = make_scene(pixels[None])
    >>> MLM().fit(scene, make_bundle(spectra, ["soil", "leaves"])).unmix(scene).abundance.values.round(3)
    array([[[1.  , 0.  ],
            [0.75, 0.25]]], dtype=float32)
    """

    name: ClassVar[str] = "mlm"
    summary: ClassVar[str] = "multilinear model: light reflected any number of times, by pixel"
    reference: ClassVar[str] = "Heylen & Scheunders 2016, doi:10.1109/TGRS.2015.2453915"
    needs_reflectance: ClassVar[bool] = True
    least_bend: ClassVar[float] = 0.0
    greatest_bend: ClassVar[float] = 0.99
    brightest: ClassVar[float] = 1.0

    @staticmethod
    def bent(single: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rest = 1 / (1 - bend * single)
        return (1 - bend) * single * rest, (1 - bend) * rest**2, -single * (1 - single) * rest**2


METHOD = MLM
