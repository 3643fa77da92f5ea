"""Figures show what is in the data, where it lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from rasterio.crs import CRS

from unmixel import plot
from unmixel.errors import ParameterError, SceneError
from unmixel.plot.map_axes import MASKED
from unmixel.result import make_result
from unmixel.scene import make_scene, to_maps
from unmixel.simulate import simulate_demo

ROWS, COLUMNS = 5, 8
UTM = CRS.from_epsg(32632).to_wkt()
NORTH_UP = Affine(10.0, 0.0, 600_000.0, 0.0, -10.0, 5_000_000.0)
SOUTH_UP = Affine(10.0, 0.0, 600_000.0, 0.0, 10.0, 5_000_000.0)


def marked_scene(transform: Affine | None, crs_wkt: str | None = UTM) -> xr.DataArray:
    """Return a scene that is dark but for the pixel in the first row and the last column but one."""
    values = np.random.default_rng(0).uniform(0.1, 0.2, (ROWS, COLUMNS, 6))
    values[0, COLUMNS - 2] = 0.9
    values[ROWS - 1, 0] = np.nan
    wavelength = [450.0, 550.0, 650.0, 750.0, 900.0, 1000.0]
    return make_scene(values, wavelength=wavelength, crs_wkt=crs_wkt, transform=transform)


def marked_result(transform: Affine | None, crs_wkt: str | None = UTM) -> xr.Dataset:
    """Return a result with abundance 1 of the second endmember at the mark, NaN where the scene is."""
    scene = marked_scene(transform, crs_wkt)
    abundance = np.zeros((ROWS * COLUMNS, 3))
    abundance[:, 0] = 1.0
    abundance[COLUMNS - 2] = [0.0, 1.0, 0.0]
    valid = np.isfinite(scene.values[:, :, 0]).ravel()
    spectra = np.random.default_rng(1).uniform(0.1, 0.6, (3, 6))
    return make_result(
        scene,
        endmember=("soil", "tree", "water"),
        maps=to_maps(
            scene,
            {
                "abundance": abundance[valid],
                "abundance_sd": abundance[valid] * 0.1,
                "reconstruction_rmse": abundance[valid, 1] * 0.02,
                "nonlinearity_degree": abundance[valid, :2] * 0.3,
            },
        ),
        spectra={"endmember_spectrum": spectra, "endmember_spectrum_sd": 0.1 * spectra},
        provenance={},
    )


def colour_at(figure: Figure, axes: Axes, x: float, y: float) -> np.ndarray:
    """Return the colour that the figure shows at a place on its axes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    shown = np.asarray(canvas.buffer_rgba())
    column, row_from_below = axes.transData.transform((x, y))
    return shown[shown.shape[0] - 1 - int(row_from_below), int(column), :3] / 255


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP], ids=["north up", "south up"])
def test_a_pixel_is_shown_at_its_place_on_earth_with_north_up(transform: Affine) -> None:
    figure = plot.abundances(marked_result(transform))
    tree = figure.axes[1]
    x, y = transform @ (COLUMNS - 1.5, 0.5)
    dead_x, dead_y = transform @ (0.5, ROWS - 0.5)
    np.testing.assert_allclose(colour_at(figure, tree, x, y), colormaps["viridis"](1.0)[:3], atol=0.01)
    np.testing.assert_allclose(colour_at(figure, tree, dead_x, dead_y), to_rgb(MASKED), atol=0.01)
    for other in (transform @ (COLUMNS - 1.5, 1.5), transform @ (0.5, 0.5)):
        np.testing.assert_allclose(colour_at(figure, tree, *other), colormaps["viridis"](0.0)[:3], atol=0.01)
    low, high = tree.get_ylim()
    assert low < high
    assert tree.get_xlim() == (600_000.0, 600_080.0)
    assert (tree.get_xlabel(), figure.axes[0].get_ylabel()) == ("easting [m]", "northing [m]")


def test_without_a_map_the_first_row_is_on_top() -> None:
    figure = plot.abundances(marked_result(None, None))
    tree = figure.axes[1]
    np.testing.assert_allclose(colour_at(figure, tree, COLUMNS - 1.5, 0.5), colormaps["viridis"](1.0)[:3], atol=0.01)
    assert tree.get_ylim() == (ROWS, 0.0)
    assert (tree.get_xlabel(), figure.axes[0].get_ylabel()) == ("column [pixel]", "row [pixel]")


def test_a_rotated_map_is_shown_in_pixels() -> None:
    rotated = Affine.translation(6e5, 5e6) @ Affine.rotation(30.0) @ Affine.scale(10.0, -10.0)
    figure = plot.abundances(marked_result(rotated))
    assert figure.axes[0].get_ylabel() == "row [pixel]"


def test_a_crop_keeps_its_place() -> None:
    result = marked_result(NORTH_UP).isel(y=slice(0, 3), x=slice(4, 8))
    axes = plot.abundances(result).axes[0]
    assert axes.get_xlim() == (600_040.0, 600_080.0)
    assert axes.get_ylim() == (4_999_970.0, 5_000_000.0)


@pytest.mark.parametrize(
    ("crs_wkt", "label"),
    [(CRS.from_epsg(4326).to_wkt(), "longitude [°]"), (None, "x [map units]"), ("nonsense", "x [map units]")],
)
def test_axes_carry_the_units_of_the_crs(crs_wkt: str | None, label: str) -> None:
    figure = plot.abundances(marked_result(Affine(0.1, 0.0, 11.0, 0.0, -0.1, 48.0), crs_wkt))
    assert figure.axes[0].get_xlabel() == label


def test_pixels_are_square_and_the_scale_is_from_0_to_1() -> None:
    figure = plot.abundances(marked_result(NORTH_UP))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["soil", "tree", "water"]
    assert figure.axes[0].get_aspect() == 1.0
    assert figure.axes[0].images[0].get_clim() == (0.0, 1.0)
    assert figure.axes[-1].get_ylabel() == "abundance [1]"


def test_the_true_colours_of_a_scene_are_at_their_place() -> None:
    figure = plot.scene_rgb(marked_scene(NORTH_UP))
    axes = figure.axes[0]
    assert axes.get_title() == "true colour: 650, 550, 450 nm"
    np.testing.assert_allclose(colour_at(figure, axes, *(NORTH_UP @ (COLUMNS - 1.5, 0.5))), 1.0, atol=0.01)
    dead = colour_at(figure, axes, *(NORTH_UP @ (0.5, ROWS - 0.5)))
    np.testing.assert_allclose(dead, to_rgb(MASKED), atol=0.01)


def test_red_is_the_long_wavelength() -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.2, (ROWS, COLUMNS, 3))
    values[2, 3, 2] = 0.9
    scene = make_scene(values, wavelength=[470.0, 550.0, 640.0])
    figure = plot.scene_rgb(scene)
    red, green, blue = colour_at(figure, figure.axes[0], 3.5, 2.5)
    assert red > 0.95
    assert max(green, blue) < 0.95


@pytest.mark.parametrize(
    ("wavelength", "title"),
    [
        (None, "false colour: bands 6, 4, 2"),
        (1000.0 + 100.0 * np.arange(7), "false colour: 1500, 1300, 1100 nm"),
    ],
)
def test_other_scenes_are_shown_in_false_colour(wavelength: np.ndarray | None, title: str) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.9, (ROWS, COLUMNS, 7))
    assert plot.scene_rgb(make_scene(values, wavelength=wavelength)).axes[0].get_title() == title


def test_spectra_have_gaps_at_left_out_and_missing_bands() -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.2, (3, 4, 8))
    wavelength = np.array([400.0, 410.0, 420.0, 430.0, 440.0, 600.0, 610.0, 620.0])
    scene = make_scene(values, wavelength=wavelength, good_band=np.arange(8) != 2)
    spectra = np.arange(14.0).reshape(2, 7)
    result = make_result(
        scene,
        endmember=("soil", "tree"),
        maps=to_maps(scene, {"abundance": np.full((12, 2), 0.5)}),
        spectra={"endmember_spectrum": spectra, "endmember_quantile": np.stack([spectra - 1, spectra + 1])},
        quantile=(0.05, 0.95),
        provenance={},
    )
    figure = plot.endmembers(result)
    x, y = figure.axes[1].lines[0].get_data()
    np.testing.assert_array_equal(x, [400, 410, 420, 430, 440, 520, 600, 610, 620])
    np.testing.assert_array_equal(y, [7, 8, np.nan, 9, 10, np.nan, 11, 12, 13])
    assert figure.axes[1].get_title() == "tree"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "90 % of pixels",
        "mean",
    ]


def test_spectra_without_wavelengths_are_drawn_by_band() -> None:
    result = marked_result(None).assign_coords(wavelength=("band", np.full(6, np.nan)))
    axes = plot.endmembers(result).axes[0]
    assert axes.get_xlabel() == "band"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), np.arange(1.0, 7.0))


def test_maps_of_sd_residual_and_nonlinearity() -> None:
    result = marked_result(NORTH_UP)
    assert len(plot.abundance_sd(result).axes) == 4
    assert [axes.get_title() for axes in plot.nonlinearity(result).axes[:2]] == ["mixing", "abundance"]
    residual = plot.residual(result)
    np.testing.assert_allclose(residual.axes[0].images[0].get_array().max(), 0.02, rtol=1e-5)
    assert residual.axes[1].get_ylabel() == "reconstruction RMSE [reflectance]"


def test_a_stream_the_method_has_not_is_left_out() -> None:
    _, truth = simulate_demo(rows=12, columns=17)
    assert [axes.get_title() for axes in plot.nonlinearity(truth).axes] == ["mixing", ""]


@pytest.mark.parametrize("name", ["abundance_sd", "reconstruction_rmse", "nonlinearity_degree"])
def test_a_missing_map_is_named(name: str) -> None:
    draw = {
        "abundance_sd": plot.abundance_sd,
        "reconstruction_rmse": plot.residual,
        "nonlinearity_degree": plot.nonlinearity,
    }[name]
    with pytest.raises(ParameterError, match=name):
        draw(marked_result(NORTH_UP).drop_vars(name))


def test_a_comparison_has_a_row_for_each_result_with_its_error() -> None:
    truth = marked_result(NORTH_UP)
    wrong = truth.copy(deep=True)
    wrong["abundance"] = truth.abundance + np.float32(0.25)
    figure = plot.comparison({"fcls": wrong, "perfect": truth}, truth)
    labels = [figure.axes[i].get_ylabel() for i in (0, 3, 6)]
    assert labels == ["truth", "fcls\nRMSE 0.250", "perfect\nRMSE 0.000"]
    np.testing.assert_array_equal(figure.axes[7].images[0].get_array().filled(np.nan), truth.abundance.values[:, :, 1])
    with pytest.raises(ParameterError, match="fcls"):
        plot.comparison({"fcls": truth.isel(endmember=[0, 1])}, truth)


def test_a_table_of_pixels_and_many_endmembers_can_be_drawn(tmp_path: Path) -> None:
    scene = make_scene(np.random.default_rng(0).uniform(0.1, 0.9, (200, 6)))
    result = make_result(
        scene,
        endmember=tuple("abcdef"),
        maps=to_maps(scene, {"abundance": np.full((200, 6), 1 / 6)}),
        spectra={"endmember_spectrum": np.full((6, 6), 0.3)},
        provenance={},
    )
    for name, figure in (("maps", plot.abundances(result)), ("spectra", plot.endmembers(result))):
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    assert len(plot.abundances(result).axes) == 7


def test_only_a_scene_is_drawn_as_one() -> None:
    with pytest.raises(SceneError):
        plot.scene_rgb(marked_scene(None).drop_vars("good_band"))


def test_drawing_leaves_pyplot_alone() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plot.abundances(marked_result(NORTH_UP))
    assert plt.get_fignums() == before


@pytest.mark.parametrize("dpi", [40, 150])
def test_a_saved_figure_is_the_one_that_matplotlib_saves(tmp_path: Path, dpi: int) -> None:
    figure = plot.abundances(marked_result(NORTH_UP))
    layout = figure.get_layout_engine()
    figure.savefig(tmp_path / "mine.png", dpi=dpi)
    assert (figure.get_layout_engine(), figure.dpi) == (layout, plot.abundances(marked_result(NORTH_UP)).dpi)
    figure.savefig(tmp_path / "mine.pdf")
    Figure.savefig(plot.abundances(marked_result(NORTH_UP)), tmp_path / "theirs.png", dpi=dpi)
    mine, theirs = (imread(tmp_path / f"{name}.png") for name in ("mine", "theirs"))
    np.testing.assert_array_equal(mine, theirs)
    assert (tmp_path / "mine.pdf").read_bytes().startswith(b"%PDF")
