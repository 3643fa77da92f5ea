"""Wavelengths of files, which name their unit, misname it or leave it out, as nanometres."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmixel.errors import SceneError

NANOMETRES = {
    **dict.fromkeys(("nanometers", "nanometer", "nanometres", "nanometre", "nm"), 1.0),
    **dict.fromkeys(("micrometers", "micrometer", "micrometres", "micrometre", "microns", "micron"), 1000.0),
    **dict.fromkeys(("um", "µm", "μm"), 1000.0),
}
"""What one unit is, by its name [nm]."""
_UNSAID = {"", "unknown", "none", "<unspecified>", "unspecified"}
_SHORTEST, _LONGEST = 100.0, 100_000.0  # [nm]: from the far ultraviolet to the thermal infrared


def to_nanometres(wavelength: ArrayLike, unit: str = "") -> tuple[float | None, str]:
    """Return what one unit of a file's wavelengths is in nanometres, and a note if that had to be guessed.

    A unit that is missing, or that cannot be true of the numbers, is guessed: below 100 micrometres, from
    100 to 20000 nanometres. Numbers that only count the bands, or no numbers, are no wavelengths: None.

    Parameters
    ----------
    wavelength : array, shape (band,)
        The numbers in the file.
    unit : str
        What the file calls their unit.

    Raises
    ------
    SceneError
        If the unit is another one than nanometres or micrometres, or no guess is possible.

    Examples
    --------
    >>> to_nanometres([0.4, 2.5], "Unknown")
    (1000.0, 'wavelength unit not given: 0.4 to 2.5 taken as micrometres')
    >>> to_nanometres([400.0, 2500.0], "nm")
    (1.0, '')
    """
    values = np.asarray(wavelength, dtype=np.float64)
    name = unit.strip().lower()
    if not np.isfinite(values).any():
        return None, "no wavelengths in the file"
    if name == "index" or (name in _UNSAID and _counts_bands(values)):
        return None, "the file's wavelengths are band numbers: not used"
    if name not in NANOMETRES and name not in _UNSAID:
        raise SceneError(f"wavelengths in {unit.strip()!r}", "nanometers or micrometers", "convert them in the file")
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    if name in NANOMETRES:
        factor = NANOMETRES[name]
        if lowest * factor >= _SHORTEST and highest * factor <= _LONGEST:
            return factor, ""
    problem = "not given" if name in _UNSAID else f"{unit.strip()!r} cannot be true"
    span = f"{lowest:g} to {highest:g}"
    if lowest >= 0.1 and highest < 100:
        return 1000.0, f"wavelength unit {problem}: {span} taken as micrometres"
    if lowest >= 100 and highest <= 20_000:
        return 1.0, f"wavelength unit {problem}: {span} taken as nanometres"
    raise SceneError(
        f"wavelengths from {span} (unit: {unit.strip() or 'not given'})",
        "0.1 to 100 micrometres or 100 to 20000 nanometres",
        "correct the wavelengths in the file",
    )


def _counts_bands(values: NDArray[np.float64]) -> bool:
    numbers = np.arange(len(values))
    return len(values) > 1 and bool((values == numbers).all() or (values == numbers + 1).all())
