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
from unmixel.methods._progress import Progress
from unmixel.representative import place_numbers
from unmixel.scene import DIMS, valid_pixels
from unmixel.whole_numbers import checked_seed


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
        If `n_pixels` is not positive, or the seed is out of its range.
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
    seed = checked_seed(seed)
    rows, columns, n_bands = scene.shape
    smallest = _Smallest(min(n_pixels, rows * columns), n_bands)
    counts = Counts()
    windows = scene.windows(memory)
    for done, window in enumerate(windows, start=1):
        part, met = scene.read_and_count(window)
        counts = counts.plus(met)
        rows_in, columns_in = np.nonzero(valid_pixels(part))
        drawn = place_numbers(window.top, window.bottom, columns, seed)[rows_in, columns_in + window.left]
        hopeful = drawn <= smallest.limit
        rows_in, columns_in = rows_in[hopeful], columns_in[hopeful]
        places = (rows_in + window.top) * columns + columns_in + window.left
        smallest.offer(drawn[hopeful], places, part.values[rows_in, columns_in])
        if progress:
            progress("reading", {"window": done, "of": len(windows)})
    if not counts.valid:
        raise NoValidPixelError(
            f"{scene.path}: a scene without one valid pixel", "pixels with a finite value in every good band"
        )
    order = np.argsort(smallest.places)
    rows_of, columns_of = np.divmod(smallest.places[order], columns)
    drawn_scene = one_column(scene, smallest.spectra[order], counts)
    return Sample(drawn_scene, rows_of, columns_of, counts, smallest.numbers[order])


class _Smallest:
    """The pixels with the smallest numbers of all that were offered, in no order.

    Parameters
    ----------
    size : int
        How many are kept.
    n_bands : int
    """

    def __init__(self, size: int, n_bands: int) -> None:
        self.numbers, self.places = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
        self.spectra = np.empty((size, n_bands), dtype=np.float32)

    @property
    def limit(self) -> int:
        """The largest number that may still be among the smallest."""
        full = len(self.numbers) == len(self.spectra)
        return int(self.numbers.max()) if full else int(np.iinfo(np.uint64).max)

    def offer(
        self,
        numbers: UInt64[np.ndarray, "offered"],
        places: Integer[np.ndarray, "offered"],
        spectra: Float[np.ndarray, "offered band"],
    ) -> None:
        """Keep what is among the smallest, in the rows of what is no longer."""
        before = len(self.numbers)
        numbers, places = np.concatenate([self.numbers, numbers]), np.concatenate([self.places, places])
        kept = np.zeros(len(numbers), dtype=bool)
        kept[np.lexsort((places, numbers))[: len(self.spectra)]] = True
        new = before + np.flatnonzero(kept[before:])
        rows = np.concatenate([np.flatnonzero(~kept[:before]), np.arange(before, kept.sum())])
        self.spectra[rows] = spectra[new - before]
        numbers[rows], places[rows] = numbers[new], places[new]
        self.numbers, self.places = numbers[: kept.sum()], places[: kept.sum()]


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
            **{name: outline[name] for name in outline.coords if outline[name].dims == ("band",)},
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
