"""DLR HySU: targets of known area laid out on grass, and the spectra of their materials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.datasets.fetching import fetch
from unmixel.errors import ParameterError
from unmixel.io import open_bundle, open_scene
from unmixel.scene import transform_of
from unmixel.spectra import make_bundle

MATERIALS = {
    "bitumen": "bitumen",
    "red metal": "redMetal",
    "blue fabric": "blueFabric",
    "red fabric": "redFabric",
    "green fabric": "greenFabric",
}
"""The materials of the targets, and the files of their regions."""
AREAS = (9.0, 4.0, 1.0, 0.25, 0.0625)
"""Areas of the targets [m2], in the order of the region codes 1 to 5."""
LIBRARIES = {"image": "DLR_HySU_HS_library", "field": "DLR_HySU_SVC"}
COUNTS = 10_000.0
"""Value of the libraries at a reflectance of 1."""


def open_dlr_hysu(folder: Path) -> tuple[xr.DataArray, None]:
    """Open the scene. Its truth is areas, not maps: see `dlr_hysu_targets`."""
    return open_scene(folder / "DLR_HySU_HS_full.tif"), None


def dlr_hysu_targets() -> xr.Dataset:
    r"""Return where the targets of DLR HySU lie and how large they are.

    The area of material k that an unmixing finds in a target's region R is the sum of its abundances there,
    to be compared with the true area:

    .. math:: \hat A = A_\mathrm{pixel} \sum_{n \in R} a_{nk}

    Returns
    -------
    Dataset
        ``region`` (material, target, y, x), True in the pixels of a target and around; ``area`` (target), the
        true area [m2]; ``pixel_area`` [m2].

    Raises
    ------
    DatasetError
        If the files cannot be found or downloaded.
    """
    folder = fetch("dlr_hysu")
    scene, _ = open_dlr_hysu(folder)
    transform = transform_of(scene)
    assert transform is not None
    codes = _region(folder, "targetsSizeROI", scene)
    region = np.stack(
        [
            [(_region(folder, file, scene) > 0) & (codes == code) for code in range(1, len(AREAS) + 1)]
            for file in MATERIALS.values()
        ]
    )
    return xr.Dataset(
        {
            "region": (("material", "target", "y", "x"), region),
            "area": ("target", np.array(AREAS), {"units": "m2"}),
            "pixel_area": ((), abs(transform.a * transform.e), {"units": "m2"}),
        },
        coords={"material": list(MATERIALS), "y": scene["y"], "x": scene["x"]},
        attrs={"truth_kind": "independent"},
    )


def dlr_hysu_library(source: str = "image") -> xr.DataArray:
    """Return the spectra of the targets' materials and of grass, as a bundle on the bands of the scene.

    Parameters
    ----------
    source : str
        "image": taken from the scene itself, on the large targets. "field": measured on the ground with a
        spectrometer and resampled to the scene's bands, the stricter test.

    Raises
    ------
    ParameterError
        If the source is unknown.
    DatasetError
        If the files cannot be found or downloaded.
    """
    if source not in LIBRARIES:
        raise ParameterError(f"library {source!r} of DLR HySU", f"one of {', '.join(LIBRARIES)}")
    bundle = open_bundle(fetch("dlr_hysu") / "libraries" / f"{LIBRARIES[source]}.hdr")
    return make_bundle(
        bundle.values / COUNTS,
        [*MATERIALS, "grass"],
        wavelength=bundle["wavelength"].values,
        fwhm=bundle["fwhm"].values,
    )


def _region(folder: Path, file: str, scene: xr.DataArray) -> np.ndarray:
    """Read one byte for each pixel of the scene, row by row."""
    return np.fromfile(folder / "rois" / file, dtype=np.uint8).reshape(scene.shape[:2])
