"""STAC items and collections: valid, of the right place and time, the same again for the same files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from matplotlib.figure import Figure
from rasterio.crs import CRS

from unmixel import __version__
from unmixel.errors import OutputError
from unmixel.io.result_folder import write_result_folder
from unmixel.io.stac import write_collection, write_item
from unmixel.result import make_result
from unmixel.scene import make_scene, pixels_of, to_maps

NORTH_UP = Affine(30.0, 0.0, 656_412.0, 0.0, -30.0, 5_319_240.0)
ENDMEMBERS = ["Boden", "water, deep", "tree"]
UTM_32 = CRS.from_epsg(32632)
ACQUIRED = datetime(2023, 6, 1, 10, 17, 5, tzinfo=UTC)
CHANGED = datetime(2024, 2, 29, 8, 0, 0, 250_000, tzinfo=UTC)


class Model:
    """A model that writes one file."""

    def save(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.json").write_text("{}")


def make_folder(folder: Path, *, crs: CRS | None = UTM_32, transform: Affine | None = NORTH_UP) -> Path:
    """A result folder of 5 x 7 pixels, 3 endmembers and 9 bands."""
    rng = np.random.default_rng(0)
    scene = make_scene(
        rng.uniform(0.1, 0.6, (5, 7, 9)),
        wavelength=np.linspace(450.0, 890.0, 9),
        crs_wkt=crs.to_wkt() if crs else None,
        transform=transform,
    )
    n = len(pixels_of(scene))
    abundance = rng.dirichlet(np.ones(3), n)
    result = make_result(
        scene,
        endmember=ENDMEMBERS,
        maps=to_maps(
            scene,
            {
                "abundance": abundance,
                "abundance_sd": 0.1 * abundance,
                "reconstruction_rmse": rng.uniform(0, 0.02, n),
            },
        ),
        spectra={"endmember_spectrum": rng.uniform(0, 1, (3, 9))},
        provenance={"method": "fcls"},
    )
    figures = {"abundance": Figure(figsize=(1, 1)), "scene": Figure(figsize=(1, 1))}
    write_result_folder(result, folder, scene=scene, fitted=Model(), figures=figures)
    return folder


def item_of(folder: Path, *, identifier: str = "flight 7", acquired: datetime | None = ACQUIRED) -> dict[str, Any]:
    write_item(folder, identifier=identifier, acquired=acquired, changed=CHANGED)
    return json.loads((folder / "item.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("crs", "transform", "acquired"),
    [
        (UTM_32, NORTH_UP, ACQUIRED),
        (UTM_32, NORTH_UP @ Affine.rotation(40.0), None),
        (CRS.from_proj4("+proj=laea +lat_0=47.3 +lon_0=11.1 +ellps=GRS80 +units=m"), NORTH_UP, ACQUIRED),
        (CRS.from_epsg(32601), Affine(9000.0, 0.0, 300_000.0, 0.0, -9000.0, 7_000_000.0), ACQUIRED),
        (None, None, None),
    ],
    ids=["north up", "rotated", "no code", "across the antimeridian", "no place"],
)
def test_items_and_collections_are_valid_by_the_schemas_of_the_specification(
    tmp_path: Path, crs: CRS | None, transform: Affine | None, acquired: datetime | None
) -> None:
    pytest.importorskip("jsonschema")
    from pystac.validation import validate_dict

    item = item_of(make_folder(tmp_path / "out", crs=crs, transform=transform), acquired=acquired)
    assert validate_dict(item, extensions=[])
    assert validate_dict(collection_of(tmp_path, [tmp_path / "out/item.json"]), extensions=[])
    with pytest.raises(pystac.STACValidationError):
        validate_dict({**item, "bbox": "none"}, extensions=[])


def test_an_item_has_all_that_the_specification_asks_for(tmp_path: Path) -> None:
    item = item_of(make_folder(tmp_path / "out"))
    assert (item["type"], item["stac_version"], item["id"]) == ("Feature", "1.1.0", "flight 7")
    assert item["links"] == []
    assert item["geometry"]["type"] == "Polygon"
    assert all(extension.startswith("https://stac-extensions.github.io/") for extension in item["stac_extensions"])
    assert {extension.split("/")[3] for extension in item["stac_extensions"]} == {"projection", "file"}
    again = pystac.Item.from_file(str(tmp_path / "out/item.json"))
    assert again.to_dict()["properties"] == item["properties"]
    for asset in again.get_assets().values():
        assert Path(asset.get_absolute_href() or "").exists()


def test_an_item_lies_where_its_maps_lie(tmp_path: Path) -> None:
    item = item_of(make_folder(tmp_path / "out"))
    with rasterio.open(tmp_path / "out/abundance.tif") as file:
        expected = rasterio.warp.transform_bounds(file.crs, "OGC:CRS84", *file.bounds)
        assert item["properties"]["proj:transform"] == list(file.transform)[:6]
    assert item["properties"]["proj:code"] == "EPSG:32632"
    assert item["properties"]["proj:shape"] == [5, 7]
    np.testing.assert_allclose(item["bbox"], expected, atol=1e-6)


def test_a_projection_without_a_code_is_written_out(tmp_path: Path) -> None:
    own = CRS.from_proj4("+proj=laea +lat_0=47.3 +lon_0=11.1 +ellps=GRS80 +units=m")
    item = item_of(make_folder(tmp_path / "out", crs=own, transform=Affine(30.0, 0.0, 100.0, 0.0, -30.0, 500.0)))
    assert item["properties"].get("proj:code") is None
    assert CRS.from_wkt(item["properties"]["proj:wkt2"]) == own
    assert item["bbox"] == pytest.approx([11.1, 47.3, 11.1, 47.3], abs=0.01)


def test_the_footprint_of_a_rotated_grid_is_not_its_box(tmp_path: Path) -> None:
    rotated = NORTH_UP @ Affine.rotation(40.0)
    item = item_of(make_folder(tmp_path / "out", transform=rotated))
    assert item["properties"]["proj:transform"] == pytest.approx(list(rotated)[:6])
    west, south, east, north = item["bbox"]
    ring = item["geometry"]["coordinates"][0]
    assert not {(west, south), (west, north), (east, south), (east, north)} & {tuple(point) for point in ring}
    x, y = np.array(ring).T
    area = abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2
    assert area < 0.8 * (east - west) * (north - south)


@pytest.mark.parametrize("transform", [None, NORTH_UP], ids=["nothing known", "a map of unknown coordinates"])
def test_a_scene_without_a_coordinate_system_has_an_item_without_a_place(
    tmp_path: Path, transform: Affine | None
) -> None:
    item = item_of(make_folder(tmp_path / "out", crs=None, transform=transform))
    assert item["geometry"] is None
    assert "bbox" not in item
    assert not [name for name in item["properties"] if name.startswith("proj:")]
    assert not [extension for extension in item["stac_extensions"] if "projection" in extension]


def test_every_map_is_an_asset_with_its_bands_and_unit(tmp_path: Path) -> None:
    assets = item_of(make_folder(tmp_path / "out"))["assets"]
    abundance = assets["abundance"]
    assert abundance["href"] == "./abundance.tif"
    assert abundance["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert abundance["title"] == "abundance: share of the pixel's area"
    assert abundance["bands"] == [{"name": name} for name in ENDMEMBERS]
    assert (abundance["unit"], abundance["data_type"], abundance["nodata"]) == ("1", "float32", "nan")
    assert abundance["roles"] == ["data"]
    assert assets["abundance_sd"]["roles"] == ["uncertainty"]
    assert assets["reconstruction_rmse"]["roles"] == ["quality"]
    assert assets["reconstruction_rmse"]["unit"] == "reflectance"


def test_every_other_file_is_an_asset_with_a_relative_path(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "out")
    assets = item_of(folder)["assets"]
    listed = {Path(asset["href"]).name for asset in assets.values()}
    assert listed == {path.name for path in folder.iterdir()} - {"item.json"}
    assert all(asset["href"].startswith("./") for asset in assets.values())
    roles = {key: asset["roles"] for key, asset in assets.items()}
    assert roles["scene"] == ["overview"]
    assert assets["scene"]["bands"] == [{"name": name} for name in ("615 nm", "560 nm", "450 nm")]
    assert roles["abundance.png"] == ["overview", "thumbnail"]
    assert roles["scene.png"] == ["overview"]
    assert roles["provenance.json"] == roles["endmembers.hdr"] == ["metadata"]
    assert roles["model"] == ["model"]


def test_size_and_checksum_are_those_of_the_files(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "out")
    assets = item_of(folder)["assets"]
    for key in ("abundance", "abundance_sd", "endmembers.csv", "scene.png"):
        content = (folder / assets[key]["href"]).read_bytes()
        assert assets[key]["file:size"] == len(content)
        assert assets[key]["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    for key in ("model", "result.zarr", "provenance.json"):
        assert "file:checksum" not in assets[key]


def test_provenance_is_an_asset_before_it_is_written(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "out")
    after = item_of(folder)
    (folder / "provenance.json").unlink()
    (folder / "item.json").unlink()
    assert item_of(folder) == after


def test_properties_say_what_made_it(tmp_path: Path) -> None:
    properties = item_of(make_folder(tmp_path / "out"))["properties"]
    assert properties["unmixel:version"] == __version__
    assert properties["unmixel:method"] == "fcls"
    assert properties["unmixel:endmembers"] == ENDMEMBERS


@pytest.mark.parametrize(
    ("acquired", "expected", "words"),
    [
        (ACQUIRED, "2023-06-01T10:17:05Z", "acquired"),
        (ACQUIRED.replace(tzinfo=None), "2023-06-01T10:17:05Z", "acquired"),
        (ACQUIRED.astimezone(timezone(timedelta(hours=-7))), "2023-06-01T10:17:05Z", "acquired"),
        (None, "2024-02-29T08:00:00.250000Z", "last changed: its time of acquisition is not known"),
    ],
)
def test_the_time_says_what_it_is_the_time_of(
    tmp_path: Path, acquired: datetime | None, expected: str, words: str
) -> None:
    properties = item_of(make_folder(tmp_path / "out"), acquired=acquired)["properties"]
    assert properties["datetime"] == expected
    assert properties["unmixel:datetime"].endswith(words)


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = make_folder(tmp_path / "a"), make_folder(tmp_path / "b")
    for folder in (first, second):
        item_of(folder)
    written = (first / "item.json").read_bytes()
    assert (second / "item.json").read_bytes() == written
    item_of(first)
    assert (first / "item.json").read_bytes() == written
    keys = list(json.loads(written))
    assert keys == sorted(keys)


def test_no_values_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "out")

    def refused(*given: object, **named: object) -> None:
        raise AssertionError("values of a map were read")

    monkeypatch.setattr(rasterio.io.DatasetReader, "read", refused)
    item_of(folder)
    assert "abundance" in json.loads((folder / "item.json").read_text())["assets"]


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_folder_without_a_readable_map_is_refused(tmp_path: Path, damage: str) -> None:
    folder = make_folder(tmp_path / "out")
    if damage == "missing":
        (folder / "abundance.tif").unlink()
    else:
        (folder / "abundance_sd.tif").write_bytes(b"II*\x00")
    with pytest.raises(OutputError, match=r"abundance.*expected a result folder with its maps"):
        item_of(folder)
    assert not (folder / "item.json").exists()


def make_items(folder: Path, places: dict[str, Affine | None], **named: Any) -> list[Path]:
    for k, (name, transform) in enumerate(places.items()):
        crs = UTM_32 if transform else None
        made = make_folder(folder / name, crs=crs, transform=transform)
        item_of(made, identifier=name, acquired=ACQUIRED + timedelta(days=k))
    return [folder / name / "item.json" for name in places]


def collection_of(folder: Path, items: list[Path]) -> dict[str, Any]:
    write_collection(folder, items, identifier="campaign", description="Flights of June")
    return json.loads((folder / "collection.json").read_text(encoding="utf-8"))


def test_a_collection_links_its_items_and_spans_them(tmp_path: Path) -> None:
    far = NORTH_UP @ Affine.translation(300.0, -200.0)
    items = make_items(tmp_path, {"west": NORTH_UP, "far east": far, "nowhere": None})
    collection = collection_of(tmp_path, items)
    assert (collection["type"], collection["id"], collection["license"]) == ("Collection", "campaign", "other")
    links = [(link["rel"], link["href"]) for link in collection["links"]]
    assert links == [
        ("root", "./collection.json"),
        ("item", "./far east/item.json"),
        ("item", "./nowhere/item.json"),
        ("item", "./west/item.json"),
    ]
    boxes = [json.loads(item.read_text())["bbox"] for item in items[:2]]
    (box,) = collection["extent"]["spatial"]["bbox"]
    assert box == [*np.min(boxes, axis=0)[:2], *np.max(boxes, axis=0)[2:]]
    assert collection["extent"]["temporal"]["interval"] == [["2023-06-01T10:17:05Z", "2023-06-03T10:17:05Z"]]
    read = pystac.Collection.from_file(str(tmp_path / "collection.json"))
    assert {item.id for item in read.get_items()} == {"west", "far east", "nowhere"}


def test_the_order_of_the_items_does_not_matter(tmp_path: Path) -> None:
    items = make_items(tmp_path, {"a": NORTH_UP, "b": None})
    assert collection_of(tmp_path, items) == collection_of(tmp_path, items[::-1])


def test_a_collection_of_no_known_place_is_everywhere(tmp_path: Path) -> None:
    collection = collection_of(tmp_path, make_items(tmp_path, {"a": None}))
    assert collection["extent"]["spatial"]["bbox"] == [[-180.0, -90.0, 180.0, 90.0]]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[179.0, 1.0, -179.0, 2.0], [-178.0, 0.0, -176.0, 1.0]], [179.0, 0.0, -176.0, 2.0]),
        ([[179.0, 1.0, -179.0, 2.0], [170.0, 1.0, 171.0, 3.0]], [170.0, 1.0, -179.0, 3.0]),
        ([[179.0, 1.0, -179.0, 2.0], [-180.0, 80.0, 180.0, 90.0]], [-180.0, 1.0, 180.0, 90.0]),
        ([[179.0, 1.0, 180.0, 2.0], [-180.0, 1.0, -179.0, 2.0]], [-180.0, 1.0, 180.0, 2.0]),
    ],
)
def test_a_collection_across_the_antimeridian(tmp_path: Path, boxes: list[list[float]], expected: list[float]) -> None:
    items = make_items(tmp_path, {str(k): NORTH_UP for k in range(len(boxes))})
    for path, box in zip(items, boxes, strict=True):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "bbox": box}))
    assert collection_of(tmp_path, items)["extent"]["spatial"]["bbox"] == [expected]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"bbox": [1, 2]}, "a bbox of other than 4 numbers"),
        ({"bbox": [1, 2, 3, float("inf")]}, "a bbox of other than 4 numbers"),
        ({"bbox": ["a", "b", "c", "d"]}, "STAC item"),
        ({"bbox": 5}, "STAC item"),
        ({"id": 5}, "an id that is no text"),
        ({"id": "x" * 1001}, "an id that is no text"),
        ({"properties": {"datetime": "0001-01-01T00:00:00+14:00"}}, "STAC item"),
        ({"properties": 5}, "STAC item"),
        ({"pad": "x" * 10_000_000}, "too large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_item_that_is_none(told: dict[str, object], said: str, tmp_path: Path) -> None:
    items = make_items(tmp_path, {"a": NORTH_UP})
    items[0].write_text(json.dumps(json.loads(items[0].read_text()) | told))
    with pytest.raises(OutputError, match=said) as caught:
        collection_of(tmp_path, items)
    assert "item.json" in str(caught.value)


def test_a_collection_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = make_items(tmp_path, {"a": NORTH_UP, "b": NORTH_UP})
    collection_of(tmp_path, items[:1])
    before = (tmp_path / "collection.json").read_bytes()

    def full(self: Path, *given: object, **named: object) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(OutputError, match="No space left"):
            write_collection(tmp_path, items, identifier="campaign", description="more")
    assert (tmp_path / "collection.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "collection.json"]
    assert len(collection_of(tmp_path, items)["links"]) == 3


def test_items_elsewhere_are_linked_by_their_relative_path(tmp_path: Path) -> None:
    items = make_items(tmp_path / "results", {"a": NORTH_UP})
    (tmp_path / "catalogue").mkdir()
    links = collection_of(tmp_path / "catalogue", items)["links"]
    assert links[1]["href"] == "../results/a/item.json"


def test_items_that_cannot_be_linked_are_refused(tmp_path: Path) -> None:
    items = make_items(tmp_path, {"a": NORTH_UP, "b": NORTH_UP})
    with pytest.raises(OutputError, match="no items"):
        collection_of(tmp_path, [])
    for content in ("", "[]", "{}", '{"type": "Feature"}'):
        items[1].write_text(content)
        with pytest.raises(OutputError, match=r"b.item\.json: .*expected the STAC item"):
            collection_of(tmp_path, items)
    items[1].write_text(items[0].read_text())
    with pytest.raises(OutputError, match="both of the scene 'a'"):
        collection_of(tmp_path, items)
    assert not (tmp_path / "collection.json").exists()


def test_pystac_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, unmixel, unmixel.io, unmixel.io.stac, unmixel.cli.main; "
        "print([name for name in sys.modules if 'pystac' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
