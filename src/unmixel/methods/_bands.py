"""Whether two scenes, spectra or models have the same bands."""

from __future__ import annotations

import numpy as np


def first_other_band(wavelength: np.ndarray, other: np.ndarray) -> int | None:
    """Return the band whose two wavelengths [nm] differ most, by over a tenth of the spacing; None if none does.

    Bands whose wavelength is not known on both sides count as the same.

    Examples
    --------
    >>> first_other_band(np.array([500.0, 510.0, 520.0]), np.array([500.2, 510.0, 523.0]))
    2
    """
    known = np.isfinite(wavelength) & np.isfinite(other)
    if not known.any():
        return None
    spacing = np.median(np.diff(wavelength[known])) if known.sum() > 1 else 1.0
    distance = np.where(known, np.abs(wavelength - other), 0.0)
    return int(np.argmax(distance)) if distance.max() > 0.1 * spacing else None
