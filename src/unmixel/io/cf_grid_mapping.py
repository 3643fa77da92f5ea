"""Map projections and map axes in the words of the CF conventions (chapter 5.6 and appendix F)."""

from __future__ import annotations

from typing import Any

from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

_FALSE_ORIGIN = {
    "Latitude of false origin": "latitude_of_projection_origin",
    "Longitude of false origin": "longitude_of_central_meridian",
    "Easting at false origin": "false_easting",
    "Northing at false origin": "false_northing",
    "Latitude of 1st standard parallel": "standard_parallel",
    "Latitude of 2nd standard parallel": "standard_parallel",
}
_NATURAL_ORIGIN = {
    "Latitude of natural origin": "latitude_of_projection_origin",
    "False easting": "false_easting",
    "False northing": "false_northing",
}
_PROJECTIONS = {
    "Transverse Mercator": (
        "transverse_mercator",
        _NATURAL_ORIGIN
        | {
            "Longitude of natural origin": "longitude_of_central_meridian",
            "Scale factor at natural origin": "scale_factor_at_central_meridian",
        },
    ),
    "Lambert Azimuthal Equal Area": (
        "lambert_azimuthal_equal_area",
        _NATURAL_ORIGIN | {"Longitude of natural origin": "longitude_of_projection_origin"},
    ),
    "Albers Equal Area": ("albers_conical_equal_area", _FALSE_ORIGIN),
    "Lambert Conic Conformal (2SP)": ("lambert_conformal_conic", _FALSE_ORIGIN),
}
_UNITS = {"metre": "m", "meter": "m", "foot": "foot", "US survey foot": "US_survey_foot", "kilometre": "km"}


def grid_mapping(crs_wkt: str | None) -> dict[str, Any]:
    """Return the attributes of a grid mapping; of a projection that is not known here by name only its WKT.

    Known are longitude and latitude, transverse Mercator (UTM, too), Lambert's azimuthal equal-area and conformal conic
    projections, and Albers' conic one.

    Examples
    --------
    >>> attributes = grid_mapping(CRS.from_epsg(32632).to_wkt())
    >>> attributes["grid_mapping_name"], attributes["longitude_of_central_meridian"], attributes["false_easting"]
    ('transverse_mercator', 9.0, 500000.0)
    """
    if not crs_wkt:
        return {}
    attributes: dict[str, Any] = {"crs_wkt": crs_wkt, "spatial_ref": crs_wkt}
    try:
        described = CRS.from_wkt(crs_wkt).to_dict(projjson=True)
    except CRSError:
        return attributes
    if described.get("type") == "GeographicCRS":
        return attributes | {"grid_mapping_name": "latitude_longitude"} | _earth(described)
    conversion = described.get("conversion", {})
    name, known = _PROJECTIONS.get(conversion.get("method", {}).get("name"), ("", {}))
    if not name:
        return attributes
    numbers: dict[str, list[float]] = {}
    for parameter in conversion.get("parameters", ()):
        if parameter["name"] in known:
            numbers.setdefault(known[parameter["name"]], []).append(float(parameter["value"]))
    said = {key: values if len(values) > 1 else values[0] for key, values in numbers.items()}
    return attributes | {"grid_mapping_name": name} | said | _earth(described.get("base_crs", {}))


def axes(crs_wkt: str | None, transform: Affine | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the attributes of the axes y and x; of a rotated map, and without one, they count pixels.

    Examples
    --------
    >>> axes(CRS.from_epsg(4326).to_wkt(), Affine(0.1, 0, 8, 0, -0.1, 48))[1]
    {'axis': 'X', 'standard_name': 'longitude', 'units': 'degrees_east'}
    """
    if transform is None or transform.b or transform.d:
        pixels = {"units": "1", "long_name": "pixels from the upper left corner to the centre"}
        return {**pixels}, {**pixels}
    try:
        crs = CRS.from_wkt(crs_wkt) if crs_wkt else None
    except CRSError:
        crs = None
    if crs is None:
        unknown = {"units": "1", "long_name": "map coordinate, in a reference system that is not known"}
        return {**unknown}, {**unknown}
    y, x = {"axis": "Y"}, {"axis": "X"}
    if crs.is_geographic:
        return (
            y | {"standard_name": "latitude", "units": "degrees_north"},
            x | {"standard_name": "longitude", "units": "degrees_east"},
        )
    units = {"units": _UNITS.get(crs.linear_units, crs.linear_units)}
    return (
        y | {"standard_name": "projection_y_coordinate"} | units,
        x | {"standard_name": "projection_x_coordinate"} | units,
    )


def _earth(base: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the ellipsoid."""
    datum = base.get("datum") or base.get("datum_ensemble") or {}
    ellipsoid = datum.get("ellipsoid", {})
    names = ("semi_major_axis", "inverse_flattening", "semi_minor_axis")
    meridian = datum.get("prime_meridian", {}).get("longitude", 0.0)
    said: dict[str, Any] = {
        name: float(ellipsoid[name]) for name in names if isinstance(ellipsoid.get(name), int | float)
    }
    if isinstance(meridian, int | float):
        said["longitude_of_prime_meridian"] = float(meridian)
    return said
