"""Material spectra built from what makes them: a continuum and the absorptions of what they contain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError


@dataclass(frozen=True)
class Absorption:
    """One absorption band of a material.

    Parameters
    ----------
    cause : str
        What absorbs.
    centre : float
        Wavelength of the strongest absorption [nm].
    width : float
        Standard deviation over wavelength [nm].
    depth : float
        Optical depth at the centre [1].
    """

    cause: str
    centre: float
    width: float
    depth: float


@dataclass(frozen=True)
class Material:
    """A continuum and the absorptions on it.

    Parameters
    ----------
    level : float
        Continuum reflectance at 1000 nm [1].
    slope : float
        Exponent of the continuum's power law over wavelength [1].
    absorptions : tuple of Absorption
        What the material absorbs.
    """

    level: float
    slope: float
    absorptions: tuple[Absorption, ...]


MATERIALS = {
    "vegetation": Material(
        0.52,
        -0.10,
        (
            Absorption("chlorophyll, Soret band", 430.0, 42.0, 2.3),
            Absorption("carotenoids", 480.0, 24.0, 1.3),
            Absorption("chlorophyll, all green light", 560.0, 60.0, 1.05),
            Absorption("chlorophyll, weak Q band", 622.0, 26.0, 0.95),
            Absorption("chlorophyll, Q band", 675.0, 22.0, 2.3),
            Absorption("water", 970.0, 30.0, 0.09),
            Absorption("water", 1195.0, 40.0, 0.22),
            Absorption("water", 1450.0, 68.0, 1.2),
            Absorption("water", 1730.0, 150.0, 0.45),
            Absorption("water", 1940.0, 75.0, 1.7),
            Absorption("protein and cellulose", 2100.0, 60.0, 0.15),
            Absorption("water, wing of the fundamental", 2750.0, 330.0, 2.2),
        ),
    ),
    "soil": Material(
        0.36,
        0.35,
        (
            Absorption("iron, charge transfer", 330.0, 110.0, 1.1),
            Absorption("ferric iron", 500.0, 60.0, 0.30),
            Absorption("ferric iron", 670.0, 45.0, 0.06),
            Absorption("ferric iron", 900.0, 85.0, 0.16),
            Absorption("water and hydroxyl", 1415.0, 25.0, 0.14),
            Absorption("water", 1915.0, 35.0, 0.26),
            Absorption("hydroxyl with aluminium (clay)", 2165.0, 14.0, 0.08),
            Absorption("hydroxyl with aluminium (clay)", 2207.0, 18.0, 0.22),
            Absorption("hydroxyl, wing of the fundamental", 2800.0, 250.0, 0.5),
        ),
    ),
    "limestone": Material(
        0.62,
        0.08,
        (
            Absorption("iron, charge transfer", 300.0, 130.0, 0.6),
            Absorption("water", 1430.0, 35.0, 0.05),
            Absorption("water", 1930.0, 45.0, 0.10),
            Absorption("carbonate", 1880.0, 20.0, 0.04),
            Absorption("carbonate", 2160.0, 22.0, 0.07),
            Absorption("carbonate", 2300.0, 30.0, 0.12),
            Absorption("carbonate", 2340.0, 19.0, 0.38),
            Absorption("carbonate, wing of the next band", 2540.0, 60.0, 0.8),
        ),
    ),
    "water": Material(
        0.055,
        -0.6,
        (
            Absorption("dissolved organic matter", 380.0, 70.0, 0.6),
            Absorption("chlorophyll, Q band", 675.0, 15.0, 0.15),
            Absorption("water", 745.0, 25.0, 0.6),
            Absorption("water", 1000.0, 150.0, 2.4),
            Absorption("water", 1450.0, 200.0, 3.0),
            Absorption("water", 2050.0, 350.0, 3.0),
        ),
    ),
    "dry grass": Material(
        0.45,
        0.15,
        (
            Absorption("lignin and tannins", 330.0, 190.0, 1.6),
            Absorption("pheophytin", 670.0, 30.0, 0.10),
            Absorption("lignin", 1200.0, 35.0, 0.05),
            Absorption("water and cellulose", 1450.0, 55.0, 0.25),
            Absorption("lignin", 1730.0, 30.0, 0.09),
            Absorption("water", 1930.0, 50.0, 0.30),
            Absorption("cellulose", 2095.0, 45.0, 0.28),
            Absorption("lignin and cellulose", 2310.0, 40.0, 0.22),
            Absorption("cellulose, wing of the fundamental", 2700.0, 200.0, 0.9),
        ),
    ),
    "gypsum": Material(
        0.78,
        -0.02,
        (
            Absorption("iron, charge transfer", 300.0, 100.0, 0.25),
            Absorption("water", 995.0, 25.0, 0.04),
            Absorption("water", 1205.0, 30.0, 0.09),
            Absorption("water", 1449.0, 20.0, 0.45),
            Absorption("water", 1490.0, 25.0, 0.35),
            Absorption("water", 1538.0, 18.0, 0.25),
            Absorption("water", 1750.0, 25.0, 0.28),
            Absorption("water", 1942.0, 30.0, 0.80),
            Absorption("water and sulphate", 2215.0, 35.0, 0.20),
            Absorption("water, wing of the fundamental", 2700.0, 200.0, 1.4),
        ),
    ),
    "kaolinite": Material(
        0.68,
        0.10,
        (
            Absorption("iron, charge transfer", 320.0, 110.0, 0.6),
            Absorption("hydroxyl", 1396.0, 14.0, 0.28),
            Absorption("hydroxyl", 1414.0, 12.0, 0.35),
            Absorption("water", 1915.0, 30.0, 0.08),
            Absorption("hydroxyl with aluminium", 2163.0, 18.0, 0.35),
            Absorption("hydroxyl with aluminium", 2207.0, 16.0, 0.60),
            Absorption("hydroxyl with aluminium", 2318.0, 20.0, 0.12),
            Absorption("hydroxyl, wing of the fundamental", 2750.0, 230.0, 0.9),
        ),
    ),
    "hematite": Material(
        0.30,
        0.30,
        (
            Absorption("iron, charge transfer", 430.0, 90.0, 2.2),
            Absorption("ferric iron", 535.0, 35.0, 0.9),
            Absorption("ferric iron", 660.0, 40.0, 0.12),
            Absorption("ferric iron", 860.0, 65.0, 0.55),
            Absorption("water and hydroxyl", 1930.0, 50.0, 0.06),
        ),
    ),
    "basalt": Material(
        0.075,
        -0.10,
        (
            Absorption("iron, charge transfer", 330.0, 120.0, 0.5),
            Absorption("ferrous iron in pyroxene", 1010.0, 110.0, 0.25),
            Absorption("ferrous iron in pyroxene", 2100.0, 220.0, 0.18),
        ),
    ),
}


def spectrum_of(description: Material, wavelength: Float[np.ndarray, "band"]) -> Float[np.ndarray, "band"]:
    r"""Compute the reflectance of a material from its continuum and its absorptions (Beer–Lambert).

    .. math:: m(\lambda) = r \, (\lambda / 1000)^s \exp\Big(-\sum_i d_i \,
              e^{-(\lambda - c_i)^2 / 2 w_i^2}\Big)

    Parameters
    ----------
    description : Material
        Continuum level :math:`r` [1] and slope :math:`s` [1]; of each absorption the centre :math:`c_i` [nm],
        the width :math:`w_i` [nm] and the optical depth :math:`d_i` [1].
    wavelength : array, shape (band,)
        Band centres :math:`\lambda` [nm].

    Returns
    -------
    array, shape (band,)
        Reflectance [1].

    References
    ----------
    Sunshine, Pieters, Pratt, *Deconvolution of mineral absorption bands: an improved approach*,
    J. Geophys. Res. 95(B5), 1990. doi:10.1029/JB095iB05p06955

    Examples
    --------
    >>> grey = Material(0.5, 0.0, (Absorption("water", 1450.0, 50.0, 1.0),))
    >>> spectrum_of(grey, np.array([1000.0, 1450.0, 1500.0])).round(3)
    array([0.5  , 0.184, 0.273])
    """
    optical_depth = np.zeros(len(wavelength))
    for a in description.absorptions:
        optical_depth += a.depth * np.exp(-0.5 * ((wavelength - a.centre) / a.width) ** 2)
    return description.level * (wavelength / 1000.0) ** description.slope * np.exp(-optical_depth)


def material(name: str, wavelength: Float[np.ndarray, "band"]) -> Float[np.ndarray, "band"]:
    """Return the reflectance of a material that is known by name.

    Parameters
    ----------
    name : str
        One of `MATERIALS`.
    wavelength : array, shape (band,)
        Band centres [nm].

    Raises
    ------
    ParameterError
        If there is no such material.

    Examples
    --------
    >>> green, red, infrared = material("vegetation", np.array([550.0, 670.0, 850.0]))
    >>> bool(red < green < infrared)
    True
    """
    if name not in MATERIALS:
        raise ParameterError(f"material {name!r}", f"one of {', '.join(MATERIALS)}")
    return spectrum_of(MATERIALS[name], wavelength)
