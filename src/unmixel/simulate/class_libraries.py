"""Libraries of what one class can look like: leaves of other contents, soil and water under another sun."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from unmixel.simulate.features import material
from unmixel.simulate.leaves import Leaf, leaf_optics, prospect_d
from unmixel.simulate.scene import Sensor
from unmixel.simulate.soil import soil_over_angles
from unmixel.simulate.water import water_over_illumination
from unmixel.spectra import make_bundle, resample

LEAF_SWEEPS = {
    "structure": (1.2, 2.8),
    "chlorophyll": (10.0, 80.0),
    "carotenoids": (2.0, 20.0),
    "anthocyanins": (0.0, 6.0),
    "brown": (0.0, 1.0),
    "water": (0.004, 0.04),
    "dry_matter": (0.002, 0.016),
}
"""From where to where each content of a leaf goes, in the units of `Leaf`."""
MEASURED_AT_DEG = 30.0
"""Incidence at which the spectra of soil and water are given [degree]."""


def leaf_library(sensor: Sensor, n_steps: int = 15) -> tuple[Float[np.ndarray, "spectrum band"], str]:
    """Make leaves by PROSPECT-D, one content changed at a time and all others as in `Leaf`.

    Parameters
    ----------
    sensor : Sensor
        The bands, 400 to 2500 nm.
    n_steps : int
        Spectra for each content, evenly over `LEAF_SWEEPS`.

    Returns
    -------
    spectra : array, shape (spectrum, band)
        Reflectance [1].
    source : str
        Where the constants of the leaves are from, see `leaf_optics`.

    References
    ----------
    Féret et al. 2017, as for `prospect_d`.

    Examples
    --------
    >>> bands = np.linspace(420.0, 2400.0, 40)
    >>> sensor = Sensor(wavelength=bands, fwhm=np.full(40, 50.0), good_band=np.ones(40, dtype=bool))
    >>> leaf_library(sensor, n_steps=3)[0].shape
    (21, 40)
    """
    optics = leaf_optics()
    leaves = [
        replace(Leaf(), **{content: float(amount)})
        for content, (low, high) in LEAF_SWEEPS.items()
        for amount in np.linspace(low, high, n_steps)
    ]
    fine = np.stack([prospect_d(leaf, optics)[0] for leaf in leaves])
    bundle = make_bundle(fine, ["leaf"] * len(fine), wavelength=optics.wavelength)
    return resample(bundle, sensor.wavelength, sensor.fwhm).values.astype(float), optics.source


def soil_library(sensor: Sensor, highest_deg: float = 80.0) -> Float[np.ndarray, "spectrum band"]:
    """Make soil under the sun at every degree of incidence from 0 to the highest; see `soil_over_angles`."""
    geometries = [(float(angle), 0.0) for angle in np.arange(0.0, highest_deg + 0.5)]
    return soil_over_angles(material("soil", sensor.wavelength), (MEASURED_AT_DEG, 0.0), geometries)


def water_library(sensor: Sensor, highest_deg: float = 80.0) -> Float[np.ndarray, "spectrum band"]:
    """Make water under the sun at every degree of incidence from 0 to the highest; see `water_over_illumination`."""
    angles = np.arange(0.0, highest_deg + 0.5).tolist()
    return water_over_illumination(material("water", sensor.wavelength), sensor.wavelength, MEASURED_AT_DEG, angles)
