"""Every reader keeps the promises of all readers, and the checks notice one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from affine import Affine

from unmixel.io import save_scene, write_envi
from unmixel.io._raw import RawScene
from unmixel.io.envi import read_envi
from unmixel.io.matlab import read_matlab
from unmixel.io.netcdf import read_netcdf
from unmixel.io.numpy_arrays import read_npy, read_npz
from unmixel.io.tiff import read_tiff
from unmixel.io.zarr_store import read_zarr
from unmixel.scene import make_scene
from unmixel.testing.reader_contract import check_reader

VALUES = np.random.default_rng(7).uniform(0.05, 0.6, (4, 6, 5)).astype(np.float32)


def envi(folder: Path) -> RawScene:
    write_envi(make_scene(VALUES, wavelength=np.linspace(400, 800, 5)), folder / "s.img")
    return read_envi(folder / "s.img", folder / "s.hdr")


def tiff(folder: Path) -> RawScene:
    import rasterio

    profile = {
        "width": 6,
        "height": 4,
        "count": 5,
        "dtype": "float32",
        "transform": Affine(2, 0, 1, 0, -2, 9),
    }
    with rasterio.open(folder / "s.tif", "w", "GTiff", **profile) as file:
        file.write(np.moveaxis(VALUES, 2, 0))
    return read_tiff(folder / "s.tif")


def matlab_5(folder: Path) -> RawScene:
    scipy.io.savemat(folder / "s.mat", {"cube": VALUES})
    return read_matlab(folder / "s.mat")


def matlab_73(folder: Path) -> RawScene:
    with h5py.File(folder / "s.mat", "w", userblock_size=512) as file:
        file["Y"] = VALUES.reshape(24, 5, order="F")
        file["nRow"], file["nCol"] = [[4]], [[6]]
    return read_matlab(folder / "s.mat")


def netcdf(folder: Path) -> RawScene:
    save_scene(make_scene(VALUES), folder / "s.nc")
    return read_netcdf(folder / "s.nc")


def zarr(folder: Path) -> RawScene:
    save_scene(make_scene(VALUES), folder / "s.zarr")
    return read_zarr(folder / "s.zarr")


def cog(folder: Path) -> RawScene:
    save_scene(make_scene(VALUES), folder / "s.tif")
    return read_tiff(folder / "s.tif")


def npy(folder: Path) -> RawScene:
    np.save(folder / "s.npy", VALUES)
    return read_npy(folder / "s.npy")


def npz(folder: Path) -> RawScene:
    np.savez(folder / "s.npz", VALUES)
    return read_npz(folder / "s.npz")


READERS = [envi, tiff, cog, matlab_5, matlab_73, netcdf, zarr, npy, npz]


@pytest.mark.parametrize("read", READERS)
def test_readers_keep_the_contract(tmp_path: Path, read: Callable[[Path], RawScene]) -> None:
    raw = read(tmp_path)
    check_reader(raw)
    np.testing.assert_array_equal(raw.read(0, 4), VALUES)


def upside_down(first: int, last: int) -> np.ndarray:
    return VALUES[first:last][::-1]


def whole_always(first: int, last: int) -> np.ndarray:
    return VALUES


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"read": upside_down}, "read alone differ"),
        ({"read": whole_always}, "rows 0:1 have shape"),
        ({"read_part": lambda window: VALUES[: window.shape[0], : window.shape[1]]}, "read alone differs"),
        ({"read_part": lambda window: VALUES[window.top : window.bottom]}, "has shape"),
        ({"block": (0, 6)}, "blocks of"),
        ({"shape": (6, 4, 5)}, "announced"),
        ({"dtype": np.dtype("int16")}, "announced"),
        ({"wavelength": np.arange(4.0)}, "wavelength is not one number for each band"),
        ({"gain": np.arange(3.0)}, "gain is neither"),
    ],
)
def test_the_checks_notice(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_reader(replace(npy(tmp_path), **change))
