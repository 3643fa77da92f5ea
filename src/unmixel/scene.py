"""What a scene is, and the way between a scene and its pixels.

A **scene** is an :class:`xarray.DataArray` of reflectance that meets the schema below; it is not a class of its own.

============== ============ ==================================================================================
dims           ``(y, x, band)``, float32; an invalid pixel is NaN in every band
coordinates    ``wavelength`` [nm] on ``band``, ascending, or NaN in every band when nobody knows it
               ``fwhm`` [nm] on ``band``: full width at half maximum of each band, NaN where unknown
               ``good_band`` on ``band``: False for bands that unmixing leaves out
               ``y``, ``x``: pixel centres, in map units, or in pixels (first centre 0.5) without a map
               ``spatial_ref``: CF grid mapping with ``crs_wkt`` and ``GeoTransform`` where the scene has them
============== ============ ==================================================================================

A rotated map keeps ``y`` and ``x`` in pixels, and its ``GeoTransform`` says where they are; so a scene can be
cropped by ordinary indexing and still knows its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike, NDArray

from unmixel.errors import SceneError

DIMS = ("y", "x", "band")
SHORTEST_WAVELENGTH = 100.0
"""Wavelengths below it [nm] are no light that imaging spectrometers see, but another unit."""
RED_GREEN_BLUE = (640.0, 550.0, 470.0)
"""Wavelengths of the three colours [nm]."""
CHUNK = 4096
"""Pixels looked at at a time where a copy of the whole scene would be too much."""


def make_scene(
    values: ArrayLike,
    *,
    wavelength: ArrayLike | None = None,
    fwhm: ArrayLike | None = None,
    good_band: ArrayLike | None = None,
    crs_wkt: str | None = None,
    transform: Affine | None = None,
    reading: tuple[str, ...] = (),
) -> xr.DataArray:
    """Make a scene from an array, sorting its bands and masking what cannot be used.

    Bands are sorted by wavelength. A band is good if it is not declared bad, not invalid in every pixel and not
    constant over the scene. A pixel that is not finite in some good band becomes NaN in all of them.

    Parameters
    ----------
    values : array, shape (y, x, band) or (pixel, band)
        Reflectance (1 is a perfect reflector). A table of pixels becomes a scene with one column.
    wavelength, fwhm : array, shape (band,), optional
        Band centres and full widths at half maximum [nm].
    good_band : array of bool, shape (band,), optional
        False for bands to leave out.
    crs_wkt : str, optional
        Coordinate reference system as WKT.
    transform : affine.Affine, optional
        From pixel corners (column, row) to map coordinates, as in rasterio.
    reading : tuple of str
        What was done to the values on their way here; more lines are added to it (``attrs["reading"]``).

    Raises
    ------
    SceneError
        If the shape, the number of wavelengths or the values cannot be those of a scene.

    Examples
    --------
    >>> scene = make_scene([[[0.1, 0.3, 0.2], [0.4, np.nan, 0.2]]], wavelength=[500.0, 700.0, 600.0])
    >>> scene.wavelength.values
    array([500., 600., 700.])
    >>> scene.good_band.values.tolist()       # the band at 600 nm is constant; the one at 700 has one value
    [True, False, False]
    """
    reflectance = _as_rows_and_columns(values)
    bands = sort_bands(reflectance.shape[2], wavelength=wavelength, fwhm=fwhm, good_band=good_band)
    notes = list(reading)
    if bands.moved:
        reflectance = reflectance[:, :, bands.order]
        notes.append("bands sorted by wavelength")
    good, lines = _mask(reflectance, bands.declared_good)
    place = place_of(reflectance.shape[0], reflectance.shape[1], crs_wkt, transform)
    return assemble_scene(reflectance, place, bands, good, notes + lines)


class SortedBands(NamedTuple):
    """The bands of a scene by wavelength.

    Attributes
    ----------
    order : array of int, shape (band,)
        Where each of them was.
    wavelength, fwhm : array, shape (band,)
        Nanometres, NaN where unknown.
    declared_good : array of bool, shape (band,)
    """

    order: NDArray[np.intp]
    wavelength: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    declared_good: NDArray[np.bool_]

    @property
    def moved(self) -> bool:
        """Whether any band was elsewhere."""
        return bool((self.order != np.arange(len(self.order))).any())


def sort_bands(
    n_bands: int, *, wavelength: ArrayLike | None, fwhm: ArrayLike | None, good_band: ArrayLike | None
) -> SortedBands:
    """Sort what is known of the bands by wavelength.

    Raises
    ------
    SceneError
        If there is not one number for each band, or some wavelength cannot be one.
    """
    centres = _per_band(wavelength, n_bands, "wavelengths", np.nan)
    widths = _per_band(fwhm, n_bands, "fwhm values", np.nan)
    declared = _per_band(good_band, n_bands, "good_band flags", 1.0) > 0
    order = _ascending(centres)
    return SortedBands(order, centres[order], widths[order], declared[order])


def assemble_scene(
    reflectance: Float[np.ndarray, "y x band"],
    place: Mapping[str, object],
    bands: SortedBands,
    good: Bool[np.ndarray, "band"],
    reading: list[str],
) -> xr.DataArray:
    """Put masked values and what is known of them together as a scene."""
    return xr.DataArray(
        reflectance,
        dims=DIMS,
        name="reflectance",
        coords={
            **place,
            "wavelength": ("band", bands.wavelength, {"units": "nm"}),
            "fwhm": ("band", bands.fwhm, {"units": "nm"}),
            "good_band": ("band", good),
        },
        attrs={"reading": reading, "units": "1"},
    )


def _as_rows_and_columns(values: ArrayLike) -> Float[np.ndarray, "y x band"]:
    """Return a copy as float32, a table of pixels as one column."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise SceneError(f"values of type {given.dtype}", "real numbers", "open a file with unmixel.open_scene")
    copy = np.array(given, dtype=np.float32)
    if copy.ndim == 2:
        copy = copy[:, None, :]
    if copy.ndim != 3 or 0 in copy.shape:
        raise SceneError(f"an array of shape {given.shape}", "a non-empty (y, x, band) or (pixel, band)")
    return copy


def _ascending(wavelength: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the order of the bands by wavelength; as they are if no wavelength is known."""
    known = np.isfinite(wavelength)
    if not known.any():
        return np.arange(len(wavelength))
    if not known.all():
        raise SceneError(
            f"wavelengths, {int((~known).sum())} of {len(known)} of them NaN",
            "a number for every band",
            "give all of them or none",
        )
    if wavelength.min() < SHORTEST_WAVELENGTH:
        raise SceneError(
            f"a wavelength of {wavelength.min():g} nm",
            f"at least {SHORTEST_WAVELENGTH:g} nm",
            "convert it to nanometres",
        )
    return np.argsort(wavelength, kind="stable")


def _mask(
    reflectance: Float[np.ndarray, "y x band"], declared: Bool[np.ndarray, "band"]
) -> tuple[Bool[np.ndarray, "band"], list[str]]:
    """Make invalid pixels NaN in every band, in place; return which bands can be used, and what was masked."""
    reflectance[~np.isfinite(reflectance)] = np.nan
    if np.isnan(reflectance).all():
        raise SceneError(
            "a scene without one valid pixel", "pixels with finite values", "check the no-data value and the scale"
        )
    rows, columns, n_bands = reflectance.shape
    good, lines = usable_bands(*band_range(reflectance), declared, rows * columns)
    if not good.any():
        raise SceneError(
            f"a scene of {rows}x{columns} pixels and {n_bands} bands without one usable band",
            "bands with more than one value over the scene",
            "check the no-data value, the scale and the bad-band list",
        )
    n_partly = mask_pixels(reflectance, good)
    if np.isnan(reflectance[:, :, good.argmax()]).all():
        raise SceneError(
            "a scene without one valid pixel",
            "pixels with a finite value in every good band",
            "check the no-data value and leave out bands that are invalid in places (--bands)",
        )
    if n_partly:
        lines.append(partly_masked(n_partly))
    return good, lines


def partly_masked(n_pixels: int) -> str:
    """Return the line on pixels that `mask_pixels` made invalid though they were so only in part."""
    return f"{n_pixels} pixels masked because some good band is invalid there"


def mask_pixels(reflectance: Float[np.ndarray, "y x band"], good: Bool[np.ndarray, "band"]) -> int:
    """Make pixels that are not finite in some good band NaN in all bands, in place; return how many were so in part."""
    n_partly = 0
    for lines in _some_lines(reflectance):
        odd = ~np.isfinite(lines).all(axis=2)
        if not odd.any():
            continue
        pixels = lines[odd]
        finite = np.isfinite(pixels)
        pixels[~finite] = np.nan
        invalid = ~finite[:, good].all(axis=1)
        n_partly += int((invalid & finite.any(axis=1)).sum())
        pixels[invalid] = np.nan
        lines[odd] = pixels
    return n_partly


def _some_lines(values: Float[np.ndarray, "y x band"]) -> Iterator[Float[np.ndarray, "line x band"]]:
    """Yield views of some lines at a time."""
    step = max(1, CHUNK // max(1, values.shape[1]))
    return (values[first : first + step] for first in range(0, len(values), step))


def place_of(rows: int, columns: int, crs_wkt: str | None, transform: Affine | None) -> dict[str, object]:
    """Return the coordinates that say where the pixels are.

    Raises
    ------
    SceneError
        If some pixel would lie nowhere.
    """
    spatial_ref = xr.DataArray(np.int32(0))
    if crs_wkt:
        spatial_ref.attrs["crs_wkt"] = crs_wkt
    y, x = np.arange(rows) + 0.5, np.arange(columns) + 0.5
    if transform is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            is_place = np.isfinite(list(transform)).all() and transform.determinant != 0
        if not is_place:
            raise SceneError(f"a map with the geotransform {transform.to_gdal()}", "a place for every pixel")
        spatial_ref.attrs["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
        if _is_north_up(transform):
            with np.errstate(over="ignore", invalid="ignore"):
                y, x = transform.f + y * transform.e, transform.c + x * transform.a
            if not (np.isfinite(y).all() and np.isfinite(x).all()):
                raise SceneError(f"a map with the geotransform {transform.to_gdal()}", "coordinates of every pixel")
    return {"y": y, "x": x, "spatial_ref": spatial_ref}


def check_scene(scene: xr.DataArray) -> None:
    """Check that an array meets the schema of a scene.

    Raises
    ------
    SceneError
        If it does not: what is missing and how to make it a scene.
    """
    remedy = "make a scene with unmixel.make_scene or unmixel.open_scene"
    if not isinstance(scene, xr.DataArray):
        raise SceneError(f"a {type(scene).__name__} as a scene", "an xarray.DataArray", remedy)
    if scene.dims != DIMS:
        raise SceneError(f"a scene with dimensions {scene.dims}", str(DIMS), remedy)
    missing = [name for name in ("wavelength", "good_band") if name not in scene.coords]
    if missing:
        raise SceneError(f"a scene without the coordinates {missing}", "them on 'band'", remedy)
    if 0 in scene.shape:
        raise SceneError(f"a scene of shape {scene.shape}", "at least one pixel and one band")


def good_bands(scene: xr.DataArray | xr.Dataset) -> Bool[np.ndarray, "band"]:
    """Return the flags of the bands that unmixing uses, or used for a result."""
    return np.asarray(scene["good_band"].values, dtype=bool)


def valid_pixels(scene: xr.DataArray) -> Bool[np.ndarray, "y x"]:
    """Return True where a pixel is finite in every good band."""
    good = good_bands(scene)
    valid = [np.isfinite(lines).all(axis=2) for lines in _some_lines(scene.values)]
    if not good.all():
        for lines, whole in zip(_some_lines(scene.values), valid, strict=True):
            whole[~whole] = np.isfinite(lines[~whole][:, good]).all(axis=1)
    return np.concatenate(valid)


def pixels_of(scene: xr.DataArray) -> Float[np.ndarray, "pixel band"]:
    """Return the valid pixels in row-major order, good bands only, as contiguous float32.

    Examples
    --------
    >>> scene = make_scene([[[1.0, 2.0], [np.nan, 5.0]], [[3.0, 4.0], [5.0, 6.0]]])
    >>> pixels_of(scene)
    array([[1., 2.],
           [3., 4.],
           [5., 6.]], dtype=float32)
    """
    pixels = ValidPixels(scene)
    return pixels[np.arange(len(pixels))]


class ValidPixels:
    """The valid pixels of a scene in row-major order, good bands only, gathered only when they are asked for.

    Where the scene has no others, a slice of them is a view of the scene.

    Attributes
    ----------
    numbers : array of int, shape (pixel,)
        Where each of them is, counted along the rows of the whole scene.
    shape : tuple of two int
        Rows and columns of the scene.
    scene : DataArray

    Examples
    --------
    >>> pixels = ValidPixels(make_scene([[[1.0, 2.0], [np.nan, 5.0]], [[3.0, 4.0], [5.0, 6.0]]]))
    >>> len(pixels), pixels.numbers, pixels[1:]
    (3, array([0, 2, 3]), array([[3., 4.],
           [5., 6.]], dtype=float32))
    """

    def __init__(self, scene: xr.DataArray) -> None:
        check_scene(scene)
        self.scene = scene
        self.numbers = np.flatnonzero(valid_pixels(scene))
        self.shape = scene.sizes["y"], scene.sizes["x"]
        good = np.flatnonzero(good_bands(scene))
        self._n_bands = len(good)
        self._runs = np.split(good, np.flatnonzero(np.diff(good) > 1) + 1)
        self._values = scene.values
        all_used = len(self.numbers) * self._n_bands == self._values.size and self._values.flags.c_contiguous
        self._all = self._values.reshape(-1, self._n_bands) if all_used else None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: slice | NDArray[np.integer]) -> Float[np.ndarray, "pixel band"]:
        if self._all is not None and isinstance(which, slice):
            return self._all[which]
        numbers = self.numbers[which]
        pixels = np.empty((len(numbers), self._n_bands), dtype=np.float32)
        for first in range(0, len(numbers), CHUNK):
            rows, columns = np.divmod(numbers[first : first + CHUNK], self._values.shape[1])
            before = 0
            for run in self._runs:
                bands = slice(before, before + len(run))
                pixels[first : first + CHUNK, bands] = self._values[rows, columns, run[0] : run[-1] + 1]
                before = bands.stop
        return pixels


def to_map(
    per_pixel: Shaped[np.ndarray, "pixel *rest"], valid: Bool[np.ndarray, "y x"]
) -> Float[np.ndarray, "y x *rest"]:
    """Put values of the valid pixels back where they belong, NaN elsewhere: the inverse of :func:`pixels_of`."""
    full = np.full(valid.shape + per_pixel.shape[1:], np.nan, dtype=np.float32)
    full[valid] = per_pixel
    return full


def to_maps(scene: xr.DataArray, per_pixel: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Put several kinds of values of the valid pixels back where they belong, see :func:`to_map`."""
    valid = valid_pixels(scene)
    return {name: to_map(np.asarray(values), valid) for name, values in per_pixel.items()}


class Colours(NamedTuple):
    """The bands of a scene that are shown as red, green and blue, what to call each, and what to call the picture."""

    bands: list[int]
    names: list[str]
    title: str


def colours_of(scene: xr.DataArray | xr.Dataset) -> Colours:
    """Return the bands of a scene, or of the scene of a result, that are nearest to the three colours of the eye.

    Where it has none there, they are three spread ones.

    Examples
    --------
    >>> colours_of(make_scene(np.random.rand(4, 5, 6), wavelength=[450, 480, 550, 600, 645, 900]))
    Colours(bands=[4, 2, 1], names=['645 nm', '550 nm', '480 nm'], title='true colour: 645, 550, 480 nm')
    >>> colours_of(make_scene(np.random.rand(4, 5, 6)))
    Colours(bands=[5, 3, 1], names=['band 6', 'band 4', 'band 2'], title='false colour: bands 6, 4, 2')
    """
    good = np.flatnonzero(good_bands(scene))
    wavelength = np.asarray(scene["wavelength"].values, dtype=float)[good]
    known = bool(np.isfinite(wavelength).all())

    def shown(places: list[int], kind: str) -> Colours:
        bands = [int(good[i]) for i in places]
        numbers = [f"{wavelength[i]:.0f}" if known else str(good[i] + 1) for i in places]
        names = [f"{number} nm" if known else f"band {number}" for number in numbers]
        listed = ", ".join(numbers)
        return Colours(bands, names, f"{kind}: {listed} nm" if known else f"{kind}: bands {listed}")

    if known:
        nearest = [int(np.argmin(np.abs(wavelength - colour))) for colour in RED_GREEN_BLUE]
        if np.abs(wavelength[nearest] - RED_GREEN_BLUE).max() <= 25:
            return shown(nearest, "true colour")
    return shown([len(good) * part // 6 for part in (5, 3, 1)], "false colour")


def crs_wkt_of(scene: xr.DataArray | xr.Dataset) -> str | None:
    """Return the coordinate reference system as WKT, or None."""
    if "spatial_ref" not in scene.coords:
        return None
    return scene["spatial_ref"].attrs.get("crs_wkt") or None


def transform_of(scene: xr.DataArray | xr.Dataset) -> Affine | None:
    """Return the transform from pixel corners to map coordinates, also after cropping or striding; None without a map.

    Examples
    --------
    >>> scene = make_scene(np.random.rand(4, 5, 3), transform=Affine(2.0, 0.0, 100.0, 0.0, -2.0, 50.0))
    >>> transform_of(scene[1:, 2:])
    Affine(2.0, 0.0, 104.0,
           0.0, -2.0, 48.0)
    """
    text = scene["spatial_ref"].attrs.get("GeoTransform") if "spatial_ref" in scene.coords else None
    if not text:
        return None
    base = Affine.from_gdal(*(float(v) for v in str(text).split()))
    x, y = np.asarray(scene["x"].values, float), np.asarray(scene["y"].values, float)
    if _is_north_up(base):
        x, y = (x - base.c) / base.a, (y - base.f) / base.e
    (column, step_x), (row, step_y) = _grid(x), _grid(y)
    return base @ Affine.translation(column, row) @ Affine.scale(step_x, step_y)


def _grid(centres: NDArray[np.floating]) -> tuple[float, float]:
    """Return the first corner and the step of pixel centres, snapped to whole pixels."""
    step = round(float(centres[1] - centres[0]), 3) if len(centres) > 1 else 1.0
    return round(float(centres[0]) - step / 2, 3), step


def _is_north_up(transform: Affine) -> bool:
    return transform.b == 0 and transform.d == 0


def _per_band(given: ArrayLike | None, n_bands: int, what: str, default: float) -> NDArray[np.float64]:
    if given is None:
        return np.full(n_bands, default)
    numbers = np.asarray(given, dtype=np.float64).ravel()
    if len(numbers) != n_bands:
        raise SceneError(f"{len(numbers)} {what} for {n_bands} bands", "one for each band")
    return numbers


def band_range(
    reflectance: Float[np.ndarray, "y x band"],
) -> tuple[Float[np.ndarray, "band"], Float[np.ndarray, "band"]]:
    """Return the lowest and the highest finite value of each band; infinity and its negative where there is none."""
    finite = np.isfinite(reflectance)
    lowest = np.where(finite, reflectance, np.inf).min(axis=(0, 1))
    return lowest, np.where(finite, reflectance, -np.inf).max(axis=(0, 1))


def usable_bands(
    lowest: Float[np.ndarray, "band"],
    highest: Float[np.ndarray, "band"],
    declared: Bool[np.ndarray, "band"],
    n_pixels: int,
) -> tuple[Bool[np.ndarray, "band"], list[str]]:
    """Return which of the declared bands can be used, and a line on each group that can't, from `band_range`."""
    invalid = lowest > highest
    constant = (lowest == highest) & (n_pixels > 1)
    groups = {
        "invalid in every pixel": declared & invalid,
        "constant over the scene": declared & constant,
    }
    counts = {reason: int(bad.sum()) for reason, bad in groups.items() if bad.any()}
    lines = [f"{count} {'band' if count == 1 else 'bands'} left out: {reason}" for reason, count in counts.items()]
    return declared & ~invalid & ~constant, lines
