"""A small scene of nine tiles, unmixed by tiles and whole, and what to compare of its results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from affine import Affine

from unmixel.diagnostics import diagnose
from unmixel.io import open_scene, write_envi
from unmixel.io.result_folder import write_result_folder
from unmixel.methods import Fitted
from unmixel.methods.fcls import FCLS
from unmixel.registry import load
from unmixel.result import open_result
from unmixel.scale import TileRun, unmix_file
from unmixel.scene import make_scene

ROWS, COLUMNS, BANDS = 61, 43, 12
TILE_MEMORY = 7 * COLUMNS * BANDS * 22
"""Seven rows of a scene of float32."""
N_TILES = 9


def make_folder(folder: Path) -> Path:
    """Put a scene (two tiles and some pixels masked, one band left out) and a model fitted to it into a folder."""
    rng = np.random.default_rng(0)
    spectra = rng.uniform(0.05, 0.6, (3, BANDS))
    values = rng.dirichlet(np.ones(3), (ROWS, COLUMNS)) @ spectra + 0.01 * rng.standard_normal((ROWS, COLUMNS, BANDS))
    values[7:21] = np.nan
    values[40, 3:30] = np.nan
    values[33, 5:9] += 0.2 * np.cos(np.arange(BANDS))
    scene = make_scene(
        values,
        wavelength=np.linspace(450, 2400, BANDS),
        fwhm=np.full(BANDS, 10.0),
        good_band=np.arange(BANDS) != 5,
        crs_wkt=rasterio.crs.CRS.from_epsg(32632).to_wkt(),
        transform=Affine(0.7, 0.0, 656_412.3, 0.0, -0.7, 5_319_240.9),
    )
    write_envi(scene, folder / "scene.img")
    FCLS(n_endmembers=3).fit(open_scene(folder / "scene.img")).save(folder / "model")
    return folder


OF_THE_RUN = ("read_s", "extraction_s", "fit_s", "unmix_s", "write_s", "peak_memory_mb", "where", "command")


def content(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder; of the provenance, all but how it was made: command, times, where."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = json.loads(found["provenance.json"])
    found["provenance.json"] = json.dumps({name: told[name] for name in told if name not in OF_THE_RUN}).encode()
    return found


def run_tiles(folder: Path, output: str = "out", **more: object) -> TileRun:
    """Unmix the scene of a folder by the model in it, tile by tile."""
    return unmix_file(folder / "model", folder / "scene.img", folder / output, **({"tile_memory": TILE_MEMORY} | more))


def whole(folder: Path, fitted: Fitted | None = None) -> tuple[xr.Dataset, Path]:
    """Unmix the scene of a folder at once; return the result, and the folder that it was written to."""
    fitted = fitted or load(folder / "model")
    scene = open_scene(folder / "scene.img")
    result = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    write_result_folder(result, folder / "whole", scene=scene, fitted=fitted)
    return open_result(folder / "whole"), folder / "whole"
