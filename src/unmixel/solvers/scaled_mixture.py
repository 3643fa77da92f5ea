"""Scenes whose endmembers are scaled in every pixel, smoothly over the scene: abundances and scalings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unmixel.solvers.accelerated_rounds import Ended, State, accelerated_rounds
from unmixel.solvers.neighbouring_abundances import VariableMixture, improve_abundances
from unmixel.solvers.pixel_graph import PixelGraph
from unmixel.solvers.simplex_projection import project_to_simplex

CORNER = 1e-3
"""Difference of abundances [1] below which total variation is rounded off."""
MOST_ROUNDS, SETTLED = 1000, 1e-4
"""Rounds, and by how much one must lower the objective for each pixel [1]: in units of minus a log-probability."""
CG_STEPS, CG_TOLERANCE = 10, 1e-2
CONDITIONED = 5
"""Rounds after which the conditioner of the conjugate gradients is made anew."""


@dataclass(frozen=True, kw_only=True)
class Spreads:
    """How much things vary: the weights of the terms of the objective.

    Attributes
    ----------
    noise : float
        σ, standard deviation of the noise [reflectance].
    spectrum : float
        τ, that of what a spectrum differs in every band from its scaled reference [reflectance].
    abundance_step : float
        δ, scale of the difference of neighbours' abundances [1].
    scaling_step : array, shape (mode,)
        v, standard deviation of the difference of neighbours' scalings [1].
    scaling : array, shape (mode,)
        V, that of an endmember's own scalings around those of the reference [1].
    brightness : float
        U, that of what the endmembers of a pixel share of their first scalings [1].
    """

    noise: float
    spectrum: float
    abundance_step: float
    scaling_step: Float[np.ndarray, "mode"]
    scaling: Float[np.ndarray, "mode"]
    brightness: float


class ScaledMixture:
    r"""A scene of mixtures :math:`\sum_k a_k s_k`, with :math:`s_k` near a scaled reference spectrum.

    .. math:: s_k \approx m_k \odot \sum_j \psi_{kj} b_j

    With n over pixels, nn' over pairs of neighbours and :math:`M_n` the scaled references, the objective is

    .. math:: \frac{1}{2} \sum_n \min_{S_n} \Big( \frac{\|y_n - S_n^\top a_n\|^2}{\sigma^2}
              + \frac{\|S_n - M_n\|^2}{\tau^2} \Big) + \frac{1}{\delta} \sum_{nn'} \|a_n - a_{n'}\|
              + \frac{1}{2} \sum_{nn',j} \frac{\|\psi_{nj} - \psi_{n'j}\|^2}{v_j^2}
              + \frac{1}{2} \sum_{n,j} (\psi_{nj} - \psi_j^0)^\top C_j^{-1} (\psi_{nj} - \psi_j^0)

    over abundances on the simplex and scalings; :math:`\psi^0` is 1 for the first mode and 0 for others, C is
    :math:`V_j^2 I`, and for the first mode :math:`V_j^2 I + U^2 1 1^\top`. Scalings
    (conjugate gradients) and abundances (`improve_abundances`; total variation by majorisation) take turns, and
    the objective falls; extrapolation from round to round (`accelerated_rounds`) makes that fast.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance y.
    valid : array of bool, shape (y, x)
        Where they are.
    endmembers : array, shape (endmember, band)
        References m [reflectance].
    modes : array, shape (mode, band)
        Functions b of wavelength [1]; the first is 1.
    spreads : Spreads
    """

    def __init__(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        valid: Bool[np.ndarray, "y x"],
        endmembers: Float[np.ndarray, "endmember band"],
        modes: Float[np.ndarray, "mode band"],
        spreads: Spreads,
    ) -> None:
        self._n_modes = len(modes)
        scaled = (endmembers[:, None].astype(np.float64) * modes).reshape(-1, pixels.shape[1])
        self._products = scaled @ scaled.T
        self._inner = pixels.astype(np.float64) @ scaled.T
        self._power = np.einsum("nl,nl->n", pixels, pixels, dtype=np.float64)
        self._graph = PixelGraph(valid)
        self._links = np.ones(len(self._graph.pairs))
        self._degree = self._graph.neighbour_sums(self._links, np.ones((len(pixels), 1)))
        self._spreads = spreads
        tiled = len(endmembers), 1
        self._reference = np.tile(np.eye(1, self._n_modes), tiled).ravel()
        self._of_step = np.tile(spreads.scaling_step**-2.0, tiled[0])
        self._of_scaling = np.diag(np.tile(spreads.scaling**-2.0, tiled[0]))
        shared = spreads.scaling[0] ** 2 * np.eye(tiled[0]) + spreads.brightness**2
        self._of_scaling[:: self._n_modes, :: self._n_modes] = np.linalg.inv(shared)

    def scaled_alike(self, brightness: Float[np.ndarray, "pixel"]) -> Float[np.ndarray, "pixel scaling"]:
        """Return the scalings of a brightness that all endmembers of a pixel share."""
        return brightness[:, None] * self._reference

    def improved(
        self,
        abundances: Float[np.ndarray, "pixel endmember"],
        scalings: Float[np.ndarray, "pixel scaling"],
        conditioner: Float[np.ndarray, "pixel scaling scaling"] | None = None,
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel scaling"]]:
        """Return abundances and scalings after one round, with the conditioner of similar abundances if given."""
        scalings = self._better_scalings(
            abundances, scalings, self.conditioner(abundances) if conditioner is None else conditioner
        )
        steps = np.sqrt((self._graph.differences(abundances) ** 2).sum(axis=1) + CORNER**2)
        weights = 1 / (self._spreads.abundance_step * steps)
        return improve_abundances(self._mixture(scalings), abundances, self._graph, weights), scalings

    def solve(
        self,
        abundances: Float[np.ndarray, "pixel endmember"],
        scalings: Float[np.ndarray, "pixel scaling"],
        told: Callable[[dict[str, float]], None] | None = None,
    ) -> Ended:
        """Return the abundances and scalings with the smallest objective that is found from given ones on.

        Parameters
        ----------
        abundances : array, shape (pixel, endmember)
        scalings : array, shape (pixel, endmember and mode)
        told : callable, optional
            Gets ``round`` and ``objective`` [1] after every round that lowers it.
        """
        conditioner, age = self.conditioner(abundances), 0

        def better(state: State) -> State:
            nonlocal conditioner, age
            if age == CONDITIONED:
                conditioner, age = self.conditioner(state[0]), 0
            age += 1
            shares, factors = state
            return self.improved(shares, factors, conditioner)

        return accelerated_rounds(
            better,
            lambda state: self.objective(*state),
            lambda state: (project_to_simplex(state[0]), state[1]),
            (abundances, scalings),
            tolerance=SETTLED * len(abundances),
            most=MOST_ROUNDS,
            told=told,
        )

    def objective(
        self, abundances: Float[np.ndarray, "pixel endmember"], scalings: Float[np.ndarray, "pixel scaling"]
    ) -> float:
        """Return the objective, total variation rounded off at `CORNER`."""
        variation = np.sqrt((self._graph.differences(abundances) ** 2).sum(axis=1) + CORNER**2).sum()
        steps = (self._graph.differences(scalings) ** 2 @ self._of_step).sum()
        off = scalings - self._reference
        away = np.vdot(off @ self._of_scaling, off)
        misfit = self._mixture(scalings).misfit(abundances).sum()
        return float(misfit + variation / self._spreads.abundance_step + (steps + away) / 2)

    def _mixture(self, scalings: Float[np.ndarray, "pixel scaling"]) -> VariableMixture:
        """Return the mixture of the scaled references."""
        n_pixels, n_scalings = scalings.shape
        n_endmembers = n_scalings // self._n_modes
        by_endmember = n_pixels, n_endmembers, self._n_modes
        inner = (scalings * self._inner).reshape(by_endmember).sum(axis=2)
        gram = np.empty((n_pixels, n_endmembers, n_endmembers))
        for k in range(n_endmembers):
            mine = slice(k * self._n_modes, (k + 1) * self._n_modes)
            products = scalings[:, mine] @ self._products[mine]
            gram[:, k] = (products * scalings).reshape(by_endmember).sum(axis=2)
        return VariableMixture(gram, inner, self._power, self._spreads.noise**2, self._spreads.spectrum**2)

    def conditioner(
        self, abundances: Float[np.ndarray, "pixel endmember"]
    ) -> Float[np.ndarray, "pixel scaling scaling"]:
        """Return the inverse of each pixel's part of the quadratic function of scalings."""
        shares, variance = self._parts(abundances)
        blocks = (shares / variance)[:, :, None] * shares[:, None, :] * self._products
        of_steps = (self._of_step * self._degree)[:, :, None] * np.eye(shares.shape[1])
        return np.linalg.inv(blocks + of_steps + self._of_scaling)

    def _parts(
        self, abundances: Float[np.ndarray, "pixel endmember"]
    ) -> tuple[Float[np.ndarray, "pixel scaling"], Float[np.ndarray, "pixel 1"]]:
        """Return abundances by scaling, and the variance of a band."""
        variance = self._spreads.noise**2 + self._spreads.spectrum**2 * (abundances**2).sum(axis=1, keepdims=True)
        return np.repeat(abundances, self._n_modes, axis=1), variance

    def _better_scalings(
        self,
        abundances: Float[np.ndarray, "pixel endmember"],
        scalings: Float[np.ndarray, "pixel scaling"],
        inverse: Float[np.ndarray, "pixel scaling scaling"],
    ) -> Float[np.ndarray, "pixel scaling"]:
        """Return better scalings for given abundances, by conjugate gradients on a quadratic function."""
        shares, variance = self._parts(abundances)

        def product(some: Float[np.ndarray, "pixel scaling"]) -> Float[np.ndarray, "pixel scaling"]:
            of_mixing = shares / variance * ((shares * some) @ self._products)
            of_steps = self._of_step * (self._degree * some - self._graph.neighbour_sums(self._links, some))
            return of_mixing + of_steps + some @ self._of_scaling

        wanted = shares / variance * self._inner + self._reference @ self._of_scaling
        residual = wanted - product(scalings)
        goal = CG_TOLERANCE**2 * np.vdot(residual, residual)
        direction = better = np.einsum("nij,nj->ni", inverse, residual)
        slope = np.vdot(residual, better)
        for _ in range(CG_STEPS):
            if np.vdot(residual, residual) <= goal or slope <= 0:
                break
            image = product(direction)
            step = slope / np.vdot(direction, image)
            scalings = scalings + step * direction
            residual = residual - step * image
            better = np.einsum("nij,nj->ni", inverse, residual)
            slope, before = np.vdot(residual, better), slope
            direction = better + slope / before * direction
        return scalings
