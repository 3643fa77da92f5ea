"""The simulated scene of the demonstration: a piece of Bavaria that does not exist."""

from __future__ import annotations

import numpy as np
import xarray as xr
from affine import Affine

from unmixel.simulate.scene import Landscape, Sensor, simulate

DEMO_LANDSCAPE = Landscape(materials=("vegetation", "soil", "limestone"))
DEMO_EPSG = 32632
DEMO_TRANSFORM = Affine(5.0, 0.0, 656_400.0, 0.0, -5.0, 5_319_250.0)
WATER_VAPOUR_WINDOWS = ((1340.0, 1460.0), (1790.0, 1960.0))
"""Wavelengths [nm] at which water vapour lets no light through."""


def demo_sensor() -> Sensor:
    """Return an imaging spectrometer with 165 bands from 400 to 2450 nm.

    Examples
    --------
    >>> sensor = demo_sensor()
    >>> len(sensor.wavelength), int(sensor.good_band.sum())
    (165, 143)
    """
    wavelength = np.linspace(400.0, 2450.0, 165)
    blocked = np.zeros(len(wavelength), dtype=bool)
    for low, high in WATER_VAPOUR_WINDOWS:
        blocked |= (wavelength >= low) & (wavelength <= high)
    return Sensor(wavelength=wavelength, fwhm=np.full(len(wavelength), 13.0), good_band=~blocked)


def simulate_demo(
    *, rows: int = 90, columns: int = 120, snr_db: float = 30.0, seed: int = 0
) -> tuple[xr.DataArray, xr.Dataset]:
    """Simulate the scene of ``unmixel demo``: vegetation, soil and limestone, placed in UTM zone 32 North.

    Abundances come in patches, brightness varies by 12 % and every material by 7 %; light that meets two
    materials makes the mixing bilinear. Bands in the water-vapour windows are flagged bad, and a few pixels
    are NaN.

    Parameters
    ----------
    rows, columns : int
        Size of the scene [pixel of 5 m].
    snr_db : float
        Ratio of the mean power of signal and noise [dB].
    seed : int
        Seed of everything random.

    Returns
    -------
    scene, truth : DataArray, Dataset
        See `unmixel.simulate.simulate`.

    Examples
    --------
    >>> scene, truth = simulate_demo(rows=20, columns=30)
    >>> scene.shape, truth.abundance.shape
    ((20, 30, 165), (20, 30, 3))
    """
    corner = (rows // 6, columns // 5)
    dead = [(corner[0] + i, corner[1] + j) for i in range(2) for j in range(4)]
    return simulate(
        DEMO_LANDSCAPE,
        demo_sensor(),
        rows=rows,
        columns=columns,
        snr_db=snr_db,
        seed=seed,
        epsg=DEMO_EPSG,
        transform=DEMO_TRANSFORM,
        dead_pixels=[(i, j) for i, j in dead if i < rows and j < columns],
    )
