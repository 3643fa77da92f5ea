"""A scene in every format that is written comes back as it was, whole or read window by window."""

from __future__ import annotations

from pathlib import Path

import h5netcdf
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from unmixel.errors import OutputError
from unmixel.io import Window, open_lazily, open_scene, save_scene
from unmixel.io.envi_header import read_envi_header
from unmixel.io.opening import read_raw
from unmixel.io.steady_file import steady_file
from unmixel.io.windowed_scene import WindowedScene
from unmixel.io.zarr_store import stream_zarr
from unmixel.scene import crs_wkt_of, make_scene, transform_of

EXAMPLES = 6
SUFFIXES = (".nc", ".zarr", ".tif", ".img")
UTM = CRS.from_epsg(32632).to_wkt()
NORTH_UP = Affine(0.7, 0, 669639.6, 0, -0.7, 5328106.123456789)
ROTATED = Affine.translation(669639.6, 5328106.1) @ Affine.rotation(33.3) @ Affine.scale(3.7, -3.7)
WAVELENGTH = [381.00558, 450.1 + 0.2, 1000.0 / 3.0 * 2, 2492.9238]
"""Numbers whose digits are lost when they are divided by 1000 and multiplied again."""


def a_scene(rows: int = 5, columns: int = 7, **more: object) -> xr.DataArray:
    """A scene that is not square, with an asymmetric marker, an invalid pixel, and a band that is left out."""
    values = np.random.default_rng(1).uniform(0.02, 0.6, (rows, columns, 4)).astype(np.float32)
    values[0, -1] = [0.91, 0.92, 0.93, 0.94]
    values[:, :, 2] = 0.5
    values[-1, columns // 2] = np.nan
    kind = {
        "wavelength": WAVELENGTH,
        "fwhm": [5.1, 6.2, 7.3, 8.4],
        "crs_wkt": UTM,
        "transform": NORTH_UP,
        "reading": ("made for a test", "a, second; line = 2"),
    }
    scene = make_scene(values, **(kind | more))
    scene.attrs |= {"product": "An Imäger L2A, reflectance", "acquired": "2023-08-01T19:25:31Z"}
    return scene


def check_the_same(back: xr.DataArray, scene: xr.DataArray) -> None:
    np.testing.assert_array_equal(back.values, scene.values)
    for name in ("wavelength", "fwhm", "good_band"):
        np.testing.assert_array_equal(back[name].values, scene[name].values, err_msg=name)
    assert transform_of(back) == transform_of(scene)
    mine, theirs = crs_wkt_of(scene), crs_wkt_of(back)
    assert (mine is None and theirs is None) or CRS.from_wkt(mine) == CRS.from_wkt(theirs)


KINDS: dict[str, dict[str, object]] = {
    "map": {},
    "rotated": {"transform": ROTATED},
    "long pixels": {"transform": Affine(0.7, 0, 669639.6, 0, -1.4, 5328106.1)},
    "south up": {"transform": Affine(0.5, 0, 10, 0, 0.5, -20)},
    "degrees": {"crs_wkt": CRS.from_epsg(4326).to_wkt(), "transform": Affine(1e-5 / 3, 0, 11.1, 0, -1e-5 / 3, 48.1)},
    "equal area": {"crs_wkt": CRS.from_epsg(3035).to_wkt()},
    "own projection": {
        "crs_wkt": CRS.from_proj4("+proj=tmerc +lat_0=1 +lon_0=9.5 +k=0.9 +x_0=7 +ellps=GRS80").to_wkt()
    },
    "no crs": {"crs_wkt": None},
    "no map": {"crs_wkt": None, "transform": None},
    "no wavelengths": {"wavelength": None, "fwhm": None},
    "no widths": {"fwhm": None},
    "one row": {"rows": 1},
    "one column": {"columns": 1},
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(tmp_path: Path, suffix: str, kind: str) -> None:
    scene, path = a_scene(**KINDS[kind]), tmp_path / f"scene{suffix}"
    before = scene.copy(deep=True)
    save_scene(scene, path)
    xr.testing.assert_identical(scene, before)
    back = open_scene(path)
    check_the_same(back, scene)
    np.testing.assert_array_equal(back.values[0, -1], np.float32([0.91, 0.92, 0.5, 0.94]))
    raw = read_raw(path)
    assert (raw.product, raw.acquired) == ("An Imäger L2A, reflectance", "2023-08-01T19:25:31Z")
    if suffix != ".img":
        assert raw.notes == tuple(scene.attrs["reading"])
    left = {path.name} | ({"scene.hdr"} if suffix == ".img" else set())
    assert {entry.name for entry in tmp_path.iterdir()} == left


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_scene_comes_back(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    rows, columns = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 5)).filter(lambda size: size[0] != size[1]))
    numbers = st.floats(2**-10, 1.5, width=32)
    values = np.array(data.draw(st.lists(numbers, min_size=3 * rows * columns, max_size=3 * rows * columns)))
    values = values.reshape(rows, columns, 3)
    values[0, 0], values[-1, -1] = 0.1, 0.2
    invalid = np.array(data.draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns)))
    invalid = invalid.reshape(rows, columns)
    invalid[0, 0] = invalid[-1, -1] = False
    values[invalid] = np.nan
    finite = st.floats(-1e7, 1e7)
    step = st.floats(1e-6, 1e4)
    angle = data.draw(st.sampled_from([0.0, 0.0, 12.5, -77.0, 170.0]))
    place = Affine.translation(data.draw(finite), data.draw(finite)) @ Affine.rotation(angle)
    scene = make_scene(
        values,
        wavelength=sorted(data.draw(st.lists(st.floats(300, 14_000), min_size=3, max_size=3))),
        good_band=[True, data.draw(st.booleans()), True],
        crs_wkt=data.draw(st.sampled_from([None, UTM])),
        transform=data.draw(st.sampled_from([None, place @ Affine.scale(side := data.draw(step), -side)])),
    )
    path = tmp_path / f"scene{suffix}"
    save_scene(scene, path, overwrite=True)
    check_the_same(open_scene(path), scene)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("memory", [300, 900], ids=["parts of a line", "some lines"])
def test_window_by_window(tmp_path: Path, suffix: str, memory: int) -> None:
    scene = a_scene(9, 5)
    save_scene(scene, tmp_path / "from.img")
    told: list[tuple[str, dict[str, float | int]]] = []
    lazy = open_lazily(tmp_path / "from.img", memory=memory)
    assert len(lazy.windows()) > 1
    save_scene(lazy, tmp_path / f"to{suffix}", progress=lambda stage, numbers: told.append((stage, dict(numbers))))
    check_the_same(open_scene(tmp_path / f"to{suffix}"), scene)
    assert len(told) == len(lazy.windows())
    assert told[-1] == ("writing", {"rows": 9, "of": 9})


def test_chunks_never_lie_in_two_windows(tmp_path: Path) -> None:
    scene = a_scene(7, 10)
    windows = [Window(top, min(top + 3, 7), left, min(left + 4, 10)) for top in (0, 3, 6) for left in (0, 4, 8)]
    stream_zarr(WindowedScene(scene, windows, lambda window: scene[window.slices].values), tmp_path / "scene.zarr")
    check_the_same(open_scene(tmp_path / "scene.zarr"), scene)


def test_a_geotiff_says_its_bands_as_gdal_and_qgis_read_them(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif") as file:
        assert file.tags(1, ns="IMAGERY") == {"CENTRAL_WAVELENGTH_UM": "0.38100558", "FWHM_UM": "0.0051"}
        plain = {"wavelength": "381.00558", "wavelength_units": "Nanometers", "fwhm": "5.1", "bbl": "1"}
        assert file.tags(1) == plain
        assert file.tags(3)["bbl"] == "0"
        assert file.descriptions[0] == "381.0056 nm"
        assert file.units == ("1",) * 4
        assert np.isnan(file.nodata)
        assert file.interleaving.value == "PIXEL"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


@pytest.mark.parametrize("driver", ["GTiff", "COG"])
def test_wavelengths_survive_a_copy_by_gdal(tmp_path: Path, driver: str) -> None:
    save_scene(a_scene(), tmp_path / "scene.tif")
    rasterio.shutil.copy(tmp_path / "scene.tif", tmp_path / "copy.tif", driver=driver)
    check_the_same(open_scene(tmp_path / "copy.tif"), a_scene())


def test_wavelengths_of_other_programs(tmp_path: Path) -> None:
    """Without the domain of GDAL 3.10, as in a copy through a VRT."""
    save_scene(a_scene(), tmp_path / "scene.tif")
    rasterio.shutil.copy(tmp_path / "scene.tif", tmp_path / "scene.vrt", driver="VRT")
    rasterio.shutil.copy(tmp_path / "scene.vrt", tmp_path / "copy.tif", driver="GTiff")
    with rasterio.open(tmp_path / "copy.tif") as file:
        assert not file.tags(1, ns="IMAGERY")
    check_the_same(open_scene(tmp_path / "copy.tif"), a_scene())


def test_cf_conventions(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.nc")
    with h5netcdf.File(tmp_path / "scene.nc") as file:
        scene, y, wavelength = (file.variables[name] for name in ("reflectance", "y", "wavelength"))
        assert file.attrs["Conventions"] == "CF-1.8"
        assert file.attrs["time_coverage_start"] == "2023-08-01T19:25:31Z"
        assert file.attrs["source"] == "An Imäger L2A, reflectance"
        assert scene.dimensions == ("y", "x", "band")
        assert scene.attrs["units"] == "1"
        assert set(scene.attrs["coordinates"].split()) == {"wavelength", "fwhm", "good_band"}
        assert np.isnan(scene.attrs["_FillValue"])
        assert y.attrs["standard_name"] == "projection_y_coordinate"
        assert (y.attrs["axis"], y.attrs["units"]) == ("Y", "m")
        assert "_FillValue" not in y.attrs
        np.testing.assert_allclose(y[...], NORTH_UP.f - 0.7 * (np.arange(5) + 0.5), rtol=0, atol=1e-9)
        assert wavelength.attrs["standard_name"] == "sensor_band_central_radiation_wavelength"
        assert wavelength.attrs["units"] == "nm"
        place = file.variables[scene.attrs["grid_mapping"]].attrs
        assert place["grid_mapping_name"] == "transverse_mercator"
        assert place["scale_factor_at_central_meridian"] == 0.9996
        assert place["inverse_flattening"] == 298.257223563
        assert list(map(float, place["GeoTransform"].split())) == list(NORTH_UP.to_gdal())


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_xarray_finds_everything(tmp_path: Path, suffix: str) -> None:
    scene, path = a_scene(), tmp_path / f"scene{suffix}"
    save_scene(scene, path)
    how = {"engine": "h5netcdf"} if suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    with xr.open_dataset(path, decode_coords="all", **how) as dataset:
        assert list(dataset.data_vars) == ["reflectance"]
        assert set(dataset.coords) == {"y", "x", "wavelength", "fwhm", "good_band", "spatial_ref"}
        assert dataset["good_band"].dtype == bool
        np.testing.assert_array_equal(dataset["reflectance"].values, scene.values)


def test_an_envi_header_for_others(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.img")
    header = read_envi_header(tmp_path / "scene.hdr")
    assert header.text("acquisition time") == "2023-08-01T19:25:31Z"
    assert header.text("wavelength units") == "Nanometers"
    assert header.text("bbl") == "1, 1, 0, 1"
    assert header.text("interleave") == "bil"
    assert header.text("data ignore value") == "-9999"


def test_a_map_moved_by_another_program_is_believed(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.img")
    header = tmp_path / "scene.hdr"
    header.write_text(header.read_text().replace("669639.6, 53", "669700, 53", 1))
    assert transform_of(open_scene(tmp_path / "scene.img")).c == 669700


def test_what_envi_cannot_hold_is_refused(tmp_path: Path) -> None:
    for transform in (Affine(2, 1, 10, 0.3, -2, 20), Affine(-1, 0, 10, 0, 1, 20), ROTATED @ Affine.scale(1, 2)):
        with pytest.raises(OutputError, match="skewed or mirrored"):
            save_scene(a_scene(transform=transform), tmp_path / "scene.img")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_replaced_unasked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scene{suffix}"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        save_scene(a_scene(), path)
    assert path.read_text() == "mine"
    save_scene(a_scene(), path, overwrite=True)
    save_scene(a_scene(rows=3), path, overwrite=True)
    assert open_scene(path).shape == (3, 7, 4)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_of_others_is_never_replaced(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"scene{suffix}"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"folder|header"):
        save_scene(a_scene(), folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    save_scene(a_scene(9, 5), tmp_path / "from.nc")

    def interrupt(stage: str, numbers: object) -> None:
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        save_scene(open_lazily(tmp_path / "from.nc"), tmp_path / f"to{suffix}", progress=interrupt)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only where there is a device that is always full")
def test_a_full_disk_is_raised_when_the_writer_is_done() -> None:
    done = False
    with pytest.raises(OSError, match="No space"), steady_file(Path("/dev/full")) as file:
        assert file.write(b"abc") == 3
        assert file.write(memoryview(b"defg")) == 4
        done = True
    assert done


def test_the_scene_itself_is_not_replaced(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.img")
    for name in ("scene.img", "scene.hdr"):
        with pytest.raises(OutputError, match="read from"):
            save_scene(open_lazily(tmp_path / name), tmp_path / "scene.img", overwrite=True)
    check_the_same(open_scene(tmp_path / "scene.img"), a_scene())


def test_a_header_never_describes_another_file(tmp_path: Path) -> None:
    save_scene(a_scene(), tmp_path / "scene.img")
    with pytest.raises(OutputError, match=r"beside scene\.hdr"):
        save_scene(open_lazily(tmp_path / "scene.img"), tmp_path / "scene.tif")
    save_scene(a_scene(), tmp_path / "other.tif")
    with pytest.raises(OutputError, match=r"other\.hdr beside .*other\.tif"):
        save_scene(open_lazily(tmp_path / "other.tif"), tmp_path / "other.img")


def test_other_names_and_places(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.tif, \.img, \.nc or \.zarr"):
        save_scene(a_scene(), tmp_path / "scene.jpg")
    with pytest.raises(OutputError, match="no folder"):
        save_scene(a_scene(), tmp_path / "nowhere" / "scene.tif")
