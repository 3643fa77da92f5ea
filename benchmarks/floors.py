"""What cannot be beaten on a simulated scene: the mean of the posterior under the law it was drawn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from unmixel.metrics import abundance_rmse, coverage_by_tercile, interval_coverage
from unmixel.simulate import exact_posterior


def floor(scene: xr.DataArray, truth: xr.Dataset, levels: Sequence[float], thirds: Sequence[str]) -> dict[str, float]:
    """Return the error of the posterior mean, and how often the posterior's intervals hold the truth.

    Returns
    -------
    dict
        ``abundance_rmse``, ``abundance_sd`` (root mean square of the posterior's standard deviations), and
        ``coverage LEVEL`` and ``coverage LEVEL THIRD``.
    """
    tails = [(1 - level) / 2 for level in levels]
    posterior = exact_posterior(scene, truth, quantile=[*tails, *(1 - tail for tail in tails)])
    n_endmembers = truth.sizes["endmember"]
    abundances = truth["abundance"].values.reshape(-1, n_endmembers)
    quantiles = posterior["abundance_quantile"].values.reshape(2, len(levels), -1, n_endmembers)
    found = {
        "abundance_rmse": abundance_rmse(abundances, posterior["abundance"].values.reshape(-1, n_endmembers)),
        "abundance_sd": float(np.sqrt(np.mean(posterior["abundance_sd"].values ** 2))),
    }
    for level, lower, upper in zip(levels, *quantiles, strict=True):
        found[f"coverage {level:g}"] = interval_coverage(abundances, lower, upper)
        for third, share in zip(thirds, coverage_by_tercile(abundances, lower, upper), strict=True):
            found[f"coverage {level:g} {third}"] = float(share)
    return found
