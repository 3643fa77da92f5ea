"""What is done to one tile, and to one map of all tiles, in whichever process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unmixel.io.result_folder import SCENE_PICTURE, write_map, write_picture
from unmixel.peak_memory import peak_memory
from unmixel.result import open_result
from unmixel.scale.plan import plan_of
from unmixel.scene import ValidPixels


@dataclass(frozen=True)
class TileDone:
    """A finished tile.

    Attributes
    ----------
    tile : int
        Its number.
    pixels : int
        Valid pixels in it.
    files : dict of str to str
        SHA-256 of each of its files, by their place in the folder of the run.
    odd : tuple of four int
        Pixels with a negative abundance, with one if abundances sum to one, outside the endmembers' reach, and with a
        larger residual than noise allows.
    ended : dict of str to int
        How the search in it ended, see `unmixel.methods._fitted.Fitted`.
    peak_memory : int
        Largest resident memory of the process that did it [bytes].
    """

    tile: int
    pixels: int
    files: dict[str, str]
    odd: tuple[int, ...]
    ended: dict[str, int]
    peak_memory: int


def unmix_tile(folder: str, token: str, tile: int) -> TileDone:
    """Read a tile, unmix it, and write its part of every map; see `unmixel.scale.plan.plan_of`."""
    plan = plan_of(folder, token)
    window = plan.tiles[tile]
    scene = plan.fitted.on_my_bands(plan.whole if plan.fitted.neighbours else plan.scene.read(window))
    pixels = ValidPixels(scene)
    if not len(pixels):
        return TileDone(tile, 0, {}, (0, 0, 0, 0), {}, peak_memory())
    maps = plan.fitted.maps(scene)
    flags = plan.judge.flags_of(pixels)
    outside = np.zeros(window.n_pixels, dtype=bool)
    outside[pixels.numbers] = flags[:, 2]
    rmse = maps["reconstruction_rmse"].ravel()[pixels.numbers].astype(np.float64)
    beyond = int((rmse**2 > plan.judge.noise_limit).sum())
    maps["outside_reach"] = outside.reshape(window.shape)
    picture = np.ascontiguousarray(scene.values[:, :, plan.colours.bands])
    files = plan.maps.write(window, maps) | plan.picture.write(window, {"picture": picture})
    odd = (*map(int, flags.sum(axis=0)), beyond)
    return TileDone(tile, len(pixels), files, odd, plan.fitted.ended, peak_memory())


def write_one_map(folder: str, token: str, name: str) -> str:
    """Write a map of all tiles, or the scene in three colours (`SCENE_PICTURE`), as a GeoTIFF, and return its name."""
    plan = plan_of(folder, token)
    result = open_result(plan.store)
    if name == SCENE_PICTURE:
        picture = plan.picture.read("picture")
        write_picture(lambda window: np.asarray(picture[window.slices]), result, plan.made, windows=plan.tiles)
    else:
        write_map(result, name, plan.made, windows=plan.tiles)
    return name
