"""A scene as the dataset that unmixel writes to NetCDF and Zarr, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from unmixel.errors import SceneError
from unmixel.lookup import lookup_coordinates, lookup_of, places_in, table_from
from unmixel.scene import DIMS, check_scene, crs_wkt_of, transform_of


def dataset_of(scene: xr.DataArray) -> xr.Dataset:
    """Return a scene as a dataset whose place on the map other programs understand.

    The grid mapping becomes the one of the scene as it is (a crop's own), and the notes on its reading one
    text.
    """
    check_scene(scene)
    spatial_ref, transform = xr.DataArray(np.int32(0)), transform_of(scene)
    if wkt := crs_wkt_of(scene):
        spatial_ref.attrs |= {"crs_wkt": wkt, "spatial_ref": wkt}
    if transform is not None:
        spatial_ref.attrs["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
    written = scene.drop_encoding().assign_coords(spatial_ref=spatial_ref).drop_vars("lookup", errors="ignore")
    written.attrs = {
        "units": "1",
        "long_name": "reflectance",
        "reading": "\n".join(scene.attrs.get("reading", ())),
        **{name: scene.attrs[name] for name in ("product", "acquired") if name in scene.attrs},
    }
    dataset = written.to_dataset(name="reflectance")
    dataset["reflectance"].encoding["grid_mapping"] = "spatial_ref"
    if (lookup := lookup_of(scene)) is not None:
        table = places_in(scene, lookup.whole())
        dataset = dataset.assign_coords(lookup_coordinates(table_from(*table, lookup.crs_wkt, lookup.transform)))
    dataset.attrs = {"Conventions": "CF-1.8", "unmixel_content": "scene"}
    return dataset


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
    geotransform = attrs.get("GeoTransform")
    for name in ("wavelength", "fwhm", "good_band"):
        if name in found.coords and found[name].dtype.kind not in "biuf":
            raise SceneError(f"{path} whose {name} is {found[name].dtype}", "real numbers")
    wavelength = np.asarray(found["wavelength"].values, dtype=np.float64)
    said: dict[str, Any] = {
        "shape": found.shape,
        "dtype": found.dtype,
        "crs_wkt": attrs.get("crs_wkt"),
        "transform": Affine.from_gdal(*map(float, geotransform.split())) if geotransform else None,
        "atmosphere": (),
        "product": str(found.attrs.get("product", "")),
        "acquired": str(found.attrs.get("acquired", "")),
        "notes": tuple(line for line in str(found.attrs.get("reading", "")).split("\n") if line),
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
        said["good_band"] = np.asarray(found["good_band"].values, dtype=bool)
    return said
