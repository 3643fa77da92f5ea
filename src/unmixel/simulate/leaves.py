"""Leaves by PROSPECT-D: reflectance from structure, pigments, water and dry matter."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.special import exp1

from unmixel.errors import ParameterError

SURFACE_ANGLE = 40.0
"""Largest incidence on a leaf's rough surface [degree]."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """What is in a leaf.

    Parameters
    ----------
    structure : float
        Number of layers [1], at least 1: 1.3 to 2.5 in green leaves.
    chlorophyll, carotenoids, anthocyanins : float
        Pigments [µg/cm²].
    brown : float
        Brown pigments [arbitrary units].
    water : float
        Equivalent water thickness [cm].
    dry_matter : float
        Mass of dry matter [g/cm²].
    """

    structure: float = 1.5
    chlorophyll: float = 40.0
    carotenoids: float = 8.0
    anthocyanins: float = 0.5
    brown: float = 0.0
    water: float = 0.012
    dry_matter: float = 0.006


@dataclass(frozen=True, kw_only=True)
class LeafOptics:
    """What light meets in leaves.

    Parameters
    ----------
    source : str
        Where the numbers are from.
    wavelength : array, shape (band,)
        Wavelength [nm].
    refractive_index : array, shape (band,)
        Of leaf material [1].
    absorption : mapping of str to array, shape (band,)
        Specific absorption of each content of a `Leaf` [its inverse unit].
    """

    source: str
    wavelength: Float[np.ndarray, "band"]
    refractive_index: Float[np.ndarray, "band"]
    absorption: dict[str, Float[np.ndarray, "band"]]


_COLUMNS = ("chlorophyll", "carotenoids", "anthocyanins", "brown", "water", "dry_matter")
_STAND_IN = {  # of each content: (centre [nm], width [nm], specific absorption)
    "chlorophyll": ((430.0, 30.0, 0.065), (480.0, 35.0, 0.035), (610.0, 45.0, 0.016), (672.0, 16.0, 0.055)),
    "carotenoids": ((410.0, 45.0, 0.14), (485.0, 25.0, 0.13)),
    "anthocyanins": ((400.0, 30.0, 0.05), (545.0, 40.0, 0.11)),
    "brown": ((400.0, 180.0, 0.5),),
    "water": (
        (970.0, 30.0, 0.45),
        (1200.0, 50.0, 1.1),
        (1450.0, 55.0, 28.0),
        (1780.0, 90.0, 8.0),
        (1935.0, 50.0, 110.0),
        (2100.0, 120.0, 22.0),
        (2700.0, 200.0, 150.0),
    ),
    "dry_matter": ((360.0, 90.0, 120.0), (1700.0, 500.0, 5.0), (2100.0, 60.0, 10.0), (2400.0, 250.0, 30.0)),
}


def leaf_optics() -> LeafOptics:
    """Return the constants of PROSPECT-D as the package `prosail` has them, or a stand-in where it is missing.

    The stand-in has absorptions where the constants have them, each of a Gaussian shape. Its leaves look like
    leaves, but are none that were measured. ``source`` says which it is.

    Examples
    --------
    >>> sorted(leaf_optics().absorption)
    ['anthocyanins', 'brown', 'carotenoids', 'chlorophyll', 'dry_matter', 'water']
    """
    table = _prosail_table()
    return parametric_leaf_optics() if table is None else read_leaf_optics(table)


def _prosail_table() -> Path | None:
    """Return the file of constants in the package `prosail`, which is not imported: it would compile."""
    found = find_spec("prosail")
    if found is None or found.origin is None:
        return None
    table = Path(found.origin).with_name("prospect_d_spectra.txt")
    return table if table.is_file() else None


def read_leaf_optics(path: str | Path) -> LeafOptics:
    """Read constants of PROSPECT-D from a text file.

    Its columns are wavelength [nm], refractive index, and the specific absorptions of chlorophyll,
    carotenoids, anthocyanins, brown pigments, water and dry matter.

    Raises
    ------
    ParameterError
        If the file has other columns, or cannot be read.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise ParameterError(f"the leaf constants {path} ({error})", "a text file with eight columns") from error
    if table.shape[1] != 2 + len(_COLUMNS) or len(table) < 2:
        raise ParameterError(f"the leaf constants {path} of shape {table.shape}", "eight columns, a row per nm")
    return LeafOptics(
        source=f"prosail: {Path(path).name}",
        wavelength=table[:, 0],
        refractive_index=table[:, 1],
        absorption=dict(zip(_COLUMNS, table[:, 2:].T, strict=True)),
    )


def parametric_leaf_optics() -> LeafOptics:
    """Return constants built from absorption features; see `leaf_optics`.

    Examples
    --------
    >>> optics = parametric_leaf_optics()
    >>> len(optics.wavelength), float(optics.refractive_index[0])
    (2101, 1.5)
    """
    wavelength = np.arange(400.0, 2501.0)
    absorption = {
        name: np.sum([a * np.exp(-0.5 * ((wavelength - c) / w) ** 2) for c, w, a in features], axis=0)
        for name, features in _STAND_IN.items()
    }
    return LeafOptics(
        source="parametric stand-in",
        wavelength=wavelength,
        refractive_index=1.5 - 0.2 * (wavelength - 400.0) / 2100.0,
        absorption=absorption,
    )


def surface_transmittance(
    refractive_index: Float[np.ndarray, "band"], largest_angle_deg: float
) -> Float[np.ndarray, "band"]:
    r"""Compute how much diffuse light enters a smooth surface from air, from all angles up to the largest.

    .. math:: t = \frac{2}{\sin^2\alpha} \int_0^\alpha T(\theta) \sin\theta \cos\theta \, d\theta

    with Fresnel's transmittance :math:`T` of light without polarisation, by Gauss's quadrature in
    :math:`\cos\theta`.

    Parameters
    ----------
    refractive_index : array, shape (band,)
        Refractive index of the leaf [1], above 1.
    largest_angle_deg : float
        Largest angle of incidence :math:`\alpha` [degree], above 0, at most 90.

    Returns
    -------
    array, shape (band,)
        Transmittance :math:`t` [1].

    References
    ----------
    Stern, *Transmission of isotropic radiation across an interface between two dielectrics*, Applied Optics 3(1),
    1964 (the integral). doi:10.1364/AO.3.000111

    Examples
    --------
    >>> surface_transmittance(np.array([1.5]), 0.01).round(3), surface_transmittance(np.array([1.5]), 90.0).round(3)
    (array([0.96]), array([0.908]))
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    cosine_low = np.cos(np.deg2rad(largest_angle_deg))
    cosine = cosine_low + (1 - cosine_low) * (nodes + 1) / 2
    index = refractive_index[:, None]
    inside = np.sqrt(1 - (1 - cosine**2) / index**2)
    across = ((cosine - index * inside) / (cosine + index * inside)) ** 2
    along = ((index * cosine - inside) / (index * cosine + inside)) ** 2
    through = 1 - (across + along) / 2
    return (through * cosine) @ weights * (1 - cosine_low) / (1 - cosine_low**2)


def prospect_d(leaf: Leaf, optics: LeafOptics) -> tuple[Float[np.ndarray, "band"], Float[np.ndarray, "band"]]:
    r"""Compute reflectance and transmittance of a leaf as a pile of :math:`N` absorbing plates.

    A plate of absorption :math:`k = \sum_i c_i K_i / N` lets diffuse light through by

    .. math:: \tau = (1 - k) e^{-k} + k^2 E_1(k)

    Multiple reflections inside a plate, with the surface's transmittance :math:`t` for light from air
    (:math:`t_\alpha` on top, where light comes from angles up to 40 degrees) and :math:`t / n^2` from inside:

    .. math:: T_\alpha = \frac{t_\alpha \tau \, t / n^2}{1 - (1 - t / n^2)^2 \tau^2}, \qquad
              R_\alpha = 1 - t_\alpha + (1 - t / n^2) \tau T_\alpha

    The other :math:`N - 1` plates are piled by Stokes' solution (see `pile`).

    Parameters
    ----------
    leaf : Leaf
        Number of plates :math:`N` and contents :math:`c_i`.
    optics : LeafOptics
        Refractive index :math:`n` and specific absorptions :math:`K_i`.

    Returns
    -------
    reflectance, transmittance : array, shape (band,)
        Of the leaf, hemispherical [1], at the wavelengths of `optics`.

    Raises
    ------
    ParameterError
        If the structure is below 1 or a content negative.

    References
    ----------
    Jacquemoud, Baret, *PROSPECT: a model of leaf optical properties spectra*, Remote Sensing of Environment 34(2),
    1990. doi:10.1016/0034-4257(90)90100-Z
    Féret, Gitelson, Noble, Jacquemoud, *PROSPECT-D: towards modeling leaf optical properties through a complete
    lifecycle*, Remote Sensing of Environment 193, 2017. doi:10.1016/j.rse.2017.03.004

    Examples
    --------
    >>> reflectance, transmittance = prospect_d(Leaf(), parametric_leaf_optics())
    >>> bool((reflectance + transmittance < 1).all())
    True
    """
    contents = {name: getattr(leaf, name) for name in _COLUMNS}
    if leaf.structure < 1 or min(contents.values()) < 0:
        raise ParameterError(f"{leaf}", "a structure of at least 1 and no negative content")
    optical_depth = sum(amount * optics.absorption[name] for name, amount in contents.items()) / leaf.structure
    k = np.maximum(optical_depth, 1e-12)
    tau = (1 - k) * np.exp(-k) + k**2 * exp1(k)
    entering = surface_transmittance(optics.refractive_index, 90.0)
    entering_top = surface_transmittance(optics.refractive_index, SURFACE_ANGLE)
    leaving = entering / optics.refractive_index**2
    held = 1 - leaving
    bounces = 1 - (held * tau) ** 2
    through_top, through = entering_top * tau * leaving / bounces, entering * tau * leaving / bounces
    back_top, back = 1 - entering_top + held * tau * through_top, 1 - entering + held * tau * through
    below_back, below_through = pile(back, through, leaf.structure - 1)
    between = 1 - below_back * back
    return back_top + through_top * below_back * through / between, through_top * below_through / between


def pile(
    reflectance: Float[np.ndarray, "band"], transmittance: Float[np.ndarray, "band"], n_plates: float
) -> tuple[Float[np.ndarray, "band"], Float[np.ndarray, "band"]]:
    r"""Compute reflectance and transmittance of a pile of equal plates, of which there may be a fraction.

    .. math:: R_N = \frac{b^N - b^{-N}}{a b^N - a^{-1} b^{-N}}, \qquad
              T_N = \frac{a - a^{-1}}{a b^N - a^{-1} b^{-N}}

    with :math:`a = (1 + R^2 - T^2 + D) / 2R`, :math:`b = (1 - R^2 + T^2 + D) / 2T` and
    :math:`D^2 = ((1 + R)^2 - T^2) ((1 - R)^2 - T^2)`.

    Parameters
    ----------
    reflectance, transmittance : array, shape (band,)
        Of one plate [1], positive, with a sum of at most 1.
    n_plates : float
        Number :math:`N` of plates, at least 0.

    References
    ----------
    Stokes, *On the intensity of the light reflected from or transmitted through a pile of plates*, Proc. Royal
    Society 11, 1862. doi:10.1098/rspl.1860.0119

    Examples
    --------
    >>> pile(np.array([0.2]), np.array([0.5]), 2.0)
    (array([0.25208333]), array([0.26041667]))
    """
    r, t = reflectance, transmittance
    lossless = 1 - r - t < 1e-9
    safe_r, safe_t = np.where(lossless, 0.3, r), np.where(lossless, 0.3, t)
    root = np.sqrt(((1 + safe_r) ** 2 - safe_t**2) * ((1 - safe_r) ** 2 - safe_t**2))
    a = (1 + safe_r**2 - safe_t**2 + root) / (2 * safe_r)
    decay = ((1 - safe_r**2 + safe_t**2 + root) / (2 * safe_t)) ** -n_plates  # b^-N, at most 1
    total = a - decay**2 / a
    back = (1 - decay**2) / total
    through = (a - 1 / a) * decay / total
    passed = t / (t + (1 - t) * n_plates)
    return np.where(lossless, 1 - passed, back), np.where(lossless, passed, through)
