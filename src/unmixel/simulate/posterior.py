"""What nobody can know better: the posterior of the abundances under the law that a scene was simulated by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from unmixel.errors import ParameterError
from unmixel.mixing import fan, intimate, linear
from unmixel.result import make_result
from unmixel.scene import good_bands, pixels_of, to_maps
from unmixel.simulate.composing import laws_of
from unmixel.simulate.pixel_laws import FixedLaw, NormalClassesLaw, PixelLaw
from unmixel.simulate.simplex_grid import abundances_at, log_dirichlet_at, triangle_centres
from unmixel.simulate.true_bundles import class_spectra

N_ENDMEMBERS = 3
MIXING: dict[str, Callable[..., np.ndarray]] = {"linear": linear, "Fan": fan, "intimate (Hapke)": intimate}
COARSE_STEPS = 75
"""Steps of the grid over all abundances that finds where the posterior of a pixel is."""
LATTICE = (610, 377)
"""Nodes of the lattice around it, and its generator: two Fibonacci numbers. No two nodes share a coordinate."""
MOST_ROUNDS = 8
FEWEST_NODES = 5.0
"""Effective number of nodes that a posterior is made of, at least."""
SETTLED = 0.05
"""Change of mean and standard deviation between grids, over the standard deviation, that is small enough."""
REACH = 4.5
"""Standard deviations around its mean that the lattice covers."""
UNSURE = 0.1
"""Share of the squared distance of nodes that is added to the variance of what the next lattice covers."""
BLOCK = 32
QUANTILES = (0.025, 0.05, 0.25, 0.75, 0.95, 0.975)


def exact_posterior(scene: xr.DataArray, truth: xr.Dataset, *, quantile: Sequence[float] = QUANTILES) -> xr.Dataset:
    r"""Compute the posterior of the abundances of every pixel under the law that the scene was simulated by.

    .. math:: p(a \mid y) \propto p(a) \, p(y \mid a)

    by quadrature over three abundances, on a lattice around the posterior of each pixel that is laid out anew until
    its moments settle (to 5 % of its standard deviation). Endmember spectra, mixing law, noise and the law of one
    pixel's abundances are known; neighbours are not looked at. No estimate that knows as much has a smaller root mean
    square error in expectation than the mean.

    Where each class has a library, it is taken as normal with the library's mean and covariance, and directions in
    which the classes vary by less than a third of the noise are left out. Then the posterior is not exact, and its
    mean no bound.

    Parameters
    ----------
    scene : DataArray
        A scene of `simulate_preset` or `compose`.
    truth : Dataset
        Its truth.
    quantile : sequence of float
        Levels of the quantiles, 0 to 1.

    Returns
    -------
    Dataset
        A result (see `unmixel.result`) with ``abundance`` and ``abundance_sd``, and besides ``abundance_quantile``
        (quantile, y, x, endmember) [1]. ``attrs["unsettled"]`` is the share of pixels that the finest grid was too
        coarse for.

    Raises
    ------
    ParameterError
        If the truth says no laws, or laws that this does not know: other than three endmembers, Dirichlet abundances,
        fixed spectra (or libraries, mixed linearly), a mixing law without random parameters, or random noise alone.

    References
    ----------
    Dobigeon, Moussaoui, Coulon, Tourneret, Hero, *Joint Bayesian endmember extraction and linear unmixing for
    hyperspectral imagery*, IEEE Trans. Signal Processing 57(11), 2009 (the model). doi:10.1109/TSP.2009.2025797

    Examples
    --------
    >>> from unmixel.simulate.presets import simulate_preset
    >>> scene, truth = simulate_preset("dc1", rows=6, columns=8, snr_db=20.0, seed=1)
    >>> posterior = exact_posterior(scene, truth)
    >>> off = (posterior.abundance - truth.abundance) / posterior.abundance_sd
    >>> bool(0.7 < float((off**2).mean()) < 1.3)
    True
    """
    levels = np.asarray(quantile, dtype=float)
    if not ((levels > 0) & (levels < 1)).all():
        raise ParameterError(f"quantile = {tuple(quantile)}", "levels between 0 and 1")
    _check_laws(truth)
    good = good_bands(scene)
    law, prior = _pixel_law(truth, good), _prior_of(truth)
    pixels = law.of_pixels(pixels_of(scene).astype(float) / truth["noise_sd"].values[good])
    blocks = [pixels[first : first + BLOCK] for first in range(0, len(pixels), BLOCK)]
    moments = _Moments.joined([_integrate(block, law, prior, levels) for block in blocks])
    values = {
        "abundance": moments.mean,
        "abundance_sd": moments.sd,
        **{f"quantile {i}": moments.quantile[:, i] for i in range(len(levels))},
    }
    maps = to_maps(scene, values)
    quantiles = [maps.pop(f"quantile {i}") for i in range(len(levels))]
    posterior = make_result(
        scene,
        endmember=truth["endmember"].values.astype(str).tolist(),
        maps=maps,
        spectra={},
        quantile=levels.tolist(),
        provenance={"method": "posterior under the law of the simulation"},
    )
    posterior["abundance_quantile"] = (("quantile", "y", "x", "endmember"), np.stack(quantiles), {"units": "1"})
    posterior.attrs["unsettled"] = float(np.mean(~moments.settled))
    return posterior


@dataclass(frozen=True)
class _Prior:
    concentration: Float[np.ndarray, "endmember"]
    largest: float

    def log_density(self, place: Float[np.ndarray, "*node 3"]) -> Float[np.ndarray, "*node"]:
        """Return the logarithm of the density over the triangle, see `log_dirichlet_at`; 0 is the density outside."""
        inside = np.asarray((place > 0).all(axis=-1))
        allowed = inside & (abundances_at(place).max(axis=-1) <= self.largest)
        logarithm = log_dirichlet_at(np.where(inside[..., None], place, 1.0), self.concentration)
        return np.where(allowed, logarithm, -np.inf)


@dataclass(frozen=True)
class _Moments:
    mean: Float[np.ndarray, "pixel endmember"]
    sd: Float[np.ndarray, "pixel endmember"]
    quantile: Float[np.ndarray, "pixel quantile endmember"]
    settled: Bool[np.ndarray, "pixel"]

    @classmethod
    def joined(cls, parts: list[_Moments]) -> _Moments:
        """Return the moments of all pixels."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def _check_laws(truth: xr.Dataset) -> None:
    if "laws" not in truth.attrs:
        raise ParameterError("a truth without its laws", "one of simulate_preset or compose")
    if truth.sizes["endmember"] != N_ENDMEMBERS:
        raise ParameterError(f"a posterior for {truth.sizes['endmember']} endmembers", f"{N_ENDMEMBERS}")
    laws = laws_of(truth)
    known = {
        "abundance": laws["abundance"]["law"] in ("Dirichlet", "Dirichlet, given that none exceeds the largest"),
        "variability": laws["variability"]["law"] == "fixed"
        or (laws["variability"]["law"] == "library" and laws["mixing"]["law"] == "linear"),
        "mixing": laws["mixing"]["law"] in MIXING,
        "brightness": laws["brightness"]["law"] == "none",
        "noise": laws["noise"]["stripe_share"] == 0 and laws["noise"]["spike_share"] == 0,
    }
    unknown = [f"{part} ({laws[part]['law']})" for part, is_known in known.items() if not is_known]
    if unknown:
        raise ParameterError(
            f"a posterior under the law of the {', '.join(unknown)}",
            "Dirichlet abundances, fixed spectra or libraries mixed linearly, and random noise",
        )


def _prior_of(truth: xr.Dataset) -> _Prior:
    law = laws_of(truth)["abundance"]
    return _Prior(np.array(law["concentration"], dtype=float), float(law.get("largest", 1.0)))


def _pixel_law(truth: xr.Dataset, good: Bool[np.ndarray, "band"]) -> PixelLaw:
    laws = laws_of(truth)
    sd = truth["noise_sd"].values[good]
    spectra = [class_spectra(truth, laws["variability"], k)[:, good].astype(float) for k in range(N_ENDMEMBERS)]
    if laws["variability"]["law"] == "library":
        return NormalClassesLaw([members / sd for members in spectra])
    mix = partial(MIXING[laws["mixing"]["law"]], endmembers=np.concatenate(spectra), **laws["mixing"]["constants"])
    return FixedLaw(lambda abundances: mix(abundances) / sd)


def _integrate(
    pixels: Float[np.ndarray, "pixel feature"], law: PixelLaw, prior: _Prior, levels: Float[np.ndarray, "quantile"]
) -> _Moments:
    """Lay a lattice around the posterior of every pixel until it settles."""
    coarse = triangle_centres(COARSE_STEPS)
    weights = _weights(pixels @ law.of_abundances(abundances_at(coarse)).T + prior.log_density(coarse))
    centre, covariance = _centre_and_covariance(weights, coarse[None, :, :2])
    between = np.zeros_like(covariance) + np.eye(2) / COARSE_STEPS**2
    mean, sd = _mean_and_sd(weights, abundances_at(coarse)[None])
    quantile = np.empty((len(pixels), len(levels), N_ENDMEMBERS))
    settled = np.zeros(len(pixels), dtype=bool)
    for _ in range(MOST_ROUNDS):
        at = np.flatnonzero(~settled)
        covered = covariance[at] + UNSURE * between[at]
        place = _lattice_around(centre[at], covered)
        between[at] = covered * (2 * REACH) ** 2 / place.shape[1]
        abundances = abundances_at(place)
        psi = law.of_abundances(abundances.reshape(-1, N_ENDMEMBERS)).reshape(*place.shape[:2], -1)
        weights = _weights(np.einsum("nf,nmf->nm", pixels[at], psi) + prior.log_density(place))
        centre[at], covariance[at] = _centre_and_covariance(weights, place[:, :, :2])
        new_mean, new_sd = _mean_and_sd(weights, abundances)
        change = np.maximum(np.abs(new_mean - mean[at]), np.abs(new_sd - sd[at]))
        mean[at], sd[at] = new_mean, new_sd
        quantile[at] = _quantiles(weights, abundances, levels)
        settled[at] = (change <= SETTLED * new_sd).all(axis=1) & (1 / (weights**2).sum(axis=1) >= FEWEST_NODES)
        if settled.all():
            break
    return _Moments(mean, sd, quantile, settled)


def _lattice_around(
    centre: Float[np.ndarray, "pixel 2"], covariance: Float[np.ndarray, "pixel 2 2"]
) -> Float[np.ndarray, "pixel node 3"]:
    """Return a lattice of places that covers some standard deviations in every direction, also off the triangle."""
    n_nodes, generator = LATTICE
    number = np.arange(n_nodes)
    unit = (np.stack([number, number * generator % n_nodes], axis=1) + 0.5) / n_nodes
    root = np.linalg.cholesky(covariance)
    pair = centre[:, None] + np.einsum("nij,mj->nmi", root, REACH * (2 * unit - 1))
    return np.concatenate([pair, 1 - pair.sum(axis=2, keepdims=True)], axis=2)


def _centre_and_covariance(
    weights: Float[np.ndarray, "pixel node"], pair: Float[np.ndarray, "#pixel node 2"]
) -> tuple[Float[np.ndarray, "pixel 2"], Float[np.ndarray, "pixel 2 2"]]:
    centre = np.einsum("nm,nmi->ni", weights, np.broadcast_to(pair, (len(weights), *pair.shape[1:])))
    off = pair - centre[:, None]
    return centre, np.einsum("nm,nmi,nmj->nij", weights, off, off, optimize=True)


def _weights(logarithm: Float[np.ndarray, "pixel node"]) -> Float[np.ndarray, "pixel node"]:
    weights = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _mean_and_sd(
    weights: Float[np.ndarray, "pixel node"], values: Float[np.ndarray, "#pixel node 3"]
) -> tuple[Float[np.ndarray, "pixel 3"], Float[np.ndarray, "pixel 3"]]:
    mean = np.einsum("nm,nmk->nk", weights, np.broadcast_to(values, (*weights.shape, values.shape[2])))
    variance = np.einsum("nm,nmk->nk", weights, (values - mean[:, None]) ** 2)
    return mean, np.sqrt(variance)


def _quantiles(
    weights: Float[np.ndarray, "pixel node"],
    abundances: Float[np.ndarray, "pixel node 3"],
    levels: Float[np.ndarray, "quantile"],
) -> Float[np.ndarray, "pixel quantile 3"]:
    order = np.argsort(abundances, axis=1)
    values = np.take_along_axis(abundances, order, axis=1)
    shares = np.take_along_axis(np.broadcast_to(weights[:, :, None], order.shape), order, axis=1)
    below = np.cumsum(shares, axis=1) - 0.5 * shares
    return np.stack(
        [
            np.stack([np.interp(levels, below[n, :, k], values[n, :, k]) for k in range(N_ENDMEMBERS)], axis=1)
            for n in range(len(weights))
        ]
    )
