"""Least squares with abundance constraints, and the simplex, on plain arrays."""

from __future__ import annotations

from unmixel.solvers.active_set import ConstrainedLeastSquares
from unmixel.solvers.constrained_least_squares import fcls, nnls, scaled_nnls
from unmixel.solvers.kkt import kkt_residual
from unmixel.solvers.simplex_projection import project_to_simplex

__all__ = [
    "ConstrainedLeastSquares",
    "fcls",
    "kkt_residual",
    "nnls",
    "project_to_simplex",
    "scaled_nnls",
]
