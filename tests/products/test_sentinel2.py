"""Sentinel-2 L2A: bands of three sizes on one grid, the offset of its baseline, and the scene classification."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.io.opening import read_raw
from unmixel.io.windows import Window
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels
from unmixel.testing.reader_contract import check_reader

ROWS, COLUMNS = 6, 9
UTM = CRS.from_epsg(32632)
NAMES = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
SIZES = {"B01": 60, "B08": 10, "B09": 60}
CENTRES = [442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1613.7, 2202.4]
IDENTIFIERS = dict(zip(NAMES, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12), strict=True))
MASKED = {(0, 1): 0, (1, 1): 1, (2, 2): 3, (3, 3): 8, (3, 4): 9, (5, 8): 10}
KEPT = {(4, 0): 2, (4, 1): 4, (4, 2): 7, (4, 3): 11}


def metadata(offset: float | None = -1000, baseline: str = "05.11") -> str:
    spectral = "".join(
        f'<Spectral_Information bandId="{IDENTIFIERS[name]}" physicalBand="{name.replace("B0", "B")}"><RESOLUTION>20'
        f'</RESOLUTION><Wavelength><CENTRAL unit="nm">{centre}</CENTRAL></Wavelength><Spectral_Response>'
        f'<STEP unit="nm">1</STEP><VALUES>0.1 0.5 1 {"0.9 " * k}0.49</VALUES></Spectral_Response>'
        "</Spectral_Information>"
        for k, (name, centre) in enumerate(zip(NAMES, CENTRES, strict=True))
    )
    offsets = ""
    if offset is not None:
        values = "".join(f'<BOA_ADD_OFFSET band_id="{k}">{offset - k}</BOA_ADD_OFFSET>' for k in range(13))
        offsets = f"<BOA_ADD_OFFSET_VALUES_LIST>{values}</BOA_ADD_OFFSET_VALUES_LIST>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int">'
        "<n1:General_Info><Product_Info><PRODUCT_START_TIME>2024-08-30T10:05:59.024Z</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>"
        '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
        f"</QUANTIFICATION_VALUES_LIST>{offsets}<Spectral_Information_List>{spectral}</Spectral_Information_List>"
        "</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"
    )


def write_band(granule: Path, name: str, size: int, values: np.ndarray) -> None:
    path = granule / f"IMG_DATA/R{size}m/T32TPS_20240830T100559_{name}_{size}m.jp2"
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "count": 1, "dtype": values.dtype.name}
    rows, columns = values.shape
    place = Affine(size, 0, 600_000, 0, -size, 5_000_040)
    with rasterio.open(path, "w", height=rows, width=columns, crs=UTM, transform=place, **profile) as file:
        file.write(values, 1)


def make_product(folder: Path) -> np.ndarray:
    """Write a product of 6 x 9 pixels of 20 m, and return the values its bands should have on them."""
    folder.mkdir(exist_ok=True)
    granule = folder / "GRANULE/L2A_T32TPS_A038765_20240830T100558"
    rng = np.random.default_rng(0)
    on_grid = np.empty((ROWS, COLUMNS, len(NAMES)), dtype=np.uint16)
    for k, name in enumerate(NAMES):
        size = SIZES.get(name, 20)
        values = rng.integers(1100, 9000, (ROWS * 20 // size, COLUMNS * 20 // size)).astype(np.uint16)
        values[0, 0] = 20_000 + k
        if name == "B04":
            values[5, 0], values[5, 1] = 0, 65535
        write_band(granule, name, size, values)
        if size == 10:
            values = values[1::2, 1::2]
        elif size == 60:
            values = values.repeat(3, axis=0).repeat(3, axis=1)
        on_grid[:, :, k] = values
    write_band(granule, "B02", 10, np.zeros((2 * ROWS, 2 * COLUMNS), dtype=np.uint16))  # not the one to take
    write_band(granule, "TCI", 20, np.zeros((ROWS, COLUMNS), dtype=np.uint8))
    classes = np.full((ROWS, COLUMNS), 5, dtype=np.uint8)
    for place, value in {**MASKED, **KEPT}.items():
        classes[place] = value
    write_band(granule, "SCL", 20, classes)
    (folder / "MTD_MSIL2A.xml").write_text(metadata())
    return on_grid


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A product."""
    make_product(tmp_path / "S2B.SAFE")
    return tmp_path / "S2B.SAFE"


@pytest.mark.parametrize("given", ["", "MTD_MSIL2A.xml"])
def test_bands_of_three_sizes_come_on_one_grid(tmp_path: Path, given: str) -> None:
    values = make_product(tmp_path / "S2B.SAFE")
    scene = open_scene(tmp_path / "S2B.SAFE" / given)
    offset = np.array([-1000 - IDENTIFIERS[name] for name in NAMES])
    expected = (values * 1e-4 + offset / 10_000).astype(np.float32)
    invalid = [*MASKED, (5, 0), (5, 1)]
    for place in invalid:
        expected[place] = np.nan
    np.testing.assert_allclose(scene.values, expected, rtol=1e-6)
    assert int((~valid_pixels(scene)).sum()) == len(invalid)
    assert scene.values[0, 0, 1] == pytest.approx((20_001 - 1001) / 10_000)  # the bright corner, up on the left
    assert transform_of(scene) == Affine(20, 0, 600_000, 0, -20, 5_000_040)
    assert CRS.from_wkt(crs_wkt_of(scene)) == UTM
    assert scene.wavelength.values.tolist() == CENTRES
    assert scene.fwhm.values.tolist() == [2.0 + k for k in range(12)]
    assert scene.good_band.all()
    assert scene.attrs["acquired"] == "2024-08-30T10:05:59Z"
    reading = scene.attrs["reading"]
    assert "pixels of 20 m; nearest pixel taken of B01 from 60 m, B08 from 10 m, B09 from 60 m" in reading
    assert any(line.endswith("before scaling: processing baseline 05.11") for line in reading)


def test_windows_are_those_of_the_whole(product: Path) -> None:
    check_reader(read_raw(product))
    lazy, whole = open_lazily(product), open_scene(product)
    for window in (Window(1, 4, 2, 8), Window(5, 6, 0, 9)):
        np.testing.assert_array_equal(lazy.read(window).values, whole.values[window.slices])


def test_before_baseline_4_there_is_no_offset(product: Path) -> None:
    (product / "MTD_MSIL2A.xml").write_text(metadata(offset=None, baseline="03.01"))
    scene = open_scene(product)
    assert scene.values[0, 0, 0] == pytest.approx(2.0)
    assert "nothing added to the values: processing baseline 03.01 is before 04.00" in scene.attrs["reading"]


def test_without_classification_it_is_said(product: Path) -> None:
    next(product.glob("**/*SCL*")).unlink()
    scene = open_scene(product)
    assert int((~valid_pixels(scene)).sum()) == 2
    assert any("no scene classification" in line for line in scene.attrs["reading"])


def write_metadata(product: Path, before: str, after: str) -> None:
    path = product / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace(before, after))


def only_level_1(product: Path) -> None:
    (product / "MTD_MSIL2A.xml").rename(product / "MTD_MSIL1C.xml")


def another_size(product: Path) -> None:
    write_band(next(product.glob("GRANULE/*")), "B11", 20, np.ones((ROWS, COLUMNS - 1), dtype=np.uint16))


def truncate(product: Path) -> None:
    path = next(product.glob("**/*B11*"))
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (only_level_1, "L1C; expected L2A"),
        (lambda product: (product / "MTD_MSIL2A.xml").write_text(metadata(None)), "05.11 without BOA_ADD_OFFSET"),
        (lambda product: write_metadata(product, 'band_id="4"', 'band_id="40"'), "BOA_ADD_OFFSET of B05"),
        (lambda product: write_metadata(product, 'physicalBand="B4"', 'physicalBand="B44"'), "on B04"),
        (lambda product: write_metadata(product, ">10000<", ">0<"), "QUANTIFICATION_VALUE = 0"),
        (lambda product: write_metadata(product, "442.7", "bright"), "CENTRAL = bright"),
        (lambda product: next(product.glob("**/*B11*")).unlink(), "without B11"),
        (lambda product: (product / "GRANULE/second/IMG_DATA").mkdir(parents=True), "2 granules"),
        (another_size, "6 x 8 pixels"),
        (truncate, "is it complete"),
    ],
)
def test_damage_is_an_error_that_says_so(product: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(product)
    with pytest.raises(SceneError, match=said):
        open_scene(product)
