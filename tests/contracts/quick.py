"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

import numpy as np

QUICK: dict[str, dict[str, Any] | None] = {
    "elmm": {"permutation_atol": 0.01, "recovery_atol": 0.05},
    "cnn_autoencoder": {
        "n_epochs": 3,
        "kernel_size": 3,
        "permutation_atol": np.inf,
        "recovery_atol": np.inf,
    },
    "fcls": {},
    "gbm": {},
    "hapke": {"recovery_atol": 0.25},
    "idnet": None,
    "nnls": {},
    "khype": {"recovery_atol": 0.15},
    "minvol_nmf": {"n_steps": 40, "recovery_atol": 0.02, "permutation_atol": 1e-3},
    "mlm": {},
    "nmf_l12": {"n_steps": 100, "recovery_atol": 0.05, "permutation_atol": 1e-4},
    "ppnm": {},
    "glmm": {"permutation_atol": 0.01, "recovery_atol": 0.05, "n_scalings": 2},
    "idnet": None,
    "mesma": {"permutation_atol": 0.05},
    "plmm": {"permutation_atol": 0.01, "recovery_atol": 0.05, "abundance_step": 1.0},
    "scls": {},
    "sunsal": {},
    "sunsal_tv": {},
    "ucls": {},
}
