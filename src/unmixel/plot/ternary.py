"""Figure of the simplex of three endmembers."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from unmixel.errors import ParameterError

FEWEST, MOST = 12, 40
"""Cells along a side of the simplex: the more, the more there is to count."""
DRAWS = 400_000
"""Of a Dirichlet distribution: the share of them in a cell is off by a hundredth of itself where it matters."""
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
"""Where the endmembers are: lower left, lower right, top."""
TICKS = (0.2, 0.4, 0.6, 0.8)


def ternary(result: xr.Dataset, row: int | None = None, column: int | None = None) -> Figure:
    """Draw where the pixels of a scene lie among three endmembers, or what is believed of one pixel.

    The triangle is cut into small ones of the same size. Their colour is the share of the pixels whose abundances
    (posterior means) lie there. Of one pixel, given by row and column, it is the share of its Dirichlet posterior.

    Parameters
    ----------
    result : Dataset
        A result of three endmembers.
    row, column : int, optional
        Of a pixel, from 0; both or none.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If the result has not three endmembers, no pixel has a value, or there is no posterior of that pixel.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> _, truth = simulate_demo(rows=20, columns=30)
    >>> ternary(truth).axes[-1].get_ylabel()
    'pixels in a cell [%]'
    """
    if result.sizes["endmember"] != 3:
        raise ParameterError(f"a result of {result.sizes['endmember']} endmembers", "3 of them for a triangle")
    figure = Figure(figsize=(7.0, 6.0), layout="constrained")
    axes = figure.subplots()
    if row is None and column is None:
        abundance = np.asarray(result["abundance"].values, dtype=float).reshape(-1, 3)
        points = abundance[np.isfinite(abundance).all(axis=1)]
        if not len(points):
            raise ParameterError("a result whose abundance is NaN everywhere", "values in some pixels")
        label, title = "pixels in a cell [%]", f"posterior means of {len(points):,} pixels"
    else:
        points = _posterior_draws(result, row, column)
        label, title = "probability of a cell [%]", f"posterior of row {row}, column {column} (from 0)"
    n = int(np.clip(np.sqrt(len(points)) / 2, FEWEST, MOST))
    share = 100 * cell_counts(points, n) / len(points)
    norm = LogNorm(100 / len(points), share.max()) if row is None else Normalize(0, share.max())
    cells = PolyCollection(list(cells_of(n)[share > 0] @ CORNERS), array=share[share > 0], cmap="viridis", norm=norm)
    cells.set_edgecolor("face")
    axes.add_collection(cells)
    if row is not None:
        mean = result["abundance"][row, column].values @ CORNERS
        axes.plot(*mean, "P", color="white", markeredgecolor="black", markersize=9, label="posterior mean")
        axes.legend(fontsize="small", loc="upper left")
    _draw_frame(axes, [str(name) for name in result["endmember"].values])
    axes.set_title(title)
    bar = figure.colorbar(cells, ax=axes, fraction=0.04, pad=0.02, aspect=25)
    bar.set_label(label, fontsize="small")
    return figure


def _posterior_draws(result: xr.Dataset, row: int | None, column: int | None) -> Float[np.ndarray, "draw 3"]:
    """Return draws from the Dirichlet distribution of a pixel, always the same."""
    if row is None or column is None:
        raise ParameterError(f"row = {row} and column = {column}", "both or none of them")
    if "concentration" not in result:
        raise ParameterError("a result without concentration", "one of a probabilistic method", "use method='idnet'")
    rows, columns = result.sizes["y"], result.sizes["x"]
    if not (0 <= row < rows and 0 <= column < columns):
        raise ParameterError(f"pixel ({row}, {column}) of {rows} x {columns} pixels", "one inside the result")
    concentration = np.asarray(result["concentration"][row, column].values, dtype=float)
    if not np.isfinite(concentration).all():
        raise ParameterError(f"pixel ({row}, {column}), which is masked", "a valid pixel")
    return np.random.default_rng(0).dirichlet(concentration, DRAWS)


def cell_counts(points: Float[np.ndarray, "point 3"], n: int) -> Int[np.ndarray, "cell"]:
    """Return how many points of the simplex lie in each of its n² triangles, those of `cells_of`.

    There are twice as many places: half of them are outside the simplex, and count nothing.

    Examples
    --------
    >>> counts = cell_counts(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.01, 0.004, 0.986]]), 40)
    >>> np.flatnonzero(counts), int(counts.sum())
    (array([   0, 3120]), 3)
    """
    scaled = n * np.clip(points / points.sum(axis=1, keepdims=True), 0, 1)
    first = np.minimum(scaled[:, 0].astype(int), n - 1)
    second = np.minimum(scaled[:, 1].astype(int), n - 1 - first)
    upside_down = (scaled[:, 0] - first + scaled[:, 1] - second > 1) & (first + second < n - 1)
    return np.bincount(2 * (n * first + second) + upside_down, minlength=2 * n**2)


def cells_of(n: int) -> Float[np.ndarray, "cell 3 3"]:
    """Return the abundances at the corners of triangles that cut the simplex, n along a side.

    They come by the whole parts (i, j) of n times the first two abundances: of each pair first the triangle that points
    like the simplex, then the one upside down.
    """
    first, second = np.divmod(np.arange(n**2), n)
    base = np.stack([first, second], axis=1)[:, None, None]
    steps = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 1], [1, 0], [0, 1]]])
    two = ((base + steps) / n).reshape(-1, 3, 2)
    return np.concatenate([two, 1 - two.sum(axis=2, keepdims=True)], axis=2)


def _draw_frame(axes: Axes, names: list[str]) -> None:
    """Draw the triangle, the names of its corners, and lines of equal abundance with their values."""
    axes.plot(*CORNERS[[0, 1, 2, 0]].T, color="black", linewidth=1.2)
    for k in range(3):
        to, other = CORNERS[(k + 1) % 3], CORNERS[(k + 2) % 3]
        for tick in TICKS:
            start, end = tick * CORNERS[k] + (1 - tick) * to, tick * CORNERS[k] + (1 - tick) * other
            axes.plot(*np.transpose([start, end]), color="0.5", linewidth=0.4, alpha=0.7)
            x, y = (start + 0.035 * _outwards(CORNERS[k], to)).tolist()
            axes.text(x, y, f"{tick:.1f}", ha="center", va="center", fontsize="x-small", color="0.3")
    for k, (name, va) in enumerate(zip(names, ("top", "top", "bottom"), strict=True)):
        away = CORNERS[k] - CORNERS.mean(axis=0)
        x, y = (CORNERS[k] + 0.05 * away / np.linalg.norm(away)).tolist()
        axes.text(x, y, name, ha="center", va=va)
    axes.text(
        0.5,
        -0.11,
        "abundance [1]: numbers at a side are of the corner where they grow to 1",
        ha="center",
        va="top",
        fontsize="x-small",
        color="0.3",
    )
    axes.set(aspect="equal", xlim=(-0.15, 1.15), ylim=(-0.2, 1.0))
    axes.axis("off")


def _outwards(start: Float[np.ndarray, "2"], end: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
    """Return the direction away from the triangle, at the side between two of its corners."""
    across = (start + end) / 2 - CORNERS.mean(axis=0)
    return across / np.linalg.norm(across)
