"""Sensor noise of a stated signal-to-noise ratio: random, striped, spiked; and bands that are dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from unmixel.errors import ParameterError


def noise_sd_for(pixels: Float[np.ndarray, "pixel band"], snr_db: float) -> float:
    r"""Compute the standard deviation of white noise from the signal-to-noise power ratio.

    .. math:: \sigma = \sqrt{\operatorname{mean}(y^2) \; 10^{-\mathrm{SNR} / 10}}

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` without noise [1].
    snr_db : float
        Ratio of the mean power of signal and noise [dB].

    Returns
    -------
    float
        Standard deviation [reflectance], the same in every pixel and band.

    Examples
    --------
    >>> print(f"{noise_sd_for(np.full((4, 3), 0.5), 20.0):.3f}")
    0.050
    """
    return float(np.sqrt(np.mean(pixels**2) * 10 ** (-snr_db / 10)))


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a sensor adds to the light, and what it loses.

    Parameters
    ----------
    snr_db : float
        Ratio of the mean power of the signal and of the random noise over the good bands [dB].
    edge_rise : float
        Logarithm of how much larger the noise is at the ends of the spectrum than in its middle [1]; 0 is white.
    stripe_share : float
        Share of the columns, in every band another draw, that are offset along the whole scene [1].
    stripe_sd : float
        Standard deviation of these offsets, in those of the band's noise [1].
    spike_share : float
        Share of all values that are hit by a spike [1].
    spike_height : float
        Height of the spikes [reflectance].
    dead_bands : tuple of int
        Bands (0-based) that measure nothing: 0 everywhere.
    """

    snr_db: float = 30.0
    edge_rise: float = 0.0
    stripe_share: float = 0.0
    stripe_sd: float = 0.0
    spike_share: float = 0.0
    spike_height: float = 0.0
    dead_bands: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NoiseDraw:
    """What was added to a scene.

    Parameters
    ----------
    sd : array, shape (band,)
        Standard deviation of the random noise [reflectance].
    stripes : array, shape (x, band)
        Offset of every column [reflectance].
    spikes : array of int, shape (y, x)
        Bands of the pixel that a spike hit.
    """

    sd: Float[np.ndarray, "band"]
    stripes: Float[np.ndarray, "x band"]
    spikes: Int[np.ndarray, "y x"]


def band_noise_sd(n_bands: int, total_sd: float, edge_rise: float) -> Float[np.ndarray, "band"]:
    r"""Compute the standard deviation of noise that is larger at the ends of the spectrum.

    .. math:: \sigma_l = c \, e^{r t_l^2}, \qquad \operatorname{mean}_l(\sigma_l^2) = \sigma^2

    Parameters
    ----------
    n_bands : int
        Number of bands; :math:`t_l` goes from -1 to 1 over them.
    total_sd : float
        Root mean square :math:`\sigma` over the bands [reflectance].
    edge_rise : float
        Exponent :math:`r` [1].

    Returns
    -------
    array, shape (band,)
        Standard deviation :math:`\sigma_l` [reflectance].

    Examples
    --------
    >>> band_noise_sd(3, 0.01, np.log(2.0)).round(4)
    array([0.0115, 0.0058, 0.0115])
    """
    profile = np.exp(edge_rise * np.linspace(-1.0, 1.0, n_bands) ** 2)
    return total_sd * profile / np.sqrt(np.mean(profile**2))


def add_noise(
    values: Float[np.ndarray, "y x band"],
    good_band: Bool[np.ndarray, "band"],
    noise: Noise,
    rng: np.random.Generator,
) -> NoiseDraw:
    """Add noise to a scene, in place, row by row.

    Parameters
    ----------
    values : array, shape (y, x, band)
        Reflectance without noise [1]; becomes the measured one.
    good_band : array of bool, shape (band,)
        Bands over which the signal-to-noise ratio counts; dead bands never do.
    noise : Noise
        What to add.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    NoiseDraw
        What was added.

    Raises
    ------
    ParameterError
        If a share is not from 0 to 1, a dead band is none of the bands, all bands are dead, or the
        signal-to-noise ratio is not finite.

    Examples
    --------
    >>> values = np.full((20, 30, 4), 0.5)
    >>> drawn = add_noise(values, np.ones(4, dtype=bool), Noise(snr_db=20.0, dead_bands=(2,)), np.random.default_rng(0))
    >>> values[..., 2].any(), drawn.sd.round(3)
    (np.False_, array([0.05, 0.05, 0.  , 0.05]))
    """
    rows, columns, n_bands = values.shape
    alive = living_bands(noise, n_bands)
    counted = alive & good_band
    if not counted.any():
        raise ParameterError(f"{n_bands} bands, all of them dead or left out", "at least one that measures")
    power = np.mean([np.mean(line[:, counted].astype(np.float64) ** 2) for line in values])
    total = float(np.sqrt(power * 10 ** (-noise.snr_db / 10)))
    profile = band_noise_sd(n_bands, 1.0, noise.edge_rise)
    sd = total * profile / np.sqrt(np.mean(profile[counted] ** 2)) * alive
    striped = rng.random((columns, n_bands)) < noise.stripe_share
    stripes = striped * noise.stripe_sd * sd * rng.standard_normal((columns, n_bands))
    spikes = np.zeros((rows, columns), dtype=np.int64)
    for row in range(rows):
        hit = (rng.random((columns, n_bands)) < noise.spike_share) & alive
        values[row] += sd * rng.standard_normal((columns, n_bands)) + stripes + noise.spike_height * hit
        spikes[row] = hit.sum(axis=1)
    values[:, :, ~alive] = 0.0
    return NoiseDraw(sd=sd, stripes=stripes, spikes=spikes)


def living_bands(noise: Noise, n_bands: int) -> Bool[np.ndarray, "band"]:
    """Return which bands measure anything.

    Raises
    ------
    ParameterError
        As `add_noise`.
    """
    if not np.isfinite(noise.snr_db):
        raise ParameterError(f"a signal-to-noise ratio of {noise.snr_db} dB", "a finite number")
    for name in ("stripe_share", "spike_share"):
        if not 0 <= getattr(noise, name) <= 1:
            raise ParameterError(f"{name} = {getattr(noise, name):g}", "0 to 1")
    alive = np.ones(n_bands, dtype=bool)
    for band in noise.dead_bands:
        if not 0 <= band < n_bands:
            raise ParameterError(f"the dead band {band}", f"0 to {n_bands - 1}")
        alive[band] = False
    return alive
