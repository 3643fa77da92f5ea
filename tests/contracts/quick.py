"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

import numpy as np

LEARNT = {"permutation_atol": np.inf, "recovery_atol": np.inf}
"""Networks that begin at random and are hardly trained."""

QUICK: dict[str, dict[str, Any] | None] = {
    "cnn_autoencoder": {"n_epochs": 3, "kernel_size": 3, **LEARNT},
    "cycu_net": {"n_epochs": 2, **LEARNT},
    "deepgun": {"n_epochs": 3, "n_iterations": 2, "permutation_atol": 0.1, "recovery_atol": 0.1},
    "egu_net": {"n_epochs": 2, **LEARNT},
    "fcls": {},
    "idnet": None,
    "pgmsu": {"n_epochs": 2, **LEARNT},
    "scls": {},
    "undip": {"n_epochs": 2, "n_channels": 8, **LEARNT},
    "unrolled_admm": {"n_epochs": 2, "permutation_atol": 0.01, "recovery_atol": 0.2},
}
