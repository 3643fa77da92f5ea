"""The triangle shows each pixel where it lies among three endmembers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy.stats import beta

from unmixel import plot
from unmixel.errors import ParameterError
from unmixel.plot.ternary import CORNERS, cell_counts, cells_of

DIMS = ("y", "x", "endmember")
CELLS = 30


def a_result(abundance: np.ndarray, concentration: np.ndarray | None = None) -> xr.Dataset:
    variables = {"abundance": (DIMS, abundance)}
    if concentration is not None:
        variables["concentration"] = (DIMS, concentration)
    names = ["soil", "tree", "water", "snow"][: abundance.shape[2]]
    return xr.Dataset(variables, coords={"endmember": names})


def shown(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """Return the share [%] and the centre of each cell that is drawn."""
    cells = figure.axes[0].collections[0]
    centres = np.array([path.vertices[:3].mean(axis=0) for path in cells.get_paths()])
    return np.asarray(cells.get_array()), centres


def test_points_are_counted_in_the_cell_that_holds_them() -> None:
    rng = np.random.default_rng(0)
    inside = rng.dirichlet(np.ones(3), 2000)
    on_edges = np.roll(np.column_stack([inside[:, :1], 1 - inside[:, :1], np.zeros((2000, 1))]), 1, axis=1)
    grid = np.stack(np.meshgrid(np.arange(CELLS + 1), np.arange(CELLS + 1)), axis=-1).reshape(-1, 2)
    grid = grid[grid.sum(axis=1) <= CELLS] / CELLS
    nodes = np.column_stack([grid, 1 - grid.sum(axis=1)])
    for point in (*inside[:300], *on_edges[:300], *np.eye(3), *nodes[::7]):
        (cell,) = np.flatnonzero(cell_counts(point[None], CELLS))
        corners = cells_of(CELLS)[cell]
        weights = np.linalg.solve(corners.T, point)
        assert weights.min() > -1e-6, point
    for points in (inside, on_edges, nodes):
        assert cell_counts(points, CELLS).sum() == len(points)


def test_cells_are_of_one_size_and_fill_the_triangle() -> None:
    inside = np.flatnonzero((cells_of(CELLS) > -1e-9).all(axis=(1, 2)))
    assert len(inside) == CELLS**2
    first, second, third = np.moveaxis(cells_of(CELLS)[inside] @ CORNERS, 1, 0)
    across, along = second - first, third - first
    area = 0.5 * np.abs(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0])
    np.testing.assert_allclose(area, np.sqrt(0.75) / 2 / CELLS**2)


@pytest.mark.parametrize(("endmember", "corner"), [(0, (0, 0)), (1, (1, 0)), (2, (0.5, 0.866))])
def test_a_pure_pixel_is_at_the_corner_that_bears_its_name(endmember: int, corner: tuple[float, float]) -> None:
    abundance = np.full((2, 3, 3), np.nan)
    abundance[1, 2] = np.eye(3)[endmember]
    figure = plot.ternary(a_result(abundance))
    share, centres = shown(figure)
    np.testing.assert_allclose(share, [100])
    np.testing.assert_allclose(centres, [corner], atol=1 / 12)
    (label,) = (text for text in figure.axes[0].texts if text.get_text() == ["soil", "tree", "water"][endmember])
    assert np.linalg.norm(np.subtract(label.get_position(), corner)) < 0.06
    assert figure.axes[0].get_title() == "posterior means of 1 pixels"


def test_shares_add_up_and_lie_where_the_pixels_are() -> None:
    abundance = np.random.default_rng(1).dirichlet([8.0, 2.0, 1.0], (30, 40))
    share, centres = shown(plot.ternary(a_result(abundance)))
    assert share.sum() == pytest.approx(100)
    np.testing.assert_allclose(share @ centres / 100, abundance.reshape(-1, 3).mean(axis=0) @ CORNERS, atol=0.01)


@pytest.mark.parametrize("concentration", [(8.0, 3.0, 1.5), (0.3, 2.0, 0.7), (400.0, 30.0, 5.0)])
def test_the_posterior_of_a_pixel_has_the_probabilities_of_its_dirichlet(concentration: tuple[float, ...]) -> None:
    c = np.zeros((2, 3, 3))
    c[1, 0] = concentration
    mean = np.array(concentration) / sum(concentration)
    figure = plot.ternary(a_result(np.broadcast_to(mean, (2, 3, 3)), c), 1, 0)
    share, centres = shown(figure)
    abundance = np.linalg.solve(np.vstack([CORNERS.T, np.ones(3)]), np.vstack([centres.T, np.ones(len(centres))])).T
    for k in range(3):
        for level in (0.1, 0.5, 0.9):
            expected = beta.cdf(level, concentration[k], sum(concentration) - concentration[k])
            assert share[abundance[:, k] < level].sum() / 100 == pytest.approx(expected, abs=0.005)
    marker = next(line for line in figure.axes[0].lines if line.get_label() == "posterior mean")
    np.testing.assert_allclose(marker.get_xydata()[0], mean @ CORNERS)
    assert figure.axes[-1].get_ylabel() == "probability of a cell [%]"


def test_what_has_no_triangle_is_refused() -> None:
    even = np.full((2, 3, 3), 1 / 3)
    with pytest.raises(ParameterError, match="4 endmembers"):
        plot.ternary(a_result(np.full((2, 3, 4), 0.25)))
    with pytest.raises(ParameterError, match="NaN everywhere"):
        plot.ternary(a_result(even * np.nan))
    with pytest.raises(ParameterError, match="without concentration"):
        plot.ternary(a_result(even), 0, 0)
    masked = even.copy()
    masked[1, 1] = np.nan
    result = a_result(masked, masked)
    with pytest.raises(ParameterError, match=r"pixel \(1, 1\), which is masked"):
        plot.ternary(result, 1, 1)
    with pytest.raises(ParameterError, match=r"pixel \(0, 3\) of 2 x 3"):
        plot.ternary(result, 0, 3)
    with pytest.raises(ParameterError, match="row = 0 and column = None"):
        plot.ternary(result, 0)
