"""NetCDF scenes and bundles, as unmixel writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmixel.claims import check_claim
from unmixel.errors import BundleError, SceneError, damage_told
from unmixel.io._raw import RawScene
from unmixel.io.hdf5_chunks import PackedDataset
from unmixel.io.hdf5_guard import GuardedFile
from unmixel.io.netcdf_scales import check_places
from unmixel.io.netcdf_texts import check_texts, is_of_texts, unread_texts
from unmixel.io.scene_dataset import dataset_of, described_in, without_pixels
from unmixel.io.steady_file import steady_file
from unmixel.io.whole_file import written_whole
from unmixel.io.windowed_scene import WindowedScene
from unmixel.io.windows import Window
from unmixel.scene import DIMS
from unmixel.spectra import check_bundle, make_bundle


def read_netcdf(path: Path) -> RawScene:
    """Read the description of a scene from NetCDF; its rows are read when they are asked for.

    Raises
    ------
    SceneError
        If the file is damaged or holds something else.
    """
    with _opened(path) as dataset:
        described = described_in(dataset, path)
        together = dataset["reflectance"].encoding.get("chunksizes")
        return RawScene(
            read=partial(_read_rows, path),
            read_part=partial(_read_part, path),
            block=together[:2] if together else None,
            **described,
        )


def stream_netcdf(scene: WindowedScene, path: Path) -> None:
    """Write a scene to a new NetCDF file, window by window and never whole in memory.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    others, attributes = without_pixels(dataset_of(scene.outline))
    path.write_bytes(_in_memory(others))
    with steady_file(path) as steady, h5netcdf.File(steady, "a") as file:
        if "band" not in file.dimensions:
            file.dimensions["band"] = scene.shape[2]
        variable = file.create_variable("reflectance", DIMS, "<f4")
        variable.attrs.update(attributes | {"_FillValue": np.float32(np.nan)})
        for window, values in scene.parts():
            variable[window.slices] = values


def read_bundle_netcdf(path: Path) -> xr.DataArray:
    """Read endmember spectra from NetCDF.

    Raises
    ------
    BundleError
        If the file holds something else.
    """
    with _opened(path) as dataset:
        found = dataset.get("reflectance")
        if found is None or found.dims != ("spectrum", "band") or "endmember" not in found.coords:
            raise BundleError(
                f"{path} with the variables {sorted(map(str, dataset.data_vars))}",
                "a bundle written by unmixel: 'reflectance' (spectrum, band) with 'endmember'",
            )
        per_band = {name: found[name].values for name in ("wavelength", "fwhm") if name in found.coords}
        return make_bundle(found.values, [str(name) for name in found["endmember"].values], **per_band)


def write_bundle_netcdf(bundle: xr.DataArray, path: str | Path) -> None:
    """Write endmember spectra to a new NetCDF file.

    Raises
    ------
    OutputError
        If the file exists or cannot be written; nothing is left behind.
    """
    check_bundle(bundle)
    dataset = bundle.drop_encoding().to_dataset(name="reflectance")
    dataset.attrs = {"Conventions": "CF-1.8", "unmixel_content": "bundle"}
    dataset["reflectance"].attrs = {"units": "1"}
    with written_whole(Path(path)) as (partial_path,):
        partial_path.write_bytes(_in_memory(dataset))


def _in_memory(dataset: xr.Dataset) -> memoryview:
    """Return a dataset as the bytes of a NetCDF file: HDF5 itself does not survive a disk that is full."""
    return dataset.to_netcdf(engine="h5netcdf")


@contextmanager
def _opened(path: Path) -> Iterator[xr.Dataset]:
    told = damage_told(path, "a complete NetCDF-4 file", "is it truncated?")
    with told, GuardedFile(path) as guarded:
        with h5py.File(guarded, "r") as file:
            file.visititems(partial(_check_packed, path))
            check_texts(path, file)
            check_places(path, file)
            unread = unread_texts(file)
        with _decoded(guarded, unread) as dataset:
            for name, variable in dataset.variables.items():  # one may be shorter in the file than its dimensions
                check_claim(path, repr(name), variable.size * variable.dtype.itemsize)
            yield dataset


def _check_packed(path: Path, _name: str, entry: h5py.Group | h5py.Dataset) -> None:
    """Check the chunks of what is small; those of a scene are checked when they are read."""
    if isinstance(entry, h5py.Dataset) and entry.ndim < len(DIMS) and not is_of_texts(entry):
        stored = PackedDataset(entry.id)
        try:
            stored.check_filters()
            if stored.is_packed:
                stored[()]
        except SceneError as error:
            raise SceneError(f"{path}: {error.given}", error.expected, error.remedy) from error


def _decoded(file: Any, unread: list[str]) -> xr.Dataset:
    read = partial(xr.open_dataset, engine="h5netcdf", decode_coords="all", phony_dims="access")
    return read(file, drop_variables=unread)


def _read_rows(path: Path, first: int, last: int) -> NDArray:
    return _read(path, slice(first, last), slice(None))


def _read_part(path: Path, window: Window) -> NDArray:
    return _read(path, *window.slices)


def _read(path: Path, rows: slice, columns: slice) -> NDArray:
    with damage_told(path, "a complete NetCDF-4 file", "is it truncated?"):
        with h5py.File(path) as file:
            stored = PackedDataset(file["reflectance"].id)
            stored.check_filters()
            if stored.is_packed:
                stored[rows, columns]
            unread = unread_texts(file)
        with _decoded(path, unread) as dataset:
            return np.asarray(dataset["reflectance"].isel(y=rows, x=columns).values)
