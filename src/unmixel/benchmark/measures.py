"""What the table says of a result: each number by the one metric that `unmixel.metrics` has for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer

from unmixel.benchmark.agreement import MAX_NORMALISED, agreement, common_bands, in_convention_of
from unmixel.benchmark.scenes import TrueScene
from unmixel.intervals import abundance_interval
from unmixel.methods._fitted import Fitted
from unmixel.metrics import (
    abundance_crps,
    abundance_rmse,
    area_errors,
    interval_coverage,
    match_endmembers,
    nrmse,
    spectral_angle,
)
from unmixel.representative import representative
from unmixel.scene import ValidPixels, good_bands

SPECTRA_OF_PIXELS = 2048
"""Pixels whose own endmember spectra are compared with the true ones."""
LEVELS = (0.5, 0.9)
"""Of the intervals whose coverage is measured."""


def order_of(truth: xr.Dataset, result: xr.Dataset, *, given: bool) -> tuple[Integer[np.ndarray, "endmember"], str]:
    """Return which estimated endmember is each true one, and how that is known.

    By name where endmembers were given, if the names are those of the truth; else by spectral angle: names that an
    extraction gives say nothing.
    """
    names, found = truth["endmember"].values.tolist(), result["endmember"].values.tolist()
    if given and set(names) <= set(found):
        return np.array([found.index(name) for name in names]), "name"
    return match_endmembers(*common_bands(truth, result)), "spectral angle"


def measures_of(known: TrueScene, fitted: Fitted, result: xr.Dataset, order: np.ndarray) -> dict[str, Any]:
    """Measure a result.

    Parameters
    ----------
    known : TrueScene
    fitted : Fitted
        What made the result.
    result : Dataset
    order : array of int, shape (endmember,)
        Which endmember of the result is each true one (see `order_of`).

    Returns
    -------
    dict
        Columns of the table, see `unmixel.benchmark.columns`.
    """
    truth = known.truth
    ordered = result.isel(endmember=order).assign_coords(endmember=truth["endmember"].values)
    true_sets, sets = common_bands(truth, ordered)
    angles = spectral_angle(true_sets, sets)
    found = {
        "spectral_angle": float(angles.mean()),
        "spectral_angle_by_endmember": angles.tolist(),
        **_fit(known.scene, result),
        **_spectra_of_pixels(known, fitted, order),
    }
    if "abundance" in truth:
        found |= _abundances(truth, ordered)
    if known.targets is not None:
        found |= areas_of(known.targets, ordered)
    return found


def _abundances(truth: xr.Dataset, result: xr.Dataset) -> dict[str, Any]:
    both = agreement(truth, result)
    converted = in_convention_of(truth, result)["abundance"].values
    true_map = truth["abundance"].values
    known = np.isfinite(true_map).all(axis=2) & np.isfinite(converted).all(axis=2)
    true_abundances, abundances = true_map[known], converted[known]
    as_truth = both.abundance_rmse_as_truth
    columns = zip(true_abundances.T[:, :, None], abundances.T[:, :, None], strict=True)
    found: dict[str, Any] = {
        "abundance_rmse": both.abundance_rmse,
        "abundance_rmse_as_truth": both.abundance_rmse if as_truth is None else as_truth,
        "abundance_rmse_by_endmember": [abundance_rmse(one, other) for one, other in columns],
        "nrmse_abundances": nrmse(true_abundances, abundances),
    }
    return found | _uncertainty(truth, result, known) if as_truth is None else found


def _uncertainty(truth: xr.Dataset, result: xr.Dataset, known: Bool[np.ndarray, "y x"]) -> dict[str, float]:
    """Return how good the posterior of the abundances is; nothing if there is none."""
    if "abundance_sd" not in result or bool(result["abundance_sd"].isnull().all()):
        return {}
    true_abundances = truth["abundance"].values[known]
    mean, sd = result["abundance"].values[known], result["abundance_sd"].values[known]
    found = {"crps": float(abundance_crps(true_abundances, mean, sd).mean())}
    for level in LEVELS:
        ends = abundance_interval(result, level)
        lower, upper = ends["lower"].values[known], ends["upper"].values[known]
        found[f"coverage_{100 * level:.0f}"] = interval_coverage(true_abundances, lower, upper)
    return found


def _fit(scene: xr.DataArray, result: xr.Dataset) -> dict[str, float]:
    """Return how far reconstructions are from the pixels; NRMSE is RMSE over the root mean square of the pixels."""
    valid = np.isfinite(result["reconstruction_rmse"].values)
    rmse = float(np.sqrt(np.mean(result["reconstruction_rmse"].values[valid].astype(np.float64) ** 2)))
    size = float(np.sqrt(np.mean(scene.values[valid][:, good_bands(scene)].astype(np.float64) ** 2)))
    return {"reconstruction_rmse": rmse, "nrmse_pixels": rmse / size}


def _spectra_of_pixels(known: TrueScene, fitted: Fitted, order: np.ndarray) -> dict[str, float]:
    """Compare the endmember spectra of single pixels with the true ones, which may be the same in all of them."""
    scene, good = known.scene, good_bands(known.scene)
    places = np.stack(np.divmod(_some_pixels(scene), scene.sizes["x"]), axis=1)
    spectra = fitted.endmembers_at(scene, places)[0][:, order]
    if "endmembers" in known.truth:
        true_spectra = known.truth["endmembers"].values[places[:, 0], places[:, 1]][..., good]
    else:
        true_spectra = np.broadcast_to(known.truth["endmember_spectrum"].values[:, good], spectra.shape)
    if known.truth.attrs["convention"] == MAX_NORMALISED:
        spectra, true_spectra = (each / each.max(axis=-1, keepdims=True) for each in (spectra, true_spectra))
    return {
        "nrmse_endmembers": nrmse(true_spectra, spectra),
        "sam_endmembers": float(spectral_angle(true_spectra, spectra).mean()),
    }


def _some_pixels(scene: xr.DataArray) -> Integer[np.ndarray, "chosen"]:
    """Return the places, counted along the rows, of valid pixels from all over the scene."""
    pixels = ValidPixels(scene)
    return pixels.numbers[representative(pixels.numbers, scene.sizes["x"], SPECTRA_OF_PIXELS)]


def areas_of(targets: xr.Dataset, result: xr.Dataset) -> dict[str, Any]:
    """Return the columns on targets of known area (see `unmixel.datasets.dlr_hysu_targets`), materials by their names.

    The error of a size of targets is the mean over the materials.
    """
    names = targets["material"].values
    abundances: Float[np.ndarray, "y x endmember"] = result["abundance"].sel(endmember=names).values
    regions = targets["region"].values
    errors = area_errors(
        np.nan_to_num(abundances).reshape(-1, len(names)),
        regions.reshape(*regions.shape[:2], -1),
        targets["area"].values,
        float(targets["pixel_area"]),
    )
    return {
        "area_error": float(errors.mean()),
        "area_error_by_target": errors.mean(axis=0).tolist(),
        "target_area": targets["area"].values.tolist(),
    }
