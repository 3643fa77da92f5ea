"""Unmix a scene in one call: the method by its name, fitted to the scene and applied to it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import xarray as xr

from unmixel.diagnostics import diagnose
from unmixel.errors import ParameterError
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.registry import get_method


def make_method(name: str, **hyperparameters: Any) -> Method:
    """Make a method from its name and hyper-parameters.

    Raises
    ------
    ParameterError
        If the method or a hyper-parameter is unknown.
    """
    kind = get_method(name)
    known = [field.name for field in fields(kind)]
    unknown = sorted(set(hyperparameters) - set(known))
    if unknown:
        raise ParameterError(f"hyper-parameters {unknown} for method {name!r}", f"some of {', '.join(known)}")
    return kind(**hyperparameters)


def unmix(
    scene: xr.DataArray,
    n_endmembers: int | None = None,
    *,
    bundle: xr.DataArray | None = None,
    method: str = "idnet",
    seed: int = 0,
    progress: Progress | None = None,
    **hyperparameters: Any,
) -> xr.Dataset:
    """Fit a method to a scene and unmix the scene with it.

    Parameters
    ----------
    scene : DataArray
        A scene from `unmixel.open_scene` or `unmixel.make_scene`.
    n_endmembers : int, optional
        Number of endmembers P; estimated from the scene when neither it nor a bundle is given.
    bundle : DataArray, optional
        Endmember spectra on the bands of the scene.
    method : str
        One of `unmixel.list_methods()`.
    seed : int
        Seed of everything random.
    **hyperparameters
        Fields of the method.

    Returns
    -------
    Dataset
        A result (see `unmixel.result`) with its diagnosis (see `unmixel.diagnostics.diagnose`).
    """
    made = make_method(method, n_endmembers=n_endmembers, seed=seed, **hyperparameters)
    fitted = made.fit(scene, bundle, progress=progress)
    return diagnose(scene, fitted.unmix(scene, progress=progress), fitted=fitted)
