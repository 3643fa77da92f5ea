"""What the figures of a pixel draw are the numbers of its story."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bokeh.models import ColumnDataSource, GlyphRenderer

from unmixel.explorer.band_axis import band_axis
from unmixel.explorer.pixel_panels import (
    abundance_columns,
    abundance_figure,
    parts_columns,
    parts_figure,
    spectrum_columns,
    spectrum_figure,
)
from unmixel.explorer.pixel_story import PixelSpectra, PixelStory
from unmixel.methods._parts import Parts

NAMES = ["soil", "<script>alert(1)</script>"]
AXIS = band_axis(xr.Dataset(coords={"wavelength": ("band", [500.0, 600.0, 700.0]), "good_band": ("band", [True] * 3)}))
GAP = band_axis(
    xr.Dataset(
        coords={"wavelength": ("band", [500.0, 550, 600, 700]), "good_band": ("band", [True, False, True, True])}
    )
)


@pytest.fixture
def story() -> PixelStory:
    shares = np.array([[0.1, 0.2, 0.3], [0.05, 0.05, 0.1]])
    parts = Parts(np.array([0.2, 0.24, 0.41]), shares, np.array([0.02, -0.02, 0.0]), np.array([0.01, 0.01, 0.02]))
    said = xr.Dataset({"abundance": ("endmember", [0.7, 0.3])}, coords={"endmember": NAMES})
    spectra = PixelSpectra(parts, shares / 0.5, 0.1 * shares, np.array([0.8, 0.2]))
    return PixelStory(3, 4, said, np.array([0.6, 0.2]), np.array([0.8, 0.4]), spectra)


@pytest.fixture
def without(story: PixelStory) -> PixelStory:
    return PixelStory(3, 4, story.said, story.lower, story.upper, None)


def test_the_band_holds_90_percent_around_the_reconstruction(story: PixelStory) -> None:
    columns = spectrum_columns(story, AXIS)
    np.testing.assert_allclose(columns["reconstruction"], [0.17, 0.23, 0.4])
    np.testing.assert_allclose(
        columns["upper"] - columns["reconstruction"], 1.6449 * np.array([1, 1, 2]) / 100, rtol=1e-4
    )
    np.testing.assert_allclose(columns["lower"] + columns["upper"], 2 * columns["reconstruction"])
    np.testing.assert_array_equal(columns["observed"], [0.2, 0.24, 0.41])
    np.testing.assert_array_equal(columns["x"], [500, 600, 700])


def test_parts_are_stacked_and_the_residual_is_by_itself(story: PixelStory) -> None:
    columns = parts_columns(story, AXIS)
    np.testing.assert_allclose(columns["top-1"], 0)
    np.testing.assert_allclose(columns["top0"], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(columns["top1"], [0.15, 0.25, 0.4])
    np.testing.assert_allclose(columns["top2"], [0.17, 0.23, 0.4])
    np.testing.assert_allclose(columns["residual"], [0.03, 0.01, 0.01])


def test_nothing_is_drawn_where_bands_are_left_out(story: PixelStory) -> None:
    columns, parts = spectrum_columns(story, GAP), parts_columns(story, GAP)
    np.testing.assert_array_equal(columns["x"], [500, 500, 600, 600, 700])
    np.testing.assert_array_equal(np.isnan(columns["observed"]), [False, True, True, False, False])
    np.testing.assert_array_equal(np.isnan(parts["residual"]), [False, True, True, False, False])
    height = columns["upper"] - columns["lower"]
    np.testing.assert_allclose(height[[1, 2]], 0)
    np.testing.assert_allclose(height[[0, 3, 4]], 2 * 1.6449 * np.array([1, 1, 2]) / 100, rtol=1e-4)
    np.testing.assert_allclose(parts["top2"], [0.17, 0, 0, 0.23, 0.4])


def test_abundances_with_intervals_and_fcls(story: PixelStory) -> None:
    columns = abundance_columns(story)
    assert columns["name"] == NAMES
    for name, expected in {
        "abundance": [0.7, 0.3],
        "lower": [0.6, 0.2],
        "upper": [0.8, 0.4],
        "fcls": [0.8, 0.2],
    }.items():
        np.testing.assert_allclose(np.asarray(columns[name], dtype=float), expected)


def test_without_a_scene_columns_are_the_same_and_empty(story: PixelStory, without: PixelStory) -> None:
    for columns in (spectrum_columns, parts_columns):
        empty = columns(without, AXIS)
        assert empty.keys() == columns(story, AXIS).keys()
        assert {len(values) for values in empty.values()} == {0}
    assert np.isnan(np.asarray(abundance_columns(without)["fcls"], dtype=float)).all()


def test_figures_draw_columns_that_are_there(story: PixelStory) -> None:
    for columns, draw in (
        (spectrum_columns(story, AXIS), lambda source: spectrum_figure(source, AXIS)),
        (parts_columns(story, AXIS), lambda source: parts_figure(source, NAMES, AXIS)),
        (abundance_columns(story), lambda source: abundance_figure(source, NAMES)),
    ):
        source = ColumnDataSource({name: list(values) for name, values in columns.items()})
        figure = draw(source)
        drawn = [renderer for renderer in figure.renderers if isinstance(renderer, GlyphRenderer)]
        assert drawn
        assert all(renderer.data_source is source for renderer in drawn)
        assert all("[" in axis.axis_label for axis in figure.xaxis)
