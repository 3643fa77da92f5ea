"""Rounds of block-wise descent, made faster by extrapolation, until the objective has settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

State = tuple[np.ndarray, ...]
PATIENCE = 3
"""Rounds in a row that must hardly lower the objective."""


class Ended(NamedTuple):
    """Where rounds ended.

    Attributes
    ----------
    state : tuple of array
    rounds : int
        How many there were, those that were taken back included.
    settled : bool
        Whether the objective had settled, rather than the rounds run out.
    """

    state: State
    rounds: int
    settled: bool


def accelerated_rounds(
    better: Callable[[State], State],
    objective: Callable[[State], float],
    allowed: Callable[[State], State],
    state: State,
    *,
    tolerance: float,
    most: int,
    told: Callable[[dict[str, float]], None] | None = None,
) -> Ended:
    r"""Repeat a round that lowers an objective, from points beyond the last one.

    .. math:: x_{i+1} = T\Big(x_i + \frac{t_i - 1}{t_{i+1}} (x_i - x_{i-1})\Big), \qquad
              t_{i+1} = \frac{1 + \sqrt{1 + 4 t_i^2}}{2}

    A round after which the objective is not lower is taken back, and :math:`t` is 1 again: the next one begins at the
    last state itself. So the objective falls from state to state.

    Parameters
    ----------
    better : callable
        T, a round; from any state it leads to one where the objective is not larger.
    objective : callable
    allowed : callable
        The allowed state next to one that was extrapolated.
    state : tuple of array
        Where to begin.
    tolerance : float
        The objective has settled when none of `PATIENCE` rounds in a row lowers it by more, or a round that began at
        the last state doesn't lower it.
    most : int
        Rounds at most.
    told : callable, optional
        Gets ``round`` and ``objective`` after every round that lowers it.

    References
    ----------
    Y. Nesterov, *A method for solving the convex programming problem with convergence rate O(1/k^2)*, Soviet
    Mathematics Doklady 27, 1983. B. O'Donoghue and E. Candès, *Adaptive restart for accelerated gradient schemes*,
    Foundations of Computational Mathematics 15, 2015, doi:10.1007/s10208-013-9150-3.

    Examples
    --------
    Small steps down a narrow valley:

    >>> steep = np.array([1.0, 1e-3])
    >>> ended = accelerated_rounds(
    ...     lambda state: (state[0] - steep * state[0],), lambda state: float(steep @ state[0] ** 2),
    ...     lambda state: state, (np.ones(2),), tolerance=1e-9, most=1000,
    ... )
    >>> ended.rounds < 200, bool(np.abs(ended.state[0]).max() < 1e-2), ended.settled
    (True, True, True)
    """
    begin, momentum, small = state, 1.0, 0
    lowest = objective(state)
    for number in range(1, most + 1):
        found = better(begin)
        reached = objective(found)
        if reached >= lowest:
            if begin is state:
                return Ended(state, number, True)
            begin, momentum = state, 1.0
            continue
        small = small + 1 if lowest - reached <= tolerance else 0
        momentum, before = (1 + np.sqrt(1 + 4 * momentum**2)) / 2, momentum
        share = (before - 1) / momentum
        begin = allowed(tuple(new + share * (new - old) for new, old in zip(found, state, strict=True)))
        state, lowest = found, reached
        if told:
            told({"round": number, "of": most, "objective": lowest})
        if small == PATIENCE:
            return Ended(state, number, True)
    return Ended(state, most, False)
