"""Large scene files of every format and product, quickly made: most of what they hold is nothing, or repeats."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import rasterio
import scipy.io
from affine import Affine
from rasterio.crs import CRS

BANDS = 200
WAVELENGTH = np.linspace(400.0, 2450.0, BANDS)
UTM = CRS.from_epsg(32632)
_MEASURED = 16
"""Rows, or pixels from an edge, that hold values in a sparse file."""


def pattern(*shape: int, dtype: str = "int16") -> np.ndarray:
    """Return values from 1000 to 3000 that differ from place to place."""
    return np.random.default_rng(0).integers(1000, 3000, shape).astype(dtype)


def envi(interleave: str, rows: int = 2_000) -> Callable[[Path], Path]:
    """Return what writes a sparse file in that order, of 1.6 GB for 2000 rows."""
    columns = 2_000
    order = {"bil": (rows, BANDS, columns), "bip": (rows, columns, BANDS), "bsq": (BANDS, rows, columns)}[interleave]
    first = {"bsq": (slice(None), slice(_MEASURED))}.get(interleave, (slice(_MEASURED),))

    def write(folder: Path) -> Path:
        values = np.memmap(folder / "scene.img", "<i2", "w+", shape=order)
        values[first] = pattern(*values[first].shape)
        values.flush()
        (folder / "scene.hdr").write_text(
            f"ENVI\nsamples = {columns}\nlines = {rows}\nbands = {BANDS}\nheader offset = 0\ndata type = 2\n"
            f"interleave = {interleave}\nbyte order = 0\nreflectance scale factor = 10000\n"
            f"wavelength units = Nanometers\nwavelength = {{{', '.join(f'{value:.3f}' for value in WAVELENGTH)}}}\n"
        )
        return folder / "scene.img"

    return write


def npy(folder: Path) -> Path:
    """Write a sparse array of 1.6 GB."""
    values = np.lib.format.open_memmap(folder / "scene.npy", "w+", "<i2", (2_000, 2_000, BANDS))
    values[:_MEASURED] = pattern(_MEASURED, 2_000, BANDS)
    values.flush()
    return folder / "scene.npy"


def npz(*, compressed: bool) -> Callable[[Path], Path]:
    """Return what writes an array of 0.4 GB."""

    def write(folder: Path) -> Path:
        save = np.savez_compressed if compressed else np.savez
        save(folder / "scene.npz", np.broadcast_to(pattern(1, 1_000, BANDS), (1_000, 1_000, BANDS)))
        return folder / "scene.npz"

    return write


def matlab_5(*, compressed: bool) -> Callable[[Path], Path]:
    """Return what writes an array of 0.4 GB."""

    def write(folder: Path) -> Path:
        values = np.ascontiguousarray(np.broadcast_to(pattern(1, 1_000, BANDS), (1_000, 1_000, BANDS)))
        scipy.io.savemat(folder / "scene.mat", {"cube": values}, do_compression=compressed)
        return folder / "scene.mat"

    return write


def matlab_73(folder: Path) -> Path:
    """Write a file of 1 GB, in chunks as MATLAB makes them."""
    with h5py.File(folder / "scene.mat", "w", userblock_size=512) as file:
        in_chunks(file, "cube", (BANDS, 1_000, 2_500), (BANDS, 64, 64))
    return folder / "scene.mat"


def in_chunks(
    file: h5py.File, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str = "int16", unit: float = 1
) -> h5py.Dataset:
    """Make a dataset of which every chunk holds the same, deflated once."""
    stored = file.create_dataset(name, shape, dtype, chunks=chunks, compression="gzip")
    content = zlib.compress((pattern(*chunks, dtype=dtype) * np.dtype(dtype).type(unit)).astype(dtype).tobytes(), 1)
    for place in np.ndindex(*(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))):
        start = tuple(k * chunk for k, chunk in zip(place, chunks, strict=True))
        stored.id.write_direct_chunk(start, content)
    return stored


def emit(folder: Path) -> Path:
    """Write a granule of the size that one has, 1.8 GB, with its lookup table."""
    rows, columns, bands = 1_280, 1_242, 285
    path = folder / "EMIT_L2A_RFL_001_20220903T163129_2224611_012.nc"
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "EMIT L2A Estimated Surface Reflectance 60 m V001"
        file.attrs["geotransform"] = np.array([-118.25, 5.4e-4, 0.0, 34.5, 0.0, -5.4e-4])
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
        in_chunks(file, "reflectance", (rows, columns, bands), (32, 54, bands), "float32", 1e-4)
        file["reflectance"].attrs["_FillValue"] = np.float32(-9999)
        file["sensor_band_parameters/wavelengths"] = np.linspace(381, 2493, bands).astype(np.float32)
        file["sensor_band_parameters/fwhm"] = np.full(bands, 8.5, np.float32)
        for name, size in (("glt_x", columns), ("glt_y", rows)):
            table = np.random.default_rng(0).integers(1, size, (5_000, 2_500), np.int32)
            file.create_dataset(f"location/{name}", data=table, chunks=(256, 256), compression="gzip")
    return path


def aviris(folder: Path) -> Path:
    """Write a flight line of 1.1 GB."""
    bands, rows, columns = 284, 1_000, 1_000
    with h5py.File(folder / "AV320231005t181518_L2A_OE_main_RFL_ORT.nc", "w") as file:
        in_chunks(file, "reflectance/reflectance", (bands, rows, columns), (10, 256, 256), "float32", 1e-4)
        file["reflectance/reflectance"].attrs["_FillValue"] = np.float32(-9999)
        file["reflectance/wavelength"] = np.linspace(390, 2500, bands)
        file["transverse_mercator"] = np.int8(0)
        file["transverse_mercator"].attrs["crs_wkt"] = UTM.to_wkt()
        file["transverse_mercator"].attrs["GeoTransform"] = "581226.5 3.5 0.0 3762192.25 0.0 -3.5"
        return Path(file.filename)


def prisma(folder: Path) -> Path:
    """Write a scene of the size that one has, 0.5 GB, with its error matrices."""
    rows = columns = 1_000
    fields = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
    with h5py.File(folder / "PRS_L2D_STD_20200524103704_20200524103708_0001.he5", "w") as file:
        for name, bands, ends in (("Vnir", 66, (1010, 402)), ("Swir", 173, (2497, 943))):
            in_chunks(file, f"{fields}/{name.upper()}_Cube", (rows, bands, columns), (32, bands, 128), "uint16", 10)
            empty = file.create_dataset(
                f"{fields}/{name.upper()}_PIXEL_L2_ERR_MATRIX", (rows, bands, columns), "u1", chunks=(32, bands, 128)
            )
            empty[0, 0, 0] = 1
            file.attrs[f"List_Cw_{name}"] = np.linspace(*ends, bands)
            file.attrs[f"List_Fwhm_{name}"] = np.full(bands, 10.0)
            file.attrs[f"List_Cw_{name}_Flags"] = np.ones(bands, np.uint8)
            file.attrs[f"L2Scale{name}Min"], file.attrs[f"L2Scale{name}Max"] = 0.0, 1.0
        return Path(file.filename)


def tanager(folder: Path) -> Path:
    """Write a scene of 1.0 GB in the geometry of the sensor."""
    bands, rows, columns = 426, 1_000, 600
    with h5py.File(folder / "20240925_185504_00_4001_basic_sr_hdf5.h5", "w") as file:
        fields = "HDFEOS/SWATHS/HYP/Data Fields"
        cube = in_chunks(file, f"{fields}/surface_reflectance", (bands, rows, columns), (8, 128, 128), "float32", 1e-4)
        cube.attrs.update({"wavelengths": np.linspace(376, 2499, bands), "wavelengths_units": "nm"})
        cube.attrs.update({"fwhm": np.full(bands, 5.5), "fwhm_units": "nm", "_FillValue": np.float32(-9999)})
        cube.attrs["good_wavelengths"] = np.ones(bands, np.uint8)
        file.create_dataset(f"{fields}/nodata_pixels", (rows, columns), "u1", chunks=(128, 128))
        return Path(file.filename)


def geotiff(
    path: Path, rows: int, columns: int, bands: int, *, dtype: str = "int16", driver: str = "GTiff", **profile: object
) -> Path:
    """Write a deflated raster whose blocks of rows repeat."""
    deflated = {"compress": "deflate", "zlevel": 1, "bigtiff": "yes"} if driver == "GTiff" else {}
    at_once = int(profile.get("blockysize", 64))
    values = pattern(bands, at_once, 1, dtype=dtype).repeat(columns, axis=2)
    place = Affine(30.0, 0.0, 600_000.0, 0.0, -30.0, 5_400_000.0)
    shape = {"width": columns, "height": rows, "count": bands, "dtype": dtype}
    with rasterio.open(path, "w", driver, **shape, crs=UTM, transform=place, **deflated, **profile) as file:
        for top in range(0, rows, at_once):
            height = min(at_once, rows - top)
            file.write(values[:, :height], window=rasterio.windows.Window(0, top, columns, height))
    return path


def tiff(interleave: str, block: int | None) -> Callable[[Path], Path]:
    """Return what writes a GeoTIFF of 0.6 GB: in tiles of so many pixels, or in strips of one line."""
    tiles = {"tiled": True, "blockxsize": block, "blockysize": block} if block else {"blockysize": 1}

    def write(folder: Path) -> Path:
        at = {**tiles, "blockysize": block or 64}
        return geotiff(folder / "scene.tif", 1_500, 1_000, BANDS, interleave=interleave, **at)

    return write


def _bands_of_dlr(element: str, numbered: Callable[[int], str], names: tuple[str, str, str, str], bands: int) -> str:
    centre, width, gain, offset = names
    wavelength = np.linspace(418, 2445, bands) if bands == 224 else np.linspace(401, 1000, bands)
    return "".join(
        f"{numbered(k)}<{centre}>{value:.3f}</{centre}><{width}>7</{width}><{gain}>0.0001</{gain}><{offset}>0</{offset}>"
        f"</{element}>"
        for k, value in enumerate(wavelength, start=1)
    )


def enmap(folder: Path) -> Path:
    """Write a tile of the size that one has, 0.6 GB, with a cloud mask."""
    name = folder / "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    geotiff(Path(f"{name}-SPECTRAL_IMAGE.TIF"), 1_200, 1_200, 224, interleave="band", **tiles)
    geotiff(Path(f"{name}-QL_QUALITY_CLASSES.TIF"), 1_200, 1_200, 1, dtype="uint8")
    names = ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
    bands = _bands_of_dlr("bandID", lambda k: f'<bandID number="{k}">', names, 224)
    Path(f"{name}-METADATA.XML").write_text(
        f"<level_X><metadata><name>ENMAP</name></metadata><base><level>L2A</level></base><specific>"
        f"<bandCharacterisation>{bands}</bandCharacterisation></specific></level_X>"
    )
    return folder


def desis(folder: Path) -> Path:
    """Write a tile of the size that one has, 0.5 GB."""
    name = folder / "DESIS-HSI-L2A-DT0485529167_001-20220712T223540-V0220"
    geotiff(Path(f"{name}-SPECTRAL_IMAGE.tif"), 1_024, 1_024, 235, interleave="pixel")
    names = ("wavelengthCenterOfBand", "wavelengthWidthOfBand", "gainOfBand", "offsetOfBand")
    bands = _bands_of_dlr("band", lambda k: f"<band><bandNumber>{k}</bandNumber>", names, 235)
    Path(f"{name}-METADATA.xml").write_text(
        f"<product><specific><bandCharacterisation>{bands}</bandCharacterisation></specific></product>"
    )
    return folder


def hyperion(folder: Path) -> Path:
    """Write a scene of the size that one has: 242 files, 1.5 GB."""
    path = geotiff(folder / "EO1H0370332004123110KZ_B001_L1T.TIF", 3_200, 1_000, 1)
    for band in range(2, 243):
        (folder / f"EO1H0370332004123110KZ_B{band:03d}_L1T.TIF").write_bytes(path.read_bytes())
    return folder


def sentinel2(folder: Path) -> Path:
    """Write a tile of the size that one has: 12 bands of 10, 20 and 60 m, 1.0 GB."""
    images = folder / "S2B.SAFE/GRANULE/L2A_T32TPS/IMG_DATA"
    bands = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
    first: dict[int, Path] = {}
    for name in bands:
        size = {"B08": 10, "B01": 60, "B09": 60}.get(name, 20)
        path = images / f"R{size}m/T32TPS_20240830T100559_{name}_{size}m.jp2"
        path.parent.mkdir(parents=True, exist_ok=True)
        if size in first:
            path.write_bytes(first[size].read_bytes())
            continue
        side = 109_800 // size
        values = np.broadcast_to(pattern(1, side // 30, 1, dtype="uint16"), (1, side // 30, 30))
        first[size] = path
        with rasterio.open(
            path, "w", "JP2OpenJPEG", width=side, height=side, count=1, dtype="uint16", crs=UTM, QUALITY="25",
            transform=Affine(size, 0, 600_000, 0, -size, 5_000_040), BLOCKXSIZE="1024", BLOCKYSIZE="1024",
        ) as file:  # fmt: skip
            file.write(np.tile(values.reshape(1, side // 30, 30), (1, 30, side // 30)))
    spectral = "".join(
        f'<Spectral_Information bandId="{k}" physicalBand="{name.replace("B0", "B")}"><Wavelength><CENTRAL>'
        f'{440 + 150 * k}</CENTRAL></Wavelength><Spectral_Response><STEP unit="nm">1</STEP><VALUES>0.1 1 0.1</VALUES>'
        "</Spectral_Response></Spectral_Information>"
        for k, name in enumerate(bands)
    )
    (folder / "S2B.SAFE/MTD_MSIL2A.xml").write_text(
        "<Level-2A_User_Product><General_Info><Product_Info><PROCESSING_BASELINE>03.01</PROCESSING_BASELINE>"
        "</Product_Info><Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE>10000"
        "</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST><Spectral_Information_List>"
        f"{spectral}</Spectral_Information_List></Product_Image_Characteristics></General_Info></Level-2A_User_Product>"
    )
    return folder / "S2B.SAFE"


def sentinel2_stack(folder: Path) -> Path:
    """Write a stack of ten bands, 0.6 GB."""
    path = geotiff(folder / "S2B_T32TPS.tif", 5_490, 5_490, 10, dtype="uint16", interleave="pixel")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    **{f"ENVI, {order}, sparse": envi(order) for order in ("bil", "bip", "bsq")},
    "NumPy .npy, sparse": npy,
    "NumPy .npz": npz(compressed=False),
    "NumPy .npz, compressed": npz(compressed=True),
    "MATLAB 5": matlab_5(compressed=False),
    "MATLAB 5, compressed": matlab_5(compressed=True),
    "MATLAB 7.3": matlab_73,
    "GeoTIFF, by band, tiles of 512": tiff("band", 512),
    "GeoTIFF, by pixel, tiles of 256": tiff("pixel", 256),
    "GeoTIFF, by pixel, strips": tiff("pixel", None),
    "EMIT L2A": emit,
    "AVIRIS-3 L2A": aviris,
    "PRISMA L2D": prisma,
    "Tanager, basic": tanager,
    "EnMAP L2A": enmap,
    "DESIS L2A": desis,
    "Hyperion, folder": hyperion,
    "Sentinel-2 L2A": sentinel2,
    "Sentinel-2, stack": sentinel2_stack,
}


def bytes_of(path: Path) -> Iterator[int]:
    """Yield the bytes that each file of a scene has."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    yield from (file.stat().st_size for file in files)
