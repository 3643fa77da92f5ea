"""Pixels on a regular grid over a result, and the story of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from unmixel.errors import SceneError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_story import LEVEL, PixelSpectra, PixelStory
from unmixel.intervals import abundance_interval
from unmixel.io.lazy import LazyScene
from unmixel.io.windows import Window
from unmixel.methods._fitted import Fitted
from unmixel.methods._parts import Parts
from unmixel.scene import good_bands, valid_pixels
from unmixel.solvers import fcls

SAID = ("abundance", "abundance_sd", "reconstruction_rmse", "nonlinearity_degree", "outside_reach")


@dataclass(frozen=True)
class PixelGrid:
    """Every n-th row and column of a result, from the first.

    Attributes
    ----------
    step : int
        n.
    shape : tuple of int
        Rows and columns of the grid.
    stories : list of PixelStory
        Row by row.
    """

    step: int
    shape: tuple[int, int]
    stories: list[PixelStory]


def pixel_grid(opened: OpenedResult, step: int, *, with_spectra: bool) -> PixelGrid:
    """Tell the stories of the pixels on a grid.

    Parameters
    ----------
    opened : OpenedResult
    step : int
        Every how manyth row and column.
    with_spectra : bool
        Whether to ask scene and model; both must be there.

    Raises
    ------
    SceneError, ModelError
        If the scene cannot be read, is not as it was, or has other bands than the model.
    """
    every = slice(None, None, step)
    said = opened.result[[name for name in SAID if name in opened.result]].isel(y=every, x=every).load()
    shape = (said.sizes["y"], said.sizes["x"])
    lower = upper = np.full((*shape, said.sizes["endmember"]), np.nan)
    if "abundance_sd" in said and bool(said["abundance_sd"].notnull().any()):
        interval = abundance_interval(said, LEVEL)
        lower, upper = interval["lower"].values, interval["upper"].values
    spectra: dict[int, PixelSpectra] = {}
    if with_spectra and opened.scene is not None and opened.fitted is not None:
        stride = step if opened.fitted.neighbours else 1
        scene = opened.whole_scene if opened.fitted.neighbours else _every_nth(opened.scene, step)
        means = opened.result["endmember_spectrum"].values[:, good_bands(opened.result)].astype(np.float32)
        assert scene is not None
        spectra = _spectra_in(opened.fitted.on_my_bands(scene), stride, opened.fitted, means)
        _check_scene_is_that_of(said, spectra)
    stories = []
    for number in range(shape[0] * shape[1]):
        i, j = divmod(number, shape[1])
        there = said.isel(y=i, x=j)
        valid = bool(np.isfinite(there["abundance"].values).all())
        of_pixel = spectra.get(number) if valid else None
        stories.append(PixelStory(i * step, j * step, there, lower[i, j], upper[i, j], of_pixel))
    return PixelGrid(step, shape, stories)


def _every_nth(scene: LazyScene, step: int) -> xr.DataArray:
    """Read every n-th row and column of a scene, a row at a time."""
    rows, columns, _ = scene.shape
    lines = [
        scene.read(Window(row, row + 1, 0, columns)).isel(x=slice(None, None, step)) for row in range(0, rows, step)
    ]
    return xr.concat(lines, dim="y", coords="minimal", compat="override", join="override", combine_attrs="override")


def _spectra_in(scene: xr.DataArray, step: int, fitted: Fitted, means: np.ndarray) -> dict[int, PixelSpectra]:
    """Return the spectra of the valid pixels in every n-th row and column of a scene, by their number row by row."""
    valid = valid_pixels(scene)[::step, ::step]
    numbers, places = np.flatnonzero(valid), step * np.argwhere(valid)
    if not len(numbers):
        return {}
    parts = fitted.parts_at(scene, places)
    spectra, spectra_sd = fitted.endmembers_at(scene, places)
    weights = fcls(parts.observed, means)
    return {
        int(number): PixelSpectra(Parts(*(array[n] for array in parts)), spectra[n], spectra_sd[n], weights[n])
        for n, number in enumerate(numbers)
    }


def _check_scene_is_that_of(said: xr.Dataset, spectra: dict[int, PixelSpectra]) -> None:
    """Check that the pixels of the scene are valid where those of the result are, and as far from their model."""
    valid = np.flatnonzero(np.isfinite(said["abundance"].values).all(axis=2))
    same = set(valid.tolist()) <= set(spectra)
    if same and "reconstruction_rmse" in said:
        misfit = np.array([_rmse(spectra[number].parts) for number in valid.tolist()])
        same = np.allclose(misfit, said["reconstruction_rmse"].values.ravel()[valid], rtol=1e-3, atol=1e-5)
    if not same:
        raise SceneError("the scene is not as it was when it was unmixed")


def _rmse(parts: Parts) -> float:
    """Return how far a pixel is from its reconstruction [reflectance]."""
    misfit = parts.observed - parts.shares.sum(axis=0) - parts.nonlinear
    return float(np.sqrt((misfit**2).mean()))
