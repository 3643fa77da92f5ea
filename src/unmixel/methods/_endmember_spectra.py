"""Endmember spectra as methods get them: plain arrays over the good bands of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.errors import BundleError
from unmixel.methods._bands import first_other_band
from unmixel.scene import good_bands
from unmixel.spectra import endmember_names, spectra_of


@dataclass(frozen=True)
class EndmemberSpectra:
    """Endmember spectra over the good bands of a scene, as plain arrays.

    Attributes
    ----------
    names : tuple of str, length P
    spectra : tuple of P arrays, shape (spectrum_k, band)
    extractor : str, optional
        What found them in a scene; None where they are known.
    """

    names: tuple[str, ...]
    spectra: tuple[np.ndarray, ...]
    extractor: str | None = None

    @property
    def means(self) -> Float[np.ndarray, "endmember band"]:
        """The mean spectrum of each endmember."""
        return np.stack([s.mean(axis=0, dtype=np.float64) for s in self.spectra]).astype(np.float32)


def on_bands_of(scene: xr.DataArray, bundle: xr.DataArray) -> EndmemberSpectra:
    """Return the spectra of a bundle over the good bands of a scene.

    Raises
    ------
    BundleError
        If the bundle is on other bands, or of fewer than two endmembers.
    """
    if bundle.sizes["band"] != scene.sizes["band"]:
        raise BundleError(
            f"a bundle of {bundle.sizes['band']} bands for a scene of {scene.sizes['band']}",
            "the same bands",
            "resample it with unmixel.spectra.resample",
        )
    if "wavelength" in bundle.coords:
        theirs, mine = (np.asarray(array["wavelength"].values, dtype=float) for array in (bundle, scene))
        if (worst := first_other_band(mine, theirs)) is not None:
            raise BundleError(
                f"a bundle whose band {worst + 1} is at {theirs[worst]:.1f} nm, not {mine[worst]:.1f} nm",
                "the wavelengths of the scene",
                "resample it with unmixel.spectra.resample",
            )
    names = endmember_names(bundle)
    if len(names) < 2:
        raise BundleError(f"a bundle with the endmembers {names}", "at least 2 different labels")
    good = good_bands(scene)
    spectra = tuple(spectra_of(bundle, name)[:, good] for name in names)
    return EndmemberSpectra(tuple(names), spectra, bundle.attrs.get("extractor"))
