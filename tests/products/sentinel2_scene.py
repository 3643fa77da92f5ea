"""A small Sentinel-2 L2A product in the layout of its folder, and a stack of its bands in one GeoTIFF."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from dlr_products import COLUMNS, ROWS, UTM, write_image

NAMES = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
SIZES = {"B01": 60, "B08": 10, "B09": 60}
CENTRES = [442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1613.7, 2202.4]
IDENTIFIERS = dict(zip(NAMES, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12), strict=True))
STACK_NAMES = ["B12", "B02", "SCL", "B8A, central wavelength 865 nm", "B3", "B08_10m"]
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
        if size == 10:
            values[11, 4], values[10, 7] = 0, 65535  # in (5, 2) and (5, 3)
        write_band(granule, name, size, values)
        if size == 10:
            four = values.astype(float)
            values = np.round((four[::2, ::2] + four[1::2, ::2] + four[::2, 1::2] + four[1::2, 1::2]) / 4)
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


def write_stack(
    path: Path, names: list[str] = STACK_NAMES, *, tags: dict[str, str] | None = None, offset: int | None = None
) -> np.ndarray:
    """Write a stack, and return its values."""
    values = np.random.default_rng(0).integers(1100, 9000, (ROWS, COLUMNS, len(names))).astype(np.uint16)
    values[0, 0] = 20_000
    values[1, 2, 0], values[1, 3, 1] = 0, 65535
    if "SCL" in names:
        classes = np.full((ROWS, COLUMNS), 4)
        classes[2, 0], classes[2, 1], classes[2, 2] = 9, 3, 11
        values[:, :, names.index("SCL")] = classes
    write_image(path, values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "r+") as file:
            file.descriptions = names
            file.update_tags(**(tags or {}))
            for band in file.indexes:
                if offset is not None:
                    file.update_tags(band, BOA_ADD_OFFSET=str(offset))
    return values
