"""ENVI scenes: a binary file (bil, bip or bsq) and the header beside it."""

from __future__ import annotations

import math
import secrets
import warnings
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from unmixel.claims import read_small
from unmixel.errors import OutputError, SceneError
from unmixel.io._raw import RawScene
from unmixel.io.envi_header import LARGEST_HEADER, EnviHeader, bands_described, headers_of, read_envi_header
from unmixel.io.envi_map import is_written_exactly, rotated_transform
from unmixel.io.whole_file import written_whole
from unmixel.io.windowed_scene import WindowedScene, windowed
from unmixel.io.windows import Window as Part
from unmixel.scene import check_scene, crs_wkt_of, transform_of

_NO_SIDECARS = {"GDAL_PAM_ENABLED": "NO"}  # a stale .aux.xml must not shadow the header
_FILL = -9999.0
_MAP = ("map info", "projection info", "coordinate system string")
_TINY = dict.fromkeys(("samples", "lines", "bands", "data type"), "1") | {"interleave": "bsq"}


def read_envi(data: Path, header_path: Path) -> RawScene:
    """Read the description of an ENVI scene; its rows are read when they are asked for.

    Raises
    ------
    SceneError
        If the header does not describe this file.
    """
    header = read_envi_header(header_path)
    if header.text("interleave").lower() not in ("bil", "bip", "bsq"):
        raise SceneError(f"{header_path} with interleave = {header.text('interleave') or 'nothing'}", "bil, bip or bsq")
    if header.text("file type").lower() == "envi spectral library":
        raise SceneError(f"{data}, a spectral library", "a scene", "open it with open_bundle, or give it as --bundle")
    n_after = header.check_size(data, may_be_longer=True)
    _check_alone(data, header_path)
    said = bands_described(header)
    if n_after:
        said["notes"] += (
            f"{n_after} bytes after the last value that the header tells of, not read "
            "(if the scene looks scrambled, check lines, samples, bands and header offset)",
        )
    crs_wkt, by_gdal = _map_of(header)
    return RawScene(
        shape=header.shape(),
        dtype=header.dtype().newbyteorder("="),
        read=partial(_read_rows, data, header),
        read_part=partial(_read_part, data, header),
        crs_wkt=crs_wkt,
        transform=_transform_in(header, rotated_transform(header) or by_gdal),
        **said,
    )


def _check_alone(data: Path, header_path: Path) -> None:
    """Check that no other header describes the file, and none could be the one that was meant."""
    first, *others = headers_of(data) or [header_path]
    if not first.samefile(header_path) or any(_differ(first, other) for other in others):
        other = next((other for other in (first, *others) if not other.samefile(header_path)), first)
        raise SceneError(
            f"{data} with two headers, {header_path.name} and {other.name}", "one header", "move the wrong one away"
        )


def _differ(one: Path, other: Path) -> bool:
    return read_small(one, LARGEST_HEADER) != read_small(other, LARGEST_HEADER)


def _map_of(header: EnviHeader) -> tuple[str | None, Affine]:
    """Return what GDAL makes of the map in a header.

    It gets these fields alone, as a tiny file in memory: beside the scene it would look for another header,
    statistics and more, and open whatever they are.
    """
    fields = {name: f"{{{header.text(name)}}}" for name in _MAP if header.text(name)}
    lines = [f"{name} = {value}\n" for name, value in {**_TINY, **fields}.items()]
    folder = secrets.token_hex(16)
    with (
        rasterio.Env(**_NO_SIDECARS),
        warnings.catch_warnings(),
        MemoryFile("".join(["ENVI\n", *lines]).encode(), dirname=folder, filename="map.hdr"),
        MemoryFile(bytes(2), dirname=folder, filename="map.img") as pixel,
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with pixel.open(driver="ENVI") as file:
            return _crs_wkt_in(file), file.transform


def _read_rows(path: Path, header: EnviHeader, first: int, last: int) -> NDArray:
    return _read_part(path, header, Part(first, last, 0, header.shape()[1]))


def _read_part(path: Path, header: EnviHeader, window: Part) -> NDArray:
    """Return a part of the file from its own bytes: GDAL reads a line once for each of its bands."""
    _, columns, n_bands = header.shape()
    stored, n_rows = header.dtype(), window.shape[0]
    row = columns * stored.itemsize
    start = header.whole("header offset", 0)

    def run(first: int, count: int) -> NDArray:
        values = np.fromfile(path, dtype=stored, count=count, offset=start + first)
        if len(values) != count:
            raise SceneError(f"{path}, which ends too early", "a readable ENVI file", "is it complete?")
        return values

    columns_asked = slice(window.left, window.right)
    match header.text("interleave").lower():
        case "bsq":
            size = header.shape()[0] * row
            bands = [run(band * size + window.top * row, n_rows * columns) for band in range(n_bands)]
            values = np.stack(bands, axis=-1).reshape(n_rows, columns, n_bands)[:, columns_asked]
        case "bil":
            lines = run(window.top * row * n_bands, n_rows * columns * n_bands)
            values = lines.reshape(n_rows, n_bands, columns)[:, :, columns_asked].swapaxes(1, 2)
        case _:
            lines = run(window.top * row * n_bands, n_rows * columns * n_bands)
            values = lines.reshape(n_rows, columns, n_bands)[:, columns_asked]
    return values.astype(stored.newbyteorder("="), copy=False)


def write_envi(scene: xr.DataArray, path: str | Path) -> None:
    """Write a scene as an ENVI file (float32, band-interleaved by line) with its header.

    Wavelengths, widths, the bad-band list and the place on the map go into the header; invalid values are
    written as -9999 and declared as ``data ignore value``. The format has the map to 15 digits; all of them
    are in the header's own field ``geo transform``.

    Parameters
    ----------
    scene : DataArray
        The scene.
    path : path
        The data file; the header gets the same name with ``.hdr`` instead of its suffix. Neither may exist.

    Raises
    ------
    OutputError
        If one of them exists or cannot be written; nothing is left behind.
    """
    check_scene(scene)
    target = Path(path)
    if target.suffix.lower() == ".hdr":
        raise OutputError(f"{target} as an ENVI data file", "another suffix, such as .img", "the header is written too")
    header = target.with_suffix(".hdr")
    if header.exists():
        raise OutputError(f"{header} exists", "a name that is free", "remove it or choose another")
    with written_whole(target, companions=(header,)) as (data, _):
        stream_envi(windowed(scene), data)


def stream_envi(scene: WindowedScene, data: Path) -> None:
    """Write a scene as a new ENVI file, as `write_envi` does, window by window and never whole in memory.

    Raises
    ------
    OutputError, OSError
        If the file cannot be written, or the format cannot hold the scene's map.
    """
    rows, columns, n_bands = scene.shape
    profile = {"driver": "ENVI", "interleave": "bil", "dtype": "float32", "nodata": _FILL}
    profile |= {"height": rows, "width": columns, "count": n_bands}
    if crs_wkt := crs_wkt_of(scene.outline):
        profile["crs"] = CRS.from_wkt(crs_wkt)
    transform = transform_of(scene.outline)
    if transform is not None:
        profile["transform"] = transform
    try:
        with rasterio.Env(**_NO_SIDECARS), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(data, "w", **profile) as file:
                file.update_tags(ns="ENVI", **_header_fields(scene.outline))
            with rasterio.open(data, driver="ENVI") as file:
                if transform is not None and not (is_written_exactly(transform) and _alike(transform, file.transform)):
                    raise OutputError(
                        f"a skewed or mirrored map as the ENVI file {data.name}",
                        "one with north up, or turned with square pixels",
                        "write .tif, .nc or .zarr",
                    )
        header = data.with_suffix(".hdr")
        text = header.read_text(encoding="utf-8").replace(str(data), "reflectance, written by unmixel", 1)
        header.write_text(text, encoding="utf-8")
    except (RasterioError, SystemError) as error:  # SystemError: GDAL's own, when the disk is full
        raise OutputError(f"{data.name}: {error}", "a writable folder with enough space") from error
    with data.open("wb") as stream:  # GDAL would pass over a full disk in silence
        for window, values in scene.parts():
            by_line = np.where(np.isfinite(values), values, np.float32(_FILL)).transpose(0, 2, 1)
            _write_lines(stream, by_line.astype("<f4"), window, columns)


def _write_lines(stream: BinaryIO, lines: NDArray[np.float32], window: Part, columns: int) -> None:
    """Write the lines (y, band, x) of a window to where they belong."""
    n_bands = lines.shape[1]
    if window.shape[1] == columns:
        stream.seek(4 * window.top * n_bands * columns)
        stream.write(lines.tobytes())
        return
    for row, line in enumerate(lines, start=window.top):
        for band, values in enumerate(line):
            stream.seek(4 * ((row * n_bands + band) * columns + window.left))
            stream.write(values.tobytes())


def _alike(one: Affine, other: Affine) -> bool:
    """Return whether two maps are the same but for the digits that a header has."""
    steps, corners = [0, 1, 3, 4], [2, 5]
    size = abs(one.determinant) ** 0.5
    if not math.isfinite(size):
        return False
    close = np.isclose(np.array(one)[steps], np.array(other)[steps], rtol=1e-9, atol=1e-9 * size)
    return bool(close.all() and np.allclose(np.array(one)[corners], np.array(other)[corners], rtol=1e-12, atol=1e-9))


def _crs_wkt_in(file: rasterio.DatasetReader) -> str | None:
    """Return the reference system of a file; GDAL makes one of a map that the header calls arbitrary."""
    wkt = file.crs.to_wkt() if file.crs else ""
    return wkt if wkt and not wkt.startswith('LOCAL_CS["Arbitrary"') else None


def _transform_in(header: EnviHeader, by_gdal: Affine) -> Affine | None:
    """Return the map with all its digits, where the header has them and they are those of its ``map info``."""
    numbers = header.numbers("geo transform")
    if numbers is not None and len(numbers) == 6 and np.isfinite(numbers).all():
        exact = Affine.from_gdal(*numbers.tolist())
        if _alike(exact, by_gdal):
            return exact
    return None if by_gdal.is_identity else by_gdal


def _header_fields(scene: xr.DataArray) -> dict[str, str]:
    fields: dict[str, list[float]] = {"bbl": scene["good_band"].values.astype(int).tolist()}
    for name in ("wavelength", "fwhm"):
        if name in scene.coords and np.isfinite(scene[name].values).all():
            fields[name] = scene[name].values.tolist()
    if (transform := transform_of(scene)) is not None:
        fields["geo_transform"] = [float(number) for number in transform.to_gdal()]
    texts = {name: "{" + ", ".join(map(repr, numbers)) + "}" for name, numbers in fields.items()}
    if "wavelength" in texts:
        texts["wavelength_units"] = "Nanometers"
    for field, name in (("acquisition_time", "acquired"), ("product", "product")):
        if said := " ".join(str(scene.attrs.get(name, "")).replace("{", "(").replace("}", ")").split()):
            texts[field] = said
    return texts | {"unmixel_content": "scene"}
