"""EO-1 Hyperion: a folder of 242 bands in radiance, and stacks of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dlr_products import COLUMNS, PLACE, ROWS, UTM, write_image
from hyperion_scene import CALIBRATED, NUMBERS, SCENE, stored, write_bands
from rasterio.crs import CRS

from unmixel.cli.scenes import scenes_of
from unmixel.errors import SceneError
from unmixel.io import open_scene
from unmixel.io._raw import RawScene
from unmixel.io.opening import read_raw
from unmixel.io.products import hyperion
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one GeoTIFF for each band."""
    folder = tmp_path_factory.mktemp("hyperion")
    write_bands(folder, stored())
    return folder


@pytest.fixture(scope="module")
def raw(product: Path) -> RawScene:
    return read_raw(product / f"{SCENE}_B100_L1T.TIF")


def test_a_folder_of_bands_is_radiance(product: Path) -> None:
    assert hyperion.is_mine(product)
    scene = open_scene(product, keep_atmosphere=True)
    by_wavelength = np.argsort(scene_wavelength(), kind="stable")
    expected = (stored() * np.where(NUMBERS <= 70, 1 / 40, 1 / 80)).astype(np.float32)
    expected[5, 7:] = np.nan
    np.testing.assert_array_equal(scene.values, expected[:, :, by_wavelength])
    assert scene.good_band.values.tolist() == CALIBRATED[by_wavelength].tolist()
    assert scene.values[0, 0, 20] == 200.0  # the bright corner, up on the left
    assert transform_of(scene) == PLACE
    assert CRS.from_wkt(crs_wkt_of(scene)) == UTM
    assert scene.attrs["acquired"] == "2004-05-02"
    assert scene.attrs["product"] == "EO-1 Hyperion L1T radiance"
    assert any("no reflectance" in line for line in scene.attrs["reading"])
    assert int((~valid_pixels(scene)).sum()) == COLUMNS - 7


def scene_wavelength() -> np.ndarray:
    """The published centres at the ends of the detectors, evenly between."""
    return np.concatenate([np.linspace(355.59, 1057.68, 70), np.linspace(851.92, 2577.08, 172)])


def test_nominal_wavelengths_are_the_published_ones(raw: RawScene) -> None:
    assert raw.wavelength is not None
    for band, published in {2: 365.76, 3: 375.94, 40: 752.43, 57: 925.41, 72: 862.01, 77: 912.45, 150: 1648.9}.items():
        assert raw.wavelength[band - 1] == pytest.approx(published, abs=0.1)


def test_a_pattern_means_a_scene_once(product: Path) -> None:
    assert len(scenes_of([product / "*.TIF"], None)) == 1


def test_a_stack_is_known_by_its_name(tmp_path: Path) -> None:
    write_image(tmp_path / f"{SCENE}_stack.tif", stored())
    scene = open_scene(tmp_path / f"{SCENE}_stack.tif", scale=10_000, keep_atmosphere=True)
    assert scene.values[0, 0, 20] == np.float32(0.8)
    assert int(scene.good_band.sum()) == int(CALIBRATED.sum()) == 198
    assert scene.attrs["acquired"] == "2004-05-02"
    reading = scene.attrs["reading"]
    assert "nominal wavelengths: the file has none" in reading
    assert "the file does not say whether its values are radiance or reflectance, or their scale" in reading


@pytest.mark.parametrize("sensor", ["Hyperion", "HyMap"])
def test_an_envi_stack_is_known_by_its_sensor(tmp_path: Path, sensor: str) -> None:
    wavelength = scene_wavelength() + 1
    stored().tofile(tmp_path / "flaash.img")
    (tmp_path / "flaash.hdr").write_text(
        f"ENVI\nsamples = {COLUMNS}\nlines = {ROWS}\nbands = 242\ndata type = 2\ninterleave = bip\nbyte order = 0\n"
        f"sensor type = {sensor}\nreflectance scale factor = 10000\nwavelength units = Nanometers\n"
        f"bbl = {{{', '.join(['0'] * 10 + ['1'] * 232)}}}\n"
        f"wavelength = {{{', '.join(map(repr, wavelength.tolist()))}}}\n"
    )
    for given in ("flaash.img", "flaash.hdr"):
        assert hyperion.is_mine(tmp_path / given) == (sensor == "Hyperion")
        raw = read_raw(tmp_path / given)
        assert raw.wavelength is not None and raw.good_band is not None
        np.testing.assert_array_equal(raw.wavelength, wavelength)
        assert raw.gain == 1e-4
        after_bbl = NUMBERS > 10
        expected = after_bbl & CALIBRATED if sensor == "Hyperion" else after_bbl
        np.testing.assert_array_equal(raw.good_band, expected)


def test_damage_is_an_error_that_says_so(product: Path, tmp_path: Path) -> None:
    for file in product.iterdir():
        (tmp_path / file.name).symlink_to(file)
    band = tmp_path / f"{SCENE}_B009_L1T.TIF"
    band.unlink()
    with pytest.raises(SceneError, match=r"without band 9 \(1 missing\)"):
        open_scene(tmp_path)
    for shape in ((ROWS, 3, 1), (2 * ROWS, 2 * COLUMNS, 1)):
        write_image(band, np.zeros(shape, dtype=np.int16))
        with pytest.raises(SceneError, match=r"B009_L1T\.TIF, of another size"):
            open_scene(tmp_path)
    band.write_bytes(b"II*\x00nothing")
    with pytest.raises(SceneError, match="is it complete"):
        open_scene(tmp_path)
    write_image(tmp_path / "EO1H_part.tif", stored()[:, :, :30])
    assert not hyperion.is_mine(tmp_path / "EO1H_part.tif")
    assert not hyperion.is_mine(tmp_path / "nothing.tif")
