"""The truth of a public scene in the schema of a result."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.datasets.catalogue import PublicScene
from unmixel.errors import DatasetError
from unmixel.result import make_result
from unmixel.scene import good_bands, to_maps, valid_pixels


def make_truth(
    scene: xr.DataArray,
    about: PublicScene,
    endmember: tuple[str, ...],
    abundances: Float[np.ndarray, "y x endmember"],
    spectra: Float[np.ndarray, "endmember band"],
) -> xr.Dataset:
    """Return abundances and spectra as a result, with the worth of the truth in its attributes.

    Raises
    ------
    DatasetError
        If they don't have the size of the scene.
    """
    expected = (*scene.shape[:2], len(endmember)), (len(endmember), scene.sizes["band"])
    if (abundances.shape, spectra.shape) != expected:
        raise DatasetError(f"truth of {about.name!r} of shapes {abundances.shape}, {spectra.shape}", str(expected))
    truth = make_result(
        scene,
        endmember=endmember,
        maps=to_maps(scene, {"abundance": abundances[valid_pixels(scene)]}),
        spectra={"endmember_spectrum": spectra[:, good_bands(scene)]},
        provenance={"method": "truth", "dataset": about.name, "citation": about.citation},
    )
    truth.attrs.update(
        truth_kind=about.truth_kind, convention=about.convention, truth=about.truth, citation=about.citation
    )
    return truth


def with_wavelength(scene: xr.DataArray, wavelength: Float[np.ndarray, "band"], source: str) -> xr.DataArray:
    """Return the scene with wavelengths [nm] that its file does not carry, and a note on their source."""
    named = scene.assign_coords(wavelength=("band", wavelength, {"units": "nm"}))
    named.attrs["reading"] = [*scene.attrs["reading"], f"wavelengths set: {source}"]
    return named
