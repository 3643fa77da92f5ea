"""What a result that was made by tiles says about itself, found by tiles again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Integer

from unmixel.diagnostics.diagnosing import LEARNT_FROM, NONLINEARITY, SPECTRA, PixelJudge, evenly_spaced
from unmixel.diagnostics.diagnosis import Diagnosis
from unmixel.io.lazy import LazyScene
from unmixel.io.windows import Window
from unmixel.methods._protocol import Fitted
from unmixel.metrics import morans_i_by_rows
from unmixel.scale.gathering import gather_pixels, places_of
from unmixel.scale.sampling import one_column
from unmixel.scale.tile_store import TileStore
from unmixel.scene import CHUNK, ValidPixels, good_bands

NONLINEARITY_FROM = 100_000
"""Pixels, evenly spaced over the scene, whose nonlinearity degrees are told."""


def diagnose_tiles(
    fitted: Fitted,
    scene: LazyScene,
    result: xr.Dataset,
    store: TileStore,
    tiles: Sequence[Window],
    valid: Bool[np.ndarray, "y x"],
) -> Diagnosis:
    """Write the map ``outside_reach`` into the store, and return the diagnosis, as `unmixel.diagnose` finds it.

    Quantiles of the nonlinearity degree are those of at most 100000 pixels.

    Parameters
    ----------
    fitted : Fitted
    scene : LazyScene
    result : Dataset
        What the store holds, read when it is asked for.
    store : TileStore
    tiles : sequence of Window
    valid : array of bool, shape (y, x)
        The pixels that were unmixed.
    """
    good = good_bands(fitted.on_my_bands(scene.outline))
    n_valid = int(valid.sum())
    learnt_from = gather_pixels(scene, *places_of(valid, evenly_spaced(n_valid, LEARNT_FROM)), good)
    judge = PixelJudge(np.asarray(result["endmember_spectrum"].values[:, good], dtype=np.float64), learnt_from)
    counts, beyond = np.zeros(3, dtype=int), 0
    for tile in tiles:
        if not valid[tile.slices].any():
            continue
        pixels = ValidPixels(fitted.on_my_bands(scene.read(tile)))
        flags = np.zeros((len(pixels), 3), dtype=bool)
        for first in range(0, len(pixels), CHUNK):
            flags[first : first + CHUNK] = judge.flags(pixels[first : first + CHUNK])
        outside = np.zeros(tile.n_pixels, dtype=bool)
        outside[pixels.numbers] = flags[:, 2]
        store.write(tile, {"outside_reach": outside.reshape(tile.shape)})
        counts += flags.sum(axis=0)
        rmse = _part(result, "reconstruction_rmse", tile)
        beyond += int((rmse[np.isfinite(rmse)] ** 2 > judge.noise_limit).sum())
    chosen = places_of(valid, evenly_spaced(n_valid, SPECTRA))
    spectra = gather_pixels(scene, *chosen, np.ones(scene.shape[2], dtype=bool))
    return judge.diagnosis(
        [str(name) for name in result["endmember"].values],
        shares=counts / n_valid,
        structure=morans_i_by_rows(
            lambda first, last: _part(result, "reconstruction_rmse", Window(first, last, 0, scene.shape[1])),
            scene.shape[0],
            max(1, tiles[0].bottom),
        ),
        beyond_noise=beyond / n_valid,
        spectra=fitted.endmembers_at(one_column(scene, spectra, n_valid))[0],
        abundance=_at(result, "abundance", tiles, *chosen),
        nonlinearity=_nonlinearity(result, tiles, valid, n_valid),
    )


def _nonlinearity(
    result: xr.Dataset, tiles: Sequence[Window], valid: Bool[np.ndarray, "y x"], n_valid: int
) -> dict[str, np.ndarray]:
    if "nonlinearity_degree" not in result:
        return {}
    chosen = places_of(valid, evenly_spaced(n_valid, NONLINEARITY_FROM))
    degrees = _at(result, "nonlinearity_degree", tiles, *chosen).astype(np.float32)
    quantiles = np.nanquantile(degrees, NONLINEARITY, axis=0).T
    return dict(zip(result["stream"].values.astype(str), quantiles, strict=True))


def _part(result: xr.Dataset, name: str, window: Window) -> Any:
    rows, columns = window.slices
    return np.asarray(result[name].isel(y=rows, x=columns).values, dtype=np.float64)


def _at(
    result: xr.Dataset,
    name: str,
    tiles: Sequence[Window],
    rows: Integer[np.ndarray, "chosen"],
    columns: Integer[np.ndarray, "chosen"],
) -> np.ndarray:
    """Return the values of a map in single pixels."""
    values = np.empty((len(rows), result[name].shape[2]))
    for tile in tiles:
        inside = np.flatnonzero(
            (rows >= tile.top) & (rows < tile.bottom) & (columns >= tile.left) & (columns < tile.right)
        )
        if len(inside):
            values[inside] = _part(result, name, tile)[rows[inside] - tile.top, columns[inside] - tile.left]
    return values
