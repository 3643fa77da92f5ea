"""What a file is, by its first bytes and not by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from unmixel.errors import SceneError
from unmixel.io.envi_header import find_data, find_header, is_envi_header, read_envi_header
from unmixel.io.hdf5_contents import check_hdf5, is_hdf5
from unmixel.io.numpy_arrays import UNPACK
from unmixel.io.products import product_of
from unmixel.io.tiff_sidecars import TIFF

_PICTURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"RIFF": "a WebP picture",
    b"%PDF": "a PDF document",
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_KNOWN = "ENVI (.hdr and data), GeoTIFF, MATLAB v5 or v7.3, NetCDF or Zarr written by unmixel, NumPy or a known product"


@dataclass(frozen=True)
class Recognised:
    """A file and its format: envi, tiff, matlab, netcdf, zarr, npy, npz or product.

    `header` is there where ENVI has one, and `product` is the module of :mod:`unmixel.io.products` that reads it.
    """

    format: str
    path: Path
    header: Path | None = None
    product: ModuleType | None = None


def recognise(path: Path) -> Recognised:
    """Return the format of a scene file.

    Raises
    ------
    SceneError
        If there is no such file, or it is nothing that unmixel reads.
    """
    if not path.exists():
        raise SceneError(f"{path}, which does not exist", "a scene file", "check the path")
    if not path.is_file() and not path.is_dir():
        raise SceneError(f"{path}, a device or a pipe", "a scene file", "copy what it gives into a file")
    if path.is_file() and is_hdf5(path):
        check_hdf5(path)
    if (product := product_of(path)) is not None:
        return Recognised("product", path, product=product)
    if path.is_dir():
        if (path / "zarr.json").is_file():
            return Recognised("zarr", path)
        raise SceneError(f"{path}, a folder", "a scene file, a Zarr v3 store or a known product", "give a file in it")
    try:
        if is_envi_header(path):
            return _with_header(path)
        return _by_first_bytes(path)
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror or error}", "a readable file") from error


def _with_header(path: Path) -> Recognised:
    """Return the data file that an ENVI header belongs to, with that header."""
    header = read_envi_header(path)
    if path.suffix.lower() != ".hdr":
        raise SceneError(f"{path}, an ENVI header", "a name that ends in .hdr", "rename it")
    data = find_data(header)
    with data.open("rb") as file:
        is_tiff = file.read(4) in TIFF
    return Recognised("tiff" if is_tiff else "envi", data, path)


def _by_first_bytes(path: Path) -> Recognised:
    with path.open("rb") as file:
        first = file.read(16)
        file.seek(512)
        after_user_block = file.read(8)
    if not first:
        raise SceneError(f"{path}, which is empty", _KNOWN)
    header = find_header(path)
    if first[:4] in TIFF:
        return Recognised("tiff", path, header)
    if first.startswith(b"MATLAB"):
        return Recognised("matlab", path)
    if first.startswith(_HDF5):
        return Recognised("netcdf", path)
    if after_user_block == _HDF5:
        return Recognised("matlab", path)
    if first.startswith(b"\x93NUMPY"):
        return Recognised("npy", path)
    if first.startswith(b"PK\x03\x04"):
        return Recognised("npz", path)
    if header is not None:
        return Recognised("envi", path, header)
    if first.startswith(b"\x1f\x8b"):
        raise SceneError(f"{path}, packed by gzip", "a scene file or the folder of a product", UNPACK)
    for magic, what in _PICTURES.items():
        if first.startswith(magic):
            raise SceneError(f"{path}, {what}", "a scene with many spectral bands", "give the file it was made from")
    if path.suffix.lower() == ".hdr":
        raise SceneError(
            f"{path}, which is no ENVI header",
            "'ENVI' on its first line",
            "give the scene's own header or data file",
        )
    raise SceneError(
        f"{path}, of an unknown format", _KNOWN, "a raw binary file needs its ENVI header (.hdr) beside it"
    )
