"""Disk to scene and back: one file per format, recognised by content."""

from __future__ import annotations

from unmixel.io.bundle_csv import write_bundle_csv
from unmixel.io.bundles import open_bundle
from unmixel.io.envi import write_envi
from unmixel.io.lazy import LazyScene, open_lazily
from unmixel.io.netcdf import write_bundle_netcdf
from unmixel.io.opening import open_scene
from unmixel.io.plausibility import looks_like_reflectance
from unmixel.io.saving import save_scene
from unmixel.io.sli import write_sli
from unmixel.io.windows import Window

__all__ = [
    "LazyScene",
    "Window",
    "looks_like_reflectance",
    "open_bundle",
    "open_lazily",
    "open_scene",
    "save_scene",
    "write_bundle_csv",
    "write_bundle_netcdf",
    "write_envi",
    "write_sli",
]
