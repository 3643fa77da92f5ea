"""Draws from a law on the simplex, another one for every pixel, by Markov chains of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from scipy.linalg import helmert

from unmixel.solvers.pixel_random import PixelRandom

Density = Callable[[np.ndarray], np.ndarray]
"""From abundances (pixel, endmember) to the logarithms of their densities (pixel,), up to a constant."""
Slope = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From abundances to the derivative (pixel, endmember) of the log-density, and an estimate of minus its second one."""
MODE_STEPS, HALVINGS = 30, 10
SETTLED = 1e-4
"""Rise of the log-density below which the mode is found."""
DEGREES = 4
"""Of freedom of the Student law of proposals, even: its tails are heavier than those of the law looked for."""
WIDTH = 1.3
LEAST_PRECISION = 0.01
"""Least estimate of minus the second derivative in any direction: no law on the simplex has flatter sides."""
LONGEST, LARGEST = 2.0, 30.0
"""Longest step to the mode, and largest log-ratio of two abundances that a step to the mode leads to."""


class SimplexChain:
    r"""Chains of Metropolis and Hastings, one for each pixel.

    Abundances are :math:`a = \mathrm{softmax}(E x)` with orthonormal contrasts E, so that x is not bounded and the law
    of a pixel near a corner is about as bell-shaped as any. Every second proposal is drawn from a Student law around
    the mode, whatever the present state, the others around the present state. Every pixel has random numbers of its own
    (`PixelRandom`), so its draws don't depend on which other pixels there are, and say nothing about theirs.

    Parameters
    ----------
    density : Density
        Of the law looked for.
    slope : Slope
        Its derivatives.
    start : array, shape (pixel, endmember)
        Positive abundances from which the modes are looked for.

    References
    ----------
    L. Tierney, *Markov chains for exploring posterior distributions*, Annals of Statistics 22(4), 1994,
    doi:10.1214/aos/1176325750.

    Examples
    --------
    A Dirichlet law with concentration (3, 1):

    >>> def density(a):
    ...     return 2 * np.log(a[:, 0])
    >>> def slope(a):
    ...     first = np.eye(2)[:1] / a
    ...     return 2 * first, 2 * first[:, :, None] * first[:, None, :]
    >>> chain = SimplexChain(density, slope, np.full((1, 2), 0.5))
    >>> draws = np.stack(list(chain.draws(4000, PixelRandom(np.zeros((1, 2)), seed=0))))
    >>> bool(abs(draws[:, 0, 0].mean() - 0.75) < 0.02)
    True
    """

    def __init__(self, density: Density, slope: Slope, start: Float[np.ndarray, "pixel endmember"]) -> None:
        self._density, self._slope = density, slope
        self._contrasts = helmert(start.shape[1]).T
        self._mode = self._find_mode(np.log(start) @ self._contrasts)
        precision, axes = np.linalg.eigh(self._derivatives(self._mode)[1])
        widths = WIDTH / np.sqrt(np.maximum(precision, LEAST_PRECISION))[:, None, :]
        self._factor, self._inverse = axes * widths, (axes / widths).transpose(0, 2, 1)

    def draws(
        self, n_draws: int, random: PixelRandom, *, burn_in: int = 50
    ) -> Iterator[Float[np.ndarray, "pixel endmember"]]:
        """Yield abundances, one draw of every pixel at a time."""
        n_free = self._contrasts.shape[1]
        state = self._mode
        log_density, log_proposal = self._log_density(state), np.zeros(len(state))
        for number in range(burn_in + n_draws):
            normal, uniform = random.normals(n_free), random.uniforms(1 + DEGREES // 2)
            log_uniform, *halves_of_chi_square = np.log(uniform).T
            independent = number % 2 == 0
            scale = np.sqrt(-DEGREES / (2 * sum(halves_of_chi_square))) if independent else 2.4 / n_free**0.5
            step = np.einsum("nij,nj->ni", self._factor, normal * np.reshape(scale, (-1, 1)))
            proposed = (self._mode if independent else state) + step
            away = np.einsum("nij,nj->ni", self._inverse, proposed - self._mode)
            proposed_proposal = -(DEGREES + n_free) / 2 * np.log1p((away**2).sum(axis=1) / DEGREES)
            proposed_density = self._log_density(proposed)
            gain = proposed_density - log_density
            if independent:
                gain += log_proposal - proposed_proposal
            accepted = log_uniform < gain
            state = np.where(accepted[:, None], proposed, state)
            log_density = np.where(accepted, proposed_density, log_density)
            log_proposal = np.where(accepted, proposed_proposal, log_proposal)
            if number >= burn_in:
                yield self._abundances(state)

    def _abundances(self, state: Float[np.ndarray, "pixel free"]) -> Float[np.ndarray, "pixel endmember"]:
        logarithm = np.einsum("nj,kj->nk", state, self._contrasts)
        shares = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
        return np.maximum(shares / shares.sum(axis=1, keepdims=True), 1e-30)

    def _log_density(self, state: Float[np.ndarray, "pixel free"]) -> Float[np.ndarray, "pixel"]:
        """Return the log-density of the unbounded coordinates: that of the abundances and of their change of volume."""
        abundances = self._abundances(state)
        return self._density(abundances) + np.log(abundances).sum(axis=1)

    def _derivatives(
        self, state: Float[np.ndarray, "pixel free"]
    ) -> tuple[Float[np.ndarray, "pixel free"], Float[np.ndarray, "pixel free free"]]:
        """Return the slope of the log-density, and an estimate of minus its second derivative."""
        abundances = self._abundances(state)
        slope, curvature = self._slope(abundances)
        n_endmembers = abundances.shape[1]
        jacobian = abundances[:, :, None] * np.eye(n_endmembers) - abundances[:, :, None] * abundances[:, None, :]
        of_logarithms = np.einsum("nij,nj->ni", jacobian, slope)
        second = np.einsum("nij,njk,nkl->nil", jacobian, curvature, jacobian) + n_endmembers * jacobian
        second += np.maximum(-of_logarithms, LEAST_PRECISION)[:, :, None] * np.eye(n_endmembers)
        first = np.einsum("nk,kj->nj", of_logarithms + 1 - n_endmembers * abundances, self._contrasts)
        return first, np.einsum("ki,nkl,lj->nij", self._contrasts, second, self._contrasts)

    def _find_mode(self, state: Float[np.ndarray, "pixel free"]) -> Float[np.ndarray, "pixel free"]:
        """Return where the density of the unbounded coordinates is largest: Newton steps, halved if need be."""
        height = self._log_density(state)
        going = np.ones(len(state), dtype=bool)
        for _ in range(MODE_STEPS):
            slope, precision = self._derivatives(state)
            step = np.linalg.solve(precision, slope[:, :, None])[:, :, 0]
            step *= np.minimum(1, LONGEST / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12))
            found = ~going
            for halving in range(HALVINGS):
                tried = (state + 0.5**halving * step).clip(-LARGEST, LARGEST)
                tried_height = self._log_density(tried)
                higher = ~found & (tried_height > height)
                going &= ~higher | (tried_height > height + SETTLED)
                state, height = np.where(higher[:, None], tried, state), np.where(higher, tried_height, height)
                found |= higher
                if found.all():
                    break
            going &= found
            if not going.any():
                break
        return state
