"""The figure of a pixel shows the numbers of that pixel, and only what the method knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from unmixel import plot
from unmixel.errors import ParameterError
from unmixel.intervals import abundance_interval
from unmixel.methods._fitted import Fitted
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.pages.colours import endmember_colours as colours_of_the_explorer
from unmixel.plot import endmember_colours
from unmixel.scene import good_bands, make_scene
from unmixel.spectra import make_bundle
from unmixel.testing.method_contract import example_bundle, example_scene

ROW, COLUMN = 7, 19


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    return example_scene()


@pytest.fixture(scope="module")
def idnet(scene: xr.DataArray) -> Fitted:
    return IDNet(n_epochs=1, steps_per_epoch=2, batch_size=32).fit(scene, example_bundle())


@pytest.fixture(scope="module")
def fcls(scene: xr.DataArray) -> Fitted:
    return FCLS().fit(scene, example_bundle())


@pytest.fixture(scope="module")
def result(idnet: Fitted, scene: xr.DataArray) -> xr.Dataset:
    return idnet.unmix(scene)


@pytest.fixture(scope="module")
def figure(result: xr.Dataset, scene: xr.DataArray, idnet: Fitted) -> Figure:
    return plot.pixel(result, scene, idnet, ROW, COLUMN)


def lines_of(figure: Figure, panel: int) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[panel].lines}


def test_spectra_are_those_of_the_pixel_with_a_gap_at_the_left_out_band(
    figure: Figure, scene: xr.DataArray, result: xr.Dataset
) -> None:
    shown = lines_of(figure, 0)
    observed = np.where(good_bands(scene), scene.values[ROW, COLUMN], np.nan)
    np.testing.assert_allclose(shown["observed"], observed, atol=1e-6)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), scene.wavelength)
    misfit = np.sqrt(np.nanmean((shown["observed"] - shown["reconstruction"]) ** 2))
    assert misfit == pytest.approx(result.reconstruction_rmse.values[ROW, COLUMN], abs=1e-5)
    assert np.isnan(shown["reconstruction"][13])
    np.testing.assert_allclose(shown["reconstruction"] + lines_of(figure, 1)["residual"], observed, atol=1e-5)


def test_parts_are_stacked_up_to_the_reconstruction(figure: Figure, result: xr.Dataset) -> None:
    areas = figure.axes[1].collections
    assert [area.get_label() for area in areas] == [*result.endmember.values, "nonlinear part"]
    highest = max(area.get_paths()[0].vertices[:, 1].max() for area in areas)
    parts = [path.vertices for path in areas[0].get_paths()]
    assert min(vertices[:, 1].min() for vertices in parts) == 0
    assert highest >= np.nanmax(lines_of(figure, 0)["reconstruction"]) - 1e-6


def test_abundances_intervals_and_fcls(figure: Figure, result: xr.Dataset, scene: xr.DataArray) -> None:
    axes = figure.axes[2]
    said = result.isel(y=ROW, x=COLUMN)
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], said.abundance, atol=1e-6)
    ends = np.array([segment[:, 0] for segment in axes.collections[0].get_segments()])
    interval = abundance_interval(result)
    np.testing.assert_allclose(ends[:, 0], interval.lower[ROW, COLUMN], atol=1e-6)
    np.testing.assert_allclose(ends[:, 1], interval.upper[ROW, COLUMN], atol=1e-6)
    good = good_bands(scene)
    means = make_bundle(said.endmember_spectrum.values[:, good], list(said.endmember.values))
    one = make_scene(np.stack([scene.values[ROW, COLUMN, good], np.zeros(good.sum())])[None])
    expected = FCLS().fit(one, means).unmix(one).abundance.values[0, 0]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), expected, atol=1e-5)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(said.endmember.values)
    assert axes.yaxis.get_inverted()


def test_its_own_spectra_and_their_means_over_the_scene(
    figure: Figure, result: xr.Dataset, scene: xr.DataArray, idnet: Fitted
) -> None:
    axes, good = figure.axes[3], good_bands(scene)
    mean, sd = (array[0] for array in idnet.endmembers_at(scene, (ROW, COLUMN)))
    for k, name in enumerate(result.endmember.values):
        own, over_scene = axes.lines[2 * k : 2 * k + 2]
        assert own.get_label() == name
        np.testing.assert_allclose(np.asarray(own.get_ydata())[good], mean[k], atol=1e-5)
        np.testing.assert_allclose(over_scene.get_ydata(), result.endmember_spectrum[k], atol=1e-6)
        edges = np.concatenate([path.vertices[:, 1] for path in axes.collections[k].get_paths()])
        assert edges.max() == pytest.approx((mean[k] + 1.6449 * sd[k]).max(), abs=1e-4)


def test_a_point_estimate_has_no_bands_and_no_intervals(scene: xr.DataArray, fcls: Fitted) -> None:
    figure = plot.pixel(fcls.unmix(scene), scene, fcls, ROW, COLUMN)
    assert [len(figure.axes[panel].collections) for panel in (0, 2, 3)] == [0, 0, 0]
    axes = figure.axes[2]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [bar.get_width() for bar in axes.patches], atol=1e-5)


@pytest.mark.parametrize(("row", "column"), [(1, 2), (41, 0), (0, 29), (-1, 0)])
def test_a_pixel_that_is_masked_or_not_there_is_refused(
    result: xr.Dataset, scene: xr.DataArray, idnet: Fitted, row: int, column: int
) -> None:
    with pytest.raises(ParameterError, match=rf"pixel \({row}, {column}\) of a scene of 41 x 29 pixels"):
        plot.pixel(result, scene, idnet, row, column)


def test_what_does_not_belong_together_is_refused(result: xr.Dataset, scene: xr.DataArray, idnet: Fitted) -> None:
    with pytest.raises(ParameterError, match="41 x 29 pixels and a scene of 40 x 29"):
        plot.pixel(result, scene[1:], idnet, 3, 4)
    other = result.assign_coords(endmember=["a", "b", "c"])
    with pytest.raises(ParameterError, match="a result of a, b, c and a model of ash, brine, crust"):
        plot.pixel(other, scene, idnet, 3, 4)


def test_colours_are_those_of_the_explorer_and_differ_by_lines_where_they_come_again() -> None:
    assert [endmember_colours.colour_of(k) for k in range(8)] == colours_of_the_explorer(8)
    looks = {(endmember_colours.colour_of(k), endmember_colours.line_of(k)) for k in range(20)}
    areas = {(endmember_colours.colour_of(k), endmember_colours.hatch_of(k)) for k in range(20)}
    assert len(looks) == len(areas) == 20


def test_it_can_be_saved(figure: Figure, tmp_path: Path) -> None:
    figure.savefig(tmp_path / "pixel.png", dpi=60)
    assert (tmp_path / "pixel.png").stat().st_size > 10_000
