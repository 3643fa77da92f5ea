"""The reliability diagram shows what was counted, and what chance would do."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from unmixel import plot
from unmixel.errors import ParameterError

LEVELS = np.array([0.25, 0.5, 0.9])


def test_lines_are_the_coverages_and_differ_without_colour() -> None:
    coverage = np.random.default_rng(0).uniform(size=(3, 9))
    axes = plot.reliability(LEVELS, coverage, list("abcdefghi"), n_pixels=400).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    for k, name in enumerate("abcdefghi"):
        np.testing.assert_array_equal(lines[name].get_xdata(), LEVELS)
        np.testing.assert_array_equal(lines[name].get_ydata(), coverage[:, k])
    assert len({(line.get_marker(), to_rgb(line.get_color())) for line in axes.lines}) == 10
    np.testing.assert_array_equal(lines["calibrated"].get_xdata(), lines["calibrated"].get_ydata())
    assert (axes.get_xlim(), axes.get_ylim(), axes.get_aspect()) == ((0, 1), (0, 1), 1.0)


def test_the_band_holds_95_of_100_calibrated_counts() -> None:
    axes = plot.reliability(LEVELS, np.zeros((3, 1)), ["soil"], n_pixels=400).axes[0]
    outline = axes.collections[0].get_paths()[0].vertices
    edges = outline[np.isclose(outline[:, 0], 0.9), 1]
    counts = np.random.default_rng(1).binomial(400, 0.9, 100_000) / 400
    assert np.mean((edges.min() <= counts) & (counts <= edges.max())) == pytest.approx(0.95, abs=0.015)


def test_every_endmember_has_a_name() -> None:
    with pytest.raises(ParameterError, match="1 names for 2 endmembers"):
        plot.reliability(LEVELS, np.zeros((3, 2)), ["soil"], n_pixels=400)
