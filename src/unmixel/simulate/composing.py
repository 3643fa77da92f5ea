"""A scene and its exact truth from any abundances, spectra, mixing law, brightness and noise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from unmixel.errors import ParameterError
from unmixel.mixing.linear import linear
from unmixel.result import make_result
from unmixel.scene import CHUNK, make_scene
from unmixel.simulate.noise import Noise, NoiseDraw, add_noise, living_bands
from unmixel.simulate.pixel_spectra import PixelSpectra
from unmixel.simulate.scene import Sensor

MOST_ENDMEMBER_VALUES = 50_000_000
"""Above this many values (0.2 GB), the spectra of every pixel are left out of the truth."""


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """A mixing law with the parameters it has in every pixel.

    Parameters
    ----------
    name : str
        Name of the law.
    equation : str
        The law, in the words of the truth's variables.
    function : callable
        Of abundances (pixel, endmember), spectra (pixel, endmember, band), and the constants and parameters by name;
        gives the mixture (pixel, band).
    constants : mapping of str to float
        Numbers that are the same in every pixel.
    parameters : mapping of str to array, shape (pixel, ...)
        Parameters of every pixel [1].
    prior : str
        The law the parameters were drawn from.
    """

    name: str
    equation: str
    function: Callable[..., Float[np.ndarray, "pixel band"]]
    constants: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    prior: str = "none"


LINEAR = Mixing(name="linear", equation="y = sum_k a_k m_k", function=linear)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What lies on the ground and how it mixes.

    Parameters
    ----------
    endmembers : tuple of str
        Names.
    abundances : array, shape (y, x, endmember)
        Area fractions [1].
    abundance_law : mapping
        The law they were drawn from.
    spectra : PixelSpectra
        Spectra of the endmembers in every pixel.
    mixing : Mixing
        How they mix.
    brightness : array, shape (y, x), optional
        Factor on the mixture [1].
    brightness_law : mapping
        The law it was drawn from.
    """

    endmembers: tuple[str, ...]
    abundances: Float[np.ndarray, "y x endmember"]
    abundance_law: Mapping[str, Any]
    spectra: PixelSpectra
    mixing: Mixing = LINEAR
    brightness: Float[np.ndarray, "y x"] | None = None
    brightness_law: Mapping[str, Any] = field(default_factory=lambda: {"law": "none"})


def compose(
    ground: Ground,
    sensor: Sensor,
    noise: Noise,
    *,
    rng: np.random.Generator,
    provenance: Mapping[str, Any],
    reading: tuple[str, ...] = (),
) -> tuple[xr.DataArray, xr.Dataset]:
    r"""Make a scene from its parts, and its truth.

    .. math:: y = b \, f(a, m_1, \ldots, m_P) + \varepsilon

    where, in every pixel, :math:`a` are the abundances (1), :math:`m_k` the spectra of the endmembers
    (reflectance), :math:`f` the mixing law, :math:`b` the brightness (1) and :math:`\varepsilon` noise.

    Parameters
    ----------
    ground : Ground
        What is there.
    sensor : Sensor
        The bands.
    noise : Noise
        What the sensor adds.
    rng : numpy.random.Generator
        Source of the noise.
    provenance : mapping
        What made the scene; goes to the truth.
    reading : tuple of str
        Notes for the scene.

    Returns
    -------
    scene : DataArray
        See `unmixel.scene`.
    truth : Dataset
        A result (see `unmixel.result`) with ``abundance``, ``endmember_spectrum`` and its ``_sd`` (over the scene,
        weighted by abundance), ``nonlinearity_degree`` of the mixing, and besides ``endmembers`` (the spectra of every
        pixel; left out above `MOST_ENDMEMBER_VALUES`, with a note in ``attrs["note"]``), ``noise_sd`` (band), what
        the laws need and what was drawn from them. ``attrs["laws"]`` holds the laws as JSON, see `laws_of`.

    Raises
    ------
    ParameterError
        If the parts have different sizes, or the noise is impossible.

    Examples
    --------
    >>> from unmixel.simulate.pixel_spectra import FixedSpectra
    >>> rng = np.random.default_rng(0)
    >>> wavelength = np.linspace(400.0, 900.0, 6)
    >>> sensor = Sensor(wavelength=wavelength, fwhm=np.full(6, 90.0), good_band=np.ones(6, dtype=bool))
    >>> ground = Ground(
    ...     endmembers=("dark", "bright"),
    ...     abundances=rng.dirichlet([1.0, 1.0], (4, 5)),
    ...     abundance_law={"law": "Dirichlet", "concentration": [1.0, 1.0]},
    ...     spectra=FixedSpectra(np.linspace([0.1, 0.5], [0.2, 0.4], 6).T),
    ... )
    >>> scene, truth = compose(ground, sensor, Noise(snr_db=40.0), rng=rng, provenance={"seed": 0})
    >>> dict(truth.endmembers.sizes), laws_of(truth)["mixing"]["law"]
    ({'y': 4, 'x': 5, 'endmember': 2, 'band': 6}, 'linear')
    """
    rows, columns, n_endmembers = ground.abundances.shape
    shape = (rows, columns, len(sensor.wavelength))
    expected = (len(ground.endmembers), shape[2])
    if ground.spectra.at(0, 1).shape[1:] != expected or n_endmembers != expected[0]:
        raise ParameterError(
            f"{n_endmembers} abundances and spectra of shape {ground.spectra.at(0, 1).shape[1:]}",
            f"{expected[0]} endmembers, {expected[1]} bands",
        )
    values = np.empty(shape, dtype=np.float32)
    good = sensor.good_band & living_bands(noise, shape[2])
    statistics = _mix(ground, values.reshape(-1, shape[2]), good)
    drawn = add_noise(values, sensor.good_band, noise, rng)
    scene = make_scene(
        values, wavelength=sensor.wavelength, fwhm=sensor.fwhm, good_band=sensor.good_band, reading=reading
    )
    truth = _truth(scene, ground, statistics, drawn, provenance)
    laws = {
        "abundance": dict(ground.abundance_law),
        "variability": ground.spectra.law(),
        "mixing": {
            "law": ground.mixing.name,
            "equation": ground.mixing.equation,
            "constants": dict(ground.mixing.constants),
            "prior": ground.mixing.prior,
        },
        "brightness": dict(ground.brightness_law),
        "noise": {"law": "normal, independent in pixels and bands, sd noise_sd", **asdict(noise)},
        "scene": "brightness times the mixture, plus noise",
    }
    truth.attrs.update(
        truth_kind="exact",
        convention="physical",
        truth="simulated",
        laws=json.dumps(laws, sort_keys=True),
        snr_db=float(noise.snr_db),
        noise_sd=float(np.sqrt(np.mean(drawn.sd[good] ** 2))),
    )
    return scene, truth


def laws_of(truth: xr.Dataset) -> dict[str, Any]:
    """Return the laws a simulated scene was drawn from, by the part they rule.

    Their variables are those of the truth: ``library_spectrum``, ``variability_mode``, ``noise_sd`` and so on.
    """
    return json.loads(truth.attrs["laws"])


@dataclass(frozen=True, kw_only=True)
class _Statistics:
    mean: Float[np.ndarray, "endmember band"]
    sd: Float[np.ndarray, "endmember band"]
    nonlinearity: Float[np.ndarray, "pixel"]


def _chunks(n_pixels: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + CHUNK, n_pixels)) for first in range(0, n_pixels, CHUNK))


def _mix(ground: Ground, pixels: Float[np.ndarray, "pixel band"], good: Bool[np.ndarray, "band"]) -> _Statistics:
    """Fill in the pixels without noise; return the moments of the spectra, and how nonlinear the mixing was."""
    abundances = ground.abundances.reshape(len(pixels), -1)
    weights = abundances + np.finfo(float).eps  # of an endmember that is nowhere, all pixels count alike
    total = weights.sum(axis=0)[:, None]
    nonlinearity = np.empty(len(pixels))
    centre = ground.spectra.at(0, 1)[0]
    first_moment, second_moment = np.zeros_like(centre), np.zeros_like(centre)
    for first, last in _chunks(len(pixels)):
        spectra, shares = ground.spectra.at(first, last), abundances[first:last]
        parameters = {name: value[first:last] for name, value in ground.mixing.parameters.items()}
        mixed = ground.mixing.function(shares, spectra, **ground.mixing.constants, **parameters)
        single = linear(shares, spectra)
        excess = np.linalg.norm((mixed - single)[:, good], axis=1)
        nonlinearity[first:last] = excess / (excess + np.linalg.norm(single[:, good], axis=1))
        if ground.brightness is not None:
            mixed = mixed * ground.brightness.reshape(-1, 1)[first:last]
        pixels[first:last] = mixed
        first_moment += np.einsum("nk,nkl->kl", weights[first:last], spectra - centre)
        second_moment += np.einsum("nk,nkl->kl", weights[first:last], (spectra - centre) ** 2)
    mean = first_moment / total
    return _Statistics(
        mean=centre + mean,
        sd=np.sqrt(np.maximum(second_moment / total - mean**2, 0.0)),
        nonlinearity=nonlinearity,
    )


def _truth(
    scene: xr.DataArray, ground: Ground, statistics: _Statistics, drawn: NoiseDraw, provenance: Mapping[str, Any]
) -> xr.Dataset:
    """Put what the scene was made of into the schema of a result."""
    rows, columns, n_bands = scene.shape
    good = scene["good_band"].values
    degree = np.full((rows, columns, 2), np.nan, dtype=np.float32)
    degree[:, :, 0] = statistics.nonlinearity.reshape(rows, columns)
    truth = make_result(
        scene,
        endmember=ground.endmembers,
        maps={"abundance": ground.abundances.astype(np.float32), "nonlinearity_degree": degree},
        spectra={
            "endmember_spectrum": statistics.mean[:, good],
            "endmember_spectrum_sd": statistics.sd[:, good],
        },
        provenance={"method": "simulation", **provenance},
    )
    brightness = np.ones((rows, columns)) if ground.brightness is None else ground.brightness
    more: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "brightness": (("y", "x"), brightness),
        "noise_sd": (("band",), drawn.sd),
        **ground.spectra.variables(rows, columns),
    }
    for name, values in ground.mixing.parameters.items():
        dims = ("y", "x", *([f"{name}_index"] * (values.ndim - 1)))
        more[name] = (dims, values.reshape(rows, columns, *values.shape[1:]))
    if drawn.stripes.any():
        more["stripe"] = (("x", "band"), drawn.stripes)
    if drawn.spikes.any():
        more["spikes"] = (("y", "x"), drawn.spikes)
    n_values = rows * columns * len(ground.endmembers) * n_bands
    if n_values <= MOST_ENDMEMBER_VALUES:
        more["endmembers"] = (("y", "x", "endmember", "band"), _spectra_of_pixels(ground, (rows, columns), good))
    else:
        truth.attrs["note"] = f"the spectra of every pixel are left out: {n_values} values"
    for name, (dims, values) in more.items():
        grid = {"grid_mapping": "spatial_ref"} if dims[:2] == ("y", "x") else {}
        unit = "reflectance" if name in REFLECTANCES else "1"
        truth[name] = (dims, values, {"units": unit, **grid})
    return truth


REFLECTANCES = ("noise_sd", "stripe", "endmembers", "base_spectrum", "library_spectrum")


def _spectra_of_pixels(
    ground: Ground, size: tuple[int, int], good: np.ndarray
) -> Float[np.ndarray, "y x endmember band"]:
    n_pixels = size[0] * size[1]
    spectra = np.empty((n_pixels, len(ground.endmembers), len(good)), dtype=np.float32)
    for first, last in _chunks(n_pixels):
        spectra[first:last] = ground.spectra.at(first, last)
    spectra[:, :, ~good] = np.nan
    return spectra.reshape(*size, *spectra.shape[1:])
