"""Where on Earth a grid of pixels lies: its outline in longitude and latitude, as GeoJSON wants it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from affine import Affine
from rasterio._err import CPLE_BaseError  # what `transform_geom` raises; rasterio.errors has no name for it
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform_geom

_LONGITUDE_FIRST = "OGC:CRS84"
_STEPS = 10
_FARTHEST = 1e9
"""Coordinates of maps are smaller, in degrees, metres and feet; GDAL takes for ever to turn larger ones."""
_DECIMALS = 7  # 1 cm on the ground

Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Footprint:
    """An outline on the ellipsoid of WGS 84.

    Attributes
    ----------
    geometry : dict
        GeoJSON: a polygon, or several where the antimeridian cuts the grid [degrees].
    bbox : list of float
        West, south, east, north [degrees]; west is greater than east where the antimeridian is between them.
    """

    geometry: dict[str, Any]
    bbox: list[float]


def footprint_of(crs: CRS | None, transform: Affine, shape: tuple[int, int]) -> Footprint | None:
    """Return the outline of a grid; None if its coordinates have no known place on Earth.

    It is the outline of the grid itself, also where the grid is rotated. Each side has 10 steps, since the
    straight sides of a projected map are bent in longitude and latitude.

    Parameters
    ----------
    crs : CRS or None
        Coordinate reference system of the grid.
    transform : affine.Affine
        From pixel corners (column, row) to map coordinates.
    shape : tuple of int
        Rows and columns.

    Examples
    --------
    >>> north_up = Affine(0.5, 0.0, 10.0, 0.0, -0.25, 48.0)
    >>> found = footprint_of(CRS.from_epsg(4326), north_up, (4, 6))
    >>> found.bbox
    [10.0, 47.0, 13.0, 48.0]
    >>> len(found.geometry["coordinates"][0])
    41
    """
    if crs is None:
        return None
    ring = _outline(transform, shape)
    if not all(abs(value) <= _FARTHEST for point in ring for value in point):
        return None
    outline = {"type": "Polygon", "coordinates": [ring]}
    try:
        found = transform_geom(crs, _LONGITUDE_FIRST, outline)
    except (CPLE_BaseError, CRSError, SystemError):  # another planet, or points that the projection does not have
        return None
    polygons = found["coordinates"] if found["type"] == "MultiPolygon" else [found["coordinates"]]
    if not all(math.isfinite(value) for polygon in polygons for point in polygon[0] for value in point):
        return None
    rings = [part for polygon in polygons for part in _within_the_world(polygon[0])]
    tidy = [_tidy(ring) for ring in rings]
    if len(tidy) == 1:
        return Footprint({"type": "Polygon", "coordinates": [_as_lists(tidy[0])]}, _box(tidy))
    return Footprint({"type": "MultiPolygon", "coordinates": [[_as_lists(ring)] for ring in tidy]}, _box(tidy))


def _outline(transform: Affine, shape: tuple[int, int]) -> Ring:
    rows, columns = shape
    corners = [(0, 0), (0, rows), (columns, rows), (columns, 0), (0, 0)]
    ring = [transform @ corners[0]]
    for (column, row), (next_column, next_row) in pairwise(corners):
        for step in range(1, _STEPS + 1):
            share = step / _STEPS
            ring.append(transform @ (column + share * (next_column - column), row + share * (next_row - row)))
    return ring


def _within_the_world(ring: Ring) -> list[Ring]:
    """Return the ring with longitudes from -180 to 180, in two if the antimeridian cuts it.

    The transformation does so for projected maps, but leaves longitudes as they are.
    """
    whole_turns = 360 * math.floor((min(longitude for longitude, _ in ring) + 180) / 360)
    turned = [(longitude - whole_turns, latitude) for longitude, latitude in ring]
    if max(longitude for longitude, _ in turned) <= 180:
        return [turned]
    beyond = [(longitude - 360, latitude) for longitude, latitude in turned]
    return [_part(turned, 180.0, side=1), _part(beyond, -180.0, side=-1)]


def _part(ring: Ring, limit: float, *, side: int) -> Ring:
    """Return the part of a ring on one side of a meridian: west of it for 1, east of it for -1."""
    kept: Ring = []
    for (x0, y0), (x1, y1) in pairwise(ring):
        if (side * (x0 - limit) < 0) != (side * (x1 - limit) < 0):
            kept.append((limit, y0 + (limit - x0) / (x1 - x0) * (y1 - y0)))
        if side * (x1 - limit) <= 0:
            kept.append((x1, y1))
    return [*kept, kept[0]]


def _tidy(ring: Ring) -> Ring:
    """Return the ring rounded, without repeated points, and counterclockwise (RFC 7946)."""
    points = [(round(longitude, _DECIMALS), round(latitude, _DECIMALS)) for longitude, latitude in ring]
    distinct = [points[0], *(point for before, point in pairwise(points) if point != before)]
    twice_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(distinct))
    return distinct if twice_area > 0 else distinct[::-1]


def _box(rings: list[Ring]) -> list[float]:
    longitudes = [[longitude for longitude, _ in ring] for ring in rings]
    latitudes = [latitude for ring in rings for _, latitude in ring]
    cut = len(rings) > 1
    west = min(min(ring) for ring in longitudes if not cut or max(ring) == 180)
    east = max(max(ring) for ring in longitudes if not cut or min(ring) == -180)
    return [west, min(latitudes), east, max(latitudes)]


def _as_lists(ring: Ring) -> list[list[float]]:
    return [list(point) for point in ring]
