"""Least squares with abundance constraints or penalties, and the simplex, on plain arrays."""

from __future__ import annotations

from unmixel.solvers.active_set import ConstrainedLeastSquares
from unmixel.solvers.constrained_least_squares import fcls, nnls, scaled_nnls
from unmixel.solvers.group_sparse_regression import GroupSparseRegression
from unmixel.solvers.kkt import kkt_residual
from unmixel.solvers.proximal_least_squares import ProximalLeastSquares
from unmixel.solvers.simplex_projection import project_to_simplex
from unmixel.solvers.sparse_regression import SparseRegression
from unmixel.solvers.total_variation_regression import total_variation_regression
from unmixel.solvers.unconstrained_least_squares import ucls

__all__ = [
    "ConstrainedLeastSquares",
    "GroupSparseRegression",
    "ProximalLeastSquares",
    "SparseRegression",
    "fcls",
    "kkt_residual",
    "nnls",
    "project_to_simplex",
    "scaled_nnls",
    "total_variation_regression",
    "ucls",
]
