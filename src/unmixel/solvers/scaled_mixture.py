"""Scenes whose endmembers are scaled in every pixel, smoothly over the scene: abundances and scalings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from unmixel.solvers.accelerated_rounds import Ended, accelerated_rounds
from unmixel.solvers.neighbouring_abundances import FIRM, VariableMixture
from unmixel.solvers.pixel_graph import PixelGraph
from unmixel.solvers.simplex_projection import project_to_simplex
from unmixel.solvers.simplex_quadratic import minimise_on_simplex

CORNER = 1e-3
"""Difference of abundances [1] below which total variation is rounded off."""
MOST_ROUNDS, SETTLED = 1000, 1e-4
"""Rounds, and by how much one must lower the objective for each pixel [1]: in units of minus a log-probability."""
HALVINGS = 12
TOGETHER = 2048
"""Pixels that are improved at a time, at most: so their matrices need little memory."""
WEAK = 0.5
"""Curvature by a combination of scaled references, relative to the least of the other terms, that steps leave out."""


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


class _Alike(NamedTuple):
    """Pixels of one field of the chessboard with the same number of neighbours.

    Attributes
    ----------
    rows : array of int, shape (pixel,)
    curvature, inverse : array, shape (scaling, scaling)
        D, second derivative of what the objective says of scalings by themselves, and its inverse.
    of_pairs : array, shape (endmember and endmember, axis and axis)
        How the inverse joins the scaled references of each two endmembers, along the axes of all of them.
    """

    rows: Integer[np.ndarray, "pixel"]
    curvature: Float[np.ndarray, "scaling scaling"]
    inverse: Float[np.ndarray, "scaling scaling"]
    of_pairs: Float[np.ndarray, "pair square"]


class _Surroundings(NamedTuple):
    """What the objective of a pixel depends on besides its own abundances and scalings.

    Attributes
    ----------
    inner : array, shape (pixel, scaling)
        Scaled references times the pixel.
    power : array, shape (pixel,)
        ‖y‖².
    degree : array, shape (pixel,)
        Sum of the weights of the neighbours' abundances.
    pull : array, shape (pixel, endmember)
        Weighted sum of these abundances.
    scaling_pull : array, shape (pixel, scaling)
        Minus the slope of what the objective says of scalings by themselves, where they are 0.
    """

    inner: Float[np.ndarray, "pixel scaling"]
    power: Float[np.ndarray, "pixel"]
    degree: Float[np.ndarray, "pixel"]
    pull: Float[np.ndarray, "pixel endmember"]
    scaling_pull: Float[np.ndarray, "pixel scaling"]

    def only(self, rows: Integer[np.ndarray, "some"]) -> _Surroundings:
        """Return those of some of the pixels."""
        return _Surroundings(*(values[rows] for values in self))


class ScaledMixture:
    r"""A scene of mixtures :math:`\sum_k a_k s_k`, with :math:`s_k` near a scaled reference spectrum.

    .. math:: s_k \approx m_k \odot \sum_j \psi_{kj} b_j

    With n over pixels, nn' over pairs of neighbours and :math:`M_n` the scaled references, the objective is

    .. math:: \frac{1}{2} \sum_n \min_{S_n} \Big( \frac{\|y_n - S_n^\top a_n\|^2}{\sigma^2}
              + \frac{\|S_n - M_n\|^2}{\tau^2} \Big) + \frac{1}{\delta} \sum_{nn'} \|a_n - a_{n'}\|
              + \frac{1}{2} \sum_{nn',j} \frac{\|\psi_{nj} - \psi_{n'j}\|^2}{v_j^2}
              + \frac{1}{2} \sum_{n,j} (\psi_{nj} - \psi_j^0)^\top C_j^{-1} (\psi_{nj} - \psi_j^0)

    over abundances on the simplex and scalings; :math:`\psi^0` is 1 for the first mode and 0 for others, C is
    :math:`V_j^2 I`, and for the first mode :math:`V_j^2 I + U^2 1 1^\top`. The black fields of a chessboard are
    improved given the white ones, then the white given the black: in every pixel by a Gauss-Newton step of abundances
    and scalings together, halved until the objective falls (total variation by majorisation). Extrapolation from round
    to round (`accelerated_rounds`) makes that fast.

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
        self._spreads = spreads
        tiled = len(endmembers), 1
        self._reference = np.tile(np.eye(1, self._n_modes), tiled).ravel()
        self._of_step = np.tile(spreads.scaling_step**-2.0, tiled[0])
        self._of_scaling = np.diag(np.tile(spreads.scaling**-2.0, tiled[0]))
        shared = spreads.scaling[0] ** 2 * np.eye(tiled[0]) + spreads.brightness**2
        self._of_scaling[:: self._n_modes, :: self._n_modes] = np.linalg.inv(shared)
        self._member = np.repeat(np.eye(len(endmembers)), self._n_modes, axis=0)
        self._axes = self._strong_axes()
        self._fields = [list(self._alike(field)) for field in (~self._graph.colour, self._graph.colour)]

    def _strong_axes(self) -> Float[np.ndarray, "scaling axis"]:
        """Return a root of the products of the scaled references, without what other terms outweigh by far."""
        squares, axes = np.linalg.eigh(self._products)
        others = (np.diagonal(self._of_scaling) + self._of_step).min()
        strong = squares > WEAK * others * (self._spreads.noise**2 + self._spreads.spectrum**2)
        strong[-1] = True
        return axes[:, strong] * np.sqrt(squares[strong])

    def _alike(self, field: Bool[np.ndarray, "pixel"]) -> Iterator[_Alike]:
        """Sort the pixels of a field by how many neighbours they have."""
        count = self._graph.neighbour_sums(self._links, np.ones((len(field), 1)))[:, 0]
        n_endmembers = len(self._reference) // self._n_modes
        by_endmember = self._axes.reshape(n_endmembers, self._n_modes, -1)
        for neighbours in np.unique(count[field]):
            curvature = self._of_scaling + neighbours * np.diag(self._of_step)
            inverse = np.linalg.inv(curvature)
            blocks = inverse.reshape(n_endmembers, self._n_modes, n_endmembers, self._n_modes)
            of_pairs = np.einsum("kip,kilj,ljq->klpq", by_endmember, blocks, by_endmember, optimize=True)
            rows = np.flatnonzero(field & (count == neighbours))
            for start in range(0, len(rows), TOGETHER):
                some = rows[start : start + TOGETHER]
                yield _Alike(some, curvature, inverse, of_pairs.reshape(n_endmembers**2, -1))

    def scaled_alike(self, brightness: Float[np.ndarray, "pixel"]) -> Float[np.ndarray, "pixel scaling"]:
        """Return the scalings of a brightness that all endmembers of a pixel share."""
        return brightness[:, None] * self._reference

    def improved(
        self, abundances: Float[np.ndarray, "pixel endmember"], scalings: Float[np.ndarray, "pixel scaling"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel scaling"]]:
        """Return abundances and scalings after one round."""
        abundances, scalings = abundances.copy(), scalings.copy()
        steps = np.sqrt((self._graph.differences(abundances) ** 2).sum(axis=1) + CORNER**2)
        weights = 1 / (self._spreads.abundance_step * steps)
        degree = self._graph.neighbour_sums(weights, np.ones((len(abundances), 1)))[:, 0]
        for field in self._fields:
            pull = self._graph.neighbour_sums(weights, abundances)
            scaling_pull = self._of_step * self._graph.neighbour_sums(self._links, scalings)
            scaling_pull += self._reference @ self._of_scaling
            around = _Surroundings(self._inner, self._power, degree, pull, scaling_pull)
            for alike in field:
                rows = alike.rows
                abundances[rows], scalings[rows] = self._improved(
                    alike, abundances[rows], scalings[rows], around.only(rows)
                )
        return abundances, scalings

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
        return accelerated_rounds(
            lambda state: self.improved(*state),
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
        misfit = self._mixture(scalings, self._inner, self._power).misfit(abundances).sum()
        return float(misfit + variation / self._spreads.abundance_step + (steps + away) / 2)

    def _mixture(
        self,
        scalings: Float[np.ndarray, "pixel scaling"],
        inner: Float[np.ndarray, "pixel scaling"],
        power: Float[np.ndarray, "pixel"],
    ) -> VariableMixture:
        """Return the mixture of the scaled references."""
        n_endmembers = self._member.shape[1]
        gram = np.empty((len(scalings), n_endmembers, n_endmembers))
        for k in range(n_endmembers):
            mine = slice(k * self._n_modes, (k + 1) * self._n_modes)
            gram[:, k] = ((scalings[:, mine] @ self._products[mine]) * scalings) @ self._member
        own = (scalings * inner) @ self._member
        return VariableMixture(gram, own, power, self._spreads.noise**2, self._spreads.spectrum**2)

    def _objective_in(
        self,
        alike: _Alike,
        around: _Surroundings,
        abundances: Float[np.ndarray, "pixel endmember"],
        scalings: Float[np.ndarray, "pixel scaling"],
    ) -> Float[np.ndarray, "pixel"]:
        """Return what the objective of each pixel is, given its neighbours, but for a constant."""
        misfit = self._mixture(scalings, around.inner, around.power).misfit(abundances)
        of_abundances = around.degree * (abundances**2).sum(axis=1) / 2 - (abundances * around.pull).sum(axis=1)
        of_scalings = ((scalings @ alike.curvature / 2 - around.scaling_pull) * scalings).sum(axis=1)
        return misfit + of_abundances + of_scalings

    def _improved(
        self,
        alike: _Alike,
        abundances: Float[np.ndarray, "pixel endmember"],
        scalings: Float[np.ndarray, "pixel scaling"],
        around: _Surroundings,
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel scaling"]]:
        r"""Return better abundances and scalings of some pixels, given their neighbours'.

        With A the diagonal matrix of abundances by scaling, s the variance of a band, :math:`L L^\top` the products of
        the scaled references, B the endmembers of the pixel along L, D the second derivative of what the objective says
        of scalings by themselves, and g its slope by scalings, the best step of these for a step d of abundances is

        .. math:: D^{-1} (A L t - g), \qquad t = V^{-1} (L^\top A D^{-1} g - B^\top d), \qquad
                  V = s I + L^\top A D^{-1} A L

        and with it the second derivative by abundances is :math:`B V^{-1} B^\top`, besides their neighbours'.
        """
        mixture = self._mixture(scalings, around.inner, around.power)
        variance, squared = mixture.variance(abundances), mixture.squared_misfit(abundances)
        shares = abundances @ self._member.T
        slope = shares * ((shares * scalings) @ self._products - around.inner) / variance[:, None]
        slope += scalings @ alike.curvature - around.scaling_pull

        n_pixels, n_endmembers = abundances.shape
        n_axes = self._axes.shape[1]
        pairs = (abundances[:, :, None] * abundances[:, None]).reshape(n_pixels, -1)
        spread = (pairs @ alike.of_pairs).reshape(n_pixels, n_axes, n_axes)
        spread[:, range(n_axes), range(n_axes)] += variance[:, None]
        sides = np.empty((n_pixels, n_axes, n_endmembers + 1))
        for k in range(n_endmembers):
            mine = slice(k * self._n_modes, (k + 1) * self._n_modes)
            sides[:, :, k] = scalings[:, mine] @ self._axes[mine]
        eased = slope @ alike.inverse
        sides[:, :, -1] = (eased * shares) @ self._axes
        solved = np.linalg.solve(spread, sides)

        by_axes = sides[:, :, :-1].transpose(0, 2, 1)
        of_variance = mixture.spectrum_variance * squared / variance**2
        downhill = (
            (mixture.inner - (mixture.gram @ abundances[:, :, None])[:, :, 0]) / variance[:, None]
            + (of_variance - around.degree)[:, None] * abundances
            + around.pull
            + (by_axes @ solved[:, :, -1:])[:, :, 0]
        )
        hessian = by_axes @ solved[:, :, :-1]
        firm = around.degree + FIRM * np.trace(hessian, axis1=1, axis2=2)
        hessian = (hessian + hessian.transpose(0, 2, 1)) / 2 + firm[:, None, None] * np.eye(n_endmembers)
        linear = (hessian @ abundances[:, :, None])[:, :, 0] + downhill
        step = minimise_on_simplex(hessian, linear, abundances) - abundances
        along = solved[:, :, -1] - (solved[:, :, :-1] @ step[:, :, None])[:, :, 0]
        scaling_step = ((along @ self._axes.T) * shares) @ alike.inverse - eased
        return self._along(alike, around, (abundances, scalings), (step, scaling_step))

    def _along(
        self,
        alike: _Alike,
        around: _Surroundings,
        start: tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel scaling"]],
        step: tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel scaling"]],
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel scaling"]]:
        """Return where the objective of each pixel is lower along a step, which is halved until it is."""
        before = self._objective_in(alike, around, *start)
        found = start[0].copy(), start[1].copy()
        going = np.arange(len(before))
        for halving in range(HALVINGS):
            tried = [values[going] + 0.5**halving * move[going] for values, move in zip(start, step, strict=True)]
            falls = self._objective_in(alike, around.only(going), *tried) < before[going]
            for values, new in zip(found, tried, strict=True):
                values[going[falls]] = new[falls]
            going = going[~falls]
            if not len(going):
                break
        return found
