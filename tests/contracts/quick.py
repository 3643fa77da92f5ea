"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, dict[str, Any] | None] = {
    "archetypal": {"n_runs": 2, "recovery_atol": 0.2},
    "fcls": {},
    "gbm": {},
    "hapke": {"recovery_atol": 0.25},
    "idnet": None,
    "khype": {"recovery_atol": 0.15},
    "minvol_nmf": {"n_steps": 40, "recovery_atol": 0.02, "permutation_atol": 1e-3},
    "mlm": {},
    "nmf_l12": {"n_steps": 100, "recovery_atol": 0.05, "permutation_atol": 1e-4},
    "ppnm": {},
    "scls": {},
}
