"""The maps of the explorer: their values, how little is read of them, and where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import ParameterError
from unmixel.explorer.compared import Compared
from unmixel.explorer.map_coordinates import map_coordinates
from unmixel.explorer.map_layers import MOST_PIXELS, MapLayer, layers_of, paint, step_for
from unmixel.explorer.maps_view import MapsView
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.scene_colours import SceneColours, scene_colours
from unmixel.io.cog import write_cog
from unmixel.io.result_folder import write_result_folder
from unmixel.io.windows import Window
from unmixel.result import make_result, open_result
from unmixel.scene import make_scene

ROWS, COLUMNS = 12, 20
NORTH_UP = Affine(5.0, 0.0, 600_000.0, 0.0, -5.0, 5_300_000.0)
UTM = CRS.from_epsg(32632).to_wkt()


def a_result(
    rows: int = ROWS,
    columns: int = COLUMNS,
    transform: Affine | None = NORTH_UP,
    names: tuple[str, ...] = ("sand", "water"),
    more: float = 0.0,
) -> xr.Dataset:
    """Return a result whose first abundance grows with the row and the column, masked in row 1, column 2."""
    row, column = np.mgrid[:rows, :columns]
    first = (0.1 + 0.5 * row / rows + 0.3 * column / columns + more).astype(np.float32)
    abundance = np.stack([first, 1 - first], axis=2)
    maps = {
        "abundance": abundance,
        "abundance_sd": 0.1 * abundance,
        "nonlinearity_degree": np.stack([first / 10, first / 20], axis=2),
        "reconstruction_rmse": first / 50,
    }
    for values in maps.values():
        values[1, 2] = np.nan
    scene = make_scene(np.random.default_rng(0).random((rows, columns, 3)), crs_wkt=UTM, transform=transform)
    result = make_result(scene, endmember=names, maps=maps, spectra={}, provenance={})
    outside = np.zeros((rows, columns), dtype=bool)
    outside[3, 4] = True
    return result.assign(outside_reach=(("y", "x"), outside))


@pytest.fixture
def opened(tmp_path: Path) -> OpenedResult:
    """A small result in a folder."""
    write_result_folder(a_result(), tmp_path / "out")
    return OpenedResult(tmp_path / "out")


def test_every_map_of_the_result_is_a_layer(opened: OpenedResult):
    titles = [(layer.title, layer.unit) for layer in layers_of(opened)]
    assert titles == [
        ("abundance of sand", "1"),
        ("abundance of water", "1"),
        ("standard deviation of sand", "1"),
        ("standard deviation of water", "1"),
        ("nonlinear share of mixing", "1"),
        ("nonlinear share of abundance", "1"),
        ("residual: root mean square over the bands", "reflectance"),
        ("outside reach: 1 where the endmembers don't explain the pixel", "1"),
    ]


def test_values_are_those_of_the_file(opened: OpenedResult):
    stored = open_result(opened.folder)
    for layer in layers_of(opened):
        values, covered = layer.values(Window(1, 6, 2, 9), 1)
        expected = stored[layer.variable].values[1:6, 2:9]
        if layer.label is not None:
            by = stored[layer.variable].dims[2]
            expected = expected[:, :, list(stored[by].values).index(layer.label)]
        expected = expected.astype(np.float32)
        expected[0, 0] = np.nan
        np.testing.assert_array_equal(values, expected, err_msg=layer.title)
        assert covered == Window(1, 6, 2, 9)


def test_limits_are_percentiles_where_not_given(opened: OpenedResult):
    layers = {(layer.variable, layer.label): layer for layer in layers_of(opened)}
    assert layers["abundance", "water"].limits == (0.0, 1.0)
    rmse = opened.result["reconstruction_rmse"].values
    expected = np.nanpercentile(rmse, (1, 99))
    np.testing.assert_allclose(layers["reconstruction_rmse", None].limits, expected, rtol=1e-6)


def test_a_large_map_is_read_in_few_pixels(tmp_path: Path):
    write_result_folder(a_result(900, 1100), tmp_path / "out")
    for without_files in (False, True):
        if without_files:
            (tmp_path / "out" / "abundance.tif").unlink()
        layer = layers_of(OpenedResult(tmp_path / "out"))[0]
        step = step_for(layer.whole)
        values, covered = layer.values(layer.whole, step)
        assert values.size <= MOST_PIXELS
        height = covered.shape[0] / values.shape[0]
        width = covered.shape[1] / values.shape[1]
        row, column = np.mgrid[: values.shape[0], : values.shape[1]]
        middle = 0.1 + 0.5 * (row + 0.5) * height / 900 + 0.3 * (column + 0.5) * width / 1100
        known = np.isfinite(values)
        assert known.mean() > 0.999
        np.testing.assert_allclose(values[known], middle[known], atol=0.5 * step / 900 + 0.3 * step / 1100)


@pytest.mark.parametrize("shape", [(1, 1), (500, 500), (501, 500), (7, 90_000), (1242, 1280), (3, 1_000_000)])
def test_steps_keep_to_the_most_pixels(shape: tuple[int, int]):
    window = Window(0, shape[0], 0, shape[1])
    step = step_for(window)
    assert -(-shape[0] // step) * -(-shape[1] // step) <= MOST_PIXELS
    assert (step == 1) == (window.n_pixels <= MOST_PIXELS)


def test_colours_of_values():
    painted = paint(np.array([[-1.0, 0.0, 0.5, 1.0, 2.0, np.nan]]), ["#010203", "#0a0b0c"], (0.0, 1.0))
    rgba = painted.view(np.uint8).reshape(-1, 4).tolist()
    low, high, masked = [1, 2, 3, 255], [10, 11, 12, 255], [191, 191, 191, 255]
    assert rgba == [low, low, high, high, high, masked]


def test_where_pixels_lie():
    where = map_coordinates(a_result())
    assert where.centre_of(0, 0) == (600_002.5, 5_299_997.5)
    assert where.pixel_at(*where.centre_of(7, 13)) == (7, 13)
    assert where.pixel_at(599_999.0, 5_299_990.0) is None
    assert where.box_of(Window(1, 3, 2, 6)) == (600_010.0, 5_299_985.0, 20.0, 10.0)
    assert where.window_between((600_011.0, 600_019.0), (5_299_980.5, 5_299_994.0)) == Window(1, 4, 2, 4)
    assert where.window_between((0.0, 1.0), (0.0, 1.0)) is None
    assert where.row_above == -1 and where.x_label == "easting [m]"
    values = np.arange(4).reshape(2, 2)
    np.testing.assert_array_equal(where.lowest_first(values), values[::-1])


def test_where_pixels_lie_without_a_map_and_on_a_rotated_one():
    rotated = Affine.translation(600_000, 5_300_000) @ Affine.rotation(30) @ Affine.scale(5.0, -5.0)
    for transform in (None, rotated):
        where = map_coordinates(a_result(transform=transform))
        assert where.centre_of(0, 0) == (0.5, 0.5) and not where.on_a_map and where.row_above == -1
        np.testing.assert_allclose(where.on_the_map(3.0, 4.0), (transform or Affine.identity()) @ (3.0, 4.0))
        assert where.box_of(where.whole) == (0.0, 0.0, COLUMNS, ROWS)


def test_rows_that_go_north():
    where = map_coordinates(a_result(transform=Affine(5.0, 0.0, 600_000.0, 0.0, 5.0, 5_300_000.0)))
    assert where.row_above == 1
    values = np.arange(4).reshape(2, 2)
    np.testing.assert_array_equal(where.lowest_first(values), values)


def test_scene_in_colours_from_the_folder(opened: OpenedResult):
    nothing, why = scene_colours(opened)
    assert nothing is None and "does not say which scene" in why
    row, column = np.mgrid[:ROWS, :COLUMNS]
    values = np.stack([row, column, row + column], axis=2).astype(np.float32) / 50
    values[1, 2] = np.nan
    write_cog(values, opened.folder / "scene.tif", bands=["650 nm", "550 nm", "470 nm"], unit="reflectance")
    colours, why = scene_colours(opened)
    assert isinstance(colours, SceneColours) and not why
    assert colours.title == "scene: 650 nm, 550 nm, 470 nm"
    rgba = colours.colours(colours.whole, 1).values.view(np.uint8).reshape(ROWS, COLUMNS, 4)
    low, high = np.nanpercentile(values, (2, 98), axis=(0, 1))
    expected = np.round(255 * np.clip((values - low) / (high - low), 0, 1))
    expected[1, 2] = 191
    assert np.abs(rgba[:, :, :3] - expected).max() <= 1


def test_difference_of_two_results(tmp_path: Path):
    write_result_folder(a_result(), tmp_path / "may")
    write_result_folder(a_result(names=("water", "sand"), more=0.05), tmp_path / "june")
    compared = Compared(OpenedResult(tmp_path / "may"), OpenedResult(tmp_path / "june"))
    first, second, difference = compared.layers[0]
    assert isinstance(first, MapLayer) and first.label == second.label == "sand"
    assert difference.title == "june minus may"
    values, _ = difference.values(first.whole, 1)
    may, june = (open_result(tmp_path / name)["abundance"].sel(endmember="sand").values for name in ("may", "june"))
    np.testing.assert_array_equal(values, june - may)
    low, high = difference.limits
    assert low == -high and high == pytest.approx(np.nanpercentile(np.abs(june - may), 99))


def test_what_is_seen_of_a_large_map_is_read_in_full(tmp_path: Path):
    write_result_folder(a_result(900, 1100), tmp_path / "out")
    opened = OpenedResult(tmp_path / "out")
    where, layers = map_coordinates(opened.result), layers_of(opened)
    maps = MapsView(where, [*layers], None, lambda *pixel: None, lambda corners: None, lambda: None)
    (shown,) = maps.figures
    maps.read_detail()
    assert shown.detail.data["rgba"] == []
    (left, top), (right, bottom) = where.axes @ (200, 300), where.axes @ (260, 340)
    maps.shared.x.update(start=left, end=right)
    maps.shared.y.update(start=bottom, end=top)
    maps.read_detail()
    (rgba,), (x,), (y,) = (shown.detail.data[name] for name in ("rgba", "x", "y"))
    assert rgba.shape == (60, 90) and (x, y) == where.axes @ (185, 350)
    expected = paint(layers[0].values(Window(290, 350, 185, 275), 1).values, layers[0].palette, (0.0, 1.0))
    np.testing.assert_array_equal(rgba[::-1], expected)
    maps.shared.x.update(start=where.axes.c, end=where.axes.c + 5500)
    maps.shared.y.update(start=where.axes.f - 4500, end=where.axes.f)
    maps.read_detail()
    assert shown.detail.data["rgba"] == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (a_result(rows=ROWS + 1), "12 x 20"),
        (a_result(transform=NORTH_UP @ Affine.translation(1, 0)), "another place"),
        (a_result(transform=None), "coordinate system"),
        (a_result(names=("clay", "ice")), "endmember of the same name"),
    ],
)
def test_results_that_cannot_be_compared(tmp_path: Path, other: xr.Dataset, said: str):
    write_result_folder(a_result(), tmp_path / "one")
    write_result_folder(other, tmp_path / "two")
    with pytest.raises(ParameterError, match=said):
        Compared(OpenedResult(tmp_path / "one"), OpenedResult(tmp_path / "two"))


KINDS = ["leads elsewhere", "is damaged", "is no file", "has other bands", "has other numbers"]
VIRTUAL = """<VRTDataset rasterXSize="{columns}" rasterYSize="{rows}">{bands}</VRTDataset>"""
RAW = """<VRTRasterBand dataType="Float32" band="{band}" subClass="VRTRawRasterBand">
<SourceFilename relativetoVRT="0">{path}</SourceFilename></VRTRasterBand>"""


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_that_are_none_are_not_shown(kind: str, tmp_path: Path) -> None:
    rows, columns = 900, 1100
    result = a_result(rows, columns)
    write_result_folder(result, tmp_path / "out")
    secret = np.full((rows, columns), 42, np.float32)
    secret.tofile(tmp_path / "secret")
    bands = "".join(RAW.format(band=band, path=tmp_path / "secret") for band in (1, 2, 3))
    for name in ("scene.tif", "abundance.tif"):
        path = tmp_path / "out" / name
        path.unlink(missing_ok=True)
        if kind == "leads elsewhere":
            path.write_text(VIRTUAL.format(rows=rows, columns=columns, bands=bands))
            with rasterio.open(path) as file:
                assert (file.read(1) == 42).all()
        elif kind == "is damaged":
            path.write_bytes(b"II*\0" + bytes(40))
        elif kind == "is no file":
            path.mkdir()
        else:
            count, dtype = (1, "float32") if kind == "has other bands" else (3, "uint8")
            with rasterio.open(path, "w", "GTiff", columns, rows, count, dtype=dtype, transform=NORTH_UP) as file:
                file.write(np.full((count, rows, columns), 42, dtype))
    opened = OpenedResult(tmp_path / "out")
    shown, why_not = scene_colours(opened)
    assert shown is None and "The scene is not shown" in why_not
    layer = layers_of(opened)[1]
    assert layer.label == "water"
    values = layer.values(layer.whole, step_for(layer.whole)).values
    assert np.nanmax(values) <= 1
