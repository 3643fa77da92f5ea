"""A method fitted to a sample of what is too large to fit it to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from unmixel.extraction import NumberEvidence, estimate_n_endmembers
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress

FITTED_TO = 100_000
"""Pixels, drawn from all over the scene, that a model is fitted to."""


def fit_to_sample(
    method: Method,
    sample: xr.DataArray,
    bundle: xr.DataArray | None,
    *,
    progress: Progress | None,
    on_number: Callable[[NumberEvidence], None] | None,
    checkpoint: Path,
) -> tuple[Fitted, dict[str, Any], dict[str, float]]:
    """Fit a method, after it was found how many endmembers there are, if nobody says it.

    Returns
    -------
    fitted : Fitted
        Its record doesn't tell how long anything took, so that the same fit gives the same bytes.
    told : dict
        What spoke for the number of endmembers.
    seconds : dict
        How long extraction and fitting took.
    """
    told: dict[str, Any] = {}
    if bundle is None and method.n_endmembers is None:
        evidence = estimate_n_endmembers(sample, seed=method.seed)
        if on_number:
            on_number(evidence)
        method = replace(method, n_endmembers=evidence.suggested)
        told["number_of_endmembers"] = evidence.as_record()
    fitted = method.fit(sample, bundle, progress=progress, checkpoint=checkpoint)
    seconds = {name: value for name, value in fitted.record.items() if name.endswith("_s")}
    fitted.record = {name: value for name, value in fitted.record.items() if name not in seconds}
    return fitted, told, seconds


def what_decides(model: Method | Fitted, bundle: xr.DataArray | None) -> dict[str, Any] | str:
    """Return what tells a model from another before it is fitted: its digest, or its method and what it is given."""
    if isinstance(model, Fitted):
        return model.digest()
    parameters = {name: value for name, value in asdict(model).items() if name != "threads"}
    given = None
    if bundle is not None:
        values = np.ascontiguousarray(bundle.values)
        given = hashlib.sha256(values.tobytes() + repr(bundle["endmember"].values.tolist()).encode()).hexdigest()
    return {"method": model.name, "parameters": parameters, "bundle": given}
