"""A sample of the valid pixels of a scene that need not fit in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer, UInt64

from unmixel.errors import NoValidPixelError, ParameterError
from unmixel.io.lazy import LazyScene
from unmixel.io.plausibility import looks_like_reflectance
from unmixel.io.remarks import Counts
from unmixel.methods._protocol import Progress
from unmixel.representative import place_numbers
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
    counts : Counts
        What was met in the whole scene.
    numbers : array of int, shape (pixel,)
        The random numbers by which they were drawn.
    """

    scene: xr.DataArray
    rows: Integer[np.ndarray, "pixel"]
    columns: Integer[np.ndarray, "pixel"]
    counts: Counts
    numbers: UInt64[np.ndarray, "pixel"]

    def first(self, most: int) -> Integer[np.ndarray, "chosen"]:
        """Return which pixels a smaller sample would hold, in row-major order."""
        return np.sort(np.lexsort((np.arange(len(self.numbers)), self.numbers))[:most])

    def save(self, path: Path) -> None:
        """Write the sample to a file that is whole or absent."""
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(
                file,
                spectra=self.scene.values[:, 0],
                rows=self.rows,
                columns=self.columns,
                counts=np.array(self.counts),
                numbers=self.numbers,
            )
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def load_sample(path: Path, scene: LazyScene) -> Sample:
    """Read what `Sample.save` wrote of a sample of this scene."""
    with np.load(path, allow_pickle=False) as saved:
        counts = Counts(*saved["counts"].tolist())
        drawn = one_column(scene, saved["spectra"], counts)
        return Sample(drawn, saved["rows"], saved["columns"], counts, saved["numbers"])


def sample_pixels(
    scene: LazyScene,
    n_pixels: int = 100_000,
    *,
    seed: int = 0,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Sample:
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
    progress : callable, optional
        Told after each window: stage ``"reading"``.

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
    >>> sample.scene.shape, sample.counts.valid
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
    counts = Counts()
    windows = scene.windows(memory)
    for done, window in enumerate(windows, start=1):
        part, met = scene.read_and_count(window)
        counts = counts.plus(met)
        rows_in, columns_in = np.nonzero(valid_pixels(part))
        drawn = place_numbers(window.top, window.bottom, columns, seed)[rows_in, columns_in + window.left]
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
        if progress:
            progress("reading", {"window": done, "of": len(windows)})
    if not counts.valid:
        raise NoValidPixelError(
            f"{scene.path}: a scene without one valid pixel", "pixels with a finite value in every good band"
        )
    order = np.argsort(places)
    rows, columns_of = np.divmod(places[order], columns)
    return Sample(one_column(scene, spectra[order], counts), rows, columns_of, counts, numbers[order])


def one_column(scene: LazyScene, spectra: Float[np.ndarray, "pixel band"], counts: Counts) -> xr.DataArray:
    """Return pixels of a scene as a scene of one column, with the bands of the whole one."""
    outline = scene.outline
    drawn = xr.DataArray(
        spectra[:, None],
        dims=DIMS,
        name="reflectance",
        coords={
            "y": np.arange(len(spectra)) + 0.5,
            "x": np.array([0.5]),
            "spatial_ref": xr.DataArray(np.int32(0)),
            **{name: outline[name] for name in ("wavelength", "fwhm", "good_band")},
        },
        attrs={"units": "1"},
    )
    reading = [*outline.attrs["reading"], *scene.notes_on(counts)]
    if (warning := looks_like_reflectance(drawn)) is not None:
        reading.append(warning)
    if counts.valid > len(spectra):
        reading.append(f"learnt from {len(spectra)} of the {counts.valid} valid pixels, drawn from all over the scene")
    drawn.attrs["reading"] = reading
    return drawn
