"""Which endmember of one result is which of another."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import xarray as xr

from unmixel.methods._bands import first_other_band
from unmixel.metrics import match_endmembers, spectral_angle
from unmixel.scene import good_bands

_NUMBERED = re.compile(r"endmember \d+")


class Counterpart(NamedTuple):
    """The endmember of another result that stands for one of this.

    Attributes
    ----------
    name : str
    angle : float or None
        Between the mean spectra of the two [rad]; None where their names decided.
    """

    name: str
    angle: float | None


def counterparts(first: xr.Dataset, second: xr.Dataset) -> dict[str, Counterpart]:
    """Return the counterpart of each endmember of a result that has one.

    Names decide if both results were given some. If the endmembers of one were found and only numbered, they are paired
    so that the angles between their mean spectra are smallest together, on the good bands of both; if the bands are
    others, there are no counterparts.

    Examples
    --------
    >>> def result(names, spectra):
    ...     bands = {"wavelength": ("band", [500.0, 600, 700]), "good_band": ("band", [True] * 3)}
    ...     return xr.Dataset({"endmember_spectrum": (("endmember", "band"), spectra)}, {"endmember": names, **bands})
    >>> blue, red = [0.3, 0.2, 0.1], [0.1, 0.2, 0.3]
    >>> numbered = result(["endmember 1", "endmember 2"], [blue, red])
    >>> counterparts(numbered, result(["endmember 1", "endmember 2"], [red, blue]))["endmember 1"].name
    'endmember 2'
    >>> counterparts(result(["sea", "clay"], [blue, red]), result(["clay", "mud"], [blue, red]))
    {'clay': Counterpart(name='clay', angle=None)}
    """
    names, others = ([str(name) for name in result["endmember"].values] for result in (first, second))
    numbered = all(_NUMBERED.fullmatch(name) for name in names) or all(_NUMBERED.fullmatch(name) for name in others)
    if not numbered:
        return {name: Counterpart(name, None) for name in names if name in others}
    spectra = _spectra(first, second)
    if spectra is None:
        return {}
    mine, theirs = spectra
    if len(mine) <= len(theirs):
        pairs = [(k, int(i)) for k, i in enumerate(match_endmembers(mine, theirs))]
    else:
        pairs = sorted((int(k), i) for i, k in enumerate(match_endmembers(theirs, mine)))
    return {names[k]: Counterpart(others[i], float(spectral_angle(mine[k], theirs[i]))) for k, i in pairs}


def _spectra(first: xr.Dataset, second: xr.Dataset) -> list[np.ndarray] | None:
    """Return the mean spectra of both on the bands that are good in both, or None if they can't be compared."""
    if any("endmember_spectrum" not in result for result in (first, second)):
        return None
    wavelengths = [np.asarray(result["wavelength"].values, dtype=float) for result in (first, second)]
    known = [bool(np.isfinite(part).all()) for part in wavelengths]
    if first.sizes["band"] != second.sizes["band"] or known[0] != known[1]:
        return None
    if known[0] and first_other_band(*wavelengths) is not None:
        return None
    good = good_bands(first) & good_bands(second)
    spectra = [np.asarray(result["endmember_spectrum"].values, dtype=float)[:, good] for result in (first, second)]
    return spectra if all(np.isfinite(part).all() and part.any(axis=1).all() for part in spectra) else None
