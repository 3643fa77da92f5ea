"""A result beside the truth: which endmember is which, how far off it is, how long it took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.metrics import abundance_rmse, match_endmembers, spectral_angle, to_max_normalised_convention
from unmixel.result import provenance_of

MAX_NORMALISED = "max-normalised endmembers"


@dataclass(frozen=True)
class Agreement:
    """How far a result is from the truth.

    Attributes
    ----------
    abundance_rmse : float
        Root mean square error of the abundances as they are [1].
    abundance_rmse_as_truth : float or None
        The same after the estimate is expressed in the truth's convention [1]; None where that is the same.
    spectral_angle : float
        Mean angle between the endmembers [rad].
    reconstruction_rmse : float
        Root mean square of the residual over all pixels and bands [reflectance].
    seconds : float
        Extraction, fit and unmixing [s].
    """

    abundance_rmse: float
    abundance_rmse_as_truth: float | None
    spectral_angle: float
    reconstruction_rmse: float
    seconds: float


def in_order_of(truth: xr.Dataset, result: xr.Dataset) -> xr.Dataset:
    """Return the result with its endmembers in the order and under the names of the true ones."""
    true_spectra, spectra = common_bands(truth, result)
    order = match_endmembers(true_spectra, spectra)
    return result.isel(endmember=order).assign_coords(endmember=truth["endmember"].values)


def in_convention_of(truth: xr.Dataset, result: xr.Dataset) -> xr.Dataset:
    """Return the result with its abundances in the truth's convention (see `to_max_normalised_convention`)."""
    if truth.attrs.get("convention") != MAX_NORMALISED:
        return result
    _, spectra = common_bands(truth, result)
    abundance = result["abundance"]
    n_endmembers = abundance.sizes["endmember"]
    converted = to_max_normalised_convention(abundance.values.reshape(-1, n_endmembers), spectra)
    return result.assign(abundance=abundance.copy(data=converted.reshape(abundance.shape)))


def agreement(truth: xr.Dataset, result: xr.Dataset) -> Agreement:
    """Compare a result with the truth, endmembers in the same order (see `in_order_of`)."""
    true_spectra, spectra = common_bands(truth, result)
    true_map, estimated_map = truth["abundance"].values, result["abundance"].values
    known = np.isfinite(true_map).all(axis=2) & np.isfinite(estimated_map).all(axis=2)
    true_abundances, abundances = true_map[known], estimated_map[known]
    in_convention = None
    if truth.attrs.get("convention") == MAX_NORMALISED:
        converted = in_convention_of(truth, result)["abundance"].values[known]
        in_convention = abundance_rmse(true_abundances, converted)
    provenance = provenance_of(result)
    return Agreement(
        abundance_rmse(true_abundances, abundances),
        in_convention,
        float(spectral_angle(true_spectra, spectra).mean()),
        float(np.sqrt(np.nanmean(result["reconstruction_rmse"].values ** 2))),
        sum(float(provenance.get(name, 0.0)) for name in ("extraction_s", "fit_s", "unmix_s")),
    )


def common_bands(
    truth: xr.Dataset, result: xr.Dataset
) -> tuple[Float[np.ndarray, "endmember band"], Float[np.ndarray, "endmember band"]]:
    """Return the spectra of truth and result over the bands that both know."""
    true_spectra, spectra = truth["endmember_spectrum"].values, result["endmember_spectrum"].values
    both = np.isfinite(true_spectra).all(axis=0) & np.isfinite(spectra).all(axis=0)
    return true_spectra[:, both], spectra[:, both]
