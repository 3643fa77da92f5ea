"""A small Tanager scene in the layout of the product, on a map or in the geometry of the sensor."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

BANDS, ROWS, COLUMNS = 5, 4, 7
WAVELENGTH = np.array([376.5, 560.25, 860.0, 1400.5, 2499.0], dtype=np.float32)
FWHM = np.linspace(5.25, 6.5, BANDS).astype(np.float32)
GOOD = np.array([1, 1, 1, 0, 1], dtype=np.uint8)
FILLED, NO_DATA, CLOUDY = (3, 6), (1, 4), (2, 2)
START = 1_727_290_504.25
STRUCTURE = """GROUP=SwathStructure
END_GROUP=SwathStructure
GROUP=GridStructure
\tGROUP=GRID_1
\t\tGridName="OTHER"
\t\tXDim=1
\t\tYDim=1
\t\tUpperLeftPointMtrs=(0.0,0.0)
\t\tLowerRightMtrs=(1.0,1.0)
\tEND_GROUP=GRID_1
\tGROUP=GRID_2
\t\tGridName="HYP"
\t\tXDim=7
\t\tYDim=4
\t\tUpperLeftPointMtrs=(312960.000000,6624060.000000)
\t\tLowerRightMtrs=(313170.000000,6623940.000000)
\t\tProjection=HE5_GCTP_UTM
\t\tZoneCode=-50
\t\tGridOrigin=HE5_HDFE_GD_UL
\tEND_GROUP=GRID_2
END_GROUP=GridStructure
END
"""


def reflectance() -> np.ndarray:
    """Return values (band, row, column) with an asymmetric marker and -9999 outside of the scene."""
    values = np.random.default_rng(9).uniform(0.05, 0.5, (BANDS, ROWS, COLUMNS)).astype(np.float32)
    values[:, :2, 0] = values[:, 0, 1] = 0.75
    values[3] = -0.25
    values[:, FILLED[0], FILLED[1]] = -9999
    return values


def write(
    path: Path, *, basic: bool = False, radiance: bool = False, chunks: tuple[int, int, int] | None = None
) -> Path:
    """Write the scene: ortho or basic, reflectance or radiance."""
    root = "HDFEOS/SWATHS/HYP" if basic else "HDFEOS/GRIDS/HYP"
    name = "toa_radiance" if radiance else "surface_reflectance"
    with h5py.File(path, "w") as file:
        cube = file.create_dataset(f"{root}/Data Fields/{name}", data=reflectance(), chunks=chunks)
        cube.attrs.update({"wavelengths": WAVELENGTH, "wavelengths_units": "nm", "fwhm": FWHM, "fwhm_units": "nm"})
        cube.attrs.update({"good_wavelengths": GOOD, "_FillValue": np.float32(-9999)})
        for mask, place in (("nodata_pixels", NO_DATA), ("beta_cloud_mask", CLOUDY), ("beta_cirrus_mask", CLOUDY)):
            values = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
            values[place] = 1
            file.create_dataset(f"{root}/Data Fields/{mask}", data=values)
        if basic:
            file[f"{root}/Geolocation Fields/Latitude"] = np.full((ROWS, COLUMNS), 40.0)
            file[f"{root}/Geolocation Fields/Longitude"] = np.full((ROWS, COLUMNS), -105.0)
            file[f"{root}/Geolocation Fields/Time"] = np.array([-9999, *(START + np.arange(1.0, ROWS) / 100)])
        else:
            file[root].attrs["epsg_code"] = np.int64(32750)
            times = np.full((ROWS, COLUMNS), START)
            times[:, -2:] = -9999
            file[f"{root}/Data Fields/Time"] = times
        file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_("" if basic else STRUCTURE)
    return path
