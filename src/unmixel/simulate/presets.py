"""Named scenes with exact truth: each isolates one difficulty, and one has them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.special import ndtr

from unmixel.errors import ParameterError
from unmixel.mixing.bilinear import fan, generalised_bilinear
from unmixel.mixing.hapke import intimate
from unmixel.simulate.abundances import dirichlet_fields, sparse, without_pure_pixels
from unmixel.simulate.class_libraries import leaf_library, soil_library, water_library
from unmixel.simulate.composing import Ground, Mixing, compose
from unmixel.simulate.demo import WATER_VAPOUR_WINDOWS
from unmixel.simulate.features import material
from unmixel.simulate.fields import gaussian_field
from unmixel.simulate.noise import Noise
from unmixel.simulate.pixel_spectra import FixedSpectra, LibrarySpectra, SmoothSpectra
from unmixel.simulate.scene import Sensor
from unmixel.simulate.variability import brightness_field
from unmixel.whole_numbers import checked_seed


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named scene.

    Parameters
    ----------
    summary : str
        What it is.
    sensor : callable
        Makes the sensor.
    ground : callable
        Of the sensor, the rows, the columns and a generator; draws the ground, and says what else was used.
    noise : Noise
        What the sensor adds.
    rows, columns : int
        Size where none is asked for [pixel].
    """

    summary: str
    sensor: Callable[[], Sensor]
    ground: Callable[[Sensor, int, int, np.random.Generator], tuple[Ground, dict[str, Any]]]
    noise: Noise
    rows: int
    columns: int


def simulate_preset(
    name: str, *, rows: int | None = None, columns: int | None = None, snr_db: float | None = None, seed: int = 0
) -> tuple[xr.DataArray, xr.Dataset]:
    """Simulate a named scene.

    The ground is the same for the same size and seed, whatever the noise.

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    rows, columns : int, optional
        Size of the scene [pixel]; the preset's own if left out.
    snr_db : float, optional
        Ratio of the mean power of signal and random noise [dB]; the preset's own if left out.
    seed : int
        Seed of everything random.

    Returns
    -------
    scene, truth : DataArray, Dataset
        See `unmixel.simulate.composing.compose`.

    Raises
    ------
    ParameterError
        If there is no such preset, a size is not positive, the seed out of its range or the ratio not finite.

    Examples
    --------
    >>> scene, truth = simulate_preset("dc1", rows=6, columns=8, seed=1)
    >>> dict(scene.sizes), truth.endmember.values.tolist()
    ({'y': 6, 'x': 8, 'band': 224}, ['vegetation', 'dry grass', 'limestone'])
    """
    if name not in PRESETS:
        raise ParameterError(f"the preset {name!r}", f"one of {', '.join(PRESETS)}")
    preset = PRESETS[name]
    rows = preset.rows if rows is None else rows
    columns = preset.columns if columns is None else columns
    if rows < 1 or columns < 1 or rows * columns < 2:
        raise ParameterError(f"a scene of {rows} rows and {columns} columns", "at least two pixels")
    seed = checked_seed(seed)
    noise = preset.noise if snr_db is None else replace(preset.noise, snr_db=float(snr_db))
    if not np.isfinite(noise.snr_db):
        raise ParameterError(f"a signal-to-noise ratio of {noise.snr_db} dB", "a finite number")
    ground_rng, noise_rng = np.random.default_rng(seed).spawn(2)
    sensor = preset.sensor()
    ground, used = preset.ground(sensor, rows, columns, ground_rng)
    return compose(
        ground,
        sensor,
        noise,
        rng=noise_rng,
        provenance={
            "preset": name,
            "summary": preset.summary,
            "seed": seed,
            "parameters": {"rows": rows, "columns": columns, "noise": asdict(noise)},
            **used,
        },
        reading=(f"simulated: preset {name}, seed {seed}, signal-to-noise ratio {noise.snr_db:g} dB",),
    )


def _sensor(n_bands: int, *, left_out: tuple[tuple[int, int], ...] = (), windows: bool = False) -> Sensor:
    """Return a sensor from 400 to 2500 nm: some bands not delivered (0-based, first to last), some flagged bad."""
    every = np.linspace(400.0, 2500.0, n_bands)
    kept = np.ones(n_bands, dtype=bool)
    for first, last in left_out:
        kept[first : last + 1] = False
    wavelength = every[kept]
    good = np.ones(len(wavelength), dtype=bool)
    for low, high in WATER_VAPOUR_WINDOWS if windows else ():
        good &= (wavelength < low) | (wavelength > high)
    return Sensor(wavelength=wavelength, fwhm=np.full(len(wavelength), every[1] - every[0]), good_band=good)


def _materials(names: tuple[str, ...], sensor: Sensor) -> Float[np.ndarray, "endmember band"]:
    return np.stack([material(name, sensor.wavelength) for name in names])


def _dirichlet(concentration: float, n_endmembers: int) -> dict[str, Any]:
    return {
        "law": "Dirichlet",
        "concentration": [concentration] * n_endmembers,
        "neighbours": "smooth over the ground; the law is that of one pixel",
    }


def _dc1(sensor: Sensor, rows: int, columns: int, rng: np.random.Generator) -> tuple[Ground, dict[str, Any]]:
    names = ("vegetation", "dry grass", "limestone")
    ground = Ground(
        endmembers=names,
        abundances=dirichlet_fields(rows, columns, np.ones(3), 1.5, rng),
        abundance_law=_dirichlet(1.0, 3),
        spectra=FixedSpectra(_materials(names, sensor)),
        mixing=Mixing(name="Fan", equation="y = sum_k a_k m_k + sum_{j<k} a_j a_k m_j m_k", function=fan),
    )
    return ground, {}


def _dc2(sensor: Sensor, rows: int, columns: int, rng: np.random.Generator) -> tuple[Ground, dict[str, Any]]:
    leaves, source = leaf_library(sensor)
    ground = Ground(
        endmembers=("vegetation", "soil", "water"),
        abundances=dirichlet_fields(rows, columns, np.full(3, 0.5), 2.0, rng),
        abundance_law=_dirichlet(0.5, 3),
        spectra=LibrarySpectra.drawn([leaves, soil_library(sensor), water_library(sensor)], rows * columns, rng),
    )
    return ground, {"leaf_optics": source}


def _intimate(sensor: Sensor, rows: int, columns: int, rng: np.random.Generator) -> tuple[Ground, dict[str, Any]]:
    names = ("basalt", "gypsum", "hematite")
    ground = Ground(
        endmembers=names,
        abundances=dirichlet_fields(rows, columns, np.ones(3), 1.5, rng),
        abundance_law=_dirichlet(1.0, 3),
        spectra=FixedSpectra(_materials(names, sensor)),
        mixing=Mixing(
            name="intimate (Hapke)",
            equation="y = rho(sum_k a_k rho^-1(m_k)), "
            "rho(w) = w / ((1 + 2 g cos incidence_deg) (1 + 2 g cos viewing_deg)), g = sqrt(1 - w)",
            function=intimate,
            constants={"incidence_deg": 30.0, "viewing_deg": 0.0},
        ),
    )
    return ground, {}


def _no_pure_pixels(sensor: Sensor, rows: int, columns: int, rng: np.random.Generator) -> tuple[Ground, dict[str, Any]]:
    names, largest = ("vegetation", "soil", "limestone"), 0.8

    def draw() -> Float[np.ndarray, "y x endmember"]:
        return dirichlet_fields(rows, columns, np.ones(3), 1.5, rng)

    ground = Ground(
        endmembers=names,
        abundances=without_pure_pixels(draw, largest),
        abundance_law={
            **_dirichlet(1.0, 3),
            "law": "Dirichlet, given that none exceeds the largest",
            "largest": largest,
        },
        spectra=FixedSpectra(_materials(names, sensor)),
    )
    return ground, {}


def _mixed(sensor: Sensor, rows: int, columns: int, rng: np.random.Generator) -> tuple[Ground, dict[str, Any]]:
    leaves, source = leaf_library(sensor)
    libraries = [
        leaves,
        soil_library(sensor, highest_deg=60.0),
        material("limestone", sensor.wavelength)[None],
        water_library(sensor, highest_deg=60.0),
    ]
    concentration, brightness_sd = 0.7, 0.12
    abundances = sparse(dirichlet_fields(rows, columns, np.full(4, concentration), 4.0, rng), 3, 6.0, rng)
    gammas = [ndtr(gaussian_field(rows, columns, 6.0, rng)).ravel() for _ in range(6)]
    ground = Ground(
        endmembers=("vegetation", "soil", "limestone", "water"),
        abundances=abundances,
        abundance_law={
            **_dirichlet(concentration, 4),
            "law": "Dirichlet over three of the four endmembers, each set of three as likely",
        },
        spectra=SmoothSpectra.drawn(
            LibrarySpectra.drawn(libraries, rows * columns, rng), sensor.wavelength, rows, columns, 0.04, 5.0, rng
        ),
        mixing=Mixing(
            name="generalised bilinear",
            equation="y = sum_k a_k m_k + sum_{j<k} gammas_jk a_j a_k m_j m_k",
            function=generalised_bilinear,
            parameters={"gammas": np.stack(gammas, axis=1)},
            prior="gammas uniform from 0 to 1, smooth over the ground; pairs (0,1), (0,2), ..., (2,3)",
        ),
        brightness=brightness_field(rows, columns, brightness_sd, 3.0, rng),
        brightness_law={
            "law": "log-normal",
            "equation": "log b = sd f - sd^2 / 2, f standard normal",
            "sd": brightness_sd,
        },
    )
    return ground, {"leaf_optics": source}


AVIRIS_LEFT_OUT = ((0, 2), (107, 111), (153, 165), (219, 223))
"""Bands of 224 (0-based) that are left out for water vapour and weak light, as is customary for Jasper Ridge."""

PRESETS = {
    "dc1": Preset(
        summary="like DC1 of the ID-Net paper: three materials, bilinear mixing, no variability",
        sensor=lambda: _sensor(224),
        ground=_dc1,
        noise=Noise(snr_db=30.0),
        rows=50,
        columns=50,
    ),
    "dc2": Preset(
        summary="like DC2 of the ID-Net paper: leaves, soil and water, each with another spectrum in every pixel",
        sensor=lambda: _sensor(224, left_out=AVIRIS_LEFT_OUT),
        ground=_dc2,
        noise=Noise(snr_db=30.0),
        rows=50,
        columns=50,
    ),
    "intimate": Preset(
        summary="three minerals, a dark one among them, mixed grain by grain",
        sensor=lambda: _sensor(180),
        ground=_intimate,
        noise=Noise(snr_db=30.0),
        rows=60,
        columns=80,
    ),
    "no_pure_pixels": Preset(
        summary="three materials, linear mixing, no abundance above 0.8",
        sensor=lambda: _sensor(180),
        ground=_no_pure_pixels,
        noise=Noise(snr_db=30.0),
        rows=60,
        columns=80,
    ),
    "mixed": Preset(
        summary="everything at once: varying spectra, brightness, bilinear mixing, uneven noise, stripes, spikes",
        sensor=lambda: _sensor(180, windows=True),
        ground=_mixed,
        noise=Noise(
            snr_db=30.0,
            edge_rise=1.0,
            stripe_share=0.05,
            stripe_sd=2.0,
            spike_share=1e-4,
            spike_height=0.3,
            dead_bands=(40, 97),
        ),
        rows=60,
        columns=80,
    ),
}
"""The named scenes."""
