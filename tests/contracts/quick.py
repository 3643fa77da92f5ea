"""What makes each method fast enough to be checked, and how exact it is; None if a file of its own checks it."""

from __future__ import annotations

from typing import Any

import numpy as np

QUICK: dict[str, dict[str, Any] | None] = {
    "cnn_autoencoder": {
        "n_epochs": 3,
        "kernel_size": 3,
        "permutation_atol": np.inf,
        "recovery_atol": np.inf,
    },
    "fcls": {},
    "idnet": None,
    "scls": {},
}
