"""Scenes of any size with known materials, made block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.scene import make_scene

COLUMNS, BANDS, P = 1000, 200, 4
ROWS_AT_ONCE = 100
NOISE_SD = 0.005
BRIGHTNESS_SD, SHAPE_SD = 0.1, 0.01
"""How much each material's spectrum varies: in brightness (relative), and along each of `modes` [reflectance]."""
WAVELENGTH = np.linspace(400.0, 2450.0, BANDS)


def endmembers() -> np.ndarray:
    """Return smooth spectra, shape (P, BANDS)."""
    rng = np.random.default_rng(0)
    waves = np.stack([np.cos(k * np.pi * np.linspace(0, 1, BANDS)) for k in range(6)])
    return 0.35 + 0.1 * rng.uniform(-1, 1, (P, 6)) @ waves


def modes() -> np.ndarray:
    """Return two smooth ways in which each material varies, shape (P, 2, BANDS)."""
    rng = np.random.default_rng(2)
    phases = rng.uniform(0, 2 * np.pi, (P, 2, 1))
    return np.sqrt(2) * np.cos(np.array([[2.0], [4.0]]) * np.pi * np.linspace(0, 1, BANDS) + phases)


def block(number: int) -> np.ndarray:
    """Return some rows of a scene, shape (ROWS_AT_ONCE, COLUMNS, BANDS)."""
    rng = np.random.default_rng([1, number])
    shape = (ROWS_AT_ONCE, COLUMNS)
    abundances = rng.dirichlet(np.full(P, 0.5), shape)
    amounts = SHAPE_SD * rng.standard_normal((*shape, P, 2)) * abundances[..., None]
    brightness = 1 + BRIGHTNESS_SD * rng.standard_normal((*shape, P))
    shares = np.concatenate([abundances * brightness, amounts.reshape(*shape, -1)], axis=-1).astype(np.float32)
    spectra = np.concatenate([endmembers(), modes().reshape(-1, BANDS)]).astype(np.float32)
    return shares @ spectra + NOISE_SD * rng.standard_normal((*shape, BANDS), dtype=np.float32)


def small_scene() -> xr.DataArray:
    """Return a scene of a few blocks' materials in memory."""
    return make_scene(block(0)[:, :200], wavelength=WAVELENGTH)


def write_scene(path: Path, gigabytes: float) -> None:
    """Write a scene of about this size as an ENVI file, band-interleaved by line; its blocks repeat after ten."""
    n_blocks = max(1, round(gigabytes * 1e9 / (ROWS_AT_ONCE * COLUMNS * BANDS * 4)))
    blocks = [block(number).transpose(0, 2, 1).tobytes() for number in range(min(10, n_blocks))]
    with path.open("wb") as file:
        for number in range(n_blocks):
            file.write(blocks[number % len(blocks)])
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = {COLUMNS}\nlines = {n_blocks * ROWS_AT_ONCE}\nbands = {BANDS}\nheader offset = 0\n"
        "file type = ENVI Standard\ndata type = 4\ninterleave = bil\nbyte order = 0\nwavelength units = Nanometers\n"
        f"wavelength = {{{', '.join(f'{value:.3f}' for value in WAVELENGTH)}}}\n"
    )
