"""TIFF scenes: wavelengths from a header beside them or from their own tags."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.io.cog import write_cog
from unmixel.scale.identity import scene_identity
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels

SHAPE = (4, 6, 5)


def write_tiff(path: Path, values: np.ndarray, *, tags: list[dict[str, Any]] | None = None, **profile: Any) -> Path:
    rows, columns, bands = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", "GTiff", columns, rows, bands, dtype=values.dtype.name, **profile) as file:
            file.write(np.moveaxis(values, 2, 0))
            for band, said in enumerate(tags or [], start=1):
                file.update_tags(band, **said)
    return path


def reflectance() -> np.ndarray:
    return np.random.default_rng(3).uniform(0.05, 0.6, SHAPE).astype(np.float32)


@pytest.mark.parametrize(
    "layout", [{"interleave": "pixel"}, {"interleave": "band"}, {"BIGTIFF": "YES", "compress": "deflate"}]
)
def test_values_and_place(tmp_path: Path, layout: dict[str, str]) -> None:
    transform = Affine(30, 0, 4e5, 0, -30, 6e6)
    path = write_tiff(tmp_path / "s.tif", reflectance(), crs=CRS.from_epsg(32719), transform=transform, **layout)
    scene = open_scene(path)
    np.testing.assert_array_equal(scene.values, reflectance())
    assert transform_of(scene) == transform
    assert CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == 32719
    assert np.isnan(scene.wavelength).all()


def test_a_rotated_map_keeps_its_transform(tmp_path: Path) -> None:
    transform = Affine(2, 1, 4e5, 1, -2, 6e6)
    path = write_tiff(tmp_path / "s.tif", reflectance(), crs=CRS.from_epsg(32719), transform=transform)
    assert transform_of(open_scene(path)) == transform


def test_files_beside_it_say_what_gdal_has_them_say(tmp_path: Path) -> None:
    """Place, no-data value, scale and wavelengths from .aux.xml, before the file's own; overviews and masks nothing."""
    own = {"crs": CRS.from_epsg(32719), "transform": Affine(30, 0, 4e5, 0, -30, 6e6)}
    path = write_tiff(tmp_path / "s.tif", reflectance(), **own)
    alone = open_scene(path)
    assert open_lazily(path).companions == ()
    write_tiff(tmp_path / "s.tif.ovr", np.ones((2, 3, 5), dtype=np.float32), **own)
    write_tiff(tmp_path / "s.tif.msk", np.zeros((4, 6, 1), dtype=np.uint8), **own)
    (tmp_path / "s.txt").write_text("of no use")
    assert open_scene(path).identical(alone)
    (tmp_path / "s.tfw").write_text("10\n0\n0\n-10\n100\n200\n")
    scene = open_scene(path)
    assert transform_of(scene) == own["transform"]
    assert "read with s.tfw beside it, which may say place, fill and bands" in scene.attrs["reading"]
    bands = "".join(
        f'<PAMRasterBand band="{band}"><NoDataValue>{reflectance()[1, 2, 0]!s}</NoDataValue><Scale>2</Scale><Metadata>'
        f'<MDI key="wavelength">{400 + 50 * band}</MDI><MDI key="wavelength_units">nm</MDI></Metadata></PAMRasterBand>'
        for band in range(1, 6)
    )
    place = "<SRS>EPSG:32633</SRS><GeoTransform>5e5, 20, 0, 5.4e6, 0, -20</GeoTransform>"
    (tmp_path / "s.tif.aux.xml").write_text(f"<PAMDataset>{place}{bands}</PAMDataset>")
    scene = open_scene(path)
    assert transform_of(scene) == Affine(20, 0, 5e5, 0, -20, 5.4e6)
    assert CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == 32633
    assert scene.wavelength.values.tolist() == [450, 500, 550, 600, 650]
    assert np.argwhere(~valid_pixels(scene)).tolist() == [[1, 2]]
    np.testing.assert_allclose(scene.values[0, 0], 2 * reflectance()[0, 0], rtol=1e-6)
    lazy = open_lazily(path)
    assert [each.name for each in lazy.companions] == ["s.tfw", "s.tif.aux.xml"]
    before = scene_identity(lazy.path, lazy.variable, lazy.companions)
    os.utime(tmp_path / "s.tif.aux.xml", (1, 1))
    assert scene_identity(lazy.path, lazy.variable, lazy.companions) != before


def test_a_world_file_places_a_file_that_has_no_place(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "s.TIF", reflectance())
    (tmp_path / "s.TFW").write_text("10\n0\n0\n-10\n105\n195\n")
    scene = open_scene(path)
    assert transform_of(scene) == Affine(10, 0, 100, 0, -10, 200)
    assert "read with s.TFW beside it, which may say place, fill and bands" in scene.attrs["reading"]


def test_wavelengths_of_the_imagery_domain(tmp_path: Path) -> None:
    tags = [{"ns": "IMAGERY", "CENTRAL_WAVELENGTH_UM": 0.5 + 0.1 * b, "FWHM_UM": 0.01} for b in range(5)]
    scene = open_scene(write_tiff(tmp_path / "s.tif", reflectance(), tags=tags))
    np.testing.assert_allclose(scene.wavelength, [500, 600, 700, 800, 900])
    np.testing.assert_allclose(scene.fwhm, 10)


def test_wavelengths_of_band_tags(tmp_path: Path) -> None:
    tags = [{"wavelength": 400 + 100 * b, "wavelength_units": "Nanometers"} for b in range(5)]
    scene = open_scene(write_tiff(tmp_path / "s.tif", reflectance(), tags=tags))
    np.testing.assert_allclose(scene.wavelength, [400, 500, 600, 700, 800])
    assert not any("unit" in note for note in scene.attrs["reading"])


def test_items_of_enmap_box_say_which_bands_are_bad(tmp_path: Path) -> None:
    tags = [{"wavelength": 0.4 + 0.1 * b, "wavelength_units": "Micrometers", "fwhm": 0.01} for b in range(5)]
    for band, flag in zip(tags, "11010", strict=True):
        band["bbl"] = flag
    scene = open_scene(write_tiff(tmp_path / "s.tif", reflectance(), tags=tags))
    np.testing.assert_allclose(scene.wavelength, [400, 500, 600, 700, 800])
    np.testing.assert_allclose(scene.fwhm, 10)
    assert scene.good_band.values.tolist() == [True, True, False, True, False]


def test_names_of_items_differ_in_capitals(tmp_path: Path) -> None:
    tags = [{"Wavelength": 503 + b, "Wavelength_Units": "nanometers", "FWHM": "16.5"} for b in range(5)]
    scene = open_scene(write_tiff(tmp_path / "s.tif", reflectance(), tags=tags))
    assert scene.wavelength.values.tolist() == [503, 504, 505, 506, 507]
    assert set(scene.fwhm.values) == {16.5}


@pytest.mark.parametrize("unit", ["nm", ""])
def test_of_two_descriptions_that_with_its_unit_counts(tmp_path: Path, unit: str) -> None:
    path = write_tiff(
        tmp_path / "s.tif", reflectance(), tags=[{"wavelength": 400.1 + b, "wavelength_units": unit} for b in range(5)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "r+") as file:
            for band in file.indexes:
                file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=0.5 + 0.1 * band)
    expected = [400.1 + b for b in range(5)] if unit else [600.0, 700.0, 800.0, 900.0, 1000.0]
    np.testing.assert_allclose(open_scene(path).wavelength, expected, rtol=1e-15)


FIELDS = {
    "wavelength units": "Micrometers",
    "wavelength": "{0.4104, 0.4206, 0.4308, 0.441, 0.4512}",
    "fwhm": "{0.01, 0.02, 0.03, 0.04, 0.05}",
    "bbl": "{1, 1, 0, 1, 1}",
    "reflectance scale factor": "10000",
    "data ignore value": "-50",
    "acquisition time": "2023-08-01T19:25:31Z",
}


def write_counts(folder: Path) -> Path:
    """An ENVI scene of counts with all that its header can say of bands."""
    counts = (reflectance() * 10_000).astype(np.int16)
    counts[0, 0] = -50
    counts.tofile(folder / "s.img")
    lines = "".join(f"{name} = {value}\n" for name, value in FIELDS.items())
    size = "samples = 6\nlines = 4\nbands = 5\ndata type = 2\ninterleave = bip\nbyte order = 0\n"
    (folder / "s.hdr").write_text(f"ENVI\n{size}{lines}")
    return folder / "s.img"


@pytest.mark.parametrize("driver", ["GTiff", "COG"])
def test_wavelengths_survive_gdal(tmp_path: Path, driver: str) -> None:
    expected = open_scene(write_counts(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rasterio.shutil.copy(tmp_path / "s.img", tmp_path / "copy.tif", driver=driver)
    copied = open_scene(tmp_path / "copy.tif", scale=10_000)  # GDAL forgets scale, bad bands and time
    np.testing.assert_array_equal(copied.values, expected.values)
    np.testing.assert_array_equal(copied["wavelength"], expected["wavelength"])
    np.testing.assert_allclose(copied["fwhm"], expected["fwhm"])


def test_fields_of_an_envi_header_in_the_file_count(tmp_path: Path) -> None:
    expected = open_scene(write_counts(tmp_path))
    counts = np.fromfile(tmp_path / "s.img", np.int16).reshape(SHAPE)
    path = write_tiff(tmp_path / "t.tif", counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "r+") as file:
            file.update_tags(ns="ENVI", **{name.replace(" ", "_"): value for name, value in FIELDS.items()})
    scene = open_scene(path)
    np.testing.assert_array_equal(scene.values, expected.values)
    for name in ("wavelength", "fwhm", "good_band"):
        np.testing.assert_array_equal(scene[name].values, expected[name].values)
    assert scene.attrs["acquired"] == expected.attrs["acquired"] == "2023-08-01T19:25:31Z"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "r+") as file:
            file.update_tags(ns="ENVI", bbl="{1, 0}")
    with pytest.raises(SceneError, match="bad-band list of 2 for 5 bands"):
        open_scene(path)


def test_no_data_value_and_gdal_scale(tmp_path: Path) -> None:
    counts = (reflectance() * 1000).astype(np.int16)
    counts[2, 1, 0] = -32768
    path = write_tiff(tmp_path / "s.tif", counts, nodata=-32768)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "r+") as file:
            file.scales, file.offsets = [0.001] * 5, [0.5] * 5
    scene = open_scene(path)
    assert not valid_pixels(scene)[2, 1]
    assert valid_pixels(scene).sum() == 23
    np.testing.assert_allclose(scene.values[3], counts[3] * 0.001 + 0.5, rtol=1e-6)


def test_envi_header_beside(tmp_path: Path) -> None:
    counts = (reflectance() * 10_000).astype(np.int16)
    counts[0, 0] = 15_000
    path = write_tiff(tmp_path / "s.tif", counts)
    header = tmp_path / "s.hdr"
    header.write_text(
        "ENVI\nsamples = 6\nlines = 4\nbands = 5\nfile type = TIFF\ninterleave = tif\n"
        "wavelength units = Unknown\nwavelength = {0.41, 0.42, 0.43, 0.44, 0.45}\n"
        "reflectance scale factor = 10000.0\ndata ignore value = 15000\n"
    )
    for given in (path, header):
        scene = open_scene(given)
        np.testing.assert_allclose(scene.wavelength, [410, 420, 430, 440, 450])
        np.testing.assert_array_equal(scene.values[1:], (counts[1:] / 10_000).astype(np.float32))
        assert np.isnan(scene.values[0, 0]).all()
        assert "wavelength unit not given: 0.41 to 0.45 taken as micrometres" in scene.attrs["reading"]
    header.write_text(header.read_text().replace("bands = 5", "bands = 7"))
    with pytest.raises(SceneError, match="4 lines x 6 samples x 7 bands by its header"):
        open_scene(path)
    header.write_text("BYTEORDER I\nNROWS 4\n")
    assert np.isnan(open_scene(path).wavelength).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_picture_is_no_scene(tmp_path: Path, dtype: str) -> None:
    picture = (reflectance()[:, :, :3] * 200).astype(dtype)
    with pytest.raises(SceneError, match="colour picture"):
        open_scene(write_tiff(tmp_path / "rgb.tif", picture, photometric="RGB"))


@pytest.mark.parametrize("kept", [9, 60, 0.3, 0.9, -1])
def test_a_truncated_file_is_an_error(tmp_path: Path, kept: float) -> None:
    path = write_tiff(tmp_path / "s.tif", np.random.default_rng(0).random((40, 30, 20)).astype(np.float32))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(SceneError, match=r"s\.tif"):
        open_scene(path)


def test_a_map_of_a_result_is_no_scene(tmp_path):
    maps = np.full((4, 6, 3), 1 / 3, dtype=np.float32)
    tags = {"quantity": "abundance", "TIFFTAG_SOFTWARE": "unmixel 0.1.0"}
    write_cog(maps, tmp_path / "abundance.tif", bands=["a", "b", "c"], unit="1", tags=tags)
    with pytest.raises(SceneError, match="a map that unmixel made"):
        open_scene(tmp_path / "abundance.tif")
