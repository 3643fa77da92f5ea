"""A cut-out of an EMIT scene, with a small library of endmembers beside it."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from unmixel.io import open_scene


def open_emit_jpl(folder: Path) -> tuple[xr.DataArray, None]:
    """Open the scene, of which no truth is known."""
    return open_scene(folder / "emit20250324t221005_jpl_unmix_ex.hdr"), None
