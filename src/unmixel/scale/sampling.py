"""A sample of the valid pixels of a scene that need not fit in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer, UInt64

from unmixel.errors import ParameterError, SceneError
from unmixel.io.lazy import LazyScene
from unmixel.io.windows import Window
from unmixel.scene import DIMS, valid_pixels


@dataclass(frozen=True)
class Sample:
    """Some valid pixels of a scene.

    Attributes
    ----------
    scene : DataArray, shape (pixel, 1, band)
        A scene of one column with the bands of the whole one, in row-major order: what `Method.fit` takes.
    rows, columns : array of int, shape (pixel,)
        Where the pixels are in the whole scene.
    n_valid : int
        Number of valid pixels of the whole scene.
    """

    scene: xr.DataArray
    rows: Integer[np.ndarray, "pixel"]
    columns: Integer[np.ndarray, "pixel"]
    n_valid: int


def sample_pixels(scene: LazyScene, n_pixels: int = 100_000, *, seed: int = 0, memory: int | None = None) -> Sample:
    r"""Draw pixels from all over a scene, each valid pixel with the same probability, in one pass over its windows.

    Every place of the scene has a random number of its own, :math:`u_{yx}`, that depends on nothing but the seed and
    the place. The sample is the valid pixels with the smallest numbers. So it does not depend on the windows, and no
    more is kept in memory than the sample and a window.

    Parameters
    ----------
    scene : LazyScene
        The scene, see `unmixel.io.open_lazily`.
    n_pixels : int
        Most pixels to draw. If there are fewer, the sample is all of them.
    seed : int
        Seed of the random numbers.
    memory : int
        Bytes that a window takes; as the scene was opened when None.

    Raises
    ------
    ParameterError
        If `n_pixels` is not positive, or the seed is negative.
    SceneError
        If the scene has no valid pixel.

    References
    ----------
    P. S. Efraimidis and P. G. Spirakis, *Weighted random sampling with a reservoir*, Information Processing Letters 97,
    2006, doi:10.1016/j.ipl.2005.11.003 (with equal weights).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unmixel.io import open_lazily
    >>> file = Path(tempfile.mkdtemp()) / "scene.npy"
    >>> np.save(file, np.random.default_rng(0).random((40, 30, 5)))
    >>> sample = sample_pixels(open_lazily(file), 100)
    >>> sample.scene.shape, sample.n_valid
    ((100, 1, 5), 1200)
    """
    if n_pixels < 1:
        raise ParameterError(f"n_pixels = {n_pixels}", "at least 1")
    if seed < 0:
        raise ParameterError(f"seed = {seed}", "0 or larger")
    columns, n_bands = scene.shape[1:]
    numbers = np.empty(0, dtype=np.uint64)
    places = np.empty(0, dtype=np.int64)
    spectra = np.empty((0, n_bands), dtype=np.float32)
    n_valid = 0
    for window in scene.windows(memory):
        part = scene.read(window)
        rows_in, columns_in = np.nonzero(valid_pixels(part))
        n_valid += len(rows_in)
        drawn = _numbers_of(window, columns, seed)[rows_in, columns_in]
        if len(numbers) == n_pixels:
            smaller = drawn < numbers.max()
            rows_in, columns_in, drawn = rows_in[smaller], columns_in[smaller], drawn[smaller]
        here = (rows_in + window.top) * columns + columns_in + window.left
        numbers, places = np.concatenate([numbers, drawn]), np.concatenate([places, here])
        chosen = np.lexsort((places, numbers))[:n_pixels]
        new = chosen[chosen >= len(spectra)] - len(spectra)
        old = chosen[chosen < len(spectra)]
        chosen = np.concatenate([old, new + len(spectra)])
        spectra = np.concatenate([spectra[old], part.values[rows_in[new], columns_in[new]]])
        numbers, places = numbers[chosen], places[chosen]
    if not n_valid:
        raise SceneError(
            f"{scene.path}: a scene without one valid pixel", "pixels with a finite value in every good band"
        )
    order = np.argsort(places)
    rows, columns_of = np.divmod(places[order], columns)
    return Sample(one_column(scene, spectra[order], n_valid), rows, columns_of, n_valid)


def _numbers_of(window: Window, columns: int, seed: int) -> UInt64[np.ndarray, "y x"]:
    """Return the random numbers of the places in a window: each row of the scene has a stream of its own."""
    rows = [
        np.random.Generator(np.random.Philox(key=seed, counter=row << 64)).integers(
            0, 2**64 - 1, size=columns, dtype=np.uint64, endpoint=True
        )
        for row in range(window.top, window.bottom)
    ]
    return np.stack(rows)[:, window.left : window.right]


def one_column(scene: LazyScene, spectra: Float[np.ndarray, "pixel band"], n_valid: int) -> xr.DataArray:
    """Return pixels of a scene as a scene of one column, with the bands of the whole one."""
    outline = scene.outline
    reading = [*outline.attrs["reading"], f"{len(spectra)} of {n_valid} valid pixels drawn from {scene.path.name}"]
    return xr.DataArray(
        spectra[:, None],
        dims=DIMS,
        name="reflectance",
        coords={
            "y": np.arange(len(spectra)) + 0.5,
            "x": np.array([0.5]),
            "spatial_ref": xr.DataArray(np.int32(0)),
            **{name: outline[name] for name in ("wavelength", "fwhm", "good_band")},
        },
        attrs={"reading": reading, "units": "1"},
    )
