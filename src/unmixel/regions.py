r"""How much of each material lies in a region, on which area, and how sure that is.

With the area :math:`s_n` of pixel n, the area of material k is :math:`A_k = \sum_n s_n a_{nk}`. Its standard deviation
depends on how the errors of the pixels go together, which a posterior of each pixel does not say:

.. math:: \sqrt{\textstyle\sum_n s_n^2 \sigma_{nk}^2} \;\le\; \mathrm{sd}(A_k) \;\le\; \textstyle\sum_n s_n \sigma_{nk}

with independent errors on the left, and on the right errors that are all alike, as those of a wrong endmember spectrum
nearly are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.warp import transform as to_crs

from unmixel.errors import ParameterError
from unmixel.intervals import normal_interval
from unmixel.lookup import lookup_of, places_in
from unmixel.map_crs import crs_in, crs_of
from unmixel.scene import transform_of

EQUAL_AREA = CRS.from_epsg(6933)
"""Equal-Area Scalable Earth, a cylindrical projection of WGS 84."""
ROWS_AT_ONCE = 512


def region_summary(result: xr.Dataset, polygon: ArrayLike, level: float = 0.9) -> xr.Dataset:
    """Return mean abundance and area of every endmember inside a polygon, with intervals.

    A pixel is inside if its centre is. The interval is that of errors that are alike in all pixels, and so the widest
    (see `unmixel.regions`).

    Parameters
    ----------
    result : Dataset
        A result with ``abundance`` and, for intervals, ``abundance_sd``; it may lie on disk.
    polygon : array, shape (corner, 2)
        x and y of at least 3 corners in the coordinates of the map; columns and rows, from 0 at the outer edge of the
        first, if there is no map.
    level : float
        Probability inside the intervals, between 0 and 1.

    Returns
    -------
    Dataset
        By endmember: ``mean_abundance`` [1] and ``area`` [m2], each with ``_lower``, ``_upper``, ``_sd`` (errors alike)
        and ``_sd_independent``. Areas are NaN where the size of a pixel is not known, intervals where the method gives
        none. ``attrs``: ``n_pixels``, ``n_masked`` (inside, but not valid), ``region_area`` [m2] of the valid pixels,
        and ``level``.

    Raises
    ------
    ParameterError
        If it is no polygon, or no pixel with a value is inside.

    Examples
    --------
    >>> from unmixel.simulate import simulate_demo
    >>> _, truth = simulate_demo(rows=20, columns=30)
    >>> corners = [(656_400, 5_319_250), (656_450, 5_319_250), (656_450, 5_319_200), (656_400, 5_319_200)]
    >>> summary = region_summary(truth, corners)
    >>> summary.attrs["n_pixels"], summary.attrs["n_masked"], float(summary.area.sum().round())
    (92, 8, 2300.0)
    """
    inside, first_row, first_column = _pixels_inside(result, polygon)
    n_endmembers, has_sd = result.sizes["endmember"], "abundance_sd" in result
    sums: dict[str, Any] = dict.fromkeys(("pixels", "area"), 0.0)
    sums |= {name: np.zeros(n_endmembers) for name in ("a", "sd", "variance", "sa", "s_sd", "s2_variance")}
    n_inside = int(inside.sum())
    columns = slice(first_column, first_column + inside.shape[1])
    areas = pixel_areas(result.isel(y=slice(first_row, first_row + len(inside)), x=columns))
    for start in range(0, len(inside), ROWS_AT_ONCE):
        part = inside[start : start + ROWS_AT_ONCE]
        rows = slice(first_row + start, first_row + start + len(part))
        there = result.isel(y=rows, x=columns)
        abundance = np.asarray(there["abundance"].values, dtype=np.float64)
        known = part & np.isfinite(abundance).all(axis=2)
        a = abundance[known]
        sd = np.asarray(there["abundance_sd"].values, dtype=np.float64)[known] if has_sd else np.full_like(a, np.nan)
        size = areas[start : start + len(part)][known][:, None]
        for name, values in {
            "a": a,
            "sd": sd,
            "variance": sd**2,
            "sa": size * a,
            "s_sd": size * sd,
            "s2_variance": (size * sd) ** 2,
        }.items():
            sums[name] += values.sum(axis=0)
        sums["pixels"] += len(a)
        sums["area"] += float(size.sum())
    n = int(sums["pixels"])
    if not n:
        raise ParameterError("a region without one valid pixel", "a polygon around the centre of at least one pixel")
    found = {
        **_with_interval("mean_abundance", sums["a"] / n, sums["sd"] / n, np.sqrt(sums["variance"]) / n, 1.0, level),
        **_with_interval("area", sums["sa"], sums["s_sd"], np.sqrt(sums["s2_variance"]), sums["area"], level),
    }
    units = {name: "m2" if name.startswith("area") else "1" for name in found}
    return xr.Dataset(
        {name: ("endmember", values, {"units": units[name]}) for name, values in found.items()},
        coords={"endmember": result["endmember"].values},
        attrs={"n_pixels": n, "n_masked": n_inside - n, "region_area": sums["area"], "level": level},
    )


def _with_interval(
    name: str,
    mean: Float[np.ndarray, "endmember"],
    alike: Float[np.ndarray, "endmember"],
    independent: Float[np.ndarray, "endmember"],
    most: float,
    level: float,
) -> dict[str, np.ndarray]:
    lower, upper = normal_interval(mean, alike, level)
    return {
        name: mean,
        f"{name}_lower": np.maximum(lower, 0),
        f"{name}_upper": np.minimum(upper, most),
        f"{name}_sd": alike,
        f"{name}_sd_independent": independent,
    }


def _pixels_inside(result: xr.Dataset, polygon: ArrayLike) -> tuple[Bool[np.ndarray, "y x"], int, int]:
    """Return which pixels around a polygon are inside it, and the first of their rows and columns."""
    corners = np.asarray(polygon, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
        raise ParameterError(f"a polygon of shape {corners.shape}", "x and y of at least 3 corners")
    to_pixels = ~(transform_of(result) or Affine.identity())
    columns, rows = np.transpose([to_pixels @ (x, y) for x, y in corners])
    first_row, last_row = _between(rows, result.sizes["y"])
    first_column, last_column = _between(columns, result.sizes["x"])
    shape = (last_row - first_row, last_column - first_column)
    if min(shape) < 1:
        raise ParameterError("a polygon outside the map", "one that covers some of it")
    ring = [*zip(columns - first_column, rows - first_row, strict=True)]
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return rasterize([geometry], out_shape=shape, dtype=np.uint8).astype(bool), first_row, first_column


def _between(places: Float[np.ndarray, "corner"], size: int) -> tuple[int, int]:
    """Return the first pixel and the one after the last."""
    return max(int(np.floor(places.min())), 0), min(int(np.ceil(places.max())), size)


def pixel_areas(result: xr.DataArray | xr.Dataset) -> Float[np.ndarray, "y x"]:
    """Return the area of each pixel [m2], NaN where the map has no scale.

    Of a result in the geometry of its sensor a pixel's area is that of all places of the map that its lookup table
    fills from it: 0 for a pixel that is nowhere on the map.

    Parameters
    ----------
    result : Dataset or DataArray
        A result or a scene, or a crop of one.

    Examples
    --------
    >>> from unmixel.lookup import lookup_coordinates, table_from
    >>> rows, columns = np.array([[0, 0, 1]], np.int32), np.array([[0, 0, 1]], np.int32)
    >>> table = table_from(rows, columns, CRS.from_epsg(32632).to_wkt(), Affine(10, 0, 0, 0, -10, 0))
    >>> grid = xr.Dataset(coords={"y": [0.5, 1.5], "x": [0.5, 1.5]})
    >>> pixel_areas(grid.assign_coords(lookup_coordinates(table))).tolist()
    [[200.0, 0.0], [0.0, 100.0]]
    """
    shape = result.sizes["y"], result.sizes["x"]
    lookup = lookup_of(result)
    if lookup is None:
        return np.broadcast_to(_row_areas(shape, transform_of(result), crs_of(result))[:, None], shape)
    rows, columns = places_in(result, lookup.whole())
    known = rows >= 0
    cells = np.broadcast_to(_row_areas(lookup.shape, lookup.transform, crs_in(lookup.crs_wkt))[:, None], lookup.shape)
    places = np.ravel_multi_index((rows[known], columns[known]), shape)
    return np.bincount(places, weights=cells[known], minlength=shape[0] * shape[1]).reshape(shape)


def _row_areas(shape: tuple[int, int], transform: Affine | None, crs: CRS | None) -> Float[np.ndarray, "y"]:
    """Return the area of a pixel of a map in each row: in degrees that on the ellipsoid, in the middle of the row."""
    n_rows, n_columns = shape
    if transform is None or crs is None:
        return np.full(n_rows, np.nan)
    if crs.is_projected:
        return np.full(n_rows, abs(transform.determinant) * crs.linear_units_factor[1] ** 2)
    if not crs.is_geographic:
        return np.full(n_rows, np.nan)
    column = n_columns // 2
    corners = [transform @ (column + x, row + y) for row in range(n_rows) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    x, y = (np.reshape(values, (n_rows, 4)) for values in to_crs(crs, EQUAL_AREA, *zip(*corners, strict=True))[:2])
    x, y = x - x[:, :1], y - y[:, :1]
    return 0.5 * np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))
