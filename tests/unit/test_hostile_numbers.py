"""Files with numbers that are none, or of something else."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from hostile import SCENE, VALUES, refused

from unmixel.errors import SceneError
from unmixel.io import Window, open_lazily, open_scene, save_scene
from unmixel.scene import make_scene, transform_of


@pytest.mark.parametrize(
    ("noise", "dims", "said"),
    [
        (np.ones(4), ["y"], r"noise of shape \(4,\)"),
        (np.float64(3), [], r"noise of shape \(\)"),
        (np.ones((4, 5)), ["y", "band"], r"noise of shape \(4, 5\)"),
        (np.zeros(5), ["band"], "without values in 5"),
    ],
    ids=["rows", "one", "both", "zero"],
)
def test_noise_that_is_not_that_of_the_bands(noise: np.ndarray, dims: list[str], said: str, tmp_path: Path) -> None:
    save_scene(SCENE.assign_coords(noise_sd=("band", np.ones(5))), tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        del file["noise_sd"]
        stored = file.create_dataset("noise_sd", data=noise)
        for number, dim in enumerate(dims):
            stored.dims[number].attach_scale(file[dim])
    refused(tmp_path / "s.nc", said)


@pytest.mark.parametrize("transform", ["5e5 0 0 5.4e6 0 0", "nan nan nan nan nan nan", "0 inf 0 0 0 1"])
def test_a_map_in_one_place_is_none(transform: str, tmp_path: Path) -> None:
    save_scene(SCENE, tmp_path / "s.nc")
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        file["spatial_ref"].attrs["GeoTransform"] = transform
    refused(tmp_path / "s.nc", "a map with the geotransform")


def test_what_another_program_cuts_out_of_a_scene_keeps_its_place(tmp_path: Path) -> None:
    place = rasterio.Affine(30.0, 0.0, 5e5, 0.0, -30.0, 5.4e6)
    save_scene(make_scene(VALUES, wavelength=SCENE.wavelength, transform=place), tmp_path / "s.nc")
    with xr.open_dataset(tmp_path / "s.nc", engine="h5netcdf", decode_coords="all") as whole:
        whole.isel(y=slice(1, 4), x=slice(2, None)).to_netcdf(tmp_path / "part.nc", engine="h5netcdf")
    part = open_scene(tmp_path / "part.nc")
    np.testing.assert_array_equal(part.values, VALUES[1:, 2:])
    assert transform_of(part) == place @ rasterio.Affine.translation(2, 1)


@pytest.mark.parametrize("wavelength", [[450, 550, 650, 750, np.inf], np.linspace(450, 850, 4), np.full(5, "a")])
def test_an_uncertainty_with_odd_wavelengths(wavelength: np.typing.ArrayLike, tmp_path: Path) -> None:
    for name, given in (("s", np.linspace(450, 850, 5)), ("sd", wavelength)):
        np.savez(tmp_path / f"{name}.npz", values=VALUES, wavelength=given)
    for one, other in (("s", "sd"), ("sd", "s"), ("sd", "sd")):
        with pytest.raises(SceneError):
            open_lazily(tmp_path / f"{one}.npz", uncertainty=tmp_path / f"{other}.npz").read(Window(0, 1, 0, 1))


def test_an_error_of_long_names_is_short(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file["a" * 3000], file["b" * 3000] = VALUES, VALUES
    assert len(refused(tmp_path / "s.mat", "several arrays")) < 2000


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("place", range(5))
def test_a_wavelength_that_is_a_signalling_nan(place: int, others: int, tmp_path: Path) -> None:
    wavelength = SCENE.wavelength.values.astype(np.float64)
    wavelength[(place + 1 + np.arange(others)) % 5] = np.nan
    wavelength.view(np.uint64)[place] = 0x7FF4_0000_0000_0000
    np.savez(tmp_path / "s.npz", reflectance=VALUES, wavelength=wavelength)
    refused(tmp_path / "s.npz", f"{1 + others} of 5 of them NaN")
