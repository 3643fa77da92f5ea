"""Fitted models whose endmember spectra follow from latents."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class KnowsLatents(Protocol):
    """A fitted model whose endmember spectra follow from latents."""

    def spectra_of(
        self, latents: Float[np.ndarray, "pixel endmember latent"]
    ) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the endmember spectra that latents give, over the good bands [reflectance]."""
