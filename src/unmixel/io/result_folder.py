"""Result -> the folder of files that other programs open: maps, spectra, model, figures and provenance.

==========================  ============================================================================
``result.zarr``             everything (see `unmixel.result`)
``abundance.tif``           one band for each endmember, with ``abundance_sd.tif`` where the method knows it
``reconstruction_rmse.tif`` one band
``nonlinearity.tif``        one band for each stream of the network
``outside_reach.tif``       1 where the endmembers don't explain a pixel, 0 elsewhere
``scene.tif``               the scene in three colours [reflectance], to lay the maps over
``endmembers.csv``          mean, sd and quantiles over the scene: a row for each band of the scene
``endmembers.sli``          the same over the bands that were used: an ENVI library with its ``.hdr``
``model/``                  the fitted model, for `unmixel apply`
``provenance.json``         what made this: versions, input and its digest, every parameter, seed, timings
``*.png``                   figures
==========================  ============================================================================

The folder appears whole or not at all. Of a scene in the geometry of its sensor, the GeoTIFFs are on the map (by its
lookup table, the nearest pixel), and ``result.zarr`` and the figures are in the geometry of the sensor.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel import __version__
from unmixel.errors import SceneError
from unmixel.io.cog import stream_cog, write_cog
from unmixel.io.csv_text import as_cell
from unmixel.io.orthorectify import orthorectified, square_windows
from unmixel.io.whole_folder import whole_folder, write_provenance
from unmixel.io.windows import Window, natural_windows
from unmixel.lookup import lookup_of
from unmixel.result import check_result, provenance_of, save_result, unit_of
from unmixel.scene import colours_of, crs_wkt_of, transform_of
from unmixel.spectra import make_bundle

MAPS = {
    "abundance": ("abundance.tif", "abundance: share of the pixel's area"),
    "abundance_sd": ("abundance_sd.tif", "standard deviation of the abundance"),
    "reconstruction_rmse": ("reconstruction_rmse.tif", "root mean square of the residual over the bands"),
    "nonlinearity_degree": ("nonlinearity.tif", "nonlinear share of the mixing and of the abundances"),
    "outside_reach": ("outside_reach.tif", "1 where the endmembers don't explain the pixel"),
}
SCENE_PICTURE = "scene.tif"
VALUES = 2_000_000
"""Values of a map and of the abundances that are read at a time, where not all are."""


@runtime_checkable
class Saveable(Protocol):
    """A model that writes itself to a new folder."""

    def save(self, folder: Path) -> None:
        """Write the model."""


@runtime_checkable
class Drawing(Protocol):
    """A figure that writes itself to a file."""

    def savefig(self, fname: Any, *, dpi: float) -> None:
        """Write the figure."""


def write_result_folder(
    result: xr.Dataset,
    folder: str | Path,
    *,
    scene: xr.DataArray | None = None,
    fitted: Saveable | None = None,
    figures: Mapping[str, Drawing] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a result as a folder, whole or not at all.

    Parameters
    ----------
    result : Dataset
        A result (see `unmixel.result`).
    folder : path
        The folder to make.
    scene : DataArray, optional
        The scene that was unmixed, written in three colours as ``scene.tif``.
    fitted : Fitted, optional
        The fitted model, written as ``model/``.
    figures : mapping of str to figure, optional
        Figures by file name without ``.png``.
    overwrite : bool
        Replace the folder if it holds a result of unmixel, or nothing.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced, or cannot be written. What was there stays as it was.
    SceneError
        If the scene has not the size of the result.
    """
    check_result(result)
    if scene is not None and scene.shape != (size := tuple(result.sizes[name] for name in ("y", "x", "band"))):
        raise SceneError(f"a scene of shape {scene.shape} for a result of {size}", "the scene that was unmixed")
    with whole_folder(folder, "result", overwrite=overwrite) as unfinished:
        save_result(result, unfinished / "result.zarr")
        write_maps(result, unfinished)
        if scene is not None:
            values = np.asarray(scene.values[:, :, colours_of(result).bands], dtype=np.float32)
            write_picture(lambda window: values[window.slices], result, unfinished)
        write_spectra(result, unfinished)
        if fitted is not None:
            fitted.save(unfinished / "model")
        write_figures(figures or {}, unfinished)
        write_provenance(unfinished, "result", provenance_of(result))


def write_maps(result: xr.Dataset, folder: Path) -> None:
    """Write each map of a result as a cloud-optimised GeoTIFF."""
    for name in MAPS:
        if name in result:
            write_map(result, name, folder)


def write_map(result: xr.Dataset, name: str, folder: Path, *, windows: Sequence[Window] | None = None) -> None:
    """Write a map of a result as a cloud-optimised GeoTIFF.

    If windows are given, as those of its store, some of them are read at a time and never all.
    """
    file_name, meaning = MAPS[name]
    variable = result[name]
    by = variable.dims[2] if variable.ndim == 3 else None
    _write_raster(
        partial(_map_in, result, name),
        result,
        folder / file_name,
        bands=[str(label) for label in result[by].values] if by else [name],
        unit=str(variable.attrs.get("units", "")),
        tags={"quantity": meaning, "method": str(provenance_of(result).get("method", ""))},
        windows=windows,
    )


def write_picture(
    read: Callable[[Window], Float[np.ndarray, "y x three"]],
    result: xr.Dataset,
    folder: Path,
    *,
    windows: Sequence[Window] | None = None,
) -> None:
    """Write the scene of a result in three colours (`unmixel.scene.colours_of`), as `write_map` writes a map.

    `read` gives red, green and blue in a window [reflectance], NaN where the scene is invalid.
    """
    colours = colours_of(result)
    _write_raster(
        read,
        result,
        folder / SCENE_PICTURE,
        bands=colours.names,
        unit=unit_of("reconstruction_rmse", provenance_of(result)),
        tags={"quantity": f"the scene in {colours.title}"},
        windows=windows,
    )


def _write_raster(
    read: Callable[[Window], Float[np.ndarray, "y x band"]],
    result: xr.Dataset,
    path: Path,
    *,
    bands: list[str],
    unit: str,
    tags: Mapping[str, str],
    windows: Sequence[Window] | None,
) -> None:
    """Write values on the grid of a result, or on the map of its lookup table, whole or by windows."""
    shape = result.sizes["y"], result.sizes["x"]
    described: dict[str, Any] = {
        "bands": bands,
        "unit": unit,
        "crs_wkt": crs_wkt_of(result),
        "transform": transform_of(result),
        "tags": {**tags, "TIFFTAG_SOFTWARE": f"unmixel {__version__}"},
    }
    most = VALUES // (len(bands) + result.sizes["endmember"])
    lookup = lookup_of(result)
    if lookup is not None:
        read, shape = orthorectified(read, result, lookup, len(bands), most), lookup.shape
        described |= {"crs_wkt": lookup.crs_wkt, "transform": lookup.transform}
    if windows is None:
        write_cog(read(Window(0, shape[0], 0, shape[1])), path, **described)
    elif lookup is not None:
        stream_cog(read, square_windows(shape, most), shape, path, **described)
    else:
        larger = natural_windows(shape, windows[0].shape, max(most, windows[0].n_pixels))
        stream_cog(read, larger, shape, path, **described)


def _map_in(result: xr.Dataset, name: str, window: Window) -> Float[np.ndarray, "y x band"]:
    """Return a map in a window, NaN where the scene is invalid."""
    rows, columns = window.slices
    values = np.array(result[name][rows, columns].values, dtype=np.float32)
    abundance = values if name == "abundance" else result["abundance"][rows, columns].values
    values[np.isnan(abundance).any(axis=2)] = np.nan
    return values if values.ndim == 3 else values[:, :, None]


def write_figures(figures: Mapping[str, Drawing], folder: Path) -> None:
    """Write figures under their names."""
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=150)


def write_spectra(result: xr.Dataset, folder: Path) -> None:
    """Write the endmember spectra of a result, if it has any, as a table and as an ENVI library."""
    if "endmember_spectrum" in result:
        _write_spectra_csv(result, folder / "endmembers.csv")
        _write_spectra_sli(result, folder / "endmembers.sli")


def _statistics(result: xr.Dataset) -> dict[str, np.ndarray]:
    """Return ``{"soil mean": spectrum, "soil sd": ..., "soil q05": ...}`` for every endmember."""
    columns: dict[str, np.ndarray] = {}
    for k, name in enumerate(result["endmember"].values.astype(str)):
        columns[f"{name} mean"] = result["endmember_spectrum"].values[k]
        if "endmember_spectrum_sd" in result:
            columns[f"{name} sd"] = result["endmember_spectrum_sd"].values[k]
        if "endmember_quantile" in result:
            for level, spectra in zip(result["quantile"].values, result["endmember_quantile"].values, strict=True):
                columns[f"{name} q{round(100 * float(level)):02d}"] = spectra[k]
    return columns


def _write_spectra_csv(result: xr.Dataset, path: Path) -> None:
    statistics = _statistics(result)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["wavelength_nm", "fwhm_nm", "good_band", *map(as_cell, statistics)])
        fwhm = result["fwhm"].values if "fwhm" in result.coords else np.full(result.sizes["band"], np.nan)
        for band in range(result.sizes["band"]):
            table.writerow(
                [
                    _cell(result["wavelength"].values[band]),
                    _cell(fwhm[band]),
                    int(result["good_band"].values[band]),
                    *(_cell(spectrum[band]) for spectrum in statistics.values()),
                ]
            )


def _cell(value: float | np.floating) -> str:
    return f"{value:.7g}" if np.isfinite(value) else ""


def _write_spectra_sli(result: xr.Dataset, path: Path) -> None:
    from unmixel.io.sli import write_sli

    statistics = _statistics(result)
    used = np.isfinite(np.stack(list(statistics.values()))).all(axis=0)
    bundle = make_bundle(
        np.stack([spectrum[used] for spectrum in statistics.values()]),
        list(statistics),
        wavelength=result["wavelength"].values[used],
        fwhm=result["fwhm"].values[used] if "fwhm" in result.coords else None,
    )
    write_sli(bundle, path)
