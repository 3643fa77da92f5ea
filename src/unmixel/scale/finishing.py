"""The tiles of a run are done -> all else that the folder of a result holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.diagnostics.diagnosing import NONLINEARITY_FROM, SPECTRA, nonlinearity_quantiles
from unmixel.diagnostics.diagnosis import Diagnosis
from unmixel.io.result_folder import MAPS, SCENE_PICTURE, Drawing, write_figures, write_spectra
from unmixel.methods._progress import Progress
from unmixel.methods._spectra_statistics import QUANTILES
from unmixel.metrics import MoransI, morans_i_by_rows
from unmixel.preprocess import noise_source
from unmixel.result import STREAMS, add_provenance, make_result, open_result, provenance_of, thinned, write_variables
from unmixel.scale.engines import Engine
from unmixel.scale.plan import MODEL, STORE, Plan
from unmixel.scale.tile_work import write_one_map

TOGETHER = 250_000
"""Pixels of the residual that are looked at together."""

Drawings = Callable[[xr.Dataset, Float[np.ndarray, "y x three"], str], Mapping[str, Drawing]]
"""From a result, red, green and blue reflectance on its grid, and what to call these, to figures by their name."""


def finish_result(
    plan: Plan,
    engine: Engine,
    token: str,
    odd: Float[np.ndarray, "4"],
    provenance: Mapping[str, Any],
    drawings: Drawings | None,
    progress: Progress,
) -> dict[str, Any]:
    """Make all but the maps in the store and ``provenance.json``: spectra, diagnosis, GeoTIFFs, figures and model.

    Parameters
    ----------
    plan : Plan
    engine : Engine
        Writes the GeoTIFFs.
    token : str
        Of the run.
    odd : array, shape (4,)
        Shares of the pixels that `unmixel.scale.tile_work.TileDone` counts.
    provenance : mapping
        What is known besides what the model knows.
    drawings : callable, optional
    progress : callable
        Told after each map.

    Returns
    -------
    dict
        The provenance of the result.
    """
    made = plan.made
    for left_over in made.iterdir():
        if left_over.name != STORE:
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    for unfinished in plan.store.rglob("*.partial"):
        unfinished.unlink()
    fitted = plan.fitted
    outline = plan.scene.outline.assign_attrs(reading=plan.sample.scene.attrs["reading"])
    rest = make_result(
        fitted.on_my_bands(outline),
        endmember=fitted.endmember,
        maps={},
        spectra=plan.spectra,
        quantile=QUANTILES,
        provenance={"noise": noise_source(outline), **fitted.provenance(outline), **provenance},
    )
    if "nonlinearity_degree" in plan.sample_maps:
        rest = rest.assign_coords(stream=np.asarray(STREAMS))
    write_variables(rest, plan.store)
    diagnosis = _diagnose(plan, odd)
    write_variables(add_provenance(rest, diagnosis=diagnosis.as_record()), plan.store)
    result = open_result(plan.store)
    names = [*(name for name in MAPS if name in result), SCENE_PICTURE]
    for done, _ in enumerate(engine.each(write_one_map, str(plan.folder), token, names), start=1):
        progress("writing", {"map": done, "of": len(names)})
    write_spectra(result, made)
    if drawings:
        write_figures(drawings(*_thinned(plan, result)), made)
    shutil.copytree(plan.folder / MODEL, made / "model")
    return provenance_of(result)


def _diagnose(plan: Plan, odd: Float[np.ndarray, "4"]) -> Diagnosis:
    """Return what `unmixel.diagnose` finds in the whole result, from the counts of its tiles and the sample."""
    maps, few = plan.sample_maps, plan.sample.first(SPECTRA)
    among = np.searchsorted(plan.sample.first(NONLINEARITY_FROM), few)
    nonlinearity = {}
    if "nonlinearity_degree" in maps:
        nonlinearity = nonlinearity_quantiles(STREAMS, maps["nonlinearity_degree"][:, 0])
    return plan.judge.diagnosis(
        list(plan.fitted.endmember),
        shares=odd[:3],
        structure=_structure(plan),
        beyond_noise=float(odd[3]),
        spectra=plan.fitted.endmembers_at(*plan.some(SPECTRA))[0],
        abundance=maps["abundance"][among, 0].astype(np.float64),
        nonlinearity=nonlinearity,
    )


def _structure(plan: Plan) -> MoransI:
    """Return the spatial structure of the residual, whole rows of tiles at a time."""
    rmse = plan.maps.read("reconstruction_rmse")
    rows, columns = plan.scene.shape[:2]
    tall = plan.tiles[0].bottom
    step = tall * max(1, TOGETHER // (tall * columns))
    return morans_i_by_rows(lambda first, last: rmse[first:last], rows, step)


def _thinned(plan: Plan, result: xr.Dataset) -> tuple[xr.Dataset, Float[np.ndarray, "y x three"], str]:
    """Return the result and the scene in three colours, on every n-th row and column if they are large."""
    small, step = thinned(result)
    return small, np.asarray(plan.picture.read("picture")[::step, ::step]), plan.colours.title
