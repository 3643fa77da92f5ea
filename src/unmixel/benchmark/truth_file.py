"""A truth in a file: a result with the true abundances and spectra."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from unmixel.errors import SceneError
from unmixel.result import open_result


def open_truth(path: Path) -> xr.Dataset:
    """Open a truth without reading its maps.

    Raises
    ------
    SceneError
        If there is no result at that path, or one without abundances or spectra.
    """
    truth = open_result(path)
    missing = [name for name in ("abundance", "endmember_spectrum") if name not in truth]
    if missing:
        raise SceneError(f"the truth {path} without {' and '.join(missing)}", "true abundances and spectra")
    return truth
