"""A small AVIRIS-3 L2A flight line in the layout of its NetCDF files, and an AVIRIS-NG one as ENVI file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from rasterio.crs import CRS

BANDS, ROWS, COLUMNS = 6, 5, 8
WAVELENGTH = np.array([390.5, 550.25, 660.0, 860.0, 1600.5, 2200.75], dtype=np.float32)
FWHM = np.linspace(8.25, 9.5, BANDS).astype(np.float32)
GEOTRANSFORM = "581226.5 3.5 0.0 3762192.25 0.0 -3.5"
WKT = CRS.from_epsg(32611).to_wkt()
FILLED = ((0, 7), (4, 0))
FILLED_IN_A_BAND = (2, 5)


def reflectance() -> np.ndarray:
    """Return values (band, row, column) with an asymmetric marker and -9999 outside of the line."""
    values = np.random.default_rng(5).uniform(0.05, 0.5, (BANDS, ROWS, COLUMNS)).astype(np.float32)
    values[:, :2, 0] = values[:, 0, 1] = 0.875
    for row, column in FILLED:
        values[:, row, column] = -9999
    values[(3, *FILLED_IN_A_BAND)] = -9999
    return values


def write(path: Path, *, chunks: tuple[int, int, int] | None = None, group: str = "reflectance") -> Path:
    """Write the flight line as NetCDF: its reflectance, or another product of the same layout."""
    with h5py.File(path, "w") as file:
        file.attrs["title"] = np.bytes_("AVIRIS-3 L2A Orthocorrected Surface Reflectance")
        file.attrs["time_coverage_start"] = "2023-10-05T18:15:18Z"
        stored = file.create_dataset(f"{group}/{group}", data=reflectance(), chunks=chunks)
        stored.attrs["_FillValue"] = np.array([-9999], dtype=np.float32)
        file[f"{group}/wavelength"], file[f"{group}/fwhm"] = WAVELENGTH, FWHM
        file[f"{group}/wavelength"].attrs["units"] = "nm"
        file["easting"] = 581226.5 + 3.5 * (np.arange(COLUMNS) + 0.5)
        file["northing"] = 3762192.25 - 3.5 * (np.arange(ROWS) + 0.5)
        file["transverse_mercator"] = np.int8(0)
        file["transverse_mercator"].attrs["crs_wkt"] = WKT
        file["transverse_mercator"].attrs["GeoTransform"] = np.bytes_(GEOTRANSFORM)
    return path


def write_envi(folder: Path, *, map_info: str) -> Path:
    """Write the flight line as AVIRIS-NG and AVIRIS-3 come in ENVI: float32, by line, rotated along the flight."""
    path = folder / "ang20170714t213741_rfl_v2p9_img"
    path.write_bytes(reflectance().transpose(1, 0, 2).astype("<f4").tobytes())
    path.with_name(f"{path.name}.hdr").write_text(
        f"ENVI\ndescription = {{flight line}}\nsamples = {COLUMNS}\nlines   = {ROWS}\nbands   = {BANDS}\n"
        "header offset = 0\nfile type = ENVI Standard\ndata type = 4\ninterleave = bil\nbyte order = 0\n"
        f"map info = {{{map_info}}}\n  wavelength = {{\n {', '.join(map(repr, WAVELENGTH.tolist()))}}}\n"
        f" fwhm = {{ {', '.join(map(repr, FWHM.tolist()))} }}\nwavelength units = Nanometers\n"
        "bbl = {1, 1, 0, 1, 1, 1}\ndata ignore value = -9999\nreflectance scale factor = 1.0\n"
    )
    return path
