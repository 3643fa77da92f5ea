"""Every reader of a format or a product keeps the promises of all readers, and the checks notice one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import aviris_scene
import desis_scene
import emit_granule
import enmap_scene
import h5py
import hyperion_scene
import numpy as np
import prisma_scene
import pytest
import rasterio
import scipy.io
import sentinel2_scene
import tanager_scene
from affine import Affine
from dlr_products import write_image

from unmixel.io import open_lazily, open_scene, save_scene
from unmixel.io.numpy_arrays import read_npy
from unmixel.io.opening import read_raw
from unmixel.io.windows import Window
from unmixel.scene import make_scene
from unmixel.testing.reader_contract import check_reader

VALUES = np.random.default_rng(7).uniform(0.05, 0.6, (4, 6, 5)).astype(np.float32)
Write = Callable[[Path], Path]
"""Writes a scene into a folder, and returns what is given to be opened."""


def saved(suffix: str) -> Write:
    def write(folder: Path) -> Path:
        save_scene(make_scene(VALUES, wavelength=np.linspace(400, 800, 5)), folder / f"s{suffix}")
        return folder / f"s{suffix}"

    return write


def tiff(folder: Path) -> Path:
    profile = {"width": 6, "height": 4, "count": 5, "dtype": "float32", "transform": Affine(2, 0, 1, 0, -2, 9)}
    with rasterio.open(folder / "s.tif", "w", "GTiff", **profile) as file:
        file.write(np.moveaxis(VALUES, 2, 0))
    return folder / "s.tif"


def matlab_5(folder: Path) -> Path:
    scipy.io.savemat(folder / "s.mat", {"cube": VALUES})
    return folder / "s.mat"


def matlab_73(folder: Path) -> Path:
    with h5py.File(folder / "s.mat", "w", userblock_size=512) as file:
        file["Y"] = VALUES.reshape(24, 5, order="F")
        file["nRow"], file["nCol"] = [[4]], [[6]]
    return folder / "s.mat"


def npy(folder: Path) -> Path:
    np.save(folder / "s.npy", VALUES)
    return folder / "s.npy"


def npy_by_band(folder: Path) -> Path:
    np.save(folder / "s.npy", np.asfortranarray(VALUES.astype(">f4")))
    return folder / "s.npy"


def npz(folder: Path) -> Path:
    np.savez(folder / "s.npz", VALUES)
    return folder / "s.npz"


def in_folder(make: Callable[[Path], object]) -> Write:
    def write(folder: Path) -> Path:
        make(folder)
        return folder

    return write


def in_file(name: str, make: Callable[..., object], **how: object) -> Write:
    def write(folder: Path) -> Path:
        make(folder / name, **how)
        return folder / name

    return write


def few_pixels_of_hyperion(folder: Path) -> None:
    """Bands that are two files in turn: each reading opens 242 of them."""
    for band in hyperion_scene.NUMBERS:
        path = folder / f"{hyperion_scene.SCENE}_B{band:03d}_L1T.TIF"
        if band <= 2:
            write_image(path, VALUES[:2, :3, band : band + 1])
        else:
            path.symlink_to(folder / path.name.replace(f"B{band:03d}", f"B{1 + band % 2:03d}"))


aviris = partial(in_file, "line.nc", aviris_scene.write)
prisma = partial(in_file, "scene.he5", prisma_scene.write)
tanager = partial(in_file, "scene.h5", tanager_scene.write)
FORMATS = {
    "envi": (saved(".img"), None),
    "tiff": (tiff, (4, 6)),
    "cog": (saved(".tif"), (128, 128)),
    "matlab 5": (matlab_5, (4, 1)),
    "matlab 7.3": (matlab_73, (4, 1)),
    "netcdf": (saved(".nc"), None),
    "zarr": (saved(".zarr"), (4, 6)),
    "npy": (npy, None),
    "npy by band": (npy_by_band, (4, 1)),
    "npz": (npz, None),
}
HOLD_VALUES = [write for write, _ in FORMATS.values()]
"""Products' own tests know what their look-alikes hold."""
PRODUCTS = {
    "aviris": (aviris(), None),
    "aviris in chunks": (aviris(chunks=(6, 2, 3)), (2, 3)),
    "desis": (in_folder(desis_scene.make_product), (6, 9)),
    "emit": (emit_granule.write_scene, (5, 4)),
    "enmap": (in_folder(enmap_scene.make_product), (6, 9)),
    "hyperion": (in_folder(few_pixels_of_hyperion), (2, 3)),
    "prisma": (prisma(), None),
    "prisma in chunks": (prisma(chunks=(2, 3, 4)), (2, 4)),
    "sentinel-2": (in_folder(sentinel2_scene.make_product), (6, 9)),
    "sentinel-2 stack": (in_file("s.tif", sentinel2_scene.write_stack), (6, 9)),
    "tanager": (tanager(), None),
    "tanager in chunks": (tanager(chunks=(5, 2, 3)), (2, 3)),
    "tanager basic": (tanager(chunks=(5, 2, 3), basic=True), (2, 3)),
}


@pytest.mark.parametrize(("write", "block"), (FORMATS | PRODUCTS).values(), ids=FORMATS | PRODUCTS)
def test_readers_keep_the_contract(tmp_path: Path, write: Write, block: tuple[int, int] | None) -> None:
    path = write(tmp_path)
    raw = read_raw(path)
    check_reader(raw)
    assert raw.block == block
    if write in HOLD_VALUES:
        np.testing.assert_array_equal(raw.read(0, 4), VALUES)
    whole, lazy = open_scene(path), open_lazily(path)
    rows, columns, _ = raw.shape
    window = Window(rows // 2, rows, columns // 3, columns - 1)
    part, expected = lazy.read(window), whole[window.slices]
    np.testing.assert_array_equal(part.values, expected.values)
    for axis in ("y", "x"):
        np.testing.assert_array_equal(part[axis].values, expected[axis].values)


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
        ({"shape": (4, 6, 4)}, "announced"),
        ({"dtype": np.dtype("int16")}, "announced"),
        ({"wavelength": np.arange(4.0)}, "wavelength is not one number for each band"),
        ({"gain": np.arange(3.0)}, "gain is neither"),
    ],
)
def test_the_checks_notice(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_reader(replace(read_npy(npy(tmp_path)), **change))
