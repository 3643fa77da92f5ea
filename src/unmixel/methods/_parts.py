"""What pixels are made of: shares of the endmembers, and what nonlinear mixing adds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Parts(NamedTuple):
    """What pixels are made of, by a fitted model, over its good bands [reflectance].

    Attributes
    ----------
    observed : array, shape (pixel, band)
        The pixels.
    shares : array, shape (pixel, endmember, band)
        a_k m_k, each endmember's spectrum there times its abundance.
    nonlinear : array, shape (pixel, band)
        What the mixing adds to their sum; with it, the sum is the reconstruction.
    sd : array, shape (pixel, band)
        How far the model expects an observation from its reconstruction (standard deviation); NaN if it doesn't say.
    """

    observed: np.ndarray
    shares: np.ndarray
    nonlinear: np.ndarray
    sd: np.ndarray

    @property
    def reconstruction(self) -> Float[np.ndarray, "pixel band"]:
        """The pixels as the model makes them."""
        return self.shares.sum(axis=1) + self.nonlinear
