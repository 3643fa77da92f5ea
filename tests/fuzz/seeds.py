"""Tiny whole files of every format, to be mutated: for each, the content of its files by relative name."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import rasterio
import scipy.io
import scipy.sparse
import xarray as xr
from affine import Affine
from rasterio.enums import Interleaving
from rasterio.errors import NotGeoreferencedWarning
from zarr import open_group
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec

from unmixel.io import save_scene, write_bundle_csv, write_bundle_netcdf, write_envi, write_sli
from unmixel.io.result_folder import write_result_folder
from unmixel.io.stac import write_item
from unmixel.lookup import table_from
from unmixel.methods import Fitted
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet.fitted import FittedIDNet
from unmixel.methods.idnet.method import IDNet
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.registry import get_method, list_methods
from unmixel.result import save_result
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle

Case = dict[str, bytes]
"""The content of files by their name in the folder."""

WAVELENGTH = np.array([450.0, 550.0, 650.0, 850.0, 1600.0])
VALUES = np.random.default_rng(7).uniform(0.05, 0.6, (4, 6, 5)).astype(np.float32)
COUNTS = (VALUES * 10_000).astype(np.int16)
CRS_WKT = rasterio.crs.CRS.from_epsg(32633).to_wkt()
TO_MAP = Affine(30.0, 0.0, 500_000.0, 0.0, -30.0, 5_400_000.0)
PER_BAND = {"wavelength": WAVELENGTH, "fwhm": np.full(5, 10.0), "good_band": [1, 1, 1, 1, 0]}
SCENE = make_scene(VALUES, **PER_BAND, crs_wkt=CRS_WKT, transform=TO_MAP)
_LOOKUP = table_from(
    *np.indices((5, 6), np.int32).clip(max=3), CRS_WKT, Affine(29.5, 5.2, 500_000.0, 5.2, -29.5, 5_400_000.0)
)
SENSED = make_scene(VALUES, **PER_BAND).assign_coords(lookup=_LOOKUP.as_coordinate())
"""In the geometry of the sensor, with a table of places on a map."""
BUNDLE = make_bundle(VALUES[0, :3], ["soil", "water", "soil"], wavelength=WAVELENGTH, fwhm=np.full(5, 10.0))


def made(write: Callable[[Path], object]) -> Case:
    """Return the files that a function writes to a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def envi() -> list[Case]:
    """As unmixel writes it, and a header by hand with what instruments write."""
    header = """ENVI
description = {
  a line, of the north field }
samples = 6
lines   = 4
bands   = 5
header offset = 0
file type = ENVI Standard
data type = 2
interleave = bip
byte order = 0
map info = {UTM, 1, 1, 500000, 5400000, 30, 30, 33, North, WGS-84, units=Meters, rotation=12.5}
coordinate system string = {GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]]]}
wavelength units = Micrometers
wavelength = {0.45, 0.55, 0.65, 0.85, 1.6}
fwhm = {0.01, 0.01, 0.01, 0.01, 0.01}
bbl = {1, 1, 1, 1, 0}
band names = {a, b, c, d, e}
data ignore value = -9999
data gain values = {0.0001, 0.0001, 0.0001, 0.0001, 0.0001}
data offset values = {0, 0, 0, 0, 0}
reflectance scale factor = 10000
"""
    return [
        made(lambda folder: write_envi(SCENE, folder / "s.img")),
        {"s.hdr": header.encode(), "s.img": COUNTS.astype("<i2").tobytes()},
    ]


def tiff() -> list[Case]:
    """Strips, compressed tiles with tags on the bands, one described by an ENVI header, and ways to pack pixels."""
    profile = {"width": 6, "height": 4, "count": 5, "crs": "EPSG:32633", "transform": Affine(30, 0, 5e5, 0, -30, 5.4e6)}

    def strips(folder: Path) -> None:
        with rasterio.open(folder / "s.tif", "w", "GTiff", dtype="float32", **profile) as file:
            file.write(np.moveaxis(VALUES, 2, 0))

    def tiles(folder: Path) -> None:
        more = {"dtype": "int16", "nodata": -9999, "compress": "deflate", "tiled": True, "blockxsize": 16}
        more |= {"blockysize": 16, "interleave": Interleaving.pixel.value.lower()}
        with rasterio.open(folder / "s.tif", "w", "GTiff", **profile, **more) as file:
            file.write(np.moveaxis(COUNTS, 2, 0))
            file.scales, file.offsets = (1e-4,) * 5, (0.0,) * 5
            for band, wavelength in enumerate(WAVELENGTH, start=1):
                file.update_tags(band, wavelength=str(wavelength), wavelength_units="Nanometers", fwhm="10")

    header = (
        b"ENVI\nsamples = 6\nlines = 4\nbands = 5\nwavelength = {450, 550, 650, 850, 1600}\nbbl = {1, 1, 1, 1, 0}\n"
    )
    return [made(strips), made(tiles), {**made(strips), "s.hdr": header}, *tiff_packed()]


def tiff_packed() -> list[Case]:
    """All compressions, alone or in the odd kinds of TIFF: large, of the other byte order, in parts of bytes."""
    here = {"width": 6, "height": 4, "crs": "EPSG:32633", "transform": Affine(30, 0, 5e5, 0, -30, 5.4e6)}
    ways: list[tuple[str, dict[str, object]]] = [
        ("float32", {"compress": "lzw", "predictor": 3, "BIGTIFF": "YES"}),
        ("int16", {"compress": "lzw", "predictor": 2, "ENDIANNESS": "BIG"}),
        ("float32", {"compress": "zstd", "interleave": "pixel"}),
        ("float32", {"compress": "lerc_zstd"}),
        ("uint16", {"compress": "deflate", "nbits": 14}),
        ("uint8", {"compress": "jpeg", "interleave": "band"}),
        ("int16", {"compress": "packbits"}),
        ("float64", {"compress": "lzma", "interleave": "pixel"}),
    ]

    def packed(folder: Path, kind: str, how: dict[str, object]) -> None:
        with rasterio.open(folder / "s.tif", "w", "GTiff", dtype=kind, count=5, **here, **how) as file:
            file.write(np.moveaxis(VALUES * (100 if kind == "uint8" else 10_000), 2, 0).astype(kind))

    return [made(lambda folder, way=way: packed(folder, *way)) for way in ways]


def tiff_beside() -> list[Case]:
    """With all that GDAL looks for beside it: metadata, a world file, overviews and a mask."""

    def whole(folder: Path) -> None:
        profile = {"width": 6, "height": 4, "count": 5, "dtype": "float32"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            for name in ("s.tif", "s.tif.ovr", "s.tif.msk"):
                with rasterio.open(folder / name, "w", "GTiff", **profile) as file:
                    file.write(np.moveaxis(VALUES, 2, 0))

    bands = "".join(
        f'<PAMRasterBand band="{band}"><NoDataValue>0.5</NoDataValue><Offset>0</Offset><Scale>2</Scale><Metadata>'
        f'<MDI key="wavelength">{wavelength}</MDI><MDI key="wavelength_units">nm</MDI></Metadata></PAMRasterBand>'
        for band, wavelength in enumerate(WAVELENGTH, start=1)
    )
    aux = (
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">secret.img</MDI></Metadata>'
        f"<SRS>EPSG:32633</SRS><GeoTransform>5e5, 30, 0, 5.4e6, 0, -30</GeoTransform>{bands}</PAMDataset>"
    )
    world = {"s.tfw": b"30\n0\n0\n-30\n500015\n5399985\n"}
    return [{**made(whole), **world, "s.tif.aux.xml": aux.encode()}, {**made(whole), **world}]


def matlab_5() -> list[Case]:
    """A plain and a compressed file, and one with what else MATLAB keeps."""
    whole = {"cube": VALUES, "wavelength": WAVELENGTH, "fwhm": np.full(5, 10.0), "maxValue": 1.0}
    other = {
        "cube": COUNTS.astype(np.uint16),
        "good_band": np.array([True, True, True, True, False]),
        "about": {"name": "field", "names": np.array(["a", "b"], dtype=object)},
        "sparse": scipy.sparse.eye_array(3).tocsc(),
        "turned": np.array([1 + 2j]),
    }
    table = {"Y": VALUES.reshape(24, 5, order="F").T, "nRow": 4, "nCol": 6, "SlectBands": np.arange(5), "note": "x"}
    return [
        made(lambda folder: scipy.io.savemat(folder / "s.mat", whole)),
        made(lambda folder: scipy.io.savemat(folder / "s.mat", table, do_compression=True)),
        made(lambda folder: scipy.io.savemat(folder / "s.mat", other)),
    ]


def matlab_73() -> list[Case]:
    """An array of three axes in chunks, a table of pixels, and what else HDF5 has: ways to pack, places and types."""

    def cube(folder: Path) -> None:
        with h5py.File(folder / "s.mat", "w", userblock_size=512) as file:
            file.create_dataset("cube", data=VALUES.T, chunks=(2, 3, 4), compression="gzip")
            file["cube"].attrs["MATLAB_class"] = np.bytes_("single")
            file["wavelength"], file["fwhm"] = WAVELENGTH[:, None], np.full((5, 1), 10.0)

    def table(folder: Path) -> None:
        with h5py.File(folder / "s.mat", "w", userblock_size=512) as file:
            file["Y"] = VALUES.reshape(24, 5, order="F")
            file["nRow"], file["nCol"], file["maxValue"] = [[4]], [[6]], [[1.0]]

    def other(folder: Path, libver: str) -> None:
        with h5py.File(folder / "s.mat", "w", userblock_size=512, libver=libver) as file:
            file.create_dataset("cube", data=VALUES.T, chunks=(5, 3, 2), maxshape=(None, 6, 4), fletcher32=True)
            file["good_band"] = np.array([[1, 1, 1, 1, 0]], np.uint8)
            file["good_band"].attrs["MATLAB_class"] = np.bytes_("logical")
            file.create_dataset("wavelength", data=WAVELENGTH[:, None], compression="lzf", shuffle=True)
            file.create_dataset("fwhm", data=np.full((5, 1), 10), compression="lzf", fletcher32=True)
            kinds = np.zeros(2, [("a", "i4"), ("b", "S2"), ("c", h5py.string_dtype())])
            kinds["c"] = "text"
            file["kinds"] = kinds
            file["of"] = np.array([file["cube"].ref, file["fwhm"].ref], dtype=h5py.ref_dtype)
            for number in range(9):
                file["cube"].attrs[f"note {number}"] = f"text {number}"

    return [made(cube), made(table), *(made(lambda folder, v=v: other(folder, v)) for v in ("earliest", "latest"))]


def netcdf() -> list[Case]:
    """As unmixel writes it, and as others may: counts with a scale, in chunks with checksums."""

    def counts(folder: Path) -> None:
        with h5netcdf.File(folder / "s.nc", "w") as file:
            file.dimensions = {"y": 4, "x": None, "band": 5}
            file.resize_dimension("x", 6)
            how = {"chunks": (2, 3, 5), "compression": "gzip", "fletcher32": True}
            cube = file.create_variable("reflectance", ("y", "x", "band"), "i2", fillvalue=-9999, **how)
            cube[...] = COUNTS
            cube.attrs["coordinates"] = "wavelength"
            for name, number in {"scale_factor": 1e-4, "add_offset": 0.0, "valid_range": [0, 10_000]}.items():
                cube.attrs[name] = number
            file.create_variable("wavelength", ("band",), data=WAVELENGTH).attrs["units"] = "nm"
            for name, count in (("y", 4), ("x", 6)):
                file.create_variable(name, (name,), data=45 + np.arange(count) / 1000)
            file.create_group("about").attrs["names"] = ["a", "b"]

    ours = (made(lambda folder, scene=scene: save_scene(scene, folder / "s.nc")) for scene in (SCENE, SENSED))
    return [*ours, made(counts)]


def zarr() -> list[Case]:
    """As unmixel writes it, and packed otherwise."""

    def packed(folder: Path) -> None:
        save_scene(SENSED, folder / "s.zarr")
        codecs: list[dict[str, object]] = [
            {"serializer": ShardingCodec(chunk_shape=(2, 3, 5)), "compressors": None},
            {"compressors": BloscCodec(cname="zstd"), "filters": TransposeCodec(order=(0,))},
            {"compressors": [GzipCodec(), Crc32cCodec()]},
        ]
        group = open_group(folder / "s.zarr")
        for name, how in zip(("reflectance", "wavelength", "fwhm"), codecs, strict=True):
            old = group[name]
            values, names = old[...], old.metadata.dimension_names
            kept = {"dimension_names": names, "attributes": dict(old.attrs), "chunks": values.shape, **how}
            group.create_array(name, data=values, overwrite=True, **kept)

    return [made(lambda folder: save_scene(SCENE, folder / "s.zarr")), made(packed)]


def npy() -> list[Case]:
    """Of three axes, and of two in Fortran's order."""
    return [
        made(lambda folder: np.save(folder / "s.npy", VALUES)),
        made(lambda folder: np.save(folder / "s.npy", np.asfortranarray(COUNTS.reshape(24, 5)))),
    ]


def npz() -> list[Case]:
    """A plain and a compressed file."""
    whole = {"reflectance": VALUES, "wavelength": WAVELENGTH, "fwhm": np.full(5, 10.0), "good_band": np.ones(5)}
    return [
        made(lambda folder: np.savez(folder / "s.npz", **whole)),
        made(lambda folder: np.savez_compressed(folder / "s.npz", **whole)),
    ]


def bundle_sli() -> list[Case]:
    """As unmixel writes it."""
    return [made(lambda folder: write_sli(BUNDLE, folder / "s.sli"))]


def bundle_csv() -> list[Case]:
    """A spectrum in each column, one in each row, and the statistics of a result."""
    by_row = b"name;440;550;650;850;1610\nsoil;0.1;0.2;0.3;0.3;0.4\nwater;0.05;0.04;0.03;;0.0\n"
    statistics = b"wavelength_nm,fwhm_nm,good_band,soil mean,soil sd\n400,10,1,0.1,0.01\n1700,10,1,0.2,0.01\n"
    return [made(lambda folder: write_bundle_csv(BUNDLE, folder / "s.csv")), {"s.csv": by_row}, {"s.csv": statistics}]


def splib07() -> list[Case]:
    """A folder of the library, with wavelengths and widths above its spectra, and one whose channels lie beside it."""

    def column(title: str, numbers: Iterable[float]) -> bytes:
        return f" splib07a Record=7: {title}\n{''.join(f' {number:.7e}{chr(10)}' for number in numbers)}".encode()

    microns = np.linspace(0.4, 1.7, 14)
    deleted = np.where(microns == microns[4], -1.23e34, 0.2 + 0.1 * microns)
    wavelengths = {"splib07a_Wavelengths_BECK_Beckman_microns.txt": column("Wavelengths BECK Beckman", microns)}
    widths = {"splib07a_Bandpass_(FWHM)_BECK_in_microns.txt": column("Bandpass (FWHM) BECK", 0.002 + 0 * microns)}
    alunite = column("Alunite GDS84 Na03            BECKb AREF", deleted)
    quartz = column("Quartz HS32.4B BECKb RREF", 0.9 - 0.1 * microns)
    return [
        {"lib/m/a.txt": alunite, "lib/m/q.txt": quartz, **{f"lib/{name}": one for name, one in wavelengths.items()}},
        {"lib/a.txt": alunite, **{f"lib/{name}": one for name, one in {**wavelengths, **widths}.items()}},
    ]


def ecostress() -> list[Case]:
    """Percent by micrometres from long to short, and fractions by nanometres with what is no pair among them."""
    header = "Name: Construction Concrete\nType: manmade\nX Units: {}\nY Units: {}\nNumber of X Values: 14\n\n"
    nanometres = np.linspace(400, 1700, 14)
    percent = header.format("Wavelength (micrometers)", "Reflectance (percent)") + "".join(
        f" {x / 1000:.4f}\t{20 + x / 100:.4f}\n" for x in nanometres[::-1]
    )
    fractions = header.format("Wavelength (nanometers)", "Reflectance (fraction)") + "".join(
        f"{x:.1f} {x / 5000:.4f}\n\n" for x in nanometres
    )
    return [{"s.txt": percent.encode()}, {"s.txt": fractions.replace("\n\n500", "\nnone here\n500").encode()}]


def bundle_netcdf() -> list[Case]:
    """As unmixel writes it, and with packed names."""

    def packed(folder: Path) -> None:
        with h5netcdf.File(folder / "s.nc", "w") as file:
            file.dimensions = {"spectrum": len(BUNDLE), "band": 5}
            names = np.array(BUNDLE.endmember.values, object)
            how = {"dtype": h5py.string_dtype(), "chunks": (2,), "compression": "gzip"}
            file.create_variable("endmember", ("spectrum",), data=names, **how)
            file.create_variable("wavelength", ("band",), data=WAVELENGTH).attrs["units"] = "nm"
            cube = file.create_variable("reflectance", ("spectrum", "band"), data=BUNDLE.values)
            cube.attrs["coordinates"] = "endmember wavelength"

    return [made(lambda folder: write_bundle_netcdf(BUNDLE, folder / "s.nc")), made(packed)]


def run_config() -> list[Case]:
    """Settings of both kinds of methods."""
    least_squares = b"""method = "fcls"
n_endmembers = 4
endmembers = "../canary/secret.csv"
bands = "1350-1450, 1800-1950"
scale = 10000
seed = 3
threads = 1
[parameters]
extraction = "clusters"
"""
    idnet = b"""method = "idnet"
n_endmembers = "auto"
epochs = 2
device = "cpu"
[parameters]
n_latents = 4
learning_rate = 1e-3
published = false
"""
    return [{"s.toml": least_squares}, {"s.toml": idnet}]


def manifest() -> list[Case]:
    """TOML and CSV, each beside two scenes."""
    scenes = {"a/line.npy": npy()[0]["s.npy"], "b/line.npy": npy()[1]["s.npy"], **envi()[1]}
    toml = b"""[[scene]]
path = "a/line.npy"
name = "north"
bands = "1350-1450,1800-1950"
scale = 10000

[[scene]]
path = "b/*.npy"

[[scene]]
path = "s.hdr"
"""
    table = b'path,name,bands,scale\na/line.npy,north,"1350-1450,1800-1950",10000\nb/*.npy,,,\ns.img,s,,2\n'
    return [{"list.toml": toml, **scenes}, {"list.csv": table, **scenes}]


def suite() -> list[Case]:
    """A benchmark of scenes of every kind, with its own methods and limits."""
    toml = b"""title = "Mine"
seeds = 2
[limits]
seconds = 60
memory_gb = 4
[[scene]]
name = "lake"
dataset = "samson"
[[scene]]
preset = "dc1"
rows = 8
columns = 9
snr_db = 25
endmembers = "true"
[[scene]]
file = "s.hdr"
truth = "truth.zarr"
[[method]]
name = "idnet"
label = "short"
parameters = { n_epochs = 5 }
[[method]]
name = "fcls"
endmembers = "own"
"""
    return [{"s.toml": toml, **envi()[1], **made(lambda folder: save_result(_unmixed(), folder / "truth.zarr"))}]


def _unmixed() -> xr.Dataset:
    return FCLS().fit(SCENE, BUNDLE).unmix(SCENE)


def model_fcls() -> list[Case]:
    """A fitted FCLS."""
    return [made(lambda folder: FCLS().fit(SCENE, BUNDLE).save(folder / "model"))]


def model_idnet() -> list[Case]:
    """An ID-Net that was never trained."""
    return [made(lambda folder: idnet().save(folder / "model"))]


def idnet() -> FittedIDNet:
    """Return an ID-Net that was never trained."""
    sizes = {"n_endmembers": 2, "n_latents": 2, "n_bands": 4, "n_features": 3, "n_ista": 2}
    law = {"mixing_gain": 0.1, "abundance_gain": 0.1, "albedo": False, "share_mean": 0.0, "share_sd": 0.1}
    network = IDNetModel(Shape(**sizes, **law, concentration=1.0, published=False))
    return FittedIDNet(IDNet(), SCENE, ("soil", "water"), network)


def model_other() -> list[Case]:
    """One of every other method, hardly fitted."""
    few = {"n_epochs": 1, "n_iterations": 1, "n_draws": 4, "n_steps": 5, "n_runs": 1, "n_channels": 2, "kernel_size": 3}
    cases = []
    for kind in (get_method(name) for name in list_methods() if name not in ("fcls", "idnet")):
        quick = {field.name: few[field.name] for field in fields(kind) if field.name in few}
        fitted = kind(**quick).fit(SCENE, BUNDLE)
        cases.append(made(lambda folder, fitted=fitted: fitted.save(folder / "model")))
    return cases


_READ = ("out/scene.tif", "out/abundance.tif")


def result() -> list[Case]:
    """The folders that `unmixel unmix` writes, without figures: FCLS, and ID-Net in the geometry of the sensor."""

    def unmixed(folder: Path, fitted: Fitted, scene: xr.DataArray) -> None:
        write_result_folder(fitted.unmix(scene), folder / "out", scene=scene, fitted=fitted)

    fcls = made(lambda folder: unmixed(folder, FCLS().fit(SCENE, BUNDLE), SCENE))
    sensed = made(lambda folder: unmixed(folder, idnet(), SENSED))
    return [
        {name: content for name, content in whole.items() if name in _READ or Path(name).suffix not in (".tif", ".sli")}
        for whole in (fcls, sensed)
    ]


def stac_item() -> list[Case]:
    """The items of two results, as they lie in the folder of a collection."""

    def unmixed(folder: Path) -> None:
        for name in ("a", "b"):
            write_result_folder(_unmixed(), folder / "all" / name, scene=SCENE)
            write_item(folder / "all" / name, identifier=name, acquired=None, changed=datetime(2024, 6, 1, tzinfo=UTC))

    return [{name: content for name, content in made(unmixed).items() if name.endswith("item.json")}]


def zipped(members: Case) -> bytes:
    """Return files as a ZIP archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def unzipped(content: bytes) -> Case:
    """Return the files of a ZIP archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
