"""A region and what lies in it, as files that other programs open."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from unmixel.errors import ParameterError
from unmixel.io.csv_text import as_cell

LONGITUDE_LATITUDE = CRS.from_epsg(4326)
_UNIT_NAMES = {"1": "", "m2": "_m2"}


def region_csv(summary: xr.Dataset) -> str:
    """Return a region's summary as a table: a row for each endmember.

    Examples
    --------
    >>> summary = xr.Dataset({"mean_abundance": ("endmember", [0.5], {"units": "1"})}, {"endmember": ["=1+1"]})
    >>> region_csv(summary.assign_attrs(n_pixels=4, n_masked=0, region_area=100.0, level=0.9)).splitlines()[1]
    "'=1+1,0.5,4,0,100,0.9"
    """
    text = io.StringIO()
    table = csv.writer(text)
    numbers = {f"{name}{_UNIT_NAMES[values.attrs['units']]}": values.values for name, values in summary.items()}
    whole = {
        "n_pixels": summary.attrs["n_pixels"],
        "n_masked": summary.attrs["n_masked"],
        "region_area_m2": summary.attrs["region_area"],
        "level": summary.attrs["level"],
    }
    table.writerow(["endmember", *numbers, *whole])
    for k, name in enumerate(summary["endmember"].values):
        cells = [*(values[k] for values in numbers.values()), *whole.values()]
        table.writerow([as_cell(str(name)), *(_as_number(float(cell)) for cell in cells)])
    return text.getvalue()


def _as_number(value: float) -> str:
    return f"{value:.9g}" if np.isfinite(value) else ""


def region_geojson(summary: xr.Dataset, polygon: Sequence[Sequence[float]], crs: CRS | None) -> str:
    """Return a region as a GeoJSON feature whose properties are its summary.

    Parameters
    ----------
    summary : Dataset
        See `unmixel.regions.region_summary`.
    polygon : array, shape (corner, 2)
        In the coordinates of the map.
    crs : CRS, optional
        Of the map. Corners are written as longitude and latitude [degree] if it is on the Earth, and as they are if
        not, which the property ``coordinates`` says.

    Raises
    ------
    ParameterError
        If a corner has no longitude and latitude.
    """
    x, y = ([float(corner[axis]) for corner in polygon] for axis in (0, 1))
    if crs is not None and not (crs.is_projected or crs.is_geographic):
        crs = None
    if crs is not None:
        try:
            x, y = to_crs(crs, LONGITUDE_LATITUDE, x, y)[:2]
        except CPLE_BaseError as error:
            raise ParameterError(f"corners {list(polygon)} ({error})", "a region on the map") from error
        if not np.isfinite([*x, *y]).all():
            raise ParameterError(f"corners {list(polygon)}", "a region on the map")
    ring = [[a, b] for a, b in zip(x, y, strict=True)]
    if _signed_area(ring) < 0:
        ring.reverse()
    properties: dict[str, object] = {
        "coordinates": "map or pixel coordinates of the result" if crs is None else "longitude and latitude",
        **{name: _or_null(float(summary.attrs[name])) for name in ("n_pixels", "n_masked", "level")},
        "region_area_m2": _or_null(float(summary.attrs["region_area"])),
    }
    for k, name in enumerate(summary["endmember"].values):
        for quantity, values in summary.items():
            unit = _UNIT_NAMES[values.attrs["units"]]
            properties[f"{name} {quantity}{unit}"] = _or_null(float(values.values[k]))
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}, indent=1, allow_nan=False)


def _or_null(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _signed_area(ring: Sequence[Sequence[float]]) -> float:
    """Return twice the area of a polygon, above 0 if its corners go against the clock."""
    x, y = np.transpose(ring) - np.asarray(ring[0])[:, None]
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
