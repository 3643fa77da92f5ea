"""What the spectra of an endmember are like over a scene."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles of endmember spectra in a result."""


def spectra_statistics(
    spectra: Float[np.ndarray, "pixel endmember band"], weights: Float[np.ndarray, "pixel endmember"]
) -> dict[str, np.ndarray]:
    """Return mean, standard deviation and quantiles over the pixels, each counting as its weight.

    Where an endmember is absent its spectrum is only a guess, so a pixel speaks for it as its abundance.

    Returns
    -------
    dict of str to array
        ``endmember_spectrum`` and ``endmember_spectrum_sd`` (endmember, band), and ``endmember_quantile``
        (quantile, endmember, band) at the levels `QUANTILES` [reflectance].

    Examples
    --------
    >>> spectra = np.array([[[0.1]], [[0.3]], [[0.9]]], dtype=np.float32)
    >>> found = spectra_statistics(spectra, np.array([[0.5], [0.5], [0.0]], dtype=np.float32))
    >>> [values.ravel().round(2).tolist() for values in found.values()]
    [[0.2...], [0.1...], [0.1..., 0.1..., 0.1..., 0.3..., 0.3...]]
    """
    if not len(spectra):
        nothing = np.full(spectra.shape[1:], np.nan, dtype=np.float32)
        quantiles = np.full((len(QUANTILES), *nothing.shape), np.nan, dtype=np.float32)
        return {"endmember_spectrum": nothing, "endmember_spectrum_sd": nothing, "endmember_quantile": quantiles}
    share = (weights / weights.sum(axis=0).clip(1e-12))[:, :, None]
    mean = (share * spectra).sum(axis=0)
    sd = np.sqrt((share * (spectra - mean) ** 2).sum(axis=0))
    order = np.argsort(spectra, axis=0)
    below = np.cumsum(np.take_along_axis(np.broadcast_to(share, spectra.shape), order, axis=0), axis=0)
    rank = np.stack([(below < level - 1e-6).sum(axis=0) for level in QUANTILES]).clip(max=len(spectra) - 1)
    quantiles = np.take_along_axis(np.take_along_axis(spectra, order, axis=0), rank, axis=0)
    return {"endmember_spectrum": mean, "endmember_spectrum_sd": sd, "endmember_quantile": quantiles}
