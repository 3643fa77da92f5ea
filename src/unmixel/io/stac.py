"""Result folders -> STAC 1.1: an item for each folder, and a collection for a folder of them.

``item.json`` lies in a result folder and says where and when it is, and what is in it:

====================== ================================================================================
``geometry``, ``bbox`` outline of the grid [degrees, WGS 84]; geometry null where the place is unknown
``proj:...``           projection extension: code (or WKT2), transform and shape of the grid
``datetime``           when the scene was acquired, or when its file was last changed: see ``unmixel:datetime``
``unmixel:...``        version, method, names of the endmembers, and in words what ``datetime`` is
``assets``             every map (by its name without ``.tif``) with bands, unit, type and no-data value; the
                       other files by their names; size and checksum (SHA-256 as multihash) of each file
====================== ================================================================================

All paths are relative, so a folder can be moved with its item. The same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from unmixel import __version__
from unmixel.claims import read_small
from unmixel.errors import DAMAGE, OutputError
from unmixel.io.footprint import footprint_of

if TYPE_CHECKING:
    import pystac

ITEM = "item.json"
COLLECTION = "collection.json"
_EVERYWHERE = [-180.0, -90.0, 180.0, 90.0]  # what the specification has for an unknown place
_LARGEST_ITEM, _LONGEST_ID = 10_000_000, 1000
_MAIN_MAP = "abundance.tif"
_ROLES = {
    "abundance_sd": ["uncertainty"],
    "reconstruction_rmse": ["quality"],
    "outside_reach": ["quality"],
    "scene": ["overview"],
}


class _Entry(NamedTuple):
    """What is known of a file of a result folder by its name."""

    title: str
    media_type: str | None
    roles: list[str]


_ENTRIES = {
    "endmembers.csv": _Entry("endmember spectra over the scene, as a table", "text/csv", ["data"]),
    "endmembers.sli": _Entry(
        "endmember spectra over the scene, as an ENVI library", "application/octet-stream", ["data"]
    ),
    "endmembers.hdr": _Entry("header of endmembers.sli", "text/plain", ["metadata"]),
    "model": _Entry("the fitted model, a folder for `unmixel apply`", None, ["model"]),
    "result.zarr": _Entry("maps, spectra and latents with their coordinates", "application/vnd.zarr", ["data"]),
}
_PROVENANCE = _Entry("what made this: versions, input, parameters, seed, timings", "application/json", ["metadata"])


def write_item(folder: Path, *, identifier: str, acquired: datetime | None, changed: datetime) -> None:
    """Write the STAC item ``item.json`` of a result folder.

    To be called when all other files are there, and before `unmixel.io.whole_folder.write_provenance`, which
    lists the files of the folder. ``provenance.json`` is named in the item in any case, without size and checksum:
    it has the timings of the run.

    Parameters
    ----------
    folder : path
        The result folder, also one that has not been moved to its place yet.
    identifier : str
        Name of the item, unique in its collection: the name of the scene.
    acquired : datetime or None
        When the scene was acquired, if known. A time without a zone is UTC.
    changed : datetime
        When the scene file was last changed: the ``datetime`` of the item if `acquired` is None.

    Raises
    ------
    OutputError
        If a map of the folder cannot be read, or ``abundance.tif`` is not among them.
    """
    import pystac
    from pystac.extensions.projection import ProjectionExtension

    main = _read_map(folder / _MAIN_MAP)
    footprint = footprint_of(main.crs, main.transform, main.shape)
    item = pystac.Item(
        id=identifier,
        geometry=footprint.geometry if footprint else None,
        bbox=footprint.bbox if footprint else None,
        datetime=_in_utc(changed if acquired is None else acquired),
        properties={
            "unmixel:version": __version__,
            "unmixel:endmembers": list(main.bands),
            "unmixel:datetime": "when the scene file was last changed: its time of acquisition is not known"
            if acquired is None
            else "when the scene was acquired",
        },
    )
    if main.tags.get("method"):
        item.properties["unmixel:method"] = main.tags["method"]
    if main.crs is not None:
        authority = main.crs.to_authority(confidence_threshold=100)
        ProjectionExtension.ext(item, add_if_missing=True).apply(
            code=":".join(authority) if authority else None,
            wkt2=None if authority else main.crs.to_wkt(version="WKT2_2019"),
            shape=list(main.shape),
            transform=list(main.transform)[:6],
        )
    _add_assets(item, folder)
    (folder / ITEM).write_text(_as_text(item), encoding="utf-8")


class _Map(NamedTuple):
    """What the file of a map says of itself."""

    crs: rasterio.crs.CRS | None
    transform: rasterio.Affine
    shape: tuple[int, int]
    bands: tuple[str, ...]
    unit: str
    data_type: str
    nodata: float | None
    tags: Mapping[str, str]


def _read_map(path: Path) -> _Map:
    """Return the metadata of a map; its values are not read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                return _Map(
                    crs=file.crs,
                    transform=file.transform,
                    shape=(file.height, file.width),
                    bands=tuple(name or path.stem for name in file.descriptions),
                    unit=file.units[0] or "",
                    data_type=file.dtypes[0],
                    nodata=file.nodata,
                    tags=file.tags(),
                )
    except RasterioIOError as error:
        raise OutputError(f"{path}: {error}", "a result folder with its maps") from error


def _add_assets(item: pystac.Item, folder: Path) -> None:
    """Add every map, figure and known file of the folder, with a path relative to the item."""
    from pystac import Asset, MediaType

    for path in sorted(folder.iterdir()):
        if path.suffix == ".tif":
            described = _read_map(path)
            title = described.tags.get("quantity", path.stem)
            entry = _Entry(title, MediaType.COG, _ROLES.get(path.stem, ["data"]))
            _add_file(item, path.stem, path, entry, _band_fields(described))
        elif path.suffix == ".png":
            roles = ["overview", "thumbnail"] if path.stem == Path(_MAIN_MAP).stem else ["overview"]
            title = f"figure: {path.stem.replace('_', ' ')}"
            _add_file(item, path.name, path, _Entry(title, MediaType.PNG, roles), {})
        elif path.name in _ENTRIES:
            _add_file(item, path.name, path, _ENTRIES[path.name], {})
    title, media_type, roles = _PROVENANCE
    item.add_asset("provenance.json", Asset("./provenance.json", title, media_type=media_type, roles=roles))


def _add_file(item: pystac.Item, key: str, path: Path, entry: _Entry, fields: dict[str, Any]) -> None:
    from pystac import Asset
    from pystac.extensions.file import FileExtension

    asset = Asset(
        f"./{path.name}", entry.title, media_type=entry.media_type, roles=list(entry.roles), extra_fields=fields
    )
    item.add_asset(key, asset)
    if path.is_file():
        FileExtension.ext(asset, add_if_missing=True).apply(size=path.stat().st_size, checksum=_multihash(path))


def _band_fields(described: _Map) -> dict[str, Any]:
    fields: dict[str, Any] = {"bands": [{"name": name} for name in described.bands], "data_type": described.data_type}
    if described.unit:
        fields["unit"] = described.unit
    if described.nodata is not None:
        fields["nodata"] = "nan" if described.nodata != described.nodata else described.nodata
    return fields


def _multihash(path: Path) -> str:
    """Return the SHA-256 of a file as a multihash: its kind (12) and length (20), then the digest."""
    with path.open("rb") as file:
        return "1220" + hashlib.file_digest(file, "sha256").hexdigest()


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _as_text(found: pystac.Item | pystac.Collection) -> str:
    """Return the JSON of an item or collection, its keys sorted."""
    content = found.to_dict(include_self_link=False, transform_hrefs=False)
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_collection(folder: Path, items: Sequence[Path], *, identifier: str, description: str) -> None:
    """Write the STAC collection ``collection.json`` that links the items of result folders.

    One that is there is replaced at once by a whole one. Its bounding box holds the boxes of all items that have
    one, and is the whole Earth if none has.

    Parameters
    ----------
    folder : path
        Where to write it; usually the folder that holds the result folders.
    items : sequence of path
        The items (``item.json``), in any order.
    identifier : str
        Name of the collection.
    description : str
        What it is, in words.

    Raises
    ------
    OutputError
        If there is no item, an item cannot be read, two have the same name, or the file cannot be written.
    """
    import pystac

    if not items:
        raise OutputError("a collection of no items", "the item.json of at least one result folder")
    found = {_relative(path, folder): _read_item(path) for path in items}
    names: dict[str, str] = {}
    for href, item in found.items():
        if item.id in names:
            raise OutputError(f"{href} and {names[item.id]}, both of the scene {item.id!r}", "a name for each scene")
        names[item.id] = href
    times = [item.datetime for item in found.values() if item.datetime is not None]
    interval: list[datetime | None] = [min(times), max(times)] if times else [None, None]
    collection = pystac.Collection(
        id=identifier,
        description=description,
        extent=pystac.Extent(
            pystac.SpatialExtent([_box_around([item.bbox for item in found.values() if item.bbox])]),
            pystac.TemporalExtent([interval]),
        ),
        license="other",
    )
    collection.clear_links()
    collection.add_link(pystac.Link(pystac.RelType.ROOT, f"./{COLLECTION}", media_type=pystac.MediaType.JSON))
    for href in sorted(found):
        link = pystac.Link(pystac.RelType.ITEM, href, media_type=pystac.MediaType.GEOJSON, title=found[href].id)
        collection.add_link(link)
    _replace(folder / COLLECTION, _as_text(collection))


def _read_item(path: Path) -> pystac.Item:
    import pystac

    try:
        content = json.loads(read_small(path, _LARGEST_ITEM, error=OutputError))
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        item = pystac.Item.from_dict(content)
        if not isinstance(item.id, str) or len(item.id) > _LONGEST_ID:
            raise ValueError(f"an id that is no text of at most {_LONGEST_ID} characters")
        if item.bbox and not (len(item.bbox) == 4 and all(math.isfinite(number) for number in item.bbox)):
            raise ValueError("a bbox of other than 4 numbers")
        if item.datetime is not None:
            item.datetime = _in_utc(item.datetime)
        return item
    except (*DAMAGE, pystac.STACError, pystac.STACTypeError) as error:
        raise OutputError(
            f"{path}: {error}", "the STAC item of a result folder", "unmix its scene again with --overwrite"
        ) from error


def _relative(path: Path, folder: Path) -> str:
    relative = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    return relative if relative.startswith("../") else f"./{relative}"


def _box_around(boxes: list[list[float]]) -> list[float]:
    """Return the box around boxes; west is greater than east where one of them crosses the antimeridian."""
    if not boxes:
        return list(_EVERYWHERE)
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    if all(west <= east for west, _, east, _ in boxes):
        return [min(box[0] for box in boxes), south, max(box[2] for box in boxes), north]
    spans = [(west % 360, east - west + (360 if west > east else 0)) for west, _, east, _ in boxes]
    west, east = min(start for start, _ in spans), max(start + width for start, width in spans)
    return [west, south, east - 360, north] if east - west < 360 else [-180.0, south, 180.0, north]


def _replace(path: Path, text: str) -> None:
    """Write a file under another name, and rename it over what was there."""
    partial = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}", "a writable folder with enough space") from error
    finally:
        partial.unlink(missing_ok=True)
