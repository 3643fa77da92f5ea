"""A scene as the dataset that unmixel writes to NetCDF and Zarr, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from unmixel import __version__
from unmixel.errors import SceneError
from unmixel.io.cf_grid_mapping import axes, grid_mapping
from unmixel.lookup import lookup_coordinates, lookup_of, places_in, table_from
from unmixel.scene import DIMS, check_scene, crs_wkt_of, transform_of

_PER_BAND: dict[str, dict[str, Any]] = {
    "wavelength": {
        "units": "nm",
        "standard_name": "sensor_band_central_radiation_wavelength",
        "long_name": "centre of the band",
    },
    "fwhm": {"units": "nm", "long_name": "full width of the band at half maximum"},
    "good_band": {"long_name": "whether unmixing uses the band"},
}


def dataset_of(scene: xr.DataArray) -> xr.Dataset:
    """Return a scene as a dataset by the CF conventions, whose place on the map other programs understand.

    The grid mapping becomes the one of the scene as it is (a crop's own), and the notes on its reading one
    text.
    """
    check_scene(scene)
    wkt, transform = crs_wkt_of(scene), transform_of(scene)
    spatial_ref = xr.DataArray(np.int32(0), attrs={"long_name": "place of the scene", **grid_mapping(wkt)})
    if transform is not None:
        spatial_ref.attrs["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
    written = scene.drop_encoding().assign_coords(spatial_ref=spatial_ref).drop_vars("lookup", errors="ignore")
    for name, attributes in zip(("y", "x"), axes(wkt, transform), strict=True):
        written[name].attrs = attributes
    for name, attributes in _PER_BAND.items():
        if name in written.coords:
            written[name].attrs = attributes
    origin = {name: str(scene.attrs[name]) for name in ("product", "acquired") if scene.attrs.get(name)}
    written.attrs = {
        "units": "1",
        "long_name": "reflectance",
        "reading": "\n".join(scene.attrs.get("reading", ())),
        **origin,
    }
    dataset = written.to_dataset(name="reflectance")
    if _is_mapped(spatial_ref):
        dataset["reflectance"].encoding["grid_mapping"] = "spatial_ref"
    if (lookup := lookup_of(scene)) is not None:
        table = places_in(scene, lookup.whole())
        dataset = dataset.assign_coords(lookup_coordinates(table_from(*table, lookup.crs_wkt, lookup.transform)))
        dataset["lookup_ref"].attrs |= {**grid_mapping(lookup.crs_wkt), "long_name": "map of the lookup table"}
    dataset.attrs = {
        "Conventions": "CF-1.8",
        "title": f"Scene: {origin.get('product', 'reflectance')}",
        "history": f"written by unmixel {__version__}",
        "unmixel_content": "scene",
    }
    if "product" in origin:
        dataset.attrs["source"] = origin["product"]
    if "acquired" in origin:
        dataset.attrs["time_coverage_start"] = origin["acquired"]
    return dataset


def without_pixels(dataset: xr.Dataset) -> tuple[xr.Dataset, dict[str, Any]]:
    """Return a dataset without its scene, and the attributes of the scene in the file, by which it finds all again."""
    scene = dataset["reflectance"]
    others = [str(name) for name in scene.coords if name not in (*DIMS, "spatial_ref")]
    mapped = _is_mapped(scene["spatial_ref"])
    named = {"grid_mapping": "spatial_ref"} if mapped else {}
    attributes = {**scene.attrs, "coordinates": " ".join(others if mapped else [*others, "spatial_ref"]), **named}
    rest = dataset.drop_vars("reflectance").reset_coords([*others, "spatial_ref"])
    for name in ("y", "x"):
        rest[name].encoding["_FillValue"] = None  # the conventions allow no gap in an axis
    return rest, attributes


def _is_mapped(spatial_ref: xr.DataArray) -> bool:
    """Return whether a scene has a place on a map, as far as other programs are told."""
    return not {"crs_wkt", "GeoTransform"}.isdisjoint(spatial_ref.attrs)


def described_in(dataset: xr.Dataset, path: Path) -> dict[str, Any]:
    """Return what a dataset written by unmixel says of its scene, under the names of RawScene.

    Raises
    ------
    SceneError
        If it holds something else.
    """
    if "abundance" in dataset:
        raise SceneError(f"{path}, a result of unmixing", "a scene", "open it with open_result")
    found = dataset.get("reflectance")
    if found is None or found.dims != DIMS or "wavelength" not in found.coords:
        variables = ", ".join(f"{name} {tuple(map(str, var.dims))}" for name, var in dataset.data_vars.items())
        raise SceneError(
            f"{path} with the variables {variables or '(none)'}",
            "a scene written by unmixel: 'reflectance' (y, x, band) with 'wavelength'",
            "open it with xarray and make a scene with unmixel.make_scene",
        )
    attrs = dataset["spatial_ref"].attrs if "spatial_ref" in dataset.coords else {}
    crs_wkt = attrs.get("crs_wkt")
    for name in ("wavelength", "fwhm", "good_band", "noise_sd"):
        if name in found.coords and found[name].dtype.kind not in "biuf":
            raise SceneError(f"{path} whose {name} is {found[name].dtype}", "real numbers")
    wavelength = np.asarray(found["wavelength"].values, dtype=np.float64)
    said: dict[str, Any] = {
        "shape": found.shape,
        "dtype": found.dtype,
        "crs_wkt": crs_wkt if isinstance(crs_wkt, str) else None,
        "transform": _transform_in(found, attrs.get("GeoTransform")),
        "atmosphere": (),
        **_origin(found),
    }
    if (lookup := lookup_of(dataset)) is not None:
        said["lookup"] = table_from(*lookup.whole(), lookup.crs_wkt, lookup.transform)
    if np.isfinite(wavelength).any():
        said |= {"wavelength": wavelength, "wavelength_unit": "nm"}
    if "fwhm" in found.coords:
        said["fwhm"] = np.asarray(found["fwhm"].values, dtype=np.float64)
    if "noise_sd" in found.coords:
        said["noise_sd"] = np.asarray(found["noise_sd"].values, dtype=np.float64)
    if "good_band" in found.coords:
        said["good_band"] = np.asarray(found["good_band"].values) > 0
    return said


def _transform_in(found: xr.DataArray, geotransform: str | None) -> Affine | None:
    """Return the transform of a scene, also of a part that another program cut out of it: by its axes."""
    if not geotransform:
        return None
    whole = Affine.from_gdal(*map(float, geotransform.split()))
    if whole.b or whole.d or not {"y", "x"} <= set(found.coords):
        return whole
    with np.errstate(all="ignore"):  # what is no place is refused as such
        return transform_of(found)


def _origin(found: xr.DataArray) -> dict[str, Any]:
    """Return what the scene is, when it was taken, and the notes on its reading, which say neither again."""
    product, acquired = (str(found.attrs.get(name, "")) for name in ("product", "acquired"))
    notes = [line for line in str(found.attrs.get("reading", "")).split("\n") if line]
    said = (product, f"acquired {acquired}")
    return {"product": product, "acquired": acquired, "notes": tuple(line for line in notes if line not in said)}
