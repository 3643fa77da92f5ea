"""A scene and its result -> the result with its diagnosis."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer

from unmixel.diagnostics.diagnosis import AlikePair, Diagnosis
from unmixel.errors import SceneError
from unmixel.metrics import likeness, morans_i, negative_abundances, noise_limit, usual_reach
from unmixel.preprocess import estimate_noise
from unmixel.result import UNITS, add_provenance
from unmixel.scene import CHUNK, ValidPixels
from unmixel.solvers import ConstrainedLeastSquares

LEARNT_FROM = 5000
"""Pixels, evenly spaced over the scene, that say how large residuals usually are."""
SPECTRA = 500
"""Pixels, evenly spaced over the scene, whose endmember spectra say how much each varies."""


@runtime_checkable
class KnowsSpectra(Protocol):
    """A fitted method, as far as the endmember spectra in some pixels go."""

    def endmembers_at(self, scene: xr.DataArray, pixel: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the endmember spectra in pixels."""


def diagnose(scene: xr.DataArray, result: xr.Dataset, *, fitted: KnowsSpectra | None = None) -> xr.Dataset:
    """Add to a result what it says about itself, without a truth.

    Works for the result of any method. What is found and by which equations: `unmixel.metrics.negative_abundances`,
    `unmixel.metrics.morans_i`, `unmixel.metrics.usual_reach` and `unmixel.metrics.likeness`. The residuals that say
    which pixels are out of reach are those of non-negative least squares with the result's mean spectra, brightness
    free, whatever the method.

    Parameters
    ----------
    scene : DataArray
        The scene that was unmixed.
    result : Dataset
        Its result (see `unmixel.result`).
    fitted : Fitted, optional
        The fitted model: its spectra in single pixels say how much each endmember varies. Without it, endmembers vary
        by noise only.

    Returns
    -------
    Dataset
        The result with the map ``outside_reach`` and a `Diagnosis` in its provenance, see `diagnosis_of`.

    Raises
    ------
    SceneError
        If scene and result have other sizes.

    Examples
    --------
    >>> from unmixel.diagnostics import diagnosis_of
    >>> from unmixel.simulate import simulate_preset
    >>> from unmixel.unmixing import make_method
    >>> scene, _ = simulate_preset("intimate", rows=20, columns=30)
    >>> result = diagnose(scene, make_method("fcls", n_endmembers=3).fit(scene).unmix(scene))
    >>> diagnosis_of(result).sentences()[3]
    'alike endmembers: none. Each is farther from the others than it varies.'
    """
    for dimension in ("y", "x", "band"):
        if scene.sizes[dimension] != result.sizes[dimension]:
            raise SceneError(
                f"a result of {result.sizes[dimension]} {dimension} for a scene of {scene.sizes[dimension]}",
                "the scene that was unmixed",
            )
    good = np.asarray(result["good_band"].values, dtype=bool)
    scene = scene.assign_coords(good_band=("band", good))
    pixels = ValidPixels(scene)
    endmembers = np.asarray(result["endmember_spectrum"].values[:, good], dtype=np.float64)
    learnt_from = pixels[_evenly_spaced(len(pixels), LEARNT_FROM)]
    noise_variance = estimate_noise(learnt_from)[1]
    flags = _flags_of_pixels(pixels, learnt_from, endmembers, noise_variance)
    rmse = np.asarray(result["reconstruction_rmse"].values, dtype=np.float64)
    structure = morans_i(rmse)
    defined = bool(np.isfinite(structure.value))
    diagnosis = Diagnosis(
        negative_share=float(flags["negative"].mean()),
        negative_share_sum_to_one=float(flags["negative, sum to one"].mean()),
        residual_morans_i=structure.value if defined else None,
        residual_morans_i_expected=structure.expectation if defined else None,
        residual_morans_i_sd=structure.sd if defined else None,
        beyond_noise_share=float((rmse[np.isfinite(rmse)] ** 2 > noise_limit(noise_variance)).mean()),
        outside_reach_share=float(flags["outside reach"].mean()),
        alike=_alike_pairs(scene, result, pixels, fitted, endmembers, noise_variance),
        nonlinearity=_nonlinearity(result),
    )
    outside = np.zeros(rmse.size, dtype=bool)
    outside[pixels.numbers] = flags["outside reach"]
    attributes = {"units": UNITS["outside_reach"], "grid_mapping": "spatial_ref"}
    diagnosed = result.assign(outside_reach=(("y", "x"), outside.reshape(rmse.shape), attributes))
    return add_provenance(diagnosed, diagnosis=diagnosis.as_record())


def _flags_of_pixels(
    pixels: ValidPixels,
    learnt_from: Float[np.ndarray, "learnt band"],
    endmembers: Float[np.ndarray, "endmember band"],
    noise_variance: Float[np.ndarray, "band"],
) -> dict[str, Bool[np.ndarray, "pixel"]]:
    """Return what is true of each pixel, looking at some of them at a time."""
    problem = ConstrainedLeastSquares(endmembers, sum_to_one=False)
    reach = usual_reach(*_unexplained(learnt_from, problem, endmembers), noise_variance)
    names = ("negative", "negative, sum to one", "outside reach")
    flags = {name: np.zeros(len(pixels), dtype=bool) for name in names}
    for first in range(0, len(pixels), CHUNK):
        part = slice(first, first + CHUNK)
        block = pixels[part]
        for name, sum_to_one in zip(names[:2], (False, True), strict=True):
            flags[name][part] = negative_abundances(block, endmembers, noise_variance, sum_to_one=sum_to_one)
        flags[names[2]][part] = reach.is_exceeded_by(_unexplained(block, problem, endmembers)[0])
    return flags


def _unexplained(
    pixels: Float[np.ndarray, "pixel band"],
    problem: ConstrainedLeastSquares,
    endmembers: Float[np.ndarray, "endmember band"],
) -> tuple[Float[np.ndarray, "pixel band"], Integer[np.ndarray, "pixel"]]:
    """Return the residuals of non-negative least squares, and the endmember with the largest share."""
    weights = problem.solve(pixels)
    return pixels - weights @ endmembers, weights.argmax(axis=1)


def _alike_pairs(
    scene: xr.DataArray,
    result: xr.Dataset,
    pixels: ValidPixels,
    fitted: KnowsSpectra | None,
    endmembers: Float[np.ndarray, "endmember band"],
    noise_variance: Float[np.ndarray, "band"],
) -> tuple[AlikePair, ...]:
    """Return the pairs that are too alike; in its statistics a pixel counts as the endmember's abundance there."""
    names = [str(name) for name in result["endmember"].values]
    spectra, weights = list(endmembers[:, None]), None
    if fitted is not None:
        chosen = np.divmod(pixels.numbers[_evenly_spaced(len(pixels), SPECTRA)], scene.sizes["x"])
        means = fitted.endmembers_at(scene, np.stack(chosen, axis=1))[0]
        abundance = np.asarray(result["abundance"].values[chosen], dtype=np.float64)
        spectra, weights = list(means.swapaxes(0, 1)), list(abundance.T + 1e-6)
    return tuple(
        AlikePair(names[pair.first], names[pair.second], pair.angle, pair.spread)
        for pair in likeness(spectra, noise_variance, weights)
        if pair.too_alike
    )


def _nonlinearity(result: xr.Dataset) -> dict[str, tuple[float, float]]:
    if "nonlinearity_degree" not in result:
        return {}
    degree = result["nonlinearity_degree"]
    quantiles = np.nanquantile(degree.values, [0.5, 0.95], axis=(0, 1)).T
    return {
        str(name): (float(median), float(high))
        for name, (median, high) in zip(result["stream"].values, quantiles, strict=True)
    }


def _evenly_spaced(n: int, most: int) -> Integer[np.ndarray, "chosen"]:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
