"""A simulated scene and its truth, from the parts of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Bool, Float
from rasterio.crs import CRS

from unmixel.errors import ParameterError
from unmixel.mixing.bilinear import fan
from unmixel.mixing.linear import linear
from unmixel.result import make_result
from unmixel.scene import good_bands, make_scene, to_map, to_maps, valid_pixels
from unmixel.simulate.features import material
from unmixel.simulate.fields import abundance_fields
from unmixel.simulate.noise import noise_sd_for
from unmixel.simulate.variability import brightness_field, varied_endmembers
from unmixel.whole_numbers import checked_seed


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """The bands of an imaging spectrometer.

    Parameters
    ----------
    wavelength, fwhm : array, shape (band,)
        Band centres and full widths at half maximum [nm].
    good_band : array of bool, shape (band,)
        False where the atmosphere lets no light through.
    """

    wavelength: Float[np.ndarray, "band"]
    fwhm: Float[np.ndarray, "band"]
    good_band: Bool[np.ndarray, "band"]


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """What lies on the ground and how much it varies.

    Parameters
    ----------
    materials : tuple of str
        Names from `unmixel.simulate.MATERIALS`; they become the names of the endmembers.
    patch_size : float
        Correlation length of the abundances [pixel].
    sharpness : float
        How much one material dominates a pixel [1], see `abundance_fields`.
    brightness_sd : float
        Relative spread of the brightness [1].
    brightness_length : float
        Correlation length of the brightness [pixel].
    variability_sd : float
        Relative spread of each material's reflectance around its mean [1].
    variability_length : float
        Correlation length of that spread over the ground [pixel].
    variability_spectral_length : float
        Correlation length of that spread over wavelength [nm].
    """

    materials: tuple[str, ...]
    patch_size: float = 8.0
    sharpness: float = 2.5
    brightness_sd: float = 0.12
    brightness_length: float = 3.0
    variability_sd: float = 0.07
    variability_length: float = 6.0
    variability_spectral_length: float = 300.0


def simulate(
    landscape: Landscape,
    sensor: Sensor,
    *,
    rows: int,
    columns: int,
    snr_db: float,
    seed: int,
    epsg: int | None = None,
    transform: Affine | None = None,
    dead_pixels: Sequence[tuple[int, int]] = (),
) -> tuple[xr.DataArray, xr.Dataset]:
    r"""Simulate a scene of bilinearly mixed, varying materials, with its truth.

    .. math:: y = b \Big(\sum_k a_k m_k + \sum_{j<k} a_j a_k \, m_j \odot m_k\Big) + \varepsilon

    where, in every pixel, :math:`a` are the abundances (area fractions, 1), :math:`m_k` the reflectance the
    materials have there (1), :math:`b` the brightness (1) and :math:`\varepsilon` white noise (reflectance).

    Parameters
    ----------
    landscape : Landscape
        What lies on the ground.
    sensor : Sensor
        The bands.
    rows, columns : int
        Size of the scene [pixel].
    snr_db : float
        Ratio of the mean power of signal and noise over the good bands [dB].
    seed : int
        Seed of everything random.
    epsg : int, optional
        Code of the coordinate reference system.
    transform : affine.Affine, optional
        From pixel corners to map coordinates.
    dead_pixels : sequence of (row, column)
        Pixels without a measurement; NaN in the scene and in the truth.

    Returns
    -------
    scene : DataArray
        See `unmixel.scene`.
    truth : Dataset
        A result (see `unmixel.result`) with ``abundance``, ``endmember_spectrum``, ``endmember_spectrum_sd``
        (mean and spread over the scene), ``nonlinearity_degree`` of the mixing (norm of the bilinear part
        over the sum of the norms of both parts) and, besides, ``brightness`` with dims (y, x). Its attributes
        say that it is exact.

    Raises
    ------
    ParameterError
        If a size is not positive, fewer than two materials are given, one is unknown, or the seed is out of its range.

    Examples
    --------
    >>> wavelength = np.linspace(400.0, 1000.0, 20)
    >>> sensor = Sensor(wavelength=wavelength, fwhm=np.full(20, 30.0), good_band=np.ones(20, dtype=bool))
    >>> landscape = Landscape(materials=("vegetation", "soil"))
    >>> scene, truth = simulate(landscape, sensor, rows=8, columns=12, snr_db=30.0, seed=0)
    >>> dict(scene.sizes), truth.endmember.values.tolist()
    ({'y': 8, 'x': 12, 'band': 20}, ['vegetation', 'soil'])
    """
    if rows < 1 or columns < 1:
        raise ParameterError(f"a scene of {rows} rows and {columns} columns", "at least one of each")
    if len(landscape.materials) < 2:
        raise ParameterError(f"the materials {landscape.materials}", "at least two", "add another material")
    seed = checked_seed(seed)
    rng = np.random.default_rng(seed)
    pure = np.stack([material(name, sensor.wavelength) for name in landscape.materials])
    abundances = abundance_fields(rows, columns, len(pure), landscape.patch_size, landscape.sharpness, rng).reshape(
        -1, len(pure)
    )
    endmembers = varied_endmembers(
        pure,
        sensor.wavelength,
        rows,
        columns,
        landscape.variability_sd,
        landscape.variability_length,
        landscape.variability_spectral_length,
        rng,
    )
    brightness = brightness_field(rows, columns, landscape.brightness_sd, landscape.brightness_length, rng)
    signal = brightness.reshape(-1, 1) * fan(abundances, endmembers)
    noise_sd = noise_sd_for(signal[:, sensor.good_band], snr_db)
    measured = signal + noise_sd * rng.standard_normal(signal.shape)
    values = measured.reshape(rows, columns, -1)
    for row, column in dead_pixels:
        values[row, column] = np.nan
    scene = make_scene(
        values,
        wavelength=sensor.wavelength,
        fwhm=sensor.fwhm,
        good_band=sensor.good_band,
        crs_wkt=CRS.from_epsg(epsg).to_wkt() if epsg else None,
        transform=transform,
        reading=(f"simulated with seed {seed}, signal-to-noise ratio {snr_db:g} dB",),
    )
    truth = _truth(scene, landscape, abundances, endmembers, brightness)
    truth.attrs.update(snr_db=float(snr_db), noise_sd=noise_sd, seed=seed)
    return scene, truth


def _truth(
    scene: xr.DataArray,
    landscape: Landscape,
    abundances: Float[np.ndarray, "pixel endmember"],
    endmembers: Float[np.ndarray, "pixel endmember band"],
    brightness: Float[np.ndarray, "y x"],
) -> xr.Dataset:
    """Put what the scene was made of into the schema of a result."""
    valid, good = valid_pixels(scene), good_bands(scene)
    abundances, spectra = abundances[valid.ravel()], endmembers[valid.ravel()][:, :, good]
    single = linear(abundances, spectra)
    linear_norm = np.linalg.norm(single, axis=1)
    bilinear_norm = np.linalg.norm(fan(abundances, spectra) - single, axis=1)
    degree = np.full((len(abundances), 2), np.nan)
    degree[:, 0] = bilinear_norm / (linear_norm + bilinear_norm)
    truth = make_result(
        scene,
        endmember=landscape.materials,
        maps=to_maps(scene, {"abundance": abundances, "nonlinearity_degree": degree}),
        spectra={"endmember_spectrum": spectra.mean(axis=0), "endmember_spectrum_sd": spectra.std(axis=0)},
        provenance={"method": "simulation", "mixing": "bilinear (Fan)", "landscape": asdict(landscape)},
    )
    truth["brightness"] = (
        ("y", "x"),
        to_map(brightness[valid], valid),
        {"units": "1", "grid_mapping": "spatial_ref"},
    )
    truth.attrs.update(truth_kind="exact", convention="physical", truth="simulated")
    return truth
