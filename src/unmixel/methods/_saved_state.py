"""The arrays of a saved model, each as what it stands for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Integer

State = Mapping[str, np.ndarray]
_DARKEST = 1e-15
"""Reflectance of the brightest band of a spectrum: abundances of darker ones are beyond single precision."""


def spectra_in(
    state: State, n_spectra: int, n_bands: int, name: str = "endmembers"
) -> Float[np.ndarray, "spectrum band"]:
    """Return spectra, in single precision.

    Raises
    ------
    ValueError
        If they are of another shape, not finite, or so dark that abundances would be infinite.
    """
    spectra = state[name]
    if spectra.shape != (n_spectra, n_bands):
        raise ValueError(f"{name} of shape {spectra.shape}")
    if spectra.dtype.kind != "f" or not np.isfinite(spectra).all():
        raise ValueError(f"{name} that are not finite")
    brightest = np.abs(spectra).max(axis=1, initial=0)
    if ((brightest > 0) & (brightest < _DARKEST)).any():
        raise ValueError(f"{name} that are below {_DARKEST:g} in every band")
    return spectra.astype(np.float32, copy=False)


def numbers_in(state: State, name: str, n_numbers: int = 1) -> list[float]:
    """Return numbers that are not negative, such as penalties and variances.

    Raises
    ------
    ValueError
        If there are more or fewer, or one is negative or not finite.

    Examples
    --------
    >>> numbers_in({"sparsity": np.array([0.5])}, "sparsity")
    [0.5]
    """
    numbers = state[name].astype(np.float64)
    if numbers.shape != (n_numbers,):
        raise ValueError(f"{name} of shape {numbers.shape}")
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ValueError(f"{name} that are negative or not finite")
    return numbers.tolist()


def sizes_in(state: State, n_endmembers: int) -> Integer[np.ndarray, "endmember"]:
    """Return the number of spectra of each endmember.

    Raises
    ------
    ValueError
        If an endmember has none, or no number.
    """
    sizes = state["sizes"]
    if sizes.shape != (n_endmembers,) or sizes.dtype.kind not in "iu" or not ((sizes > 0) & (sizes < 2**31)).all():
        raise ValueError(f"endmembers of {sizes} spectra")
    return sizes.astype(np.int64, copy=False)
