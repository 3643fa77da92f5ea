"""The coordinate reference system of a map, and the names of its axes."""

from __future__ import annotations

import xarray as xr
from rasterio.crs import CRS
from rasterio.errors import CRSError

from unmixel.scene import crs_wkt_of

_UNITS = {"metre": "m", "meter": "m", "kilometre": "km", "foot": "ft", "US survey foot": "ft"}


def crs_of(grid: xr.DataArray | xr.Dataset) -> CRS | None:
    """Return the coordinate reference system of a scene or a result; None if it has none that can be read."""
    return crs_in(crs_wkt_of(grid))


def crs_in(wkt: str | None) -> CRS | None:
    """Return a coordinate reference system from its text; None if there is none that can be read."""
    try:
        return CRS.from_wkt(wkt) if wkt else None
    except CRSError:
        return None


def axis_labels(crs: CRS | None) -> tuple[str, str]:
    """Return the names of the axes of a map, x and y, with their units.

    Examples
    --------
    >>> axis_labels(CRS.from_epsg(32632))
    ('easting [m]', 'northing [m]')
    """
    if crs is None:
        return "x [map units]", "y [map units]"
    if crs.is_geographic:
        return "longitude [°]", "latitude [°]"
    unit = _UNITS.get(crs.linear_units, crs.linear_units)
    return f"easting [{unit}]", f"northing [{unit}]"
