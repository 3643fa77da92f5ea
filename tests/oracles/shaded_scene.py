"""Small scenes whose pixels differ in brightness and whose materials differ from pixel to pixel, with exact truth."""

from __future__ import annotations

import numpy as np
import xarray as xr

from unmixel.scene import make_scene
from unmixel.simulate.abundances import dirichlet_fields
from unmixel.simulate.features import material
from unmixel.spectra import make_bundle

NAMES = ("vegetation", "soil", "limestone")


def wavelengths(n_bands: int) -> np.ndarray:
    return np.linspace(420.0, 2400.0, n_bands)


def materials(n_bands: int) -> np.ndarray:
    """Return three spectra, shape (endmember, band)."""
    return np.stack([material(name, wavelengths(n_bands)) for name in NAMES]).astype(np.float32)


def varied(means: np.ndarray, n: int, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Return n spectra of each material, each brightened and tilted at random, shape (n, endmember, band)."""
    tilt, own = sd * rng.normal(size=(2, n, len(means), 1))
    return means * (1 + own + tilt * np.linspace(-1, 1, means.shape[1]))


def shaded_scene(
    rows: int,
    columns: int,
    n_bands: int,
    *,
    snr_db: float,
    seed: int,
    brightness_sd: float = 0.0,
    own_sd: float = 0.0,
    length: float = 4.0,
) -> tuple[xr.DataArray, np.ndarray, xr.DataArray]:
    """Return a scene, its abundances (pixel, endmember) and the mean spectra.

    ``brightness_sd`` is the spread of a log-normal factor of each pixel, ``own_sd`` that of a tilt and of a factor that
    each material has for itself in each pixel, ``length`` how far abundances are alike [pixel].
    """
    rng = np.random.default_rng(seed)
    means = materials(n_bands).astype(np.float64)
    abundances = dirichlet_fields(rows, columns, np.full(3, 0.5), length, rng).reshape(-1, 3)
    brightness = np.exp(brightness_sd * rng.normal(size=(len(abundances), 1)) - brightness_sd**2 / 2)
    spectra = varied(means, len(abundances), own_sd, rng)
    clean = brightness * np.einsum("nk,nkl->nl", abundances, spectra)
    noise_sd = np.sqrt((clean**2).mean() / 10 ** (snr_db / 10))
    noisy = clean + rng.normal(scale=noise_sd, size=clean.shape)
    scene = make_scene(noisy.reshape(rows, columns, n_bands), wavelength=wavelengths(n_bands))
    return scene, abundances, make_bundle(means, list(NAMES), wavelength=wavelengths(n_bands))
