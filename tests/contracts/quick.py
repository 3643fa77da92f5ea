"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

import numpy as np

LEARNT = {"permutation_atol": np.inf, "recovery_atol": np.inf}
"""Networks that begin at random and are hardly trained."""

QUICK: dict[str, dict[str, Any] | None] = {
    "archetypal": {"n_runs": 2, "recovery_atol": 0.2},
    "bundle_group_sparse": {},
    "cnn_autoencoder": {"n_epochs": 3, "kernel_size": 3, **LEARNT},
    "cycu_net": {"n_epochs": 2, **LEARNT},
    "deepgun": {"n_epochs": 3, "n_iterations": 2, "permutation_atol": 0.1, "recovery_atol": 0.1},
    "egu_net": {"n_epochs": 2, **LEARNT},
    "elmm": {"permutation_atol": 0.01, "recovery_atol": 0.05},
    "fcls": {},
    "gbm": {},
    "glmm": {"permutation_atol": 0.01, "recovery_atol": 0.05, "n_scalings": 2},
    "hapke": {"recovery_atol": 0.25},
    "idnet": None,
    "khype": {"recovery_atol": 0.15},
    "mesma": {"permutation_atol": 0.05},
    "minvol_nmf": {"n_steps": 40, "recovery_atol": 0.02, "permutation_atol": 0.001},
    "mlm": {},
    "ncm": {"n_draws": 10, "n_factors": 2, "permutation_atol": 0.3, "recovery_atol": 0.1},
    "nmf_l12": {"n_steps": 100, "recovery_atol": 0.05, "permutation_atol": 0.0001},
    "nnls": {},
    "pgmsu": {"n_epochs": 2, **LEARNT},
    "plmm": {"permutation_atol": 0.01, "recovery_atol": 0.05, "abundance_step": 1.0},
    "ppnm": {},
    "scls": {},
    "sunsal": {},
    "sunsal_tv": {},
    "ucls": {},
    "undip": {"n_epochs": 2, "n_channels": 8, **LEARNT},
    "unrolled_admm": {"n_epochs": 2, "permutation_atol": 0.01, "recovery_atol": 0.2},
}
