"""Geographic lookup tables: which pixel of a scene, as its sensor saw it, lies in each pixel of a map.

Some products come in the geometry of the sensor, since every resampling changes spectra: rows are scan lines, and the
product's table says where each of them belongs. unmixel unmixes what was measured, and puts the finished maps on the
map, each of its pixels from the one pixel of the scene that the table names (the nearest).

A scene carries its table as the scalar coordinate ``lookup``; a result as coordinates of its own:

================= ================== ==========================================================================
``lookup_row``    ``(map_y, map_x)`` row of the pixel of the scene, from 0 as it was opened; -1 where there is none
``lookup_column`` ``(map_y, map_x)`` its column
``lookup_ref``    scalar             CF grid mapping of the map: ``crs_wkt`` and ``GeoTransform``
================= ================== ==========================================================================

Such a scene has no transform of its own, so its ``y`` and ``x`` count pixels from 0.5 and keep counting so in a crop:
by them it is known which of its pixels a row and column of the table is. xarray's own writers can't write the
coordinate ``lookup``: save a scene with :func:`unmixel.io.save_scene`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Float, Int32

MAP_DIMS = ("map_y", "map_x")
NONE = -1
"""Row and column where no pixel of the scene lies."""
Table = tuple[Int32[np.ndarray, "map_y map_x"], Int32[np.ndarray, "map_y map_x"]]
"""Rows and columns of the pixels of a scene, from 0, `NONE` where there is none."""


@dataclass(frozen=True, eq=False)
class Lookup:
    """A geographic lookup table.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map.
    read : callable
        ``read(rows, columns)`` gives the table in two slices of the map.
    crs_wkt : str or None
        Coordinate reference system of the map.
    transform : affine.Affine
        From the corners of the map's pixels (column, row) to map coordinates.
    """

    shape: tuple[int, int]
    read: Callable[[slice, slice], Table]
    crs_wkt: str | None
    transform: Affine

    def whole(self) -> Table:
        """Return the whole table."""
        return self.read(slice(0, self.shape[0]), slice(0, self.shape[1]))

    def as_coordinate(self) -> xr.DataArray:
        """Return the coordinate ``lookup`` of a scene."""
        return xr.DataArray(np.int32(0), attrs={"table": self})


def table_from(
    rows: Int32[np.ndarray, "map_y map_x"],
    columns: Int32[np.ndarray, "map_y map_x"],
    crs_wkt: str | None,
    to_map: Affine,
) -> Lookup:
    """Return a table that is in memory.

    Examples
    --------
    >>> rows, columns = np.array([[0, -1]], np.int32), np.array([[2, -1]], np.int32)
    >>> lookup = table_from(rows, columns, None, Affine.identity())
    >>> lookup.shape, [part.tolist() for part in lookup.read(slice(0, 1), slice(0, 1))]
    ((1, 2), [[[0]], [[2]]])
    """
    return Lookup((rows.shape[0], rows.shape[1]), partial(_part_of, rows, columns), crs_wkt, to_map)


def _part_of(all_rows: Any, all_columns: Any, rows: slice, columns: slice) -> Table:
    """Return a part of the table in two arrays, in memory or on disk."""
    return np.asarray(all_rows[rows, columns], np.int32), np.asarray(all_columns[rows, columns], np.int32)


def lookup_of(grid: xr.DataArray | xr.Dataset) -> Lookup | None:
    """Return the table of a scene or a result; None if it has none."""
    if "lookup" in grid.coords:
        return grid.coords["lookup"].attrs.get("table")
    if not isinstance(grid, xr.Dataset) or "lookup_row" not in grid:
        return None
    attrs = grid["lookup_ref"].attrs
    rows, columns = (grid[name].variable for name in ("lookup_row", "lookup_column"))
    to_map = Affine.from_gdal(*map(float, str(attrs["GeoTransform"]).split()))
    return Lookup((rows.shape[0], rows.shape[1]), partial(_part_of, rows, columns), attrs.get("crs_wkt"), to_map)


def lookup_coordinates(lookup: Lookup) -> dict[str, xr.DataArray]:
    """Return the coordinates of a result that hold a table."""
    attrs: dict[str, str] = {"GeoTransform": " ".join(repr(float(v)) for v in lookup.transform.to_gdal())}
    if lookup.crs_wkt:
        attrs |= {"crs_wkt": lookup.crs_wkt}
    said = {"lookup_row": "row", "lookup_column": "column"}
    values = dict(zip(said, lookup.whole(), strict=True))
    return {
        **{
            name: xr.DataArray(
                values[name],
                dims=MAP_DIMS,
                attrs={"long_name": f"{what} of the scene's pixel, from 0; -1 where there is none"},
            )
            for name, what in said.items()
        },
        "lookup_ref": xr.DataArray(np.int32(0), attrs=attrs),
    }


def places_in(grid: xr.DataArray | xr.Dataset, table: Table) -> Table:
    """Return a part of a table with the places of the pixels in a scene or result that may be a crop of the whole.

    A pixel that is not in the crop becomes `NONE`.

    Examples
    --------
    >>> crop = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"), coords={"y": [4.5, 5.5], "x": [0.5, 1.5, 2.5]})
    >>> [part.tolist() for part in places_in(crop, (np.array([[5, 9]], np.int32), np.array([[2, 2]], np.int32)))]
    [[[1, -1]], [[2, -1]]]
    """
    rows, columns = (
        _place(np.floor(np.asarray(grid[axis].values, dtype=float)), named)
        for axis, named in zip(("y", "x"), table, strict=True)
    )
    none = (rows < 0) | (columns < 0)
    rows[none] = columns[none] = NONE
    return rows, columns


def _place(
    there: Float[np.ndarray, "size"], named: Int32[np.ndarray, "map_y map_x"]
) -> Int32[np.ndarray, "map_y map_x"]:
    """Return the places of numbers in a list; `NONE` for a number that is not in it."""
    order = np.argsort(there)
    place = order[np.searchsorted(there, named, sorter=order).clip(max=len(there) - 1)]
    return np.where(there[place] == named, place, NONE).astype(np.int32)
