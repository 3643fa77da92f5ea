"""TIFF and GeoTIFF scenes, with or without an ENVI header beside them."""

from __future__ import annotations

import warnings
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window

from unmixel import __version__
from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.cog import stream_cog
from unmixel.io.envi_header import EnviHeader, bands_described, find_header, header_of, read_envi_header
from unmixel.io.raster import NOTHING_BESIDE, SMALL_CACHE, opened_raster
from unmixel.io.tiff_sidecars import believed_beside
from unmixel.io.wavelength_units import to_nanometres
from unmixel.io.windowed_scene import WindowedScene
from unmixel.io.windows import Window as Part
from unmixel.scene import check_scene, crs_wkt_of, transform_of

_MOST_BANDS = 4_000
"""The time that rasterio takes to read bands grows with the square of their number: 0.7 s for so many."""
_MICROMETRES = 3
"""Places by which the decimal point moves from nanometres to micrometres."""


def read_tiff(path: Path, header_path: Path | None = None) -> RawScene:
    """Read the description of a TIFF scene; its rows are read through GDAL when they are asked for.

    What is said about the bands is taken from the ENVI header beside the file. Without one, it is taken from the
    file's own metadata, as GDAL gives them: the items ``wavelength``, ``wavelength_units``, ``fwhm`` and ``bbl`` of
    each band, which QGIS and the EnMAP-Box write; ``CENTRAL_WAVELENGTH_UM`` and ``FWHM_UM`` of each band in the
    domain IMAGERY (GDAL 3.10 and later); or the fields of an ENVI header in the domain ENVI. Those metadata, and the
    place, may lie in files beside it (see :mod:`unmixel.io.tiff_sidecars`).

    Raises
    ------
    SceneError
        If the file cannot be read, is a picture, or its ENVI header describes another file.
    """
    header_path = header_path or find_header(path)
    beside = believed_beside(path)
    try:
        with rasterio.Env(**({} if beside else NOTHING_BESIDE)), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path.absolute(), driver="GTiff") as file:
                if file.count > _MOST_BANDS:
                    raise SceneError(f"{path} with {file.count} bands", f"at most {_MOST_BANDS}", "convert it to ENVI")
                if file.tags().get("TIFFTAG_SOFTWARE", "").startswith("unmixel") and "quantity" in file.tags():
                    raise SceneError(f"{path}, a map that unmixel made", "a scene", "open its folder with open_result")
                said = _described_by_tags(file)
                shape = (file.height, file.width, file.count)
                if header_path is not None:
                    said = _with_header(path, header_path, shape, said)
                if beside:
                    names = ", ".join(each.name for each in beside)
                    said["notes"] = (
                        *said["notes"],
                        f"read with {names} beside it, which may say place, fill and bands",
                    )
                if said.get("wavelength") is None and file.count <= 4 and _is_picture(file):
                    raise SceneError(f"{path}, a colour picture", "a scene with many spectral bands")
                return RawScene(
                    shape=shape,
                    dtype=np.result_type(*file.dtypes),
                    read=partial(_read_rows, path),
                    read_part=partial(_read_part, path),
                    block=file.block_shapes[0],
                    crs_wkt=file.crs.to_wkt() if file.crs else None,
                    transform=None if file.transform.is_identity else file.transform,
                    companions=beside,
                    **said,
                )
    except RasterioIOError as error:
        raise SceneError(f"{path}: {error}", "a TIFF file that GDAL can open", "is it complete?") from error


def _described_by_tags(file: rasterio.DatasetReader) -> dict[str, Any]:
    tags = [_named_alike(file.tags(index) | file.tags(index, ns="IMAGERY")) for index in file.indexes]
    said: dict[str, Any] = {"notes": (), "acquired": _acquired(Path(file.name))}
    said |= _spectral(tags)
    flags = _numbers(tags, "bbl")
    if flags is not None:
        said["good_band"] = flags > 0
    gain, offset = np.array(file.scales, dtype=float), np.array(file.offsets, dtype=float)
    if (gain != 1).any() or (offset != 0).any():
        said |= {"gain": gain, "offset": offset}
    fill = {float(value) for value in file.nodatavals if value is not None and np.isfinite(value)}
    said["fill"] = tuple(sorted(fill))
    if file.tags().get("unmixel_content") == "scene":
        said |= _of_unmixel(file.tags())
    fields = file.tags(ns="ENVI")
    return _with_fields(header_of(Path(file.name), fields, file.count), said) if fields else said


def _acquired(path: Path) -> str:
    """Return the time in the file itself: GDAL would look for it in files of a dozen satellites beside it."""
    with opened_raster(path, "GTiff") as file:
        return file.tags(ns="IMAGERY").get("ACQUISITIONDATETIME", "")


def _of_unmixel(tags: dict[str, str]) -> dict[str, Any]:
    """Return what unmixel writes of a scene besides its bands."""
    said: dict[str, Any] = {name: tags.get(name, "") for name in ("product", "acquired")}
    origin = (said["product"], f"acquired {said['acquired']}")
    notes = tuple(line for line in tags.get("reading", "").split("\n") if line and line not in origin)
    return said | {"notes": notes, "atmosphere": ()}


def _named_alike(tags: dict[str, str]) -> dict[str, str]:
    """Return tags by their names in small letters, with underscores: programs differ in both."""
    return {name.lower().replace(" ", "_"): value for name, value in tags.items()}


def _spectral(tags: list[dict[str, str]]) -> dict[str, Any]:
    """Return what the metadata of the bands say of wavelengths; of two, not what GDAL rounds to a nanometre."""
    wavelength, in_micrometres = _numbers(tags, "wavelength"), _numbers(tags, "central_wavelength_um")
    units = {band.get("wavelength_units", band.get("wavelength_unit", "")) for band in tags}
    unit = units.pop() if len(units) == 1 else ""
    fwhm, fwhm_um = _numbers(tags, "fwhm"), _numbers(tags, "fwhm_um")
    if wavelength is not None and (unit or in_micrometres is None):
        if fwhm is None and fwhm_um is not None and (factor := to_nanometres(wavelength, unit)[0]) is not None:
            fwhm = fwhm_um * 1000.0 / factor
        return {"wavelength": wavelength, "wavelength_unit": unit, "fwhm": fwhm}
    return {"wavelength": in_micrometres, "wavelength_unit": "um", "fwhm": fwhm_um}


def _with_header(path: Path, header_path: Path, shape: tuple[int, int, int], said: dict[str, Any]) -> dict[str, Any]:
    """Return what the ENVI header says, and what only the file says."""
    header = read_envi_header(header_path)
    if header.shape() != shape:
        theirs = "{} lines x {} samples x {} bands".format(*header.shape())
        raise SceneError(
            f"{path} of {shape[0]} lines x {shape[1]} samples x {shape[2]} bands",
            f"{theirs} by its header {header_path.name}",
            "the file is damaged or the header is not its own: move the wrong one away",
        )
    said = _with_fields(header, said)
    return said | {"notes": (*said["notes"], f"bands described by {header_path.name}")}


def _with_fields(header: EnviHeader, said: dict[str, Any]) -> dict[str, Any]:
    """Return what the fields of an ENVI header say, and what only the file says."""
    more = {name: value for name, value in bands_described(header).items() if value is not None}
    more["acquired"] = more["acquired"] or said["acquired"]
    if "gain" in said:
        more = {name: value for name, value in more.items() if name not in ("gain", "offset")}
    more["fill"] = tuple(sorted({*said["fill"], *more.get("fill", ())}))
    more["notes"] = (*said["notes"], *more["notes"])
    if "wavelength" in more:
        said = said | {"fwhm": None}
    else:
        more["wavelength_unit"] = more["wavelength_unit"] or said["wavelength_unit"]
    return said | more


def _numbers(tags: list[dict[str, str]], name: str) -> NDArray[np.float64] | None:
    try:
        return np.array([float(band[name]) for band in tags])
    except (KeyError, ValueError):
        return None


def stream_tiff(scene: WindowedScene, path: Path) -> None:
    """Write a scene as a new cloud-optimised GeoTIFF (float32), window by window and never whole in memory.

    Each band says its wavelength and width in GDAL's own items (``CENTRAL_WAVELENGTH_UM`` and ``FWHM_UM`` of the
    domain ``IMAGERY``), and in those that the EnMAP-Box reads (``wavelength``, ``wavelength_units``, ``fwhm``);
    ``bbl`` is 0 for a band that is left out. The values of a pixel lie together.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    outline = scene.outline
    check_scene(outline)
    origin = {name: str(outline.attrs[name]) for name in ("product", "acquired") if outline.attrs.get(name)}
    stream_cog(
        scene.read,
        scene.windows,
        scene.shape[:2],
        path,
        bands=_band_names(outline),
        unit="1",
        crs_wkt=crs_wkt_of(outline),
        transform=transform_of(outline),
        tags={
            "unmixel_content": "scene",
            "TIFFTAG_SOFTWARE": f"unmixel {__version__}",
            "reading": "\n".join(outline.attrs.get("reading", ())),
            **origin,
        },
        band_tags=_band_tags(outline),
        spectra=True,
    )


def _band_names(scene: xr.DataArray) -> list[str]:
    wavelength = np.asarray(scene["wavelength"].values, dtype=float)
    return [f"{w:.7g} nm" if np.isfinite(w) else f"band {band}" for band, w in enumerate(wavelength, start=1)]


def _band_tags(scene: xr.DataArray) -> list[dict[str, dict[str, str]]]:
    """Return for each band the items of each domain of GDAL."""
    plain: list[dict[str, str]] = [{"bbl": str(int(good))} for good in scene["good_band"].values]
    imagery: list[dict[str, str]] = [{} for _ in plain]
    for name, item in (("wavelength", "CENTRAL_WAVELENGTH_UM"), ("fwhm", "FWHM_UM")):
        if name not in scene.coords:
            continue
        for band, number in enumerate(scene[name].values.tolist()):
            if np.isfinite(number):
                plain[band] |= {name: repr(number), "wavelength_units": "Nanometers"}
                imagery[band][item] = f"{Decimal(repr(number)).scaleb(-_MICROMETRES):f}"
    return [{"": ours, "IMAGERY": gdals} for ours, gdals in zip(plain, imagery, strict=True)]


def _is_picture(file: rasterio.DatasetReader) -> bool:
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    return tuple(file.colorinterp[:3]) == colours or file.colorinterp[0] == ColorInterp.palette


def _read_rows(path: Path, first: int, last: int) -> NDArray:
    return _read_window(path, first, last, 0, None)


def _read_part(path: Path, part: Part) -> NDArray:
    return _read_window(path, *part)


def _read_window(path: Path, top: int, bottom: int, left: int, right: int | None) -> NDArray:
    try:
        with rasterio.Env(**NOTHING_BESIDE, **SMALL_CACHE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path.absolute(), driver="GTiff") as file:
                width = (file.width if right is None else right) - left
                values = file.read(window=Window(left, top, width, bottom - top))
    except RasterioIOError as error:
        raise SceneError(f"{path}: {error}", "a readable TIFF file", "is it complete?") from error
    return np.moveaxis(values, 0, 2)
