"""From the name of a public scene to the scene and its truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from unmixel.datasets.catalogue import describe
from unmixel.datasets.dlr_hysu import open_dlr_hysu
from unmixel.datasets.emit_jpl import open_emit_jpl
from unmixel.datasets.fetching import fetch
from unmixel.datasets.hapke_sim1 import open_hapke_sim1
from unmixel.datasets.jasper_ridge import open_jasper_ridge
from unmixel.datasets.samson import open_samson, open_samson_alternative

_OPENERS: dict[str, Callable[[Path], tuple[xr.DataArray, xr.Dataset | None]]] = {
    "samson": open_samson,
    "samson_alternative": open_samson_alternative,
    "jasper_ridge": open_jasper_ridge,
    "dlr_hysu": open_dlr_hysu,
    "hapke_sim1": open_hapke_sim1,
    "emit_jpl": open_emit_jpl,
}


def open_dataset(name: str) -> tuple[xr.DataArray, xr.Dataset | None]:
    """Open a public scene with its truth, from ``UNMIXEL_DATA_DIR`` or downloaded and verified.

    Parameters
    ----------
    name : str
        One of `list_datasets()`.

    Returns
    -------
    scene : DataArray
        See `unmixel.scene`.
    truth : Dataset or None
        ``abundance`` and ``endmember_spectrum`` in the schema of a result (see `unmixel.result`), if maps of
        the truth exist. ``truth_kind`` and ``convention`` in its attributes say what it is worth (see
        `PublicScene`).

    Raises
    ------
    DatasetError
        If there is no such scene, or its files cannot be found, downloaded and verified.
    """
    describe(name)
    return _OPENERS[name](fetch(name))
