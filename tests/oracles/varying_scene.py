"""Scenes whose endmembers vary from pixel to pixel by a known law."""

from __future__ import annotations

import numpy as np
import xarray as xr

from unmixel.metrics import abundance_rmse
from unmixel.scene import make_scene
from unmixel.simulate import FixedSpectra, SmoothSpectra, brightness_field, dirichlet_fields, material
from unmixel.spectra import make_bundle

NAMES = ["vegetation", "soil", "limestone"]
WAVELENGTH = np.linspace(400.0, 2400.0, 40)


def varying_scene(
    law: str, *, sd: float, noise_sd: float, seed: int, size: int = 24
) -> tuple[xr.DataArray, np.ndarray, xr.DataArray]:
    """Return a scene, its abundances (pixel, endmember) and its mean endmembers as a bundle.

    By the law "scaled" each endmember has a brightness field of its own; by "smooth" its spectrum changes smoothly over
    wavelength and ground; by "own" it changes smoothly over wavelength, but in every pixel by itself.
    """
    rng = np.random.default_rng(seed)
    endmembers = np.stack([material(name, WAVELENGTH) for name in NAMES])
    abundances = dirichlet_fields(size, size, np.ones(3), 4.0, rng).reshape(-1, 3)
    if law == "scaled":
        scalings = [brightness_field(size, size, sd, 6.0, rng).ravel() for _ in NAMES]
        spectra = np.stack(scalings, axis=1)[:, :, None] * endmembers
    else:
        length = 6.0 if law == "smooth" else 0.3
        drawn = SmoothSpectra.drawn(FixedSpectra(endmembers), WAVELENGTH, size, size, sd, length, rng)
        spectra = drawn.at(0, size * size)
    pixels = np.einsum("nk,nkl->nl", abundances, spectra)
    pixels = pixels + noise_sd * rng.standard_normal(pixels.shape)
    scene = make_scene(pixels.reshape(size, size, -1), wavelength=WAVELENGTH)
    return scene, abundances, make_bundle(endmembers, NAMES, wavelength=WAVELENGTH)


def errors(scene: xr.DataArray, truth: np.ndarray, bundle: xr.DataArray, *methods) -> list[float]:
    """Return the error of the abundances that each method finds."""
    found = [method.fit(scene, bundle).unmix(scene)["abundance"].values.reshape(truth.shape) for method in methods]
    return [abundance_rmse(truth, abundances) for abundances in found]
