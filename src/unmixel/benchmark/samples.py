"""What the page shows of a run besides numbers: its maps and spectra, small."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.benchmark.agreement import in_convention_of
from unmixel.benchmark.scenes import TrueScene
from unmixel.errors import DAMAGE

MOST_PIXELS = 4000
"""Of a map; of a larger scene, every n-th row and column is kept."""


@dataclass(frozen=True)
class Sample:
    """Maps and spectra of a run beside the truth, endmembers in its order.

    Attributes
    ----------
    endmember : array of str, shape (endmember,)
    maps, true_maps : array, shape (y, x, endmember)
        Abundances in the truth's convention [1]; in place of true maps that are not known, where the targets lie.
    band_centres : array, shape (band,)
        Wavelengths [nm], or the numbers of the bands where they are not known.
    band_label : array of str, shape ()
        Which of them.
    spectra, true_spectra : array, shape (endmember, band)
        NaN in bands that are left out [reflectance].
    """

    endmember: np.ndarray
    maps: Float[np.ndarray, "y x endmember"]
    true_maps: Float[np.ndarray, "y x endmember"]
    band_centres: Float[np.ndarray, "band"]
    band_label: np.ndarray
    spectra: Float[np.ndarray, "endmember band"]
    true_spectra: Float[np.ndarray, "endmember band"]

    def save(self, path: Path) -> None:
        """Write it as ``.npz``."""
        np.savez_compressed(path, **{field.name: getattr(self, field.name) for field in fields(self)})


def sample_of(known: TrueScene, result: xr.Dataset, order: np.ndarray) -> Sample:
    """Return what the page shows of a result."""
    truth = known.truth
    ordered = result.isel(endmember=order).assign_coords(endmember=truth["endmember"].values)
    step = int(np.ceil(np.sqrt(result.sizes["y"] * result.sizes["x"] / MOST_PIXELS)))
    thin = (slice(None, None, step), slice(None, None, step))
    wavelength = np.asarray(truth["wavelength"].values, dtype=float)
    known_bands = bool(np.isfinite(wavelength).all())
    return Sample(
        truth["endmember"].values.astype(str),
        in_convention_of(truth, ordered)["abundance"].values[thin].astype(np.float16),
        _true_maps(known)[thin].astype(np.float16),
        wavelength if known_bands else np.arange(len(wavelength)) + 1.0,
        np.array("wavelength [nm]" if known_bands else "band"),
        ordered["endmember_spectrum"].values.astype(np.float32),
        truth["endmember_spectrum"].values.astype(np.float32),
    )


def open_sample(path: Path) -> Sample | None:
    """Return a sample; None if there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return Sample(**{field.name: content[field.name] for field in fields(Sample)})
    except DAMAGE:
        return None


def _true_maps(known: TrueScene) -> Float[np.ndarray, "y x endmember"]:
    if "abundance" in known.truth:
        return known.truth["abundance"].values
    rows, columns, _ = known.scene.shape
    maps = np.zeros((rows, columns, known.truth.sizes["endmember"]))
    if known.targets is not None:
        for k, name in enumerate(known.targets["material"].values):
            where = known.truth["endmember"].values.tolist().index(name)
            maps[:, :, where] = known.targets["region"].values[k].any(axis=0)
    return maps
