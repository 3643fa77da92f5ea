"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, dict[str, Any] | None] = {
    "elmm": {"permutation_atol": 0.01, "recovery_atol": 0.05},
    "fcls": {},
    "glmm": {"permutation_atol": 0.01, "recovery_atol": 0.05, "n_scalings": 2},
    "idnet": None,
    "mesma": {"permutation_atol": 0.05},
    "ncm": {"n_draws": 10, "n_factors": 2, "permutation_atol": 0.3, "recovery_atol": 0.1},
    "plmm": {"permutation_atol": 0.01, "recovery_atol": 0.05, "abundance_step": 1.0},
    "scls": {},
}
