"""EnMAP L2A: the values, places, bands and masks that the product's files say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from dlr_products import COLUMNS, PLACE, ROWS, UTM, write_image
from enmap_scene import EMPTY, GAIN, MASKED, NAME, OFFSET, WAVELENGTH, as_raw_numbers, make_product
from rasterio.crs import CRS

from unmixel.cli.scenes import scenes_of
from unmixel.errors import SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.scale.identity import scene_identity
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A folder with a product."""
    folder = tmp_path / "product"
    folder.mkdir()
    make_product(folder)
    return folder


def expected(values: np.ndarray) -> np.ndarray:
    reflectance = (values * np.array(GAIN) + np.array(OFFSET)).astype(np.float32)
    reflectance[:, :, EMPTY] = np.nan
    for place in MASKED:
        reflectance[place] = np.nan
    return reflectance


@pytest.mark.parametrize("cog", ["", "_COG"])
@pytest.mark.parametrize("given", ["", "SPECTRAL_IMAGE{cog}.TIF", "METADATA.XML"])
def test_it_is_read_from_its_image_its_metadata_or_its_folder(tmp_path: Path, cog: str, given: str) -> None:
    values = make_product(tmp_path, cog=cog)
    scene = open_scene(tmp_path / f"{NAME}-{given.format(cog=cog)}" if given else tmp_path)
    np.testing.assert_array_equal(scene.values, expected(values))
    assert scene.values[0, 0, 0] == np.float32(0.9)  # the bright corner, up on the left
    assert transform_of(scene) == PLACE
    assert CRS.from_wkt(crs_wkt_of(scene)) == UTM
    assert scene.wavelength.values.tolist() == WAVELENGTH
    np.testing.assert_allclose(scene.fwhm, [6 + k / 10 for k in range(1, 9)])
    assert scene.good_band.values.tolist() == [True, True, True, True, True, False, False, True]
    assert scene.attrs["acquired"] == "2022-07-24T10:45:26Z"
    assert scene.attrs["product"] == "EnMAP L2A reflectance"


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("given", ["", "SPECTRAL_IMAGE.{suffix}", "SPECTRAL_IMAGE.HDR", "METADATA.XML"])
def test_raw_numbers_with_a_header_are_read_as_the_geotiff_is(product: Path, interleave: str, given: str) -> None:
    as_tiff = open_scene(product)
    as_raw_numbers(product, interleave, "wavelength = {1,2,3,4,5,6,7,8}\nreflectance scale factor = 7\n")
    path = product / f"{NAME}-{given.format(suffix=interleave.upper())}" if given else product
    scene = open_scene(path)
    np.testing.assert_array_equal(scene.values, as_tiff.values)
    np.testing.assert_array_equal(scene.wavelength, as_tiff.wavelength)
    np.testing.assert_array_equal(scene.good_band, as_tiff.good_band)
    assert scene.attrs == as_tiff.attrs
    assert transform_of(scene) == PLACE
    assert CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == UTM.to_epsg()
    lazy = open_lazily(path, memory=1)
    for window in lazy.windows():
        rows, columns = window.slices
        np.testing.assert_array_equal(lazy.read(window).values, scene.values[rows, columns])
    before = scene_identity(lazy.path, lazy.variable, lazy.companions)
    os.utime(product / f"{NAME}-SPECTRAL_IMAGE.HDR", (1, 1))
    assert scene_identity(lazy.path, lazy.variable, lazy.companions) != before


def test_raw_numbers_without_their_header_are_an_error_that_says_so(product: Path) -> None:
    as_raw_numbers(product, "bsq")
    (product / f"{NAME}-SPECTRAL_IMAGE.HDR").unlink()
    with pytest.raises(SceneError, match=r"without its ENVI header.*SPECTRAL_IMAGE.HDR beside it"):
        open_scene(product)


@pytest.mark.parametrize("given", ["", "SPECTRAL_IMAGE.JP2", "METADATA.XML"])
def test_an_image_in_jpeg_2000_is_an_error_that_says_what_to_do(product: Path, given: str) -> None:
    image = product / f"{NAME}-SPECTRAL_IMAGE.TIF"
    image.rename(image.with_suffix(".JP2"))
    with pytest.raises(SceneError, match=r"JPEG 2000; expected a spectral image in GeoTIFF.*gdal_translate"):
        open_scene(product / f"{NAME}-{given}" if given else product)


def test_an_image_unpacked_beside_its_jpeg_2000_is_read(product: Path) -> None:
    as_delivered = open_scene(product)
    (product / f"{NAME}-SPECTRAL_IMAGE.JP2").write_bytes(b"packed")
    assert open_scene(product).identical(as_delivered)


def test_quality_layers_in_jpeg_2000_are_applied(product: Path) -> None:
    as_tiff = open_scene(product)
    for layer in product.glob("*QL_QUALITY_*.TIF"):
        with rasterio.open(layer) as file:
            values, profile = file.read(), {"crs": file.crs, "transform": file.transform}
        with rasterio.open(
            layer.with_suffix(".JP2"),
            "w",
            "JP2OpenJPEG",
            COLUMNS,
            ROWS,
            1,
            dtype="uint8",
            QUALITY="100",
            REVERSIBLE="YES",
            **profile,
        ) as file:
            file.write(values)
        layer.unlink()
    assert open_scene(product).identical(as_tiff)


def test_what_was_done_is_said(product: Path) -> None:
    reading = open_scene(product).attrs["reading"]
    assert "VNIR and SWIR detectors overlap at 902 to 906 nm: 2 bands, those of both kept" in reading
    assert "1 bands without any measurement left out, by the product's statistics" in reading
    assert any(line.startswith("masked by the quality layers: clouds, their shadows") for line in reading)
    assert "values scaled and shifted, each band by its own numbers (by the file)" in reading
    assert "1 band within 1350 to 1450 nm left out: the air absorbs there" in reading


def test_pixels_are_masked_by_the_quality_layers(product: Path) -> None:
    masked = np.zeros((ROWS, COLUMNS), dtype=bool)
    masked[tuple(np.transpose(MASKED))] = True
    np.testing.assert_array_equal(valid_pixels(open_scene(product)), ~masked)


def test_without_quality_layers_it_is_said(product: Path) -> None:
    for file in product.glob("*QL_QUALITY*"):
        file.unlink()
    scene = open_scene(product)
    assert int(valid_pixels(scene).sum()) == ROWS * COLUMNS - 1
    assert any("not masked by: QL_QUALITY_CLOUD, QL_QUALITY_CLOUDSHADOW" in line for line in scene.attrs["reading"])


def replace(folder: Path, part: str, before: str, after: str) -> None:
    (path,) = folder.glob(f"*{part}*")
    path.write_text(path.read_text().replace(before, after))


def truncate(folder: Path, part: str) -> None:
    (path,) = folder.glob(f"*{part}*")
    path.write_bytes(path.read_bytes()[:200])


def remove(folder: Path, part: str) -> None:
    (path,) = folder.glob(f"*{part}*")
    path.unlink()


def layer_of_another_size(folder: Path) -> None:
    write_image(folder / f"{NAME}-QL_QUALITY_CLOUD.TIF", np.zeros((3, 3, 1), dtype=np.uint8))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: replace(folder, "METADATA", "<level>L2A<", "<level>L1C<"), "EnMAP L1C.*surface reflectance"),
        (lambda folder: replace(folder, "METADATA", "418.42", "nan"), "wavelengthCenterOfBand = nan"),
        (lambda folder: replace(folder, "METADATA", "<GainOfBand>0.0002</GainOfBand>", ""), "GainOfBand = nothing"),
        (lambda folder: replace(folder, "METADATA", "</bandChar", "<bandID/></bandChar"), "describes 9 bands"),
        (lambda folder: replace(folder, "METADATA", '<bandID number="8"><wave', '<bandID number="7"><wave'), "1 to 8"),
        (lambda folder: replace(folder, "METADATA", "<level_X ", "<!DOCTYPE x []><level_X "), "document type"),
        (lambda folder: truncate(folder, "METADATA"), "complete XML"),
        (lambda folder: truncate(folder, "SPECTRAL_IMAGE"), "is it complete"),
        (lambda folder: remove(folder, "SPECTRAL_IMAGE"), "without ENMAP.*SPECTRAL_IMAGE.TIF"),
        (lambda folder: truncate(folder, "QL_QUALITY_SNOW"), None),
        (lambda folder: truncate(folder, "QL_QUALITY_CIRRUS"), "is it complete"),
        (layer_of_another_size, "3 x 3 pixels"),
    ],
)
def test_damage_is_an_error_that_says_so(product: Path, harm: Callable[[Path], None], said: str | None) -> None:
    harm(product)
    if said is None:
        open_scene(product)
        return
    with pytest.raises(SceneError, match=said):
        open_scene(product)


def test_two_products_in_a_folder_have_to_be_told_apart(product: Path) -> None:
    for file in list(product.iterdir()):
        shutil.copy(file, product / file.name.replace("V010302", "V010402"))
    with pytest.raises(SceneError, match="2 products"):
        open_scene(product)
    assert open_scene(product / f"{NAME}-SPECTRAL_IMAGE.TIF").shape == (ROWS, COLUMNS, 8)


def test_a_change_of_any_of_its_files_is_a_change_of_the_scene(product: Path) -> None:
    image = product / f"{NAME}-SPECTRAL_IMAGE.TIF"

    def identity() -> dict[str, object]:
        scene = open_lazily(image)
        return scene_identity(scene.path, scene.variable, scene.companions)

    before = identity()
    assert identity() == before
    os.utime(product / f"{NAME}-QL_PIXELMASK.TIF", (1, 1))  # it is not read
    assert identity() == before
    for part in ("METADATA.XML", "QL_QUALITY_CLOUD.TIF"):
        os.utime(product / f"{NAME}-{part}", (1, 1))
        assert identity() != before
        before = identity()


def test_a_pattern_means_folders_that_are_products(product: Path) -> None:
    (product.parent / "otherwise").mkdir(exist_ok=True)
    shutil.copytree(product, product.parent / "other")
    (job,) = scenes_of([product.parent / "oth*"], None)
    assert (job.path, job.name) == (product.parent / "other", "other")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**", ["product", "scene.npy"]),
        ("**/*", ["product", "scene.npy"]),
        ("*/*", [f"product/{NAME}-METADATA.XML"]),
        ("**/*.TIF", [f"product/{NAME}-SPECTRAL_IMAGE.TIF"]),
    ],
)
def test_a_pattern_means_a_product_once_and_no_part_of_it(product: Path, pattern: str, found: list[str]) -> None:
    (product.parent / "scene.npy").touch()
    jobs = scenes_of([product.parent / pattern], None)
    assert [job.path for job in jobs] == [product.parent / name for name in found]
