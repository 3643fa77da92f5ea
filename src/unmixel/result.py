"""What the result of unmixing is: a dataset of maps and spectra with its provenance.

A **result** is an :class:`xarray.Dataset` on the grid of its scene. A method fills in what it knows.

============================ ===================================== ==============================================
variable                     dims                                  unit and meaning
============================ ===================================== ==============================================
``abundance``                ``(y, x, endmember)``                 1, area fraction; posterior mean
``abundance_sd``             ``(y, x, endmember)``                 1, posterior standard deviation
``concentration``            ``(y, x, endmember)``                 1, Dirichlet with the posterior's mean and variance
``latent_mean``              ``(y, x, endmember, latent)``         1, posterior mean of each endmember's latents
``latent_sd``                ``(y, x, endmember, latent)``         1, their posterior standard deviation
``reconstruction_rmse``      ``(y, x)``                            reflectance, root mean square over the bands
``nonlinearity_degree``      ``(y, x, stream)``                    1, nonlinear share of a two-stream network
``outside_reach``            ``(y, x)``                            True where the endmembers don't explain a pixel
``endmember_spectrum``       ``(endmember, band)``                 reflectance, mean over the scene, see below
``endmember_spectrum_sd``    ``(endmember, band)``                 reflectance, spread over the scene
``endmember_quantile``       ``(quantile, endmember, band)``       reflectance, quantiles over the scene
============================ ===================================== ==============================================

In the statistics of the endmember spectra a pixel counts as the endmember's abundance there.
Per-pixel spectra are not stored: they follow from the latents and the model (``Fitted.endmembers_at``).
A scene in the geometry of its sensor has a result in that geometry, with the table that puts its maps on the map
(:mod:`unmixel.lookup`).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from unmixel.errors import OutputError, SceneError, damage_told
from unmixel.lookup import lookup_coordinates, lookup_of, places_in
from unmixel.scene import good_bands
from unmixel.spectra import check_names
from unmixel.zarr_contents import check_store, open_store

REFLECTANCE = "reflectance"
OF_THE_SCENE = "unit of the scene"
"""The unit of what can be no reflectance, as counts."""
UNITS = {
    "abundance": "1",
    "abundance_sd": "1",
    "concentration": "1",
    "latent_mean": "1",
    "latent_sd": "1",
    "reconstruction_rmse": REFLECTANCE,
    "nonlinearity_degree": "1",
    "outside_reach": "1",
    "endmember_spectrum": REFLECTANCE,
    "endmember_spectrum_sd": REFLECTANCE,
    "endmember_quantile": REFLECTANCE,
}
_DIMS = {
    "abundance": ("endmember",),
    "abundance_sd": ("endmember",),
    "concentration": ("endmember",),
    "latent_mean": ("endmember", "latent"),
    "latent_sd": ("endmember", "latent"),
    "reconstruction_rmse": (),
    "nonlinearity_degree": ("stream",),
    "outside_reach": (),
    "endmember_spectrum": ("endmember", "band"),
    "endmember_spectrum_sd": ("endmember", "band"),
    "endmember_quantile": ("quantile", "endmember", "band"),
}
STREAMS = ("mixing", "abundance")


def label_of_spectra(result: xr.Dataset) -> str:
    """Return what the axis of spectra is called in a figure, with the unit."""
    unit = unit_of("endmember_spectrum", provenance_of(result))
    return "reflectance [1]" if unit == REFLECTANCE else f"value [{unit}]"


def unit_of(name: str, provenance: Mapping[str, Any]) -> str:
    """Return the unit of a variable of a result.

    Examples
    --------
    >>> unit_of("reconstruction_rmse", {}), unit_of("abundance", {"unit": OF_THE_SCENE})
    ('reflectance', '1')
    >>> unit_of("endmember_spectrum", {"unit": OF_THE_SCENE})
    'unit of the scene'
    """
    unit = UNITS[name]
    return OF_THE_SCENE if unit == REFLECTANCE and provenance.get("unit") == OF_THE_SCENE else unit


def dims_of(name: str) -> tuple[str, ...]:
    """Return the dimensions of a variable of a result.

    Examples
    --------
    >>> dims_of("abundance"), dims_of("endmember_spectrum")
    (('y', 'x', 'endmember'), ('endmember', 'band'))
    """
    return _DIMS[name] if name.startswith("endmember_") else ("y", "x", *_DIMS[name])


def make_result(
    scene: xr.DataArray,
    *,
    endmember: Sequence[str],
    maps: Mapping[str, np.ndarray],
    spectra: Mapping[str, np.ndarray],
    quantile: Sequence[float] = (),
    provenance: Mapping[str, Any],
) -> xr.Dataset:
    """Assemble a result on the grid of its scene.

    Parameters
    ----------
    scene : DataArray
        The scene that was unmixed.
    endmember : sequence of str, length P
        Names of the endmembers.
    maps : mapping of str to array, shape (y, x, ...)
        Values of every pixel, NaN where the scene is invalid, under the names of the table above; see
        `unmixel.scene.to_maps`.
    spectra : mapping of str to array, shape (..., good band)
        Endmember spectra over the good bands; left-out bands become NaN.
    quantile : sequence of float
        Levels of ``endmember_quantile``.
    provenance : mapping
        What made this result, and the ``unit`` of the scene if that is not reflectance; stored as JSON in
        ``attrs["provenance"]``.
    """
    good = good_bands(scene)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] = {
        name: (("y", "x", *_DIMS[name]), values, {"units": unit_of(name, provenance)}) for name, values in maps.items()
    }
    for name, values in spectra.items():
        full = np.full((*values.shape[:-1], len(good)), np.nan, dtype=np.float32)
        full[..., good] = values
        variables[name] = (_DIMS[name], full, {"units": unit_of(name, provenance)})
    own = scene.drop_vars("lookup", errors="ignore").coords
    coords: dict[str, Any] = {str(name): own[name] for name in own}
    if (lookup := lookup_of(scene)) is not None:
        coords |= lookup_coordinates(lookup)
    coords["endmember"] = np.asarray(list(endmember), dtype=str)
    if "nonlinearity_degree" in variables:
        coords["stream"] = np.asarray(STREAMS)
    if len(quantile):
        coords["quantile"] = np.asarray(quantile, dtype=float)
    result = xr.Dataset(variables, coords=coords)
    for variable in result.data_vars.values():
        if "y" in variable.dims:
            variable.attrs["grid_mapping"] = "spatial_ref"
    result.attrs["provenance"] = json.dumps(dict(provenance), default=str, sort_keys=True)
    return result


def check_result(result: xr.Dataset) -> None:
    """Check that a dataset meets the schema of a result.

    Raises
    ------
    SceneError
        If it does not.
    """
    for name, variable in result.data_vars.items():
        if name not in _DIMS:
            continue
        expected = dims_of(str(name))
        if variable.dims != expected:
            raise SceneError(f"a result whose {name} has dims {variable.dims}", str(expected))
    if "abundance" not in result:
        raise SceneError(f"a result with the variables {list(result.data_vars)}", "abundance among them")
    for name in ("wavelength", "good_band"):
        if name not in result.coords or result[name].dims != ("band",) or result[name].dtype.kind not in "biuf":
            raise SceneError(f"a result without the numbers {name} (band)", "those of its scene")


def provenance_of(result: xr.Dataset) -> dict[str, Any]:
    """Return what made a result: method, parameters, seed, versions, input and timings."""
    return json.loads(result.attrs.get("provenance", "{}"))


def add_provenance(result: xr.Dataset, **entries: Any) -> xr.Dataset:
    """Return the result with more entries in its provenance.

    Examples
    --------
    >>> result = add_provenance(xr.Dataset(), method="fcls")
    >>> provenance_of(add_provenance(result, seed=0))
    {'method': 'fcls', 'seed': 0}
    """
    provenance = {**provenance_of(result), **entries}
    return result.assign_attrs(provenance=json.dumps(provenance, default=str, sort_keys=True))


def environment() -> dict[str, str]:
    """Return the versions a result depends on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("unmixel", "numpy", "scipy", "torch", "xarray", "rasterio", "zarr"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def save_result(result: xr.Dataset, path: str | Path) -> None:
    """Write a result as a Zarr v3 store. The folder must not exist yet.

    Raises
    ------
    OutputError
        If it exists or cannot be written.
    """
    target = Path(path)
    if target.exists():
        raise OutputError(f"{target} exists", "a path that does not", "remove it or choose another")
    write_variables(result, target)


def write_variables(result: xr.Dataset, path: Path) -> None:
    """Write the variables of a result into a Zarr v3 store, beside others that are there.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from zarr.storage import MemoryStore

    content: dict[str, Any] = {}
    _texts_as(object, result).to_zarr(MemoryStore(content), mode="w-", zarr_format=3, consolidated=False)
    try:
        for key, buffer in content.items():  # Zarr's own writer goes on in the background after a full disk
            (path / key).parent.mkdir(parents=True, exist_ok=True)
            (path / key).write_bytes(buffer.to_bytes())
    except OSError as error:
        raise OutputError(f"{path}: {error}", "a writable folder with enough space") from error


def open_result(path: str | Path) -> xr.Dataset:
    """Open a result from its Zarr store, or from the folder that `unmixel unmix` wrote.

    Raises
    ------
    SceneError
        If there is no result at that path.
    """
    store = Path(path)
    if (store / "result.zarr").is_dir():
        store = store / "result.zarr"
    if not (store / "zarr.json").is_file():
        raise no_result_in(path)
    check_store(store)
    with damage_told(store, "a result of `unmixel unmix`", "is it damaged?"):
        result = _texts_as(str, open_store(store))
        if not isinstance(provenance_of(result), dict):
            raise ValueError("a provenance that is no JSON object")
        if (lookup := lookup_of(result)) is not None:
            places_in(result, lookup.read(slice(0, 1), slice(0, 1)))
    check_result(result)
    return result


def no_result_in(path: str | Path) -> SceneError:
    """Return the error that says that a folder holds no result, or, where it holds those of many scenes, which."""
    found = sorted(store.parent.as_posix() for store in Path(path).glob("*/result.zarr"))
    if not found:
        return SceneError(f"{path} holds no result", "a folder written by `unmixel unmix`, or its result.zarr")
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return SceneError(f"{path} holds results of several scenes", "one result", f"there are {found[0]}{more}")


def thinned(result: xr.Dataset, most: int = 1_000_000) -> tuple[xr.Dataset, int]:
    """Return a result on every n-th row and column, so that it has at most so many pixels, and n.

    What is looked at as a whole (a figure, a quantile) needs no more, and the maps of a large result don't fit in
    memory.

    Examples
    --------
    >>> result = xr.Dataset({"abundance": (("y", "x", "endmember"), np.zeros((10, 20, 3)))})
    >>> small, step = thinned(result, 60)
    >>> dict(small.sizes), step
    ({'y': 5, 'x': 10, 'endmember': 3}, 2)
    """
    step = int(np.ceil(np.sqrt(result.sizes["y"] * result.sizes["x"] / most)))
    return result.isel(y=slice(None, None, step), x=slice(None, None, step)), step


def _texts_as(dtype: type, result: xr.Dataset) -> xr.Dataset:
    """Return the result with its labels as fixed-length texts (str) or, as Zarr stores them, as objects."""
    names = [name for name in ("endmember", "stream") if name in result.coords]
    for name in names:
        check_names([str(label) for label in result[name].values])
    return result.assign_coords(
        {name: np.array([str(label) for label in result[name].values], dtype=dtype) for name in names}
    )
